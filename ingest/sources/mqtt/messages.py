"""A message as points: which rows its topic matches, what its payload says. Pure.

Topics after MQTT 5.0, 4.7: ``+`` is one level, ``#`` the rest, and neither begins with a topic of the broker's own
(``$SYS``). A level ``{tag}`` of a row is a ``+`` whose text becomes that tag.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ingest.catalogue import METRICS, as_stored, conversion
from ingest.line_protocol import PRECISION_NS, parse
from ingest.points import INT64_MAX, INT64_MIN, Point, Value, canonical, from_ns, split_metric, to_ns
from models.horizon import parse_rfc3339
from models.telemetry import TopicRow


class Unreadable(Exception):
    """A payload that is not what its row says; the text is short and does not change with each message."""


class Stale(Exception):
    """A retained message without a time of its own: what it says may be days old."""


class _Ready(NamedTuple):
    row: TopicRow
    levels: tuple[str, ...]
    convert: Callable[[float], float]


class Rows:
    """Rows of a broker made ready. ``tags`` are those of the source, the site's name among them.

    Raises:
        ValueError: a unit does not fit its metric.
    """

    def __init__(self, rows: Iterable[TopicRow], tags: Mapping[str, str]) -> None:
        self._tags = dict(tags)
        self._ready = [
            _Ready(row, tuple(row.topic.split("/")), conversion(row.metric, row.unit) if row.metric else float)
            for row in rows
        ]

    @property
    def filters(self) -> list[str]:
        """What is subscribed to, each once."""
        return list(dict.fromkeys(ready.row.filter for ready in self._ready))

    def points(self, topic: str, payload: bytes, arrived_ns: int, *, retained: bool) -> tuple[list[Point], list[str]]:
        """Points of a message, and what could not be read of it.

        Raises:
            Stale: see there.
        """
        points: list[Point] = []
        bad: list[str] = []
        for ready in self._ready:
            own = matched(ready.levels, topic.split("/"))
            if own is None:
                continue
            if retained and ready.row.time is None and ready.row.format != "line_protocol":
                raise Stale
            tags = {**self._tags, **own, **ready.row.tags}
            try:
                points += _points(ready, payload, tags, arrived_ns)
            except Unreadable as error:
                bad.append(f"{ready.row.topic}: {error}")
        return points, bad


def matched(pattern: Sequence[str], topic: Sequence[str]) -> dict[str, str] | None:
    """Tags of a topic by a row's pattern; None where it does not match."""
    wild = pattern[0] in ("+", "#") or pattern[0].startswith("{")
    if wild and topic[0].startswith("$"):
        return None
    tags: dict[str, str] = {}
    for k, level in enumerate(pattern):
        if level == "#":
            return tags
        if k >= len(topic):
            return None
        if level.startswith("{"):
            tags[level[1:-1]] = topic[k]
        elif level not in ("+", topic[k]):
            return None
    return tags if len(pattern) == len(topic) else None


def _points(ready: _Ready, payload: bytes, tags: Mapping[str, str], arrived_ns: int) -> list[Point]:
    row = ready.row
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("the payload is not UTF-8") from None
    if row.format == "line_protocol":
        return _lines(row, text, tags, arrived_ns)
    document: Any = text
    if row.format == "json":
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise Unreadable("the payload is no JSON") from None
    time_ns = arrived_ns if row.time is None else _time(_at(document, row.time), row.time_unit)
    assert row.metric is not None
    if row.format == "json" and (row.value is not None or isinstance(document, dict | list)):
        document = _at(document, row.value or "value")
    measurement, field = split_metric(row.metric)
    return [Point(measurement, canonical(tags), ((field, _value(ready, document)),), time_ns)]


def _lines(row: TopicRow, text: str, tags: Mapping[str, str], arrived_ns: int) -> list[Point]:
    points, rejects = parse(text, row.precision, from_ns(arrived_ns))
    if rejects:
        raise Unreadable(f"a line cannot be read: {rejects[0].code}")
    return [point._replace(tags=canonical({**tags, **dict(point.tags)})) for point in points]


def _value(ready: _Ready, told: Any) -> Value:
    metric = ready.row.metric
    assert metric is not None
    if isinstance(told, bool):
        known = METRICS.get(metric)
        if known is not None and known.kind != "switch":
            raise Unreadable("true or false came where a number belongs")
        return told if known is None else int(told)
    if isinstance(told, str) and ready.row.format == "number":
        if not told.isascii() or "_" in told:
            raise Unreadable("the payload is no number")
        try:
            told = float(told)
        except ValueError:
            raise Unreadable("the payload is no number") from None
    if not isinstance(told, int | float):
        raise Unreadable(f"a {type(told).__name__} came where a number belongs")
    try:
        return as_stored(metric, ready.convert(float(told)))
    except OverflowError:
        raise Unreadable("the number is beyond the largest finite one") from None


def _at(document: Any, path: str) -> Any:
    """The value at a path such as ``power.0.total``."""
    for step in path.split("."):
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            raise Unreadable(f"there is no {path!r} in it")
    return document


def _time(told: Any, unit: str) -> int:
    try:
        if unit == "rfc3339":
            return to_ns(parse_rfc3339(told))
        if isinstance(told, bool) or not isinstance(told, int | float):
            raise ValueError
        per = PRECISION_NS[unit]
        # Whole seconds and their rest apart: a double does not hold nanoseconds since 1970.
        time_ns = told * per if isinstance(told, int) else int(told) * per + round((told - int(told)) * per)
        if not INT64_MIN <= time_ns <= INT64_MAX:
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        raise Unreadable(f"its time is not in {unit}") from None
    return time_ns
