"""The default store: one SQLite file, safe against a killed process and a lost machine.

WAL with ``synchronous=FULL``: the log is flushed to the disk before :meth:`EmbeddedStore.write`
returns, so that what was acknowledged survives a power cut. One writer at a time (a file lock, so
that the web process and the collector may both write), any number of readers that never wait.

The current value of a series and instant lies in ``sample``, clustered by its key; a value that it
replaced moves to ``belief`` with the time at which it was learned, so that nothing is overwritten.
Retention and compaction are not here yet. This module must stay light: the web process writes.
"""

from __future__ import annotations

import json
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
from ingest.line_protocol import encode
from ingest.points import INT64_MAX, Point, Tags, Unsigned, Value, kind_of, split_metric, to_ns
from ingest.ports import Across, Clock, Conflict, Refusal, Sample, Written
from ingest.stores.filelock import exclusive
from ingest.stores.memory import refused_type

if TYPE_CHECKING:
    from models.series import Series

_VERSION = 1
_SCHEMA = """
CREATE TABLE metric (id INTEGER PRIMARY KEY, measurement TEXT NOT NULL, field TEXT NOT NULL, kind TEXT NOT NULL,
  UNIQUE (measurement, field));
CREATE TABLE series (id INTEGER PRIMARY KEY, metric INTEGER NOT NULL REFERENCES metric, tags TEXT NOT NULL,
  UNIQUE (metric, tags));
CREATE TABLE sample (series INTEGER NOT NULL, time_ns INTEGER NOT NULL, value NOT NULL, believed_ms INTEGER NOT NULL,
  PRIMARY KEY (series, time_ns)) WITHOUT ROWID;
CREATE TABLE belief (series INTEGER NOT NULL, time_ns INTEGER NOT NULL, nth INTEGER NOT NULL, value NOT NULL,
  believed_ms INTEGER NOT NULL, PRIMARY KEY (series, time_ns, nth)) WITHOUT ROWID;
"""
_TWO64 = 1 << 64
_UNSIGNED = "CASE WHEN value < 0 THEN value + 18446744073709551616.0 ELSE value END"


class Belief(NamedTuple):
    """A value, and when it was learned (milliseconds since the epoch)."""

    time_ns: int
    value: Value
    believed_ms: int


class _Row(NamedTuple):
    series: int
    time_ns: int
    value: float | int | str
    believed_ms: int


class EmbeddedStore:
    """Telemetry in ``path`` (created with its folder; see the module).

    ``wait_s`` bounds how long a write waits for another writer; ``max_series`` how many series
    may exist, because a tag that changes with every point would otherwise fill the disk.

    Raises:
        StoreUnavailable: the file is damaged, not ours, or written by a newer version.
    """

    def __init__(
        self, path: Path, *, clock: Clock | None = None, wait_s: float = 5.0, max_series: int = 1_000_000
    ) -> None:
        self.path = path
        self._clock = clock or SystemClock()
        self._wait_s = wait_s
        self._max_series = max_series
        self._lock_path = path.with_name(path.name + ".lock")
        self._kinds: dict[tuple[str, str], tuple[int, str]] = {}
        self._series: dict[tuple[int, Tags], int] = {}
        self._mutex = threading.Lock()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._translated():
            self._writer = self._open()
            with exclusive(self._lock_path, wait_s, str(path)):
                self._prepare()

    def _open(self) -> sqlite3.Connection:
        # The file lock keeps writers apart; SQLite's own wait covers checkpoints and recovery.
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=self._wait_s, cached_statements=64
        )
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _prepare(self) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT")
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the new file's name, too, must survive
            finally:
                os.close(folder)
        elif version != _VERSION:
            told = f"its layout is {version}, this version knows {_VERSION}; use the version that wrote it"
            raise StoreUnavailable(str(self.path), told)

    # ---- writing

    def write(self, batch: Sequence[Point]) -> Written:
        """See TelemetryStore; returns after the disk has it."""
        encode(batch)  # refuses what no store can say
        with self._mutex, self._translated(), exclusive(self._lock_path, self._wait_s, str(self.path)):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                names = _Names(self._writer, self._kinds, self._series, self._max_series)
                rows, keys, refused = self._rows(batch, names)
                written = self._insert(rows, keys)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            names.keep()
        return Written(written.stored, written.duplicates, written.conflicts, tuple(refused))

    def _rows(
        self, batch: Sequence[Point], names: _Names
    ) -> tuple[list[_Row], list[tuple[str, str, Tags]], list[Refusal]]:
        believed_ms = to_ns(self._clock.now()) // 1_000_000
        rows: list[_Row] = []
        keys: list[tuple[str, str, Tags]] = []
        refused: list[Refusal] = []
        for index, (measurement, tags, fields, time_ns) in enumerate(batch):
            for field, value in fields:
                kind = kind_of(value)
                metric_id, known = names.metric(measurement, field, kind)
                if known != kind:
                    refused.append(refused_type(index, (measurement, field), known, value))
                    continue
                series_id = names.series(metric_id, tags)
                if series_id is None:
                    message = f"{self._max_series} series exist already; remove a tag that changes with every point"
                    refused.append(Refusal(index, field, "too_many_series", message))
                    continue
                rows.append(_Row(series_id, time_ns, _stored(value, kind), believed_ms))
                keys.append((measurement, field, tags))
        return rows, keys, refused

    def _insert(self, rows: list[_Row], keys: list[tuple[str, str, Tags]]) -> Written:
        fresh = self._writer.executemany("INSERT INTO sample VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows).rowcount
        if fresh == len(rows) or not rows:
            return Written(stored=len(rows))
        # Some keys were there before, or stand twice in this batch: compare one by one.
        conflicts: list[Conflict] = []
        for row, (measurement, field, tags) in zip(rows, keys, strict=True):
            before = self._replace(row)
            if before is not None:
                kind = self._kind(measurement, field)
                told = (_read(before, kind), _read(row.value, kind))
                conflicts.append(Conflict(f"{measurement}.{field}", tags, row.time_ns, *told))
        stored = fresh + len(conflicts)
        return Written(stored, len(rows) - stored, tuple(conflicts))

    def _replace(self, row: _Row) -> float | int | str | None:
        """Make ``row`` the current value unless it is, or was, known; returns the one it replaced."""
        key = (row.series, row.time_ns)
        value, believed_ms = self._writer.execute(
            "SELECT value, believed_ms FROM sample WHERE series = ? AND time_ns = ?", key
        ).fetchone()
        if value == row.value:
            return None
        older = self._writer.execute("SELECT value FROM belief WHERE series = ? AND time_ns = ?", key).fetchall()
        if (row.value,) in older:
            return None  # a late repeat of something corrected since
        self._writer.execute("INSERT INTO belief VALUES (?, ?, ?, ?, ?)", (*key, len(older), value, believed_ms))
        self._writer.execute(
            "UPDATE sample SET value = ?, believed_ms = ? WHERE series = ? AND time_ns = ?",
            (row.value, row.believed_ms, *key),
        )
        return value  # type: ignore[no-any-return]

    def _kind(self, measurement: str, field: str) -> str:
        query = "SELECT kind FROM metric WHERE measurement = ? AND field = ?"
        return str(self._writer.execute(query, (measurement, field)).fetchone()[0])

    # ---- reading

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
        first, last, width = to_ns(start), to_ns(end), step // timedelta(microseconds=1) * 1000
        means: dict[Tags, dict[int, float]] = {}
        with self._translated():
            for series_id, kind, found in self._matching(metric, tags):
                if kind not in "fiu":
                    continue
                value = _UNSIGNED if kind == "u" else "value"
                rows = self._reader().execute(
                    f"SELECT (time_ns - ?) / ?, avg({value}) FROM sample "  # noqa: S608  no input in it
                    "WHERE series = ? AND time_ns >= ? AND time_ns < ? GROUP BY 1",
                    (first, width, series_id, first, last),
                )
                slots = dict(rows.fetchall())
                if slots:
                    means[found] = slots
        return join(metric, tags, start, step, count, means, across, "embedded")

    def latest(self, metric: str, tags: Mapping[str, str]) -> list[Sample]:
        """See TelemetryStore."""
        query = "SELECT time_ns, value FROM sample WHERE series = ? ORDER BY time_ns DESC LIMIT 1"
        with self._translated():
            return [
                Sample(found, time_ns, _read(value, kind))
                for series_id, kind, found in self._matching(metric, tags)
                for time_ns, value in self._reader().execute(query, (series_id,))
            ]

    def raw(self, metric: str, tags: Mapping[str, str], start: datetime, end: datetime) -> list[Sample]:
        """See TelemetryStore."""
        query = "SELECT time_ns, value FROM sample WHERE series = ? AND time_ns >= ? AND time_ns < ? ORDER BY time_ns"
        with self._translated():
            return [
                Sample(found, time_ns, _read(value, kind))
                for series_id, kind, found in self._matching(metric, tags)
                for time_ns, value in self._reader().execute(query, (series_id, to_ns(start), to_ns(end)))
            ]

    def replaced(self, metric: str, tags: Mapping[str, str], time_ns: int) -> list[Belief]:
        """Values that were held for true at ``time_ns`` before the current one, oldest first."""
        query = "SELECT time_ns, value, believed_ms FROM belief WHERE series = ? AND time_ns = ? ORDER BY nth"
        with self._translated():
            return [
                Belief(at, _read(value, kind), believed_ms)
                for series_id, kind, _ in self._matching(metric, tags)
                for at, value, believed_ms in self._reader().execute(query, (series_id, time_ns))
            ]

    def _matching(self, metric: str, tags: Mapping[str, str]) -> list[tuple[int, str, Tags]]:
        rows = self._reader().execute(
            "SELECT series.id, kind, tags FROM series JOIN metric ON metric.id = series.metric "
            "WHERE measurement = ? AND field = ?",
            split_metric(metric),
        )
        wanted = set(tags.items())
        found = [(series_id, kind, tuple((k, v) for k, v in json.loads(text))) for series_id, kind, text in rows]
        return sorted((row for row in found if wanted <= set(row[2])), key=lambda row: row[2])

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._open()
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            with self._mutex:
                self._readers.append(connection)
        return connection

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


class _Names:
    """Numbers of metrics and series inside one transaction; what is new is kept only after it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        kinds: dict[tuple[str, str], tuple[int, str]],
        series: dict[tuple[int, Tags], int],
        max_series: int,
    ) -> None:
        self._connection = connection
        self._kinds, self._new_kinds = kinds, dict[tuple[str, str], tuple[int, str]]()
        self._series, self._new_series = series, dict[tuple[int, Tags], int]()
        self._max_series = max_series
        self._count: int | None = None

    def metric(self, measurement: str, field: str, kind: str) -> tuple[int, str]:
        """Number and type letter of a metric; the first value of a field decides its type."""
        key = (measurement, field)
        found = self._kinds.get(key) or self._new_kinds.get(key)
        if found is None:
            self._connection.execute("INSERT INTO metric VALUES (NULL, ?, ?, ?) ON CONFLICT DO NOTHING", (*key, kind))
            query = "SELECT id, kind FROM metric WHERE measurement = ? AND field = ?"
            found = self._new_kinds[key] = self._connection.execute(query, key).fetchone()
        return found

    def series(self, metric: int, tags: Tags) -> int | None:
        """Number of a series; None where it is new and there are too many."""
        key = (metric, tags)
        found = self._series.get(key) or self._new_series.get(key)
        if found is None:
            text = json.dumps(tags, ensure_ascii=False, separators=(",", ":"))
            query = "SELECT id FROM series WHERE metric = ? AND tags = ?"
            row = self._connection.execute(query, (metric, text)).fetchone()
            if row is None:
                if self._room() < 1:
                    return None
                self._count = (self._count or 0) + 1
                row = (self._connection.execute("INSERT INTO series VALUES (NULL, ?, ?)", (metric, text)).lastrowid,)
            found = self._new_series[key] = int(row[0])
        return found

    def keep(self) -> None:
        """The transaction stands: remember what it added."""
        self._kinds.update(self._new_kinds)
        self._series.update(self._new_series)

    def _room(self) -> int:
        if self._count is None:
            self._count = int(self._connection.execute("SELECT count(*) FROM series").fetchone()[0])
        return self._max_series - self._count


def _stored(value: Value, kind: str) -> float | int | str:
    if kind == "b":
        return int(value)
    if kind == "u" and int(value) > INT64_MAX:
        return int(value) - _TWO64  # SQLite's integers are signed
    return int(value) if kind in "iu" else value


def _read(value: float | int | str, kind: str) -> Value:
    if kind == "b":
        return bool(value)
    if kind == "u":
        return Unsigned(int(value) % _TWO64)
    return value
