"""What a cooling plant's meters recorded, from a plain CSV: ``time,heat_mw,power_mw,ambient_c``."""

from __future__ import annotations

import csv
import math
from datetime import datetime
from pathlib import Path

import numpy as np

from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339
from models.learn.plant_records import PlantRecords


def read_plant_records(path: Path) -> PlantRecords:
    """Records of a CSV file, unscreened.

    Raises:
        InvalidInput: it cannot be read, or columns or cells that are refused.
    """
    names = ("heat_mw", "power_mw", "ambient_c")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in ("time", *names) if name not in (reader.fieldnames or ())]
            rows = [] if missing else list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(str(path), [Fault("", "not_readable", f"{error}; check the path")]) from None
    faults = [Fault(name, "missing", "no such column; add it") for name in missing]
    times: list[datetime] = []
    values: dict[str, list[float]] = {name: [] for name in names}
    for number, row in enumerate(rows, start=2):
        try:
            times.append(parse_rfc3339(row["time"] or ""))
            for name in names:
                values[name].append(float(row[name]) if row[name] else math.nan)
        except ValueError as error:
            faults.append(Fault(f"line {number}", "not_read", str(error)))
    if faults:
        raise InvalidInput(str(path), faults[:10])
    stamps = np.array([at.replace(tzinfo=None) for at in times], dtype="datetime64[us]")
    return PlantRecords(stamps, *(np.array(values[name]) for name in names))
