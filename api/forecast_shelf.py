"""Where fitted models stand: a folder with a model file and its card a quantity, replaced whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.kept_files import object_in, written
from models.errors import Fault, InvalidInput, NotFound

if TYPE_CHECKING:
    from models.forecast.learned import Learned, Report


class Shelf:
    """Models of ``site`` below ``folder``; made when the first one is put there."""

    def __init__(self, folder: Path, site: str) -> None:
        self.folder = folder / "forecasts" / site

    def put(self, model: Learned, report: Report) -> Path:
        """Keep a model and its card; both reach the disk before either is seen under its name.

        The card names the model file by its digest, so that a crash between the two leaves the former pair.
        """
        from models.forecast.kept import packed

        data, card = packed(model, report)
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{model.quantity}-{card['digest'][:16]}.skops"
        written(file, data)
        written(self._card(model.quantity), json.dumps(card, indent=1).encode())
        for old in self.folder.glob(f"{model.quantity}-*.skops"):
            if old != file:
                old.unlink()
        return file

    def card(self, quantity: str) -> dict[str, Any] | None:
        """The card of the model that stands there; None where there is none.

        Raises:
            InvalidInput: it cannot be read.
        """
        return object_in(self._card(quantity), "the card", "train anew")

    def model(self, quantity: str) -> tuple[Learned, Report]:
        """The model that stands there.

        Raises:
            NotFound: there is none.
            InvalidInput: file and card do not belong together or to this version (:func:`models.forecast.kept.opened`).
        """
        from models.forecast.kept import opened

        card = self.card(quantity)
        if card is None:
            raise NotFound("trained model", quantity)
        file = self.folder / f"{quantity}-{str(card.get('digest'))[:16]}.skops"
        try:
            data = file.read_bytes()
        except OSError as error:
            fault = Fault("", "not_readable", f"{error.strerror}; train anew")
            raise InvalidInput(f"the model {file}", [fault]) from None
        model, report = opened(data, card)
        if model.quantity != quantity:
            message = f"it is a model of {model.quantity}; put its files back in their place or train anew"
            raise InvalidInput(f"the model {file}", [Fault("quantity", "mismatch", message)])
        return model, report

    def models(self, quantities: Iterable[str], tell: Callable[[str], None]) -> dict[str, tuple[Learned, Report]]:
        """Every model that stands there and may be used; what is refused is told, and missing, never stops the rest."""
        found = {}
        for quantity in quantities:
            try:
                found[quantity] = self.model(quantity)
            except NotFound:
                continue
            except InvalidInput as error:
                tell(str(error))
        return found

    def note(self, quantity: str, digest: str, serves: bool, reason: str, days: int = 0) -> None:
        """Keep how the model of ``digest`` stands after ``days`` scored; a newer model begins without a note."""
        text = json.dumps({"digest": digest, "serves": serves, "reason": reason, "days": days})
        written(self.folder / f"{quantity}.standing", text.encode())

    def fallen_back(self, quantity: str) -> str | None:
        """Why the model that stands here does not serve; None where it does, or was not scored yet."""
        noted = self._noted(quantity)
        return None if noted is None or noted["serves"] else str(noted["reason"])

    def scored_days(self, quantity: str) -> int:
        """On how many days the model that stands here was scored since it was trained."""
        noted = self._noted(quantity)
        return 0 if noted is None else int(noted.get("days", 0))

    def _noted(self, quantity: str) -> dict[str, Any] | None:
        """The note of the model that stands here; None where there is none.

        Raises:
            InvalidInput: it or the card cannot be read.
        """
        path = self.folder / f"{quantity}.standing"
        card, noted = self.card(quantity), object_in(path, "the note", "score anew")
        if noted is not None and not {"digest", "serves", "reason"} <= noted.keys():
            raise InvalidInput(f"the note {path}", [Fault("", "incomplete", "it lacks what it should say; score anew")])
        return noted if card and noted and noted.get("digest") == card.get("digest") else None

    def _card(self, quantity: str) -> Path:
        return self.folder / f"{quantity}.json"
