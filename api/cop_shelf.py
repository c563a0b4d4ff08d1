"""Where a site's learned COP stands: a model file and its card, replaced whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.kept_files import object_in, written
from models.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from models.learn.plant_cop import LearnedCop


class CopShelf:
    """The learned COP of ``site`` below ``folder``; made when the first one is put there."""

    def __init__(self, folder: Path, site: str) -> None:
        self.folder = folder / "cooling" / site
        self._card = self.folder / "cop.json"

    def put(self, found: LearnedCop) -> None:
        """Keep a COP and its card, which names the file by its digest: a crash between the two leaves the former."""
        from models.learn.kept_cop import packed

        data, card = packed(found)
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._file(card)
        written(file, data)
        written(self._card, json.dumps(card, indent=1).encode())
        for old in self.folder.glob("cop-*.skops"):
            if old != file:
                old.unlink()

    def card(self) -> dict[str, Any] | None:
        """The card of the one that stands there; None where there is none.

        Raises:
            InvalidInput: it cannot be read.
        """
        return object_in(self._card, "the card", "learn it anew")

    def cop(self, card: dict[str, Any]) -> LearnedCop:
        """The one that stands there under ``card``.

        Raises:
            InvalidInput: file and card do not belong together or to this version (:mod:`models.learn.kept_cop`).
        """
        from models.learn.kept_cop import opened

        file = self._file(card)
        try:
            data = file.read_bytes()
        except OSError as error:
            fault = Fault("", "not_readable", f"{error.strerror}; learn it anew")
            raise InvalidInput(f"the learned COP {file}", [fault]) from None
        return opened(data, card)

    def _file(self, card: dict[str, Any]) -> Path:
        return self.folder / f"cop-{str(card.get('digest'))[:16]}.skops"
