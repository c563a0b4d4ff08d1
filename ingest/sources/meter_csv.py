"""What the grid meter counted, from a plain CSV: ``time,import_mw`` and, where there is some, ``export_mw``.

Times are RFC 3339 with an offset and mark the start of each slot; powers are means over the slot. An empty cell is a
missing value, and stays one. Other columns are not looked at.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ingest.sources.outlook.series_text import csv_told
from models.errors import Fault, InvalidInput
from models.series import Series, series_from_times


def read(path: Path) -> tuple[Series, Series]:
    """Imports and exports of a file, MW; exports of 0 where it has no such column.

    Raises:
        InvalidInput: not readable, no such columns, cells that are no numbers, times without offset, unsorted,
            doubled or with holes; everything of a kind at once.
    """
    what = f"the meter file {path}"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidInput(what, [Fault("", "not_readable", f"{error.strerror}; check the path")]) from None
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8; save it as UTF-8"
        raise InvalidInput(what, [Fault("", "not_utf8", message)]) from None
    told = csv_told(text, what, value="import_mw")
    drawn = series_from_times(told.times, told.values, "MW", source=path.name)
    head = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    if "export_mw" not in [name.strip() for name in head.split(",")]:
        return drawn, drawn.with_values(np.zeros(len(drawn)))
    given = csv_told(text, what, value="export_mw").values
    return drawn, drawn.with_values(np.array(given))
