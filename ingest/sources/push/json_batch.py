"""JSON batches as points: single points, and series of values at even steps; whatever is wrong is told by its place.

Numbers become floats (JSON does not tell 431 from 431.0), but for our own switches and codes, which are whole; units
are turned into those that we keep. Light: the web process uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ingest.catalogue import METRICS, as_stored, unit_of
from ingest.line_protocol import encode
from ingest.points import INT64_MAX, INT64_MIN, NS, Point, Value, canonical, to_ns
from models.horizon import parse_rfc3339
from models.strict_json import pointer
from models.units import converter

_POINT = {"measurement", "tags", "fields", "units", "time"}
_SERIES = {"metric", "tags", "unit", "start", "step_s", "values"}


class Unreadable(ValueError):
    """The document is no batch at all; ``where`` is a JSON pointer."""

    def __init__(self, where: str, code: str, message: str) -> None:
        self.where, self.code, self.message = where, code, message
        super().__init__(f"{where or 'the whole document'}: {message}")


class Rejected(NamedTuple):
    """One value or point that was left out: its JSON pointer, a stable snake_case code, and what to mend."""

    pointer: str
    code: str
    message: str


class _Bad(Exception):
    def __init__(self, path: tuple[str | int, ...], code: str, message: str) -> None:
        self.path, self.code, self.message = path, code, message
        super().__init__(message)


def count_of(document: Any) -> int:
    """How many points a batch holds, wherever they stand; 0 for what is none."""
    if not isinstance(document, dict):
        return 0
    series = document.get("series")
    values = [one.get("values") for one in series if isinstance(one, dict)] if isinstance(series, list) else []
    points = document.get("points")
    return sum(len(one) for one in (points, *values) if isinstance(one, list))


def read_batch(document: Any, now: datetime) -> tuple[list[Point], list[Rejected], list[str]]:
    """Points of a document that was parsed strictly, what was left out, and for each point where it stood.

    A point without a time gets ``now`` (aware).

    Raises:
        Unreadable: it is no object with ``points`` or ``series``.
    """
    if not isinstance(document, dict):
        raise Unreadable("", "not_object", 'write an object: {"points": [...]} or {"series": [...]}')
    if unknown := sorted(document.keys() - {"points", "series"}):
        raise Unreadable(pointer(unknown[0]), "unknown_key", f"{unknown[0]!r} is no key here; write points or series")
    if not document:
        raise Unreadable("", "empty", 'nothing is here; write {"points": [...]} or {"series": [...]}')
    points: list[Point] = []
    rejected: list[Rejected] = []
    places: list[str] = []
    readers: dict[str, Callable[[Mapping[str, Any], int, list[Rejected], str], Iterator[Point]]]
    readers = {"points": _points, "series": _series}
    for key, read in readers.items():
        rows = document.get(key, [])
        if not isinstance(rows, list):
            raise Unreadable(pointer(key), "not_list", "a list is expected here")
        for k, row in enumerate(rows):
            where = pointer(key, k)
            try:
                if not isinstance(row, dict):
                    raise _Bad((), "not_object", "an object is expected here")
                for one in read(row, to_ns(now), rejected, where):
                    points.append(one)
                    places.append(where)
            except _Bad as bad:
                rejected.append(Rejected(where + pointer(*bad.path), bad.code, bad.message))
    return points, rejected, places


def _points(row: Mapping[str, Any], now_ns: int, rejected: list[Rejected], where: str) -> Iterator[Point]:
    """The one point of an entry; a field that is wrong is left out alone."""
    _known_keys(row, _POINT)
    measurement = row.get("measurement")
    if not isinstance(measurement, str):
        raise _Bad(("measurement",), "missing", "name a measurement, such as gpu")
    fields = row.get("fields")
    if not isinstance(fields, dict) or not fields:
        raise _Bad(("fields",), "missing", 'at least one field is needed, such as {"power_w": 431.5}')
    units = row.get("units", {})
    if not isinstance(units, dict):
        raise _Bad(("units",), "not_object", "an object is expected here: field and unit")
    for name in units.keys() - fields.keys():
        raise _Bad(("units", name), "unknown_field", f"there is no field {name!r} here; remove it or mend the name")
    time_ns = now_ns if row.get("time") is None else _time(row["time"], "time")
    tags = _tags(row)
    kept: list[tuple[str, Value]] = []
    for name, value in fields.items():
        try:
            kept.append((name, _value(f"{measurement}.{name}", value, units.get(name, ""))))
            _sayable(Point(measurement, tags, (kept[-1],), time_ns), ("fields", name))
        except _Bad as bad:
            rejected.append(Rejected(where + pointer("fields", name), bad.code, bad.message))
            kept = [pair for pair in kept if pair[0] != name]
    if kept:
        yield Point(measurement, tags, tuple(kept), time_ns)


def _series(row: Mapping[str, Any], now_ns: int, rejected: list[Rejected], where: str) -> Iterator[Point]:  # noqa: ARG001
    """One point for each value that is not null, at the start of its step."""
    _known_keys(row, _SERIES)
    metric = row.get("metric")
    if not isinstance(metric, str) or not all(metric.partition(".")):
        raise _Bad(("metric",), "no_metric", "name a metric as measurement.field, such as site.pv_mw")
    measurement, _, field = metric.partition(".")
    start_ns = _time(row.get("start"), "start")
    step = row.get("step_s")
    if isinstance(step, bool) or not isinstance(step, int | float) or not 0 < step * NS < INT64_MAX:
        raise _Bad(("step_s",), "no_step", "write the seconds between values, such as 900")
    values = row.get("values")
    if not isinstance(values, list):
        raise _Bad(("values",), "not_list", "a list of numbers is expected here, null where there is none")
    tags = _tags(row)
    _sayable(Point(measurement, tags, ((field, 0.0),), start_ns), ("metric",))
    for k, value in enumerate(values):
        if value is None:
            continue
        at = start_ns + round(k * step * NS)
        try:
            told = _value(metric, value, row.get("unit", ""))
            if isinstance(told, str):
                raise _Bad((), "not_number", f"{told[:40]!r} is no number; a series holds numbers")
            if at > INT64_MAX:
                raise _Bad((), "time", "lies after the year 2262; mend start or step_s")
            yield Point(measurement, tags, ((field, told),), at)
        except _Bad as bad:
            rejected.append(Rejected(where + pointer("values", k), bad.code, bad.message))


def _known_keys(row: Mapping[str, Any], known: set[str]) -> None:
    for key in sorted(row.keys() - known):
        raise _Bad((key,), "unknown_key", f"{key!r} is no key here; write one of {', '.join(sorted(known))}")


def _tags(row: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    tags = row.get("tags", {})
    if not isinstance(tags, dict):
        raise _Bad(("tags",), "not_object", "an object is expected here: tag and text")
    for name, text in tags.items():
        if not isinstance(text, str):
            raise _Bad(("tags", name), "not_text", f"{text!r} is no text; tags are texts, write it in quotes")
    return canonical(tags)


def _time(value: Any, key: str) -> int:
    try:
        if not isinstance(value, str):
            raise ValueError("times are RFC 3339 texts with an offset, such as 2026-06-01T00:00:00Z, never numbers")
        time_ns = to_ns(parse_rfc3339(value))
    except ValueError as error:
        raise _Bad((key,), "time", str(error)) from None
    if not INT64_MIN <= time_ns <= INT64_MAX:
        raise _Bad((key,), "time", f"{value} lies outside the years 1677 to 2262")
    return time_ns


def _value(metric: str, value: Any, unit: Any) -> Value:
    if not isinstance(unit, str):
        raise _Bad((), "unit", f"{unit!r} is no unit; write one as a text, such as kW")
    known = METRICS.get(metric)
    if isinstance(value, bool) and (known is None or known.kind == "switch") and not unit:
        return value if known is None else int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
            kept = unit_of(metric)
            if unit and not kept:
                raise _Bad(
                    (), "unit", f"{metric} is none of our metrics, so no unit can be turned; name it in the field"
                )
            return as_stored(metric, converter(unit, kept)(number) if unit else number)
        except ValueError as error:
            raise _Bad((), "unit" if unit else "number", str(error)) from None
    if isinstance(value, str) and known is None and not unit:
        return value
    expected = "a number" if known is not None or unit else "a number, a text, true or false"
    raise _Bad((), "value", f"{str(value)[:40]!r} is none; write {expected}")


def _sayable(one: Point, path: tuple[str | int, ...]) -> None:
    """Refuse names and texts that no store can keep."""
    try:
        encode([one]).encode()
    except UnicodeEncodeError:
        raise _Bad(path, "not_text", "half a character (a lone surrogate) cannot be kept; mend the text") from None
    except ValueError as error:
        raise _Bad(path, "name", str(error)) from None
