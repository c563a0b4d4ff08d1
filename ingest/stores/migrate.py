"""From one telemetry store to another: a day of a metric at a time, written, read back and compared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from ingest.points import Point, split_metric
from ingest.ports import Sample, TelemetryStore

_BATCH = 5_000
_DAY = timedelta(days=1)


class Moved(NamedTuple):
    """A day of a metric: how many values the source has, and how many of them the target has not afterwards."""

    metric: str
    day: datetime
    values: int
    lost: int


def migrate(source: TelemetryStore, target: TelemetryStore, start: datetime, end: datetime) -> Iterator[Moved]:
    """Copy what is kept as it came in ``[start, end)``; days without values are left out.

    To begin anew is safe: what is there already is a repeat. Versions that were replaced are not copied.

    Raises:
        StoreUnavailable: either does not answer.
    """
    for metric in source.metrics():
        begin = start
        while begin < end:
            until = min(begin + _DAY, end)
            samples = source.raw(metric, {}, begin, until)
            if samples:
                points = _points(metric, samples)
                for k in range(0, len(points), _BATCH):
                    target.write(points[k : k + _BATCH])
                there = {(s.tags, s.time_ns, s.value) for s in target.raw(metric, {}, begin, until)}
                lost = sum((s.tags, s.time_ns, s.value) not in there for s in samples)
                yield Moved(metric, begin, len(samples), lost)
            begin = until


def _points(metric: str, samples: list[Sample]) -> list[Point]:
    measurement, field = split_metric(metric)
    return [Point(measurement, s.tags, ((field, s.value),), s.time_ns) for s in samples]
