"""The reference store: the contract in the fewest words, for tests and throw-away runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ingest.clock import SystemClock
from ingest.line_protocol import encode
from ingest.points import Point, Tags, Value, kind_of, split_metric, to_ns
from ingest.ports import Across, Clock, Conflict, Refusal, Sample, Written

if TYPE_CHECKING:
    from models.series import Series


_Belief = tuple[int, Value]
"""Since when (milliseconds since the epoch), and what."""


class MemoryStore:
    """Everything in dictionaries; nothing outlives the process."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._kinds: dict[tuple[str, str], str] = {}
        self._values: dict[tuple[str, str], dict[Tags, dict[int, list[_Belief]]]] = {}
        self._lock = threading.Lock()

    def write(self, batch: Sequence[Point], believed_at: datetime | None = None) -> Written:
        """See TelemetryStore."""
        encode(batch)  # refuses what no store can say
        believed_ms = to_ns(believed_at or self._clock.now()) // 1_000_000
        stored = duplicates = 0
        conflicts: list[Conflict] = []
        refused: list[Refusal] = []
        with self._lock:
            for index, (measurement, tags, fields, time_ns) in enumerate(batch):
                for field, value in fields:
                    metric = (measurement, field)
                    kind = self._kinds.setdefault(metric, kind_of(value))
                    if kind != kind_of(value):
                        refused.append(refused_type(index, metric, kind, value))
                        continue
                    beliefs = self._values.setdefault(metric, {}).setdefault(tags, {}).setdefault(time_ns, [])
                    before = beliefs[-1] if beliefs else None
                    add = _believe if believed_at else _replace
                    if not add(beliefs, (believed_ms, value)):
                        duplicates += 1
                        continue
                    if before is not None and not believed_at:
                        conflicts.append(Conflict(".".join(metric), tags, time_ns, before[1], value))
                    stored += 1
        return Written(stored, duplicates, tuple(conflicts), tuple(refused))

    def query(
        self,
        metric: str,
        tags: Mapping[str, str],
        start: datetime,
        end: datetime,
        step: timedelta,
        across: Across = "one",
        as_of: datetime | None = None,
    ) -> Series:
        """See TelemetryStore."""
        from ingest.stores.slots import join, slot_count

        count = slot_count(start, end, step)
        first, width = to_ns(start), step // timedelta(microseconds=1) * 1000
        sums: dict[Tags, dict[int, list[float]]] = {}
        for sample in self.raw(metric, tags, start, end, as_of):
            if isinstance(sample.value, (str, bool)):
                continue
            slots = sums.setdefault(sample.tags, {})
            slots.setdefault((sample.time_ns - first) // width, []).append(sample.value)
        means = {key: {slot: sum(v) / len(v) for slot, v in slots.items()} for key, slots in sums.items()}
        return join(metric, tags, start, step, count, means, across, "memory", as_of)

    def latest(self, metric: str, tags: Mapping[str, str]) -> list[Sample]:
        """See TelemetryStore."""
        found = []
        for key, times in self._matching(metric, tags):
            newest = max(times)
            found.append(Sample(key, newest, times[newest][-1][1]))
        return found

    def raw(
        self,
        metric: str,
        tags: Mapping[str, str],
        start: datetime,
        end: datetime,
        as_of: datetime | None = None,
    ) -> list[Sample]:
        """See TelemetryStore."""
        first, last = to_ns(start), to_ns(end)
        until_ms = None if as_of is None else to_ns(as_of) // 1_000_000
        found = []
        for key, times in self._matching(metric, tags):
            for time_ns in sorted(time_ns for time_ns in times if first <= time_ns < last):
                known = [v for believed_ms, v in times[time_ns] if until_ms is None or believed_ms <= until_ms]
                found += [Sample(key, time_ns, known[-1])] if known else []
        return found

    def metrics(self) -> list[str]:
        """See TelemetryStore."""
        with self._lock:
            return sorted(".".join(metric) for metric in self._values)

    def close(self) -> None:
        """Nothing to give up."""

    def _matching(self, metric: str, tags: Mapping[str, str]) -> Iterator[tuple[Tags, dict[int, list[_Belief]]]]:
        with self._lock:
            series = sorted(self._values.get(split_metric(metric), {}).items())
        wanted = set(tags.items())
        return ((key, times) for key, times in series if wanted <= set(key))


def _replace(beliefs: list[_Belief], told: _Belief) -> bool:
    """Make a value the current one unless it is, or was, known; false where that is no news."""
    if any(value == told[1] for _, value in beliefs):
        return False
    beliefs.append((max([told[0], *(believed_ms for believed_ms, _ in beliefs)]), told[1]))
    return True


def _believe(beliefs: list[_Belief], told: _Belief) -> bool:
    """Add what was believed from an instant on, unless it was then anyway; false where it was."""
    place = sum(believed_ms <= told[0] for believed_ms, _ in beliefs)
    if place and beliefs[place - 1][1] == told[1]:
        return False
    beliefs.insert(place, told)
    return True


def refused_type(index: int, metric: tuple[str, str], kind: str, value: Value) -> Refusal:
    """The refusal of a value whose type is not that of the field's first one."""
    names = {"f": "float", "i": "integer", "u": "unsigned", "b": "boolean", "s": "string"}
    message = (
        f"{'.'.join(metric)} holds {names[kind]} values, this one is {names[kind_of(value)]}; "
        "send one type per field (line protocol: 450.0 or 450 is a float, 450i an integer)"
    )
    return Refusal(index, metric[1], "type_conflict", message)
