"""Weather forecasts kept on disk: the newest of each source, so that a silent source still leaves its last run, and one
for every six hours, so that models learn from what was known then.

A JSON file a forecast, put there whole or not at all; a missing value is null. The climate of a table is not kept.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import InvalidInput
from models.horizon import parse_rfc3339, rfc3339
from models.sky import Place
from models.weather import WeatherTable

EVERY_H = 6
KEPT_DAYS = 400


def keep(folder: Path, table: WeatherTable) -> None:
    """Put ``table`` in the place of its source's run before it; one that does not say since when is not kept.

    Runs of other sources that ended before this one was known go.
    """
    if table.available_at is None:
        return
    path = folder / f"{hashlib.sha256(table.source.encode()).hexdigest()[:16]}.json"
    _put(path, table)
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


def archive(folder: Path, table: WeatherTable) -> None:
    """Put ``table`` beside those of before, as the first of its six hours; what is older than 400 days goes."""
    known = table.available_at
    if known is None:
        return
    path = folder / f"{known.astimezone(UTC):%Y%m%d}T{known.astimezone(UTC).hour // EVERY_H * EVERY_H:02d}.json"
    if path.exists():
        return
    _put(path, table)
    oldest = f"{known.astimezone(UTC) - timedelta(days=KEPT_DAYS):%Y%m%dT%H}"
    for other in folder.glob("*.json"):
        if other.stem < oldest:
            other.unlink()


def archived(folder: Path, since: datetime) -> tuple[list[WeatherTable], list[str]]:
    """The archived forecasts known from ``since`` on, in time order, and a sentence for each that cannot be read."""
    tables, refused = [], []
    for path in sorted(folder.glob("*.json")):
        if path.stem < f"{since.astimezone(UTC) - timedelta(hours=EVERY_H):%Y%m%dT%H}":
            continue
        table = _read(path)
        if table is None or table.available_at is None:
            refused.append(f"the archived run {path.name} cannot be read; remove it")
        elif table.available_at >= since:
            tables.append(table)
    return tables, refused


def _put(path: Path, table: WeatherTable) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(_written(table)), encoding="utf-8")
    beside.replace(path)


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
