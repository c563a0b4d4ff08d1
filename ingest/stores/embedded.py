"""The default store: SQLite for the hot days, sorted Parquet files for the others; nothing to install or start.

WAL with ``synchronous=FULL``: the log is flushed to the disk before :meth:`EmbeddedStore.write` returns, so that what
was acknowledged survives a power cut. One writer at a time (a file lock, so that the web process and the collector
may both write), any number of readers that never wait. :meth:`EmbeddedStore.tidy` moves days that are over to files
and drops what retention no longer keeps (:mod:`ingest.stores.compaction`).

Nothing is overwritten: a value that another replaces stays as a *belief*, with the time at which it was learned, and
``as_of`` asks for what was believed then. This module must stay light: the web process writes.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ingest.clock import SystemClock
from ingest.errors import StoreFull, StoreUnavailable
from ingest.points import INT64_MAX, INT64_MIN, UINT64_MAX, Point, Tags, Unsigned, Value, kind_of, to_ns
from ingest.ports import Across, Clock, Conflict, Refusal, Sample, Written
from ingest.stores import hot, parts
from ingest.stores.filelock import exclusive
from ingest.stores.hot import Names, Place, Places, from_stored, matching, to_stored
from ingest.stores.layout import DAY_NS, STRAY, Retention, day_of
from ingest.stores.memory import refused_type
from ingest.stores.parts import Presence

if TYPE_CHECKING:
    from ingest.stores.compaction import Tidied
    from models.series import Series

_Row = tuple[int, int, hot.Stored, int]
_WAL_BYTES = 64 << 20
_CHECKPOINT_PAGES = 8_192
"""Of 4 KiB each: pages that many batches touch reach the database once, not with every batch."""
_CACHE_KIB = 32_768


class Belief(NamedTuple):
    """A value, and when it was learned (milliseconds since the epoch)."""

    time_ns: int
    value: Value
    believed_ms: int


class EmbeddedStore:
    """Telemetry in ``path`` (created with its folder; see the module); old days lie in ``history`` beside it.

    ``wait_s`` bounds how long a write waits for another writer; ``max_series`` how many series
    may exist, because a tag that changes with every point would otherwise fill the disk.

    Raises:
        StoreUnavailable: the file is damaged, not ours, or written by a newer version.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock | None = None,
        wait_s: float = 5.0,
        max_series: int = 1_000_000,
        retention: Retention | None = None,
    ) -> None:
        self.path = path
        self.history = path.with_name(path.name + "-history")
        self.retention = retention or Retention()
        self._clock = clock or SystemClock()
        self._wait_s = wait_s
        self._max_series = max_series
        self._lock_path = path.with_name(path.name + ".lock")
        self._heads: hot.Heads = {}
        self._present = Presence()
        self._mutex = threading.Lock()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._translated():
            self._writer = self._open()
            with self.writing():
                self._prepare()

    def _open(self) -> sqlite3.Connection:
        # The file lock keeps writers apart; SQLite's own wait covers checkpoints and recovery.
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=self._wait_s, cached_statements=256
        )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")  # what a long copy made it grow, it gives back
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection

    def _prepare(self) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            hot.create(self._writer)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the new file's name, too, must survive
            finally:
                os.close(folder)
        elif version in (1, 2):
            hot.upgrade(self._writer, version)
        elif version != hot.VERSION:
            told = f"its layout is {version}, this version knows {hot.VERSION}; use the version that wrote it"
            raise StoreUnavailable(str(self.path), told)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The right to write, across processes.

        Raises:
            StoreBusy: another writer had it for longer than ``wait_s``.
        """
        with exclusive(self._lock_path, self._wait_s, str(self.path)):
            yield

    # ---- writing

    def write(self, batch: Sequence[Point], believed_at: datetime | None = None) -> Written:
        """See TelemetryStore; returns after the disk has it."""
        believed_ms = to_ns(believed_at or self._clock.now()) // 1_000_000
        with self._mutex, self._translated(), self.writing():
            self._writer.execute("BEGIN IMMEDIATE")
            names = Names(self._writer, self._heads, self._max_series)
            try:
                self._present.begin(self._writer)
                places = Places(self._writer, day_of(to_ns(self._clock.now())))
                rows, refused = self._rows(batch, names, believed_ms)
                told = [self._insert(day, found, places, believed_at is not None) for day, found in rows.items()]
                self._writer.execute("COMMIT")
            except BaseException:
                names.forget()
                self._present.forget()
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        conflicts = tuple(conflict for one in told for conflict in one.conflicts)
        stored, duplicates = sum(one.stored for one in told), sum(one.duplicates for one in told)
        return Written(stored, duplicates, conflicts, tuple(refused))

    def _rows(
        self, batch: Sequence[Point], names: Names, believed_ms: int
    ) -> tuple[dict[int, list[_Row]], list[Refusal]]:
        """Rows of a batch by day. One pass and few words, because this is where the time of a write goes."""
        by_day: dict[int, list[_Row]] = {}
        refused: list[Refusal] = []
        heads, nothing = self._heads, dict[str, tuple[int, str]]()
        begins, ends, rows = 0, 0, list[_Row]()
        for index, (measurement, tags, fields, time_ns) in enumerate(batch):
            if not begins <= time_ns < ends:
                if not INT64_MIN <= time_ns <= INT64_MAX:
                    raise ValueError(f"the time {time_ns} of {measurement!r} does not fit 64 bits")
                begins = time_ns // DAY_NS * DAY_NS
                ends = begins + DAY_NS
                rows = by_day.setdefault(begins // DAY_NS, [])
            known = heads.get((measurement, tags), nothing)
            for field, value in fields:
                found = known.get(field)
                if found is not None and found[1] == "f" and type(value) is float and value - value == 0.0:
                    rows.append((found[0], time_ns, value, believed_ms))
                    continue
                kind = _checked_kind(field, value)
                series, known_kind = found or names.find((measurement, tags), field, kind)
                if kind != known_kind:
                    refused.append(refused_type(index, (measurement, field), known_kind, value))
                elif series is None:
                    message = f"{self._max_series} series exist already; remove a tag that changes with every point"
                    refused.append(Refusal(index, field, "too_many_series", message))
                else:
                    rows.append((series, time_ns, to_stored(value, kind), believed_ms))
            if not fields:
                raise ValueError(f"the point of {measurement!r} has no fields")
        return by_day, refused

    def _insert(self, day: int, rows: list[_Row], places: Places, dated: bool) -> Written:
        """Keep the rows of a day. ``dated``: as of their belief time, which need not be the newest."""
        place = places.of(day)
        places.touched(day)
        if place.day is not None:
            self._present.note(self._writer, day, (row[0] for row in rows))
        fresh = 0
        if day not in places.files:
            insert = parts.put(*place, "OR IGNORE")
            fresh = self._writer.executemany(insert, rows).rowcount if rows else 0
            if fresh == len(rows):
                return Written(stored=len(rows))
        # Some keys were there before, or stand twice in this batch: compare one by one.
        stored = 0
        conflicts: list[Conflict] = []
        for row in rows:
            news, before = (self._believe if dated else self._replace)(place, row, places.files.get(day))
            stored += news
            if before is not None:
                metric, found = hot.described(self._writer, row[0])
                told = (from_stored(before, found.kind), from_stored(row[2], found.kind))
                conflicts.append(Conflict(metric, found.tags, row[1], *told))
        return Written(fresh + stored, len(rows) - fresh - stored, tuple(conflicts))

    def _replace(self, place: Place, row: _Row, file: str | None) -> tuple[bool, hot.Stored | None]:
        """Make ``row`` the current value unless it is, or was, known; whether it is news, and what it replaced.

        A late point of a day that lies in ``file`` is news until the day is moved again: looking it up would make
        every late batch read the file.
        """
        held = self._current(place, row)
        if held is not None and held[0] == row[2]:
            return False, None
        if (held is not None or file) and self._was_believed(row, file if held else None):
            return False, None  # a late repeat of something corrected since
        if held is None:
            self._put(place, row)
            return True, None
        self._put(place, (*row[:3], max(row[3], held[1])))  # what came last holds, also where a clock went back
        self._put_belief((row[0], row[1], *held))
        return True, held[0]

    def _believe(self, place: Place, row: _Row, _: str | None) -> tuple[bool, hot.Stored | None]:
        """Add a belief of a stated time; a value that was believed then already is no news. Never a conflict."""
        held = self._current(place, row)
        if held is None:
            self._put(place, row)
            return True, None
        if held[1] <= row[3]:
            if held[0] == row[2]:
                return False, None
            self._put_belief((row[0], row[1], *held))
            self._put(place, row)
            return True, None
        query = "SELECT value FROM belief WHERE series = ? AND time_ns = ? AND believed_ms <= ? "
        query += "ORDER BY believed_ms DESC, nth DESC LIMIT 1"
        then = self._writer.execute(query, (row[0], row[1], row[3])).fetchone()
        if then is not None and then[0] == row[2]:
            return False, None
        self._put_belief(row)
        return True, None

    def _current(self, place: Place, row: _Row) -> tuple[hot.Stored, int] | None:
        query = parts.at(*place, "value, believed_ms")
        found: tuple[hot.Stored, int] | None = self._writer.execute(query, row[:2]).fetchone()
        return found

    def _was_believed(self, row: _Row, file: str | None) -> bool:
        query = "SELECT 1 FROM belief WHERE series = ? AND time_ns = ? AND value = ?"
        if self._writer.execute(query, row[:3]).fetchone() is not None:
            return True
        if file is None:
            return False
        from ingest.stores import history

        return any(value == row[2] for _, value, _ in history.samples(self.history / file, row[0], row[1], row[1] + 1))

    def _put(self, place: Place, row: _Row) -> None:
        self._writer.execute(parts.put(*place, "OR REPLACE"), row)

    def _put_belief(self, row: _Row) -> None:
        nth = "(SELECT count(*) FROM belief WHERE series = ? AND time_ns = ?)"
        self._writer.execute(f"INSERT INTO belief VALUES (?, ?, {nth}, ?, ?)", (*row[:2], *row[:2], *row[2:]))  # noqa: S608

    # ---- reading

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
        from ingest.stores.reading import Reading
        from ingest.stores.slots import join, slot_count

        count = slot_count(start, end, step)
        first, last, width = to_ns(start), to_ns(end), step // timedelta(microseconds=1) * 1000
        means: dict[Tags, dict[int, float]] = {}
        with self._translated(), self._snapshot() as reader:
            reading = Reading(reader, self.history, first, last, as_of)
            for found in matching(reader, metric, tags):
                if found.kind in "fiu" and (slots := reading.means(found, width)):
                    means[found.tags] = slots
        return join(metric, tags, start, step, count, means, across, "embedded", as_of)

    def latest(self, metric: str, tags: Mapping[str, str]) -> list[Sample]:
        """See TelemetryStore."""
        found: list[Sample] = []
        with self._translated(), self._snapshot() as reader:
            questions = _newest(reader)
            for one in matching(reader, metric, tags):
                rows = [reader.execute(query, (one.id,)).fetchone() for query in questions]
                # an instant may lie in several places: what was believed last holds, and of equals the warmer
                newest = max((row for row in rows if row is not None), default=None, key=lambda row: (row[0], row[2]))
                if newest is not None:
                    found.append(Sample(one.tags, newest[0], from_stored(newest[1], one.kind)))
        return found

    def raw(
        self,
        metric: str,
        tags: Mapping[str, str],
        start: datetime,
        end: datetime,
        as_of: datetime | None = None,
    ) -> list[Sample]:
        """See TelemetryStore; only where raw values are still kept."""
        from ingest.stores.reading import Reading

        with self._translated(), self._snapshot() as reader:
            reading = Reading(reader, self.history, to_ns(start), to_ns(end), as_of)
            return [
                Sample(one.tags, time_ns, from_stored(value, one.kind))
                for one in matching(reader, metric, tags)
                for time_ns, value in reading.samples(one)
            ]

    def metrics(self) -> list[str]:
        """See TelemetryStore."""
        with self._translated(), self._snapshot() as reader:
            found = reader.execute("SELECT DISTINCT measurement, field FROM metric JOIN series ON metric.id = metric")
            return sorted(".".join(row) for row in found)

    def replaced(self, metric: str, tags: Mapping[str, str], time_ns: int) -> list[Belief]:
        """Values that were held for true at ``time_ns`` before the current one, oldest first."""
        query = (
            "SELECT time_ns, value, believed_ms FROM belief WHERE series = ? AND time_ns = ? ORDER BY believed_ms, nth"
        )
        with self._translated(), self._snapshot() as reader:
            return [
                Belief(at, from_stored(value, one.kind), believed_ms)
                for one in matching(reader, metric, tags)
                for at, value, believed_ms in reader.execute(query, (one.id, time_ns))
            ]

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection of this thread, on which everything is read at one instant."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._open()
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            with self._mutex:
                self._readers.append(connection)
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    # ---- keeping order

    def tidy(self) -> Tidied:
        """Move days that are over to files, drop what is no longer kept. Heavy; for the collector, not for the web.

        Raises:
            StoreUnavailable: it could not be done now; nothing is lost, try again later. StoreBusy: another process
                does it.
        """
        from ingest.stores.compaction import tidy

        lock = self.path.with_name(self.path.name + ".tidy.lock")
        with self._translated(), exclusive(lock, 0.0, str(self.history)):
            connection = self._open()
            try:
                return tidy(self, connection, self._clock.now())
            except OSError as error:
                kind = StoreFull if error.errno in hot.NO_ROOM else StoreUnavailable
                raise kind(str(self.history), str(error)) from error
            finally:
                connection.close()

    def close(self) -> None:
        """See TelemetryStore."""
        with self._mutex:
            for connection in (*self._readers, self._writer):
                connection.close()
            self._readers.clear()
        self._local = threading.local()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            kind = StoreFull if full else StoreUnavailable
            raise kind(str(self.path), f"{error}; {'free some room' if full else 'check the disk'}") from error


def _newest(reader: sqlite3.Connection) -> list[str]:
    """One question a place in which the newest sample of a series may lie."""
    days = sorted((row[0] for row in reader.execute("SELECT day FROM day")), reverse=True)
    newest = "SELECT time_ns, value, believed_ms FROM {} WHERE series = ?1 ORDER BY time_ns DESC LIMIT 1"
    return [*(parts.newest(day) for day in days), newest.format(STRAY), newest.format("last")]


def _checked_kind(field: str, value: Value) -> str:
    kind = kind_of(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} of field {field!r} is not finite; leave the field out where it is missing")
    low, high = (0, UINT64_MAX) if isinstance(value, Unsigned) else (INT64_MIN, INT64_MAX)
    if kind in "iu" and not low <= int(value) <= high:
        raise ValueError(f"{value} of field {field!r} does not fit 64 bits")
    return kind
