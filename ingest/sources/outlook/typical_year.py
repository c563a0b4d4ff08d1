"""Typical years: TMY3 and EPW files, and the synthetic years that ship with the package.

A typical year has no year. It is kept as 8,760 hours that begin at month-day-hour of the file's own
standard time (no daylight saving), and mapped onto whatever dates are wanted; 29 February takes the
28th. It stands for the *usual*, never for a date: ``source`` says "typical year" wherever it is shown.

What the stamps of these files mean (Wilcox & Marion, NREL/TP-581-43156, 2008; EnergyPlus Auxiliary
Programs): hour 1 is 00:00 to 01:00; radiation is the sum over the hour that *ends* at the stamp,
temperature, humidity, wind and pressure are instants at the stamp. pvlib hands TMY3 rows out stamped at
the end and EPW rows at the beginning of the hour; both readers below come out the same.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pvlib import iotools

from models.errors import Fault, InvalidInput, NotFound
from models.series import Values
from models.sky import Place
from models.weather import RADIATION, WeatherTable

HOURS = 8760
HOUR = timedelta(hours=1)
_COLUMNS = {
    "ghi": "ghi_w_m2",
    "dni": "dni_w_m2",
    "dhi": "dhi_w_m2",
    "temp_air": "temp_air_c",
    "relative_humidity": "relative_humidity_pct",
    "wind_speed": "wind_speed_m_s",
}
# EPW writes a missing value as a row of nines, TMY3 as -9900 (same manuals).
_EPW_MISSING = {
    "ghi": 9999.0,
    "dni": 9999.0,
    "dhi": 9999.0,
    "temp_air": 99.9,
    "relative_humidity": 999.0,
    "wind_speed": 999.0,
    "atmospheric_pressure": 999999.0,
}
_TMY3_MISSING = -9900.0


@dataclass(frozen=True, slots=True, eq=False)
class TypicalYear:
    """8,760 hourly means from 1 January 00:00 of the standard time ``utc_offset``, at ``place``."""

    place: Place
    utc_offset: timedelta
    columns: Mapping[str, Values]
    source: str
    synthetic: bool
    wind_height_m: float = 10.0

    def table(self, start: datetime, hours: int, available_at: datetime) -> WeatherTable:
        """``hours`` hourly slots from the whole hour ``start``, taken from the same month, day and hour.

        Raises:
            InvalidInput: ``start`` is not a whole hour of the file's standard time.
        """
        local = start.astimezone(UTC) + self.utc_offset
        if local.minute or local.second or local.microsecond:
            message = f"{start.isoformat()} is not a whole hour at offset {self.utc_offset}; ask from a whole hour"
            raise InvalidInput(f"the typical year {self.source!r}", [Fault("start", "not_whole_hour", message)])
        rows = [hour_of_year(local + k * HOUR) for k in range(hours)]
        columns = {name: values[rows] for name, values in self.columns.items()}
        return WeatherTable(
            self.place,
            start,
            HOUR,
            columns,
            self.wind_height_m,
            self.source,
            self.synthetic,
            available_at,
        )


def hour_of_year(local: datetime) -> int:
    """Row of month, day and hour in a year without 29 February; the 29th takes the 28th."""
    day = 28 if (local.month, local.day) == (2, 29) else local.day
    return (datetime(2025, local.month, day, local.hour) - datetime(2025, 1, 1)) // HOUR


def read_tmy3(path: Path | str) -> TypicalYear:
    """TMY3 file of the NREL, through pvlib.

    Raises:
        InvalidInput: not readable as TMY3, not 8,760 hours in order, or values beyond physical ranges.
    """
    frame, meta = _read(path, "TMY3", lambda: iotools.read_tmy3(str(path), map_variables=True))
    columns = {name: frame[old].to_numpy(dtype=np.float64) for old, name in _COLUMNS.items()}
    columns["pressure_pa"] = frame["pressure"].to_numpy(dtype=np.float64)
    for name, values in columns.items():
        columns[name] = np.where(values <= _TMY3_MISSING, np.nan, values)
    columns["pressure_pa"] = columns["pressure_pa"] * 100.0  # the file has mbar
    return _assembled(
        path,
        "TMY3",
        pd.DatetimeIndex(frame.index).shift(-1, freq=pd.Timedelta(HOUR)),
        columns,
        meta,
        f"{meta['Name'].strip(chr(34))}, {meta['State']}",
    )


def read_epw(path: Path | str) -> TypicalYear:
    """EnergyPlus weather file, through pvlib; raises as :func:`read_tmy3`."""
    frame, meta = _read(path, "EPW", lambda: iotools.read_epw(str(path)))
    frame = frame.replace({name: {missing: np.nan} for name, missing in _EPW_MISSING.items()})
    columns = {name: frame[old].to_numpy(dtype=np.float64) for old, name in _COLUMNS.items()}
    columns["pressure_pa"] = frame["atmospheric_pressure"].to_numpy(dtype=np.float64)
    return _assembled(path, "EPW", pd.DatetimeIndex(frame.index), columns, meta, f"{meta['city']}, {meta['country']}")


@lru_cache(maxsize=8)
def synthetic_year(climate: str) -> TypicalYear:
    """A year made by ``data/weather/make_synthetic.py`` from assumed climate numbers.

    Raises:
        NotFound: no such climate ships with the package.
    """
    if climate not in synthetic_climates():
        raise NotFound("climate", climate)
    content = gzip.decompress((files("data") / "weather" / f"{climate}.csv.gz").read_bytes()).decode("utf-8")
    lines = content.splitlines()
    said = dict(line[1:].split("=") for line in lines if line.startswith("#") and line.count("=") == 1)
    header = {key.strip(): float(value) for key, value in said.items()}
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    columns = {
        name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name not in ("month", "day", "hour")
    }
    return TypicalYear(
        Place(header["latitude_deg"], header["longitude_deg"], header["altitude_m"]),
        timedelta(0),
        columns,
        f"synthetic typical year {climate!r} (assumed climate)",
        True,
        header["wind_height_m"],
    )


def synthetic_climates() -> list[str]:
    """Names that :func:`synthetic_year` knows."""
    found = (entry.name for entry in (files("data") / "weather").iterdir())
    return sorted(name.removesuffix(".csv.gz") for name in found if name.endswith(".csv.gz"))


def _read(
    path: Path | str, kind: str, read: Callable[[], tuple[pd.DataFrame, dict[str, Any]]]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    what = f"the {kind} file {path}"
    try:
        return read()
    except OSError as error:
        raise InvalidInput(what, [Fault("", "not_readable", f"{error.strerror or error}; check the path")]) from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InvalidInput(what, [Fault("", "not_" + kind.lower(), f"not a {kind} file: {error}")]) from None


def _assembled(
    path: Path | str,
    kind: str,
    slot_starts: pd.DatetimeIndex,
    columns: dict[str, Values],
    meta: Mapping[str, float],
    name: str,
) -> TypicalYear:
    what = f"the {kind} file {path}"
    if len(slot_starts) != HOURS:
        message = f"{len(slot_starts)} rows; a typical year has {HOURS} (leave 29 February out)"
        raise InvalidInput(what, [Fault("", "not_a_year", message)])
    places = [hour_of_year(moment) for moment in slot_starts.to_pydatetime()]
    wrong = next((k for k, place in enumerate(places) if place != k), None)
    if wrong is not None:
        message = f"row {wrong + 1} is {slot_starts[wrong]:%m-%d %H}:00; the hours of the year must stand in order"
        raise InvalidInput(what, [Fault(f"row.{wrong + 1}", "out_of_order", message)])
    means = {
        # Instants at the END of each hour; the year closes on itself.
        column: values if column in RADIATION else (np.roll(values, 1) + values) / 2
        for column, values in columns.items()
    }
    place = Place(float(meta["latitude"]), float(meta["longitude"]), float(meta["altitude"]))
    year = TypicalYear(place, timedelta(hours=float(meta["TZ"])), means, f"typical year {kind} {name}", False)
    year.table(datetime(2025, 1, 1, tzinfo=UTC), HOURS, datetime(2025, 1, 1, tzinfo=UTC))  # ranges, once, at the door
    return year
