"""The quality gate, first form: it flags and never mends.

Every flagged value is stored as it came, and beside it a point of the measurement ``quality``: the
same tags and instant, a tag ``metric``, and a string field ``flags`` (comma-separated words), so
that flags are telemetry like any other and every store keeps them. Two kinds cannot be stored as
they came: a value that is not finite (its text stands in ``raw``), and in InfluxDB a value that
replaces another (the earlier one stands in ``before``).

Words: nan_inf, range (outside the catalogue's physical range), future (more than 60 s ahead of our
clock), late (more than 24 h old), counter_reset, unit_suspect (fits after × 1000 or ÷ 1000),
dup_conflict (another value for a known series and instant; found by the store).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.catalogue import METRICS, Metric
from ingest.points import NS, Point, Tags, Value
from ingest.ports import Conflict

MEASUREMENT = "quality"
FUTURE_S = 60
LATE_S = 24 * 3600
_COUNTERS_KEPT = 200_000


class Finding(NamedTuple):
    """What is odd about one value. ``raw`` and ``before`` are texts, empty where they say nothing new."""

    metric: str
    tags: Tags
    time_ns: int
    flags: tuple[str, ...]
    raw: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """``points`` are what a store can take (everything but values that are not finite).

    ``places[i]`` is where ``points[i]`` stood in the batch.
    """

    points: list[Point]
    places: list[int]
    findings: list[Finding]


class Gate:
    """Judges batches one after the other; remembers the last reading of each counter, boundedly."""

    def __init__(self) -> None:
        self._counters: OrderedDict[tuple[str, Tags], tuple[int, float]] = OrderedDict()

    def judge(self, batch: Sequence[Point], now_ns: int) -> Judged:
        """Flags of a batch that arrived at ``now_ns`` (nanoseconds since the epoch)."""
        points: list[Point] = []
        places: list[int] = []
        findings: list[Finding] = []
        for place, point in enumerate(batch):
            measurement, tags, fields, time_ns = point
            when = _when(time_ns, now_ns)
            kept = fields
            for field, value in fields:
                metric = f"{measurement}.{field}"
                if isinstance(value, float) and not math.isfinite(value):
                    findings.append(Finding(metric, tags, time_ns, (*when, "nan_inf"), raw=repr(value)))
                    kept = tuple(pair for pair in kept if pair[0] != field)
                    continue
                flags = when + self._flags(metric, tags, time_ns, value)
                if flags:
                    findings.append(Finding(metric, tags, time_ns, flags))
            if kept:
                points.append(point if kept is fields else point._replace(fields=kept))
                places.append(place)
        return Judged(points, places, findings)

    def _flags(self, metric: str, tags: Tags, time_ns: int, value: Value) -> tuple[str, ...]:
        known = METRICS.get(metric)
        if known is None or isinstance(value, (str, bool)):
            return ()
        flags = _plausibility(known, value)
        if known.kind == "counter" and self._was_reset(metric, tags, time_ns, value):
            flags += ("counter_reset",)
        return flags

    def _was_reset(self, metric: str, tags: Tags, time_ns: int, value: float) -> bool:
        key = (metric, tags)
        before = self._counters.get(key)
        if before is not None and time_ns <= before[0]:
            return False  # an old reading says nothing about a reset
        self._counters[key] = (time_ns, value)
        self._counters.move_to_end(key)
        if len(self._counters) > _COUNTERS_KEPT:
            self._counters.popitem(last=False)
        return before is not None and value < before[1]


def conflict_findings(conflicts: Iterable[Conflict]) -> list[Finding]:
    """Findings of what a store reported while it wrote (flags that changed are no news)."""
    return [
        Finding(c.metric, c.tags, c.time_ns, ("dup_conflict",), before=str(c.before))
        for c in conflicts
        if not c.metric.startswith(f"{MEASUREMENT}.")
    ]


def as_points(findings: Iterable[Finding]) -> list[Point]:
    """Findings as telemetry (see the module); several of one value are joined into one point."""
    merged: dict[tuple[Tags, int], dict[str, Value]] = {}
    for metric, tags, time_ns, flags, raw, before in findings:
        key = (tuple(sorted((*((k, v) for k, v in tags if k != "metric"), ("metric", metric)))), time_ns)
        fields = merged.setdefault(key, {"flags": ""})
        words = [word for word in str(fields["flags"]).split(",") if word]
        fields["flags"] = ",".join(dict.fromkeys((*words, *flags)))
        if raw:
            fields["raw"] = raw
        if before:
            fields["before"] = before
    return [Point(MEASUREMENT, tags, tuple(fields.items()), time_ns) for (tags, time_ns), fields in merged.items()]


def _when(time_ns: int, now_ns: int) -> tuple[str, ...]:
    if time_ns > now_ns + FUTURE_S * NS:
        return ("future",)
    return ("late",) if time_ns < now_ns - LATE_S * NS else ()


def _plausibility(metric: Metric, value: float) -> tuple[str, ...]:
    flags: tuple[str, ...] = () if metric.low <= value <= metric.high else ("range",)
    if metric.usual is not None:
        low, high = metric.usual
        if not low <= value <= high and any(low <= value * factor <= high for factor in (1000, 0.001)):
            flags += ("unit_suspect",)
    return flags
