"""A recorded period again: what a store holds comes once more, at its own instants, as the clock reaches them.

Nothing is shifted or stretched: whoever replays sets the clock back to where the record begins, and lets it run as
fast as wanted. Values come as they were stored, raw; flags and plans are not replayed, because gate and planner make
their own. Only metrics of the catalogue are known by name, so others' are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ingest.catalogue import METRICS
from ingest.points import Point, split_metric
from ingest.ports import TelemetryStore

_LEFT_OUT = ("plan", "source")
_MOST_AT_ONCE = timedelta(minutes=10)
"""A slow machine behind a fast clock reads so much at a time, so that memory stays bounded."""


class ReplaySource:
    """``store`` from ``start`` on; silent once its record is over."""

    def __init__(self, store: TelemetryStore, start: datetime, *, period_s: float = 1.0, name: str = "replay") -> None:
        self.name = name
        self.period_s = period_s
        self._store = store
        self._read = start
        self._metrics = [name for name in METRICS if split_metric(name)[0] not in _LEFT_OUT]

    def poll(self, now: datetime) -> Sequence[Point]:
        """What was recorded since the last poll, in the order of time.

        Raises:
            StoreUnavailable: the record cannot be read; the next poll asks for the same span again.
        """
        end = min(now, self._read + _MOST_AT_ONCE)
        if end <= self._read:
            return []
        points = []
        for metric in self._metrics:
            measurement, field = split_metric(metric)
            rows = self._store.raw(metric, {}, self._read, end)
            points += [Point(measurement, row.tags, ((field, row.value),), row.time_ns) for row in rows]
        self._read = end
        return sorted(points, key=lambda point: point.time_ns)

    def close(self) -> None:
        """Give the record back."""
        self._store.close()
