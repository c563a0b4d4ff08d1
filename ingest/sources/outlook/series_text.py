"""A series of numbers from the simple texts that prices and carbon come in: CSV, or JSON in three shapes.

CSV: lines ``# key = value`` (``unit``, ``source``, ``available_at``), then a header row with a time and a value column.
JSON: a list of rows ``{"time": ..., "value": ...}``; an object with such a list under ``data``; or regular, as
``{"start": ..., "resolution": "PT1H" | "step_minutes": 60, "values": [...], "unit": ...}``. Times are RFC 3339 with an
offset and mark the *start* of a slot; an empty cell or null is a missing value. Nothing is filled in or re-sorted.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from models import strict_json
from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339
from models.series import Series, series_from_times

_SHOWN = 5
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_MASS: Final = {"g": Fraction(1, 1000), "kg": Fraction(1), "t": Fraction(1000), "lb": Fraction(45359237, 10**8)}
_ENERGY: Final = {"kWh": Fraction(1000), "MWh": Fraction(1), "GWh": Fraction(1, 1000)}
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Told:
    """What a text says of itself beside its numbers; None where it says nothing."""

    times: list[datetime]
    values: list[float]
    unit: str | None = None
    source: str | None = None
    available_at: datetime | None = None


def parse(
    text: bytes, what: str, *, wanted: str, unit: str | None, known: datetime, time: str = "time", value: str = "value"
) -> Series:
    """The series in ``wanted`` (``XXX/MWh`` or ``kg/MWh``).

    Args:
        text: CSV or JSON, UTF-8.
        what: name of it for messages.
        wanted: unit of the result.
        unit: of the values where the text says none; one that the text says must be the same.
        known: since when it is known, where the text says nothing.
        time: column or key of the times.
        value: column or key of the values.

    Raises:
        InvalidInput: not readable as either, a column missing, cells that are no numbers, times without offset,
            unsorted, doubled or with holes, a unit that is missing, unknown or another currency's.
    """
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8; save it as UTF-8"
        raise InvalidInput(what, [Fault("", "not_utf8", message)]) from None
    told = (
        _json(text, what, time, value) if decoded.lstrip()[:1] in ("{", "[") else csv_told(decoded, what, time, value)
    )
    given = told.unit or unit
    if given is None:
        message = f"no unit is said; write unit in the site file or the series, such as {wanted}"
        raise InvalidInput(what, [Fault("unit", "missing", message)])
    if unit is not None and told.unit is not None and told.unit != unit:
        message = f"the series says {told.unit!r}, the site file {unit!r}; mend one"
        raise InvalidInput(what, [Fault("unit", "contradiction", message)])
    factor = float(_factor(given, wanted, what))
    return series_from_times(
        told.times,
        [number * factor for number in told.values],
        wanted,
        source=told.source or what,
        available_at=told.available_at or known,
    )


def csv_told(text: str, what: str, time: str = "time", value: str = "value") -> Told:
    """A column of a CSV with its times; raises as :func:`parse`."""
    lines = text.splitlines()
    said = {}
    for line in lines:
        if line.startswith("#") and "=" in line:
            key, _, content = line[1:].partition("=")
            said[key.strip()] = content.strip()
    rows = list(csv.reader(line for line in lines if line.strip() and not line.startswith("#")))
    names = [name.strip() for name in rows[0]] if rows else []
    faults = [
        Fault(name, "missing", f"there is no column {name!r}; there are {', '.join(names) or 'none'}")
        for name in (time, value)
        if name not in names
    ]
    if faults:
        raise InvalidInput(what, faults)
    at, of = names.index(time), names.index(value)
    body = [(row[at] if at < len(row) else "", row[of].strip() or None if of < len(row) else None) for row in rows[1:]]
    return _told(body, said, what)


def _json(text: bytes, what: str, time: str, value: str) -> Told:
    document = strict_json.loads(text, what)
    said: Mapping[str, Any] = document if isinstance(document, dict) else {}
    if isinstance(said.get("values"), list):
        return _regular(said, what)
    rows = document if isinstance(document, list) else said.get("data")
    if not isinstance(rows, list):
        message = "neither a list of rows, nor an object with data or with start and values"
        raise InvalidInput(what, [Fault("", "unknown_shape", message)])
    bad = next(
        (k for k, row in enumerate(rows) if not isinstance(row, dict) or time not in row or value not in row), None
    )
    if bad is not None:
        raise InvalidInput(what, [Fault(f"/{bad}", "row", f"it is no object with {time!r} and {value!r}")])
    return _told([(row[time], row[value]) for row in rows], said, what)


def _regular(said: Mapping[str, Any], what: str) -> Told:
    faults = []
    start, step = datetime.min, timedelta(0)
    try:
        start = parse_rfc3339(str(said.get("start")))
    except ValueError as error:
        faults.append(Fault("/start", "no_instant", str(error)))
    if isinstance(said.get("step_minutes"), (int, float)):
        step = timedelta(minutes=said["step_minutes"])
    elif (match := _DURATION.fullmatch(str(said.get("resolution")))) and any(match.groups()):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        step = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if step <= timedelta(0):
        faults.append(Fault("/resolution", "no_step", 'how long a slot is; write "resolution": "PT1H"'))
    if faults:
        raise InvalidInput(what, faults)
    return _told([(start + k * step, value) for k, value in enumerate(said["values"])], said, what)


def _told(rows: Sequence[tuple[Any, Any]], said: Mapping[str, Any], what: str) -> Told:
    times, values, faults = [], [], []
    for k, (at, number) in enumerate(rows):
        try:
            times.append(at if isinstance(at, datetime) else parse_rfc3339(str(at)))
            values.append(float("nan") if number is None else _number(number))
        except ValueError as error:
            faults.append(Fault(f"row.{k + 1}", "bad_row", str(error)))
    known = said.get("available_at")
    available = None
    if known is not None:
        try:
            available = parse_rfc3339(str(known))
        except ValueError as error:
            faults.append(Fault("available_at", "no_instant", str(error)))
    if faults:
        raise InvalidInput(what, faults[:_SHOWN])
    unit, source = said.get("unit"), said.get("source")
    return Told(times, values, None if unit is None else str(unit), None if source is None else str(source), available)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is no number")
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{value!r} is no number; write 91.5, with a point and without a unit") from None


def _factor(given: str, wanted: str, what: str) -> Fraction:
    """From a unit of money or mass per energy to the wanted one."""
    top, slash, bottom = given.replace(" ", "").replace("CO2", "").partition("/")
    goal = wanted.partition("/")[0]
    if slash and bottom in _ENERGY:
        if goal == "kg" and top in _MASS:
            return _MASS[top] * _ENERGY[bottom]
        if goal != "kg" and top == goal:
            return _ENERGY[bottom]
        if goal != "kg" and _CURRENCY.fullmatch(top):
            message = f"{given!r}: this site counts in {goal}; convert the series, nobody here knows a rate"
            raise InvalidInput(what, [Fault("unit", "other_currency", message)])
    tops = ", ".join(_MASS) if goal == "kg" else goal
    message = f"{given!r} is not understood; write one of {tops} per one of {', '.join(_ENERGY)}, such as {wanted}"
    raise InvalidInput(what, [Fault("unit", "unknown_unit", message)])
