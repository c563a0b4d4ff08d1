"""Small files that are replaced whole or not at all, and read back with the mend where they cannot be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from models.errors import Fault, InvalidInput


def object_in(path: Path, what: str, mend: str) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is none.

    Raises:
        InvalidInput: it cannot be read; ``mend`` says what to do.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{what} {path}", [Fault("", "not_readable", f"{error}; {mend}")]) from None
    if not isinstance(found, dict):
        raise InvalidInput(f"{what} {path}", [Fault("", "not_an_object", f"no JSON object; {mend}")])
    return found


def written(path: Path, data: bytes) -> None:
    """Put ``data`` there; it reaches the disk before it is seen under its name."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
