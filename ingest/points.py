"""A telemetry point as it travels from a source to a store.

A point is what one line of InfluxDB line protocol says: a measurement, tags that identify the
thing, one or more fields, and an instant in nanoseconds since the epoch (UTC). A *metric* is one
field of one measurement, written ``measurement.field``; a *series* is a metric with one set of tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

NS = 1_000_000_000
INT64_MIN, INT64_MAX, UINT64_MAX = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unsigned(int):
    """An integer that line protocol writes with ``u`` (0 to 2**64 - 1)."""

    __slots__ = ()


Value = float | int | bool | str
Tags = tuple[tuple[str, str], ...]


class Point(NamedTuple):
    """One line: ``tags`` are sorted by key, ``fields`` stand in the order they came."""

    measurement: str
    tags: Tags
    fields: tuple[tuple[str, Value], ...]
    time_ns: int


def point(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value], time_ns: int) -> Point:
    """A point with its tags in canonical order; tags without a value are left out."""
    return Point(measurement, canonical(tags), tuple(fields.items()), time_ns)


def canonical(tags: Mapping[str, str]) -> Tags:
    """Tags sorted by key, those with an empty value left out (line protocol cannot say them)."""
    return tuple(sorted((key, value) for key, value in tags.items() if value))


def kind_of(value: Value) -> str:
    """Type letter of a value: ``f`` float, ``i`` integer, ``u`` unsigned, ``b`` boolean, ``s`` string."""
    if isinstance(value, float):
        return "f"
    if isinstance(value, bool):
        return "b"
    if isinstance(value, Unsigned):
        return "u"
    return "i" if isinstance(value, int) else "s"


def to_ns(moment: datetime) -> int:
    """Nanoseconds since the epoch, exact to the microsecond.

    Raises:
        ValueError: ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def from_ns(time_ns: int) -> datetime:
    """Instant in UTC; below a microsecond it is cut."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def split_metric(metric: str) -> tuple[str, str]:
    """Measurement and field of ``measurement.field`` (the field is what follows the first dot).

    Raises:
        ValueError: there is no dot with something on both sides.
    """
    measurement, dot, field = metric.partition(".")
    if not (measurement and dot and field):
        raise ValueError(f"{metric!r} is no metric; write measurement.field, such as gpu.power_w")
    return measurement, field
