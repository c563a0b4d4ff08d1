"""The newest weather forecast of each source, kept on disk, so that a silent source still leaves its last run.

A JSON file a source, replaced whole or not at all; a missing value is null. The climate of a table is not kept.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import InvalidInput
from models.horizon import parse_rfc3339, rfc3339
from models.sky import Place
from models.weather import WeatherTable


def keep(folder: Path, table: WeatherTable) -> None:
    """Put ``table`` in the place of its source's run before it; one that does not say since when is not kept.

    Runs of other sources that ended before this one was known go.
    """
    if table.available_at is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(table.source.encode()).hexdigest()[:16]}.json"
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(_written(table)), encoding="utf-8")
    beside.replace(path)
    for other in folder.glob("*.json"):
        if other != path and (old := _read(other)) is not None and old.end < table.available_at:
            other.unlink()


def kept(folder: Path) -> tuple[list[WeatherTable], list[str]]:
    """The runs that are kept, and a sentence for each file that cannot be read."""
    tables, refused = [], []
    for path in sorted(folder.glob("*.json")):
        table = _read(path)
        if table is None:
            refused.append(f"the kept run {path.name} cannot be read; it goes when its source answers again")
        else:
            tables.append(table)
    return tables, refused


def _written(table: WeatherTable) -> dict[str, Any]:
    place = table.place
    return {
        "source": table.source,
        "synthetic": table.synthetic,
        "available_at": None if table.available_at is None else rfc3339(table.available_at),
        "place": [place.latitude_deg, place.longitude_deg, place.altitude_m],
        "start": rfc3339(table.start),
        "step_s": table.step.total_seconds(),
        "wind_height_m": table.wind_height_m,
        "columns": {
            name: [None if np.isnan(value) else float(value) for value in values]
            for name, values in table.columns.items()
        },
    }


def _read(path: Path) -> WeatherTable | None:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return WeatherTable(
            Place(*told["place"]),
            parse_rfc3339(told["start"]),
            timedelta(seconds=told["step_s"]),
            {name: np.array(values, dtype=np.float64) for name, values in told["columns"].items()},
            told["wind_height_m"],
            told["source"],
            told["synthetic"],
            parse_rfc3339(told["available_at"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidInput):
        return None
