"""Moving a day that is over from the hot tier to files, and forgetting what retention no longer keeps. Heavy.

A day is copied from a snapshot while writers go on; its files become part of the store, and its table is dropped, in
one transaction that only happens if nobody wrote to that day meanwhile. A crash at any point leaves either the table
or the files in charge; files that nothing names are swept later. Memory is bounded by one chunk and one series' day.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ingest.points import INT64_MAX, to_ns
from ingest.stores import history, parts
from ingest.stores.history import Means
from ingest.stores.hot import Stored
from ingest.stores.layout import (
    DAY_NS,
    LEVELS,
    MINUTE,
    QUARTER,
    RAW,
    STRAY,
    Level,
    Retention,
    day_of,
    file_of,
    start_of,
    table_of,
)

_CHUNK = 200_000
_GRACE_S = 600.0
"""A file that the store has let go stays this long, for readers that began before."""

_Row = tuple[int, int, Stored, int]


class Shelf(Protocol):
    """What tidying asks of a store: what it keeps, the folder of its files, and the right to write."""

    retention: Retention
    history: Path

    def writing(self) -> AbstractContextManager[None]:
        """The right to write, across processes."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was done: days moved, days that were written to meanwhile and wait for the next time, levels dropped."""

    moved: tuple[int, ...] = ()
    waiting: tuple[int, ...] = ()
    dropped: int = 0


@dataclass(slots=True)
class _Moved:
    """What a day's files hold, and what must go into the database with them."""

    files: dict[Level, Path]
    beliefs: list[tuple[int, int, Stored, int]] = field(default_factory=list)
    last: list[_Row] = field(default_factory=list)


def tidy(store: Shelf, connection: sqlite3.Connection, now: datetime) -> Tidied:
    """Move and forget what is due now; ``connection`` is for this alone."""
    over = now - store.retention.hot
    days = [row[0] for row in connection.execute("SELECT day FROM day ORDER BY day")]
    done = {day: _move(store, connection, day, now) for day in days if start_of(day) + timedelta(days=1) <= over}
    dropped = _expire(store, connection, now)
    named = [store.history / row[0] for row in connection.execute("SELECT file FROM segment")]
    history.sweep(store.history, named, now.timestamp() - _GRACE_S)
    moved = tuple(day for day, well in done.items() if well)
    return Tidied(moved, tuple(day for day, well in done.items() if not well), dropped)


def _move(store: Shelf, connection: sqlite3.Connection, day: int, now: datetime) -> bool:
    connection.execute("BEGIN")
    try:
        before = _state(connection, day)
        kept = [level for level in LEVELS if day > day_of(to_ns(now)) - store.retention.days(level)]
        moved = _copy(store.history, connection, day, kept, before[1])
    finally:
        connection.execute("COMMIT")
    with store.writing():
        connection.execute("BEGIN IMMEDIATE")
        try:
            well = _state(connection, day) == before
            if well:
                _hand_over(connection, day, store.history, moved)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    return well


def _state(connection: sqlite3.Connection, day: int) -> tuple[int | None, dict[str, str]]:
    """How often a day was written to, and its files by level."""
    row = connection.execute("SELECT writes FROM day WHERE day = ?", (day,)).fetchone()
    files = dict(connection.execute("SELECT level, file FROM segment WHERE day = ?", (day,)).fetchall())
    return (None if row is None else row[0]), files


def _hand_over(connection: sqlite3.Connection, day: int, folder: Path, moved: _Moved) -> None:
    for level, path in moved.files.items():
        row = (day, level.name, str(path.relative_to(folder)))
        connection.execute("INSERT OR REPLACE INTO segment VALUES (?, ?, ?)", row)
    nth = "(SELECT count(*) FROM belief WHERE series = ? AND time_ns = ?)"
    rows = ((s, t, s, t, value, believed_ms) for s, t, value, believed_ms in moved.beliefs)
    connection.executemany(f"INSERT INTO belief VALUES (?, ?, {nth}, ?, ?)", rows)  # noqa: S608  no input in it
    upsert = "INSERT INTO last VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET time_ns = excluded.time_ns, "
    upsert += "value = excluded.value, believed_ms = excluded.believed_ms WHERE excluded.time_ns >= time_ns"
    connection.executemany(upsert, moved.last)
    parts.drop(connection, day)
    connection.execute("DELETE FROM day WHERE day = ?", (day,))


def _copy(folder: Path, connection: sqlite3.Connection, day: int, levels: list[Level], old: dict[str, str]) -> _Moved:
    """Write the files of a day: its table, joined with the files that it has already."""
    kinds = dict(connection.execute("SELECT series.id, kind FROM series JOIN metric ON metric.id = series.metric"))
    paths = {level: folder / file_of(day, level, _generation(old.get(level.name)) + 1) for level in levels}
    moved = _Moved(paths)
    with ExitStack() as open_files:
        writers = {level: open_files.enter_context(history.new_file(path, level)) for level, path in paths.items()}
        for low, high, rows in _chunks(connection, day):
            if RAW.name in old:
                rows = _joined(connection, folder / old[RAW.name], (low, high), rows, moved)
            moved.last += [
                row for row, after in zip(rows, [*rows[1:], None], strict=True) if not after or after[0] != row[0]
            ]
            names = _names(connection, low, high)
            if RAW in writers:
                history.append(writers[RAW], history.with_names(_raw_columns(rows), names, RAW))
            means, joined = _numbers(rows, kinds), RAW.name in old
            for level in (MINUTE, QUARTER):
                means = history.slot_means(means, level.step_ns)
                if not joined and level.name in old:
                    joined = True
                    means = _with_old_means(folder / old[level.name], low, high, means, level)
                if level in writers:
                    history.append(writers[level], history.with_names(means._asdict(), names, level))
    return moved


def _generation(file: str | None) -> int:
    return 0 if file is None else int(Path(file).stem)


def _chunks(connection: sqlite3.Connection, day: int) -> Iterator[tuple[int, int | None, list[_Row]]]:
    """Rows of whole series, by series and time, with the range of series that they stand for (None: no end)."""
    counts = f"SELECT series, count(*) FROM {table_of(day)} GROUP BY series ORDER BY series"  # noqa: S608  our own name
    low, rows = 0, 0
    ends: list[int] = []
    for series, count in connection.execute(counts):
        if rows and rows + count > _CHUNK:
            ends.append(series - 1)
            rows = 0
        rows += count
    for end in ends:
        yield low, end, connection.execute(parts.by_series(day), (low, end)).fetchall()
        low = end + 1
    yield low, None, connection.execute(parts.by_series(day), (low, INT64_MAX)).fetchall()


def _joined(
    connection: sqlite3.Connection, path: Path, which: tuple[int, int | None], rows: list[_Row], moved: _Moved
) -> list[_Row]:
    """Rows of an older file and later ones; of two values of an instant the one believed last stays in the rows."""
    table = history.rows(path, *which, ["series", "time_ns", "value", "whole", "text", "believed_ms"])
    best: dict[tuple[int, int], _Row] = {}
    for series, time_ns, value, whole, text, believed_ms in zip(*(c.to_pylist() for c in table.columns), strict=True):
        known = value if value is not None else whole if whole is not None else text
        best[series, time_ns] = (series, time_ns, known, believed_ms)
    between = "SELECT 1 FROM belief WHERE series = ? AND time_ns = ?"
    for row in rows:
        held = best.get(row[:2])
        if held is None:
            best[row[:2]] = row
            continue
        later, earlier = (row, held) if row[3] >= held[3] else (held, row)
        if held[2] == row[2] and connection.execute(between, row[:2]).fetchone() is None:
            best[row[:2]] = earlier  # a repeat: known since then, without another belief in between
        else:
            best[row[:2]] = later
            moved.beliefs.append(earlier)
    return [best[key] for key in sorted(best)]


def _with_old_means(path: Path, low: int, high: int | None, means: Means, level: Level) -> Means:
    """Means of late samples joined with those of a day whose raw values are gone."""
    old = history.rows(path, low, high, Means._fields)
    both = Means._make(np.concatenate([old[name].to_numpy(), getattr(means, name)]) for name in Means._fields)
    order = np.lexsort((both.time_ns, both.series))
    return history.slot_means(Means._make(column[order] for column in both), level.step_ns)


def _names(connection: sqlite3.Connection, low: int, high: int | None) -> dict[int, tuple[str, str]]:
    query = (
        "SELECT series.id, measurement || '.' || field, tags FROM series JOIN metric ON metric.id = series.metric "
        "WHERE series.id >= ? AND (? IS NULL OR series.id <= ?)"
    )
    return {number: (metric, tags) for number, metric, tags in connection.execute(query, (low, high, high))}


def _raw_columns(rows: list[_Row]) -> dict[str, Any]:
    series, times, values, believed = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    return {
        "series": series,
        "time_ns": times,
        "value": [value if isinstance(value, float) else None for value in values],
        "whole": [value if isinstance(value, int) else None for value in values],
        "text": [value if isinstance(value, str) else None for value in values],
        "believed_ms": believed,
    }


def _numbers(rows: list[_Row], kinds: dict[int, str]) -> Means:
    """The samples that have a mean, as slots of no length."""
    told = [row for row in rows if kinds[row[0]] in "fiu"]
    unsigned = np.array([kinds[row[0]] == "u" for row in told], dtype=bool)
    values = np.array([row[2] for row in told], dtype=np.float64)
    values = np.where(unsigned & (values < 0), values + 2.0**64, values)
    series = np.array([row[0] for row in told], dtype=np.int64)
    times = np.array([row[1] for row in told], dtype=np.int64)
    return Means(series, times, values, np.ones(len(told), dtype=np.int64), values, values)


def _expire(store: Shelf, connection: sqlite3.Connection, now: datetime) -> int:
    """Forget levels beyond their days; beliefs go with the raw values, stray instants with the coarsest means."""
    today = day_of(to_ns(now))
    with store.writing():
        connection.execute("BEGIN IMMEDIATE")
        try:
            gone = 0
            for level in LEVELS:
                last = (level.name, today - store.retention.days(level))
                gone += connection.execute("DELETE FROM segment WHERE level = ? AND day <= ?", last).rowcount
            raw_begins = (today - store.retention.raw_days + 1) * DAY_NS
            if gone:
                connection.execute("DELETE FROM belief WHERE time_ns < ?", (raw_begins,))
            oldest = (today - store.retention.quarter_days + 1) * DAY_NS
            connection.execute(f"DELETE FROM {STRAY} WHERE time_ns < ?", (oldest,))  # noqa: S608  our own name
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    return gone
