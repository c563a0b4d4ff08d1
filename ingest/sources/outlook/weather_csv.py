"""Weather from a plain CSV file that says itself what its stamps mean.

    # latitude_deg = 23.70
    # longitude_deg = -15.93
    # altitude_m = 12
    # radiation_stamp = end        (start, end or instant)
    # state_stamp = instant        (temperature, humidity, wind, pressure)
    # wind_height_m = 10
    # source = own weather mast
    time,ghi_w_m2,dni_w_m2,dhi_w_m2,temp_air_c,relative_humidity_pct,wind_speed_m_s
    2026-06-01T00:00:00Z,0,0,0,18.2,81,6.4

Times are RFC 3339 with an offset; an empty cell is a missing value; ``pressure_pa`` and
``aerosol_optical_depth`` may follow. Units stand in the column names, so none can be guessed wrong.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339
from models.series import Values
from models.sky import Place
from models.weather import OPTIONAL, REQUIRED, Stamp, WeatherTable, from_stamps

_NUMBERS = {
    "latitude_deg": (-90.0, 90.0),
    "longitude_deg": (-180.0, 180.0),
    "altitude_m": (-500.0, 9000.0),
    "wind_height_m": (0.1, 500.0),
}
_STAMPS = ("radiation_stamp", "state_stamp")
_SHOWN = 20


def read(path: Path | str, *, available_at: datetime | None = None) -> WeatherTable:
    """Weather table of a file; known since ``available_at``, by default the file's own time.

    Raises:
        InvalidInput: not readable, header lines or columns missing or unknown, cells that are no numbers,
            times without offset, unsorted, doubled or with holes; everything of a kind at once.
    """
    file, what = Path(path), f"the weather file {path}"
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        known = available_at or datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as error:
        raise InvalidInput(what, [Fault("", "not_readable", f"{error.strerror}; check the path")]) from None
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8; save it as UTF-8"
        raise InvalidInput(what, [Fault("", "not_utf8", message)]) from None
    return parse(lines, what, available_at=known, source=file.name)


def parse(lines: list[str], what: str, *, available_at: datetime, source: str = "") -> WeatherTable:
    """Weather table of a file's lines; ``source`` where they name none.

    Raises:
        InvalidInput: as :func:`read`.
    """
    said = _header(lines, what)
    rows = list(csv.reader(line for line in lines if line.strip() and not line.startswith("#")))
    names = [name.strip() for name in rows[0]] if rows else []
    refuse_semicolons(names, what)
    faults = [
        Fault(name, "missing", "this column is required; add it") for name in ("time", *REQUIRED) if name not in names
    ]
    faults += [
        Fault(name, "unknown", f"unknown column; known: time, {', '.join((*REQUIRED, *OPTIONAL))}")
        for name in names
        if name not in ("time", *REQUIRED, *OPTIONAL)
    ]
    faults += [
        Fault(name, "duplicate", "this column stands twice") for name in {n for n in names if names.count(n) > 1}
    ]
    if faults:
        raise InvalidInput(what, faults)
    times, values = cells(rows, names, what)
    return from_stamps(
        times,
        {name: values[:, k] for k, name in enumerate(n for n in names if n != "time")},
        Place(*(float(said[key]) for key in tuple(_NUMBERS)[:3])),
        radiation=Stamp(said["radiation_stamp"]),
        state=Stamp(said["state_stamp"]),
        wind_height_m=float(said["wind_height_m"]),
        source=said.get("source", source),
        available_at=available_at,
    )


def _header(lines: list[str], what: str) -> dict[str, str]:
    said = {}
    for line in lines:
        if line.startswith("#") and "=" in line:
            key, _, value = line[1:].partition("=")
            said[key.strip()] = value.strip()
    faults = []
    for key, (low, high) in _NUMBERS.items():
        try:
            if not low <= float(said[key]) <= high:
                faults.append(Fault(key, "out_of_range", f"{said[key]} lies outside {low:g} to {high:g}"))
        except KeyError:
            faults.append(Fault(key, "missing", f"say it in a line before the table: # {key} = ..."))
        except ValueError:
            faults.append(Fault(key, "not_a_number", f"{said[key]!r} is no number"))
    for key in _STAMPS:
        if said.get(key) not in {stamp.value for stamp in Stamp}:
            message = f"{said.get(key)!r}; say start, end or instant in a line before the table: # {key} = ..."
            faults.append(Fault(key, "unknown_stamp", message))
    if faults:
        raise InvalidInput(what, faults)
    return said


def refuse_semicolons(names: list[str], what: str) -> None:
    """Refuse a header that a spreadsheet of another language wrote: its decimals would be torn apart.

    Raises:
        InvalidInput: the columns are parted by semicolons.
    """
    if len(names) == 1 and ";" in names[0]:
        message = f"{names[0]!r} parts columns by semicolons; save it with commas, and decimals with points"
        raise InvalidInput(what, [Fault("columns", "semicolons", message)])


def cells(rows: list[list[str]], names: list[str], what: str) -> tuple[list[datetime], Values]:
    """Times and numbers (shape ``(rows, columns without time)``) below a header row; an empty cell is NaN.

    Raises:
        InvalidInput: rows of another length, times without offset, cells that are no numbers.
    """
    faults: list[Fault] = []
    times: list[datetime] = []
    place = names.index("time")
    values = np.full((len(rows) - 1, len(names) - 1), np.nan)
    for k, row in enumerate(rows[1:]):
        if len(row) != len(names):
            faults.append(Fault(f"row.{k + 1}", "length", f"{len(row)} cells; the header has {len(names)}"))
            continue
        try:
            times.append(parse_rfc3339(row[place].strip()))
        except ValueError as error:
            faults.append(Fault(f"row.{k + 1}.time", "not_a_time", str(error)))
        stripped = [cell.strip() for i, cell in enumerate(row) if i != place]
        for i, cell in enumerate(stripped):
            try:
                values[k, i] = float(cell) if cell else np.nan
            except ValueError:
                faults.append(
                    Fault(f"row.{k + 1}", "not_a_number", f"{cell!r} is no number; leave it empty if missing")
                )
    if faults:
        raise InvalidInput(what, faults[:_SHOWN])
    return times, values
