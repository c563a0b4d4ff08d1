"""The quality gate: it flags and never mends.

Every flagged value is stored as it came, and beside it a point of the measurement ``quality``: the
same tags and instant, a tag ``metric``, and a string field ``flags`` (comma-separated words), so
that flags are telemetry like any other and every store keeps them. Two kinds cannot be stored as
they came: a value that is not finite (its text stands in ``raw``), and in InfluxDB a value that
replaces another (the earlier one stands in ``before``).

The words, and what each means, stand in :mod:`ingest.quality_words`. A value is judged alone (its range, by the
catalogue and by the site's file), then by its series' own past (:mod:`ingest.quality_series`), then by what belongs
together (:mod:`ingest.quality_groups`). One that fails a step does not come into the memory of the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.catalogue import METRICS, Metric
from ingest.points import NS, Point, Tags, Value
from ingest.ports import Conflict
from ingest.quality_groups import Groups
from ingest.quality_series import Judge, Moves, Past

MEASUREMENT = "quality"
FUTURE_S = 60
LATE_S = 24 * 3600
SILENT_PERIODS = 5
_SILENT_LEAST_NS = 60 * NS
_SERIES_KEPT = 200_000
Limits = Mapping[str, Sequence[tuple[Tags, float, float]]]
"""By metric: tags that a series must carry, and what is possible there; the first that fits counts."""


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


class Silence(NamedTuple):
    """A series of which nothing has come for :data:`SILENT_PERIODS` of its own periods."""

    metric: str
    tags: Tags
    age_s: float


class _Series:
    """What the gate knows of one metric: how to judge it, and the past of its series, boundedly."""

    __slots__ = ("groups", "judge", "limits", "metric", "moves", "pasts")

    def __init__(self, metric: Metric, limits: Sequence[tuple[Tags, float, float]], groups: Groups) -> None:
        self.metric = metric
        self.limits = [(set(tags), low, high) for tags, low, high in limits]
        self.judge = Judge.of(metric)
        self.moves = Moves()
        self.groups = groups
        self.pasts: dict[Tags, Past] = {}

    def begin(self, tags: Tags) -> Past:
        """Past of a series that has none yet."""
        if len(self.pasts) >= _SERIES_KEPT:
            del self.pasts[next(iter(self.pasts))]
        low, high = self.metric.low, self.metric.high
        for wanted, least, most in self.limits:
            if wanted <= set(tags):
                low, high = max(low, least), min(high, most)
                break
        roles = self.groups.roles(self.metric.name, tags)
        counts = self.metric.kind == "counter"
        found = self.pasts[tags] = Past(low, high, self.judge, self.moves, roles, counts=counts)
        self.moves.series = len(self.pasts)
        return found

    def flags(self, tags: Tags, time_ns: int, value: float, batch: int) -> tuple[str, ...]:
        """Flags of a value whose instant is credible; one that is not possible stays out of the memory."""
        past = self.pasts.get(tags) or self.begin(tags)
        if past.low <= value <= past.high:
            usual = self.metric.usual
            if usual is None or usual[0] <= value <= usual[1] or not _mixed_up(value, usual):
                word = past.word(value, time_ns, batch)
                return (word,) if word else ()
            return ("unit_suspect",)
        return self.alone(value, past)

    def alone(self, value: float, past: Past) -> tuple[str, ...]:
        """Flags of a value without looking at anything else."""
        found: tuple[str, ...] = () if past.low <= value <= past.high else ("range",)
        usual = self.metric.usual
        if usual is not None and not usual[0] <= value <= usual[1] and _mixed_up(value, usual):
            found += ("unit_suspect",)
        return found


class Gate:
    """Judges batches one after the other. ``limits`` narrow the catalogue's ranges (see quality_limits)."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or {}
        self._series: dict[tuple[str, str], _Series | None] = {}
        self._groups = Groups()
        self._batch = 0
        self.judged = 0
        self.flagged: dict[str, int] = {}

    def judge(self, batch: Sequence[Point], now_ns: int) -> Judged:
        """Flags of a batch that arrived at ``now_ns`` (nanoseconds since the epoch)."""
        points: list[Point] = []
        places: list[int] = []
        findings: list[Finding] = []
        self._batch += 1
        for place, point in enumerate(batch):
            measurement, tags, fields, time_ns = point
            when = _when(time_ns, now_ns)
            kept = fields
            for field, value in fields:
                if isinstance(value, float) and not math.isfinite(value):
                    metric = f"{measurement}.{field}"
                    findings.append(Finding(metric, tags, time_ns, (*when, "nan_inf"), raw=repr(value)))
                    kept = tuple(pair for pair in kept if pair[0] != field)
                    continue
                series = self._series.get((measurement, field)) or self._known(measurement, field)
                flags = when
                if series is not None and not isinstance(value, (str, bool)):
                    if when:
                        past = series.pasts.get(tags) or series.begin(tags)
                        flags = when + series.alone(value, past)
                    else:
                        flags = series.flags(tags, time_ns, value, self._batch)
                if flags:
                    findings.append(Finding(f"{measurement}.{field}", tags, time_ns, flags))
            if kept:
                points.append(point if kept is fields else point._replace(fields=kept))
                places.append(place)
        self._count(len(batch), findings)
        return Judged(points, places, findings)

    def silent(self, now_ns: int) -> list[Silence]:
        """Series that used to come and have stopped, for what is MISSING."""
        found = []
        for series in self._series.values():
            for tags, past in series.pasts.items() if series is not None else ():
                age = now_ns - past.at_ns
                if past.step_ns and age > max(_SILENT_LEAST_NS, SILENT_PERIODS * past.step_ns):
                    found.append(Silence(series.metric.name if series else "", tags, age / NS))
        return found

    def _known(self, measurement: str, field: str) -> _Series | None:
        key = (measurement, field)
        if key not in self._series and len(self._series) <= _SERIES_KEPT:
            known = METRICS.get(f"{measurement}.{field}")
            limits = () if known is None else self._limits.get(known.name, ())
            self._series[key] = None if known is None else _Series(known, limits, self._groups)
        return self._series.get(key)

    def _count(self, points: int, findings: Sequence[Finding]) -> None:
        self.judged += points
        for finding in findings:
            for flag in finding.flags:
                self.flagged[flag] = self.flagged.get(flag, 0) + 1


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


def _mixed_up(value: float, usual: tuple[float, float]) -> bool:
    return usual[0] <= value * 1000 <= usual[1] or usual[0] <= value / 1000 <= usual[1]
