"""The reference store: the contract in the fewest words, for tests and throw-away runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ingest.line_protocol import encode
from ingest.points import Point, Tags, Value, kind_of, split_metric, to_ns
from ingest.ports import Across, Conflict, Refusal, Sample, Written

if TYPE_CHECKING:
    from models.series import Series


class MemoryStore:
    """Everything in dictionaries; nothing outlives the process."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], str] = {}
        self._values: dict[tuple[str, str], dict[Tags, dict[int, list[Value]]]] = {}
        self._lock = threading.Lock()

    def write(self, batch: Sequence[Point]) -> Written:
        """See TelemetryStore."""
        encode(batch)  # refuses what no store can say
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
                    if value in beliefs:
                        duplicates += 1
                        continue
                    if beliefs:
                        conflicts.append(Conflict(".".join(metric), tags, time_ns, beliefs[-1], value))
                    beliefs.append(value)
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
    ) -> Series:
        """See TelemetryStore."""
        from ingest.stores.slots import join, slot_count

        count = slot_count(start, end, step)
        first, width = to_ns(start), step // timedelta(microseconds=1) * 1000
        sums: dict[Tags, dict[int, list[float]]] = {}
        for sample in self.raw(metric, tags, start, end):
            if isinstance(sample.value, (str, bool)):
                continue
            slots = sums.setdefault(sample.tags, {})
            slots.setdefault((sample.time_ns - first) // width, []).append(sample.value)
        means = {key: {slot: sum(v) / len(v) for slot, v in slots.items()} for key, slots in sums.items()}
        return join(metric, tags, start, step, count, means, across, "memory")

    def latest(self, metric: str, tags: Mapping[str, str]) -> list[Sample]:
        """See TelemetryStore."""
        found = []
        for key, times in self._matching(metric, tags):
            newest = max(times)
            found.append(Sample(key, newest, times[newest][-1]))
        return found

    def raw(self, metric: str, tags: Mapping[str, str], start: datetime, end: datetime) -> list[Sample]:
        """See TelemetryStore."""
        first, last = to_ns(start), to_ns(end)
        return [
            Sample(key, time_ns, times[time_ns][-1])
            for key, times in self._matching(metric, tags)
            for time_ns in sorted(times)
            if first <= time_ns < last
        ]

    def close(self) -> None:
        """Nothing to give up."""

    def _matching(self, metric: str, tags: Mapping[str, str]) -> Iterator[tuple[Tags, dict[int, list[Value]]]]:
        with self._lock:
            series = sorted(self._values.get(split_metric(metric), {}).items())
        wanted = set(tags.items())
        return ((key, times) for key, times in series if wanted <= set(key))


def refused_type(index: int, metric: tuple[str, str], kind: str, value: Value) -> Refusal:
    """The refusal of a value whose type is not that of the field's first one."""
    names = {"f": "float", "i": "integer", "u": "unsigned", "b": "boolean", "s": "string"}
    message = (
        f"{'.'.join(metric)} holds {names[kind]} values, this one is {names[kind_of(value)]}; "
        "send one type per field (line protocol: 450.0 or 450 is a float, 450i an integer)"
    )
    return Refusal(index, metric[1], "type_conflict", message)
