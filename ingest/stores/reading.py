"""One question to the embedded store, at one instant: hot tables, files and beliefs joined."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ingest.points import from_ns, to_ns
from ingest.stores import parts
from ingest.stores.hot import Found, Place, Stored
from ingest.stores.layout import DAY_NS, LEVELS, RAW, STRAY, Level, day_of, table_of
from models.errors import Fault, InvalidInput
from models.horizon import rfc3339

_UNSIGNED = "CASE WHEN value < 0 THEN value + 18446744073709551616.0 ELSE value END"
_Sums = dict[int, tuple[float, int]]


class Reading:
    """What a snapshot says of ``[first, last)`` (nanoseconds), as believed at ``as_of`` (None: now)."""

    def __init__(
        self, reader: sqlite3.Connection, history: Path, first: int, last: int, as_of: datetime | None
    ) -> None:
        self._reader = reader
        self._span = (first, last)
        self._as_of_ms = None if as_of is None else to_ns(as_of) // 1_000_000
        within = (day_of(first), day_of(last - 1))
        days = "SELECT day FROM day WHERE day BETWEEN ? AND ? ORDER BY day"
        self._hot = [row[0] for row in reader.execute(days, within)]
        files = "SELECT day, level, file FROM segment WHERE day BETWEEN ? AND ? ORDER BY day"
        self._cold: dict[int, dict[str, Path]] = {}
        for day, level, file in reader.execute(files, within):
            self._cold.setdefault(day, {})[level] = history / file
        stray = f"SELECT EXISTS (SELECT 1 FROM {STRAY} WHERE time_ns >= ? AND time_ns < ?)"  # noqa: S608  our own name
        self._stray = bool(reader.execute(stray, self._span).fetchone()[0])

    def samples(self, found: Found, span: tuple[int, int] | None = None) -> list[tuple[int, Stored]]:
        """Time and stored value of each sample of a series, by time; ``span``: only within it."""
        best: dict[int, tuple[int, Stored]] = {}
        for time_ns, value, believed_ms in self._candidates(found, span or self._span):
            held = best.get(time_ns)
            known = self._as_of_ms is None or believed_ms <= self._as_of_ms
            if known and (held is None or held[0] <= believed_ms):
                best[time_ns] = (believed_ms, value)
        return [(time_ns, best[time_ns][1]) for time_ns in sorted(best)]

    def _candidates(self, found: Found, span: tuple[int, int]) -> Iterator[tuple[int, Stored, int]]:
        """Everything ever believed of a series within a span; of equals in belief time the last one holds."""
        columns = "time_ns, value, believed_ms"
        if self._as_of_ms is not None:
            query = parts.within(None, "belief", columns) + " ORDER BY believed_ms, nth"
            yield from self._reader.execute(query, (found.id, *span))
        for day, files in self._cold.items():
            if RAW.name in files and (part := _cut(span, day)):
                from ingest.stores import history

                yield from history.samples(files[RAW.name], found.id, *part)
        for place in self._places([day for day in self._hot if _cut(span, day)]):
            yield from self._reader.execute(parts.within(*place, columns), (found.id, *span))

    def means(self, found: Found, width: int) -> dict[int, float]:
        """Mean of the samples in each slot of ``width`` from the beginning of the range; no slot without samples.

        Raises:
            InvalidInput: only coarser levels are kept of a day in the range.
        """
        sums: _Sums = {}
        if self._as_of_ms is not None or (self._stray and self._cold):
            self._add(sums, self._summed(found, self._span, width))
        else:
            for place in self._places([day for day in self._hot if day not in self._cold]):
                self._add(sums, self._hot_sums(place, found, width))
            for day, files in self._cold.items():
                self._add(sums, self._cold_sums(day, files, found, width))
        return {slot: total / count for slot, (total, count) in sums.items()}

    def _summed(self, found: Found, span: tuple[int, int], width: int) -> _Sums:
        sums: _Sums = {}
        for time_ns, value in self.samples(found, span):
            number = float(value) + (2.0**64 if found.kind == "u" and float(value) < 0 else 0.0)
            self._add(sums, {(time_ns - self._span[0]) // width: (number, 1)})
        return sums

    def _places(self, days: list[int]) -> list[Place]:
        strayed = [Place(None, STRAY)] if self._stray else []
        return [*strayed, *(Place(day, table_of(day)) for day in days)]

    def _hot_sums(self, place: Place, found: Found, width: int) -> _Sums:
        value = _UNSIGNED if found.kind == "u" else "value"
        query = parts.within(*place, f"(time_ns - ?2) / ?4, total({value}), count(*)") + " GROUP BY 1"
        rows = self._reader.execute(query, (found.id, *self._span, width))
        return {slot: (total, count) for slot, total, count in rows}

    def _cold_sums(self, day: int, files: dict[str, Path], found: Found, width: int) -> _Sums:
        from ingest.stores import history

        part = _cut(self._span, day)
        assert part is not None  # only days within the span are held
        if day in self._hot and RAW.name in files:  # late points: the two may tell of the same instants
            return self._summed(found, part, width)
        level = self._level(files, day, width)
        sums = history.sums(files[level.name], level, found.id, found.kind == "u", part, self._span[0], width)
        if day in self._hot:
            self._add(sums, self._hot_sums(Place(day, table_of(day)), found, width))
        return sums

    def _level(self, files: dict[str, Path], day: int, width: int) -> Level:
        """The coarsest level whose slots fill those that are asked for."""
        first = self._span[0]
        for level in reversed(LEVELS):
            fits = level == RAW or (width % level.step_ns == 0 and first % level.step_ns == 0)
            if fits and level.name in files:
                return level
        finest = next(level for level in LEVELS if level.name in files)
        told = rfc3339(from_ns(day * DAY_NS))
        message = (
            f"of {told[:10]} only means of {finest.name} are kept; ask for whole multiples of them, from such a border"
        )
        raise InvalidInput("the query", [Fault("step", "not_kept", message)])

    @staticmethod
    def _add(sums: _Sums, more: _Sums) -> None:
        for slot, (total, count) in more.items():
            before = sums.get(slot, (0.0, 0))
            sums[slot] = (before[0] + total, before[1] + count)


def _cut(span: tuple[int, int], day: int) -> tuple[int, int] | None:
    """The part of a span that lies in a day; None where there is none."""
    first, last = max(span[0], day * DAY_NS), min(span[1], (day + 1) * DAY_NS)
    return (first, last) if first < last else None
