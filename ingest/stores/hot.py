"""The hot tier: SQLite's schema, names of series, and where the samples of an instant lie.

``day N`` holds the current value of each series and instant of one UTC day (:mod:`ingest.stores.parts`); ``stray``
those that no sane clock tells; ``belief`` values that were replaced, with the time at which each was learned;
``segment`` names the files of days that have left; ``last`` the newest sample of a series that left with them. Light:
the web process writes through this.
"""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from ingest.line_protocol import encode_key, encode_name
from ingest.points import INT64_MAX, Tags, Unsigned, Value, split_metric
from ingest.stores import parts
from ingest.stores.layout import DAY_NS, RAW, STRAY, is_sane, table_of

VERSION = 3
_SAMPLES = """(series INTEGER NOT NULL, time_ns INTEGER NOT NULL, value NOT NULL, believed_ms INTEGER NOT NULL,
  PRIMARY KEY (series, time_ns)) WITHOUT ROWID"""
_NEW_IN_2 = f"""
CREATE TABLE tag (metric INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, series INTEGER NOT NULL,
  PRIMARY KEY (metric, key, value, series)) WITHOUT ROWID;
CREATE TABLE day (day INTEGER PRIMARY KEY, writes INTEGER NOT NULL);
CREATE TABLE segment (day INTEGER NOT NULL, level TEXT NOT NULL, file TEXT NOT NULL, PRIMARY KEY (day, level));
CREATE TABLE last (series INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, value NOT NULL, believed_ms INTEGER NOT NULL);
CREATE TABLE {STRAY} {_SAMPLES};
"""
_SCHEMA = f"""
CREATE TABLE metric (id INTEGER PRIMARY KEY, measurement TEXT NOT NULL, field TEXT NOT NULL, kind TEXT NOT NULL,
  UNIQUE (measurement, field));
CREATE TABLE series (id INTEGER PRIMARY KEY, metric INTEGER NOT NULL REFERENCES metric, tags TEXT NOT NULL,
  UNIQUE (metric, tags));
CREATE TABLE belief (series INTEGER NOT NULL, time_ns INTEGER NOT NULL, nth INTEGER NOT NULL, value NOT NULL,
  believed_ms INTEGER NOT NULL, PRIMARY KEY (series, time_ns, nth)) WITHOUT ROWID;
{_NEW_IN_2}
{parts.NEW_IN_3};
"""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_TWO64 = 1 << 64
_FEW = 1_000

Stored = float | int | str


class Found(NamedTuple):
    """A series: its number, the type letter of its values, its tags."""

    id: int
    kind: str
    tags: Tags


def create(connection: sqlite3.Connection) -> None:
    """Lay out an empty file."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT")


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of layout 1 (one table for all samples) or 2 (days without parts) to this one; all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version == 1:
            _to_2(connection)
        connection.execute(parts.NEW_IN_3)
        for (day,) in connection.execute("SELECT day FROM day").fetchall():
            connection.execute(f"ALTER TABLE {table_of(day)} RENAME TO former")
            if day < 0:  # only an upgrade from 1 made days before 1970
                connection.execute("DELETE FROM day WHERE day = ?", (day,))
                connection.execute(f"INSERT INTO {STRAY} SELECT * FROM former")  # noqa: S608  our own name
            else:
                parts.create(connection, day)
                parts.copy(connection, day, "former")
            connection.execute("DROP TABLE former")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _to_2(connection: sqlite3.Connection) -> None:
    for statement in _NEW_IN_2.split(";"):
        connection.execute(statement)
    for series_id, metric, text in connection.execute("SELECT id, metric, tags FROM series").fetchall():
        _add_tags(connection, metric, series_id, tuple((k, v) for k, v in json.loads(text)))
    columns = "SELECT series, time_ns, value, believed_ms FROM sample"
    days = f"SELECT DISTINCT (time_ns - ((time_ns % {DAY_NS}) + {DAY_NS}) % {DAY_NS}) / {DAY_NS} FROM sample"  # noqa: S608
    for (day,) in connection.execute(days).fetchall():
        connection.execute(f"CREATE TABLE {table_of(day)} {_SAMPLES}")
        connection.execute("INSERT INTO day VALUES (?, 0)", (day,))
        within = f"WHERE time_ns >= {day * DAY_NS} AND time_ns < {(day + 1) * DAY_NS}"
        connection.execute(f"INSERT INTO {table_of(day)} {columns} {within}")
    connection.execute("DROP TABLE sample")


def add_day(connection: sqlite3.Connection, day: int) -> None:
    """A table for a day; instants of it that strayed move in, so that none lies in two places."""
    parts.create(connection, day)
    connection.execute("INSERT INTO day VALUES (?, 0)", (day,))
    within = f"time_ns >= {day * DAY_NS} AND time_ns < {(day + 1) * DAY_NS}"
    parts.copy(connection, day, STRAY, within)
    connection.execute(f"DELETE FROM {STRAY} WHERE {within}")  # noqa: S608  our own name


class Place(NamedTuple):
    """A table, and the day whose parts it has; None: it has none."""

    day: int | None
    table: str


class Places:
    """Where samples go, inside one transaction: the table of a day, made when its first sample comes."""

    def __init__(self, connection: sqlite3.Connection, today: int) -> None:
        self._connection = connection
        self._today = today
        self.hot = {row[0] for row in connection.execute("SELECT day FROM day")}
        self.files = dict(connection.execute("SELECT day, file FROM segment WHERE level = ?", (RAW.name,)).fetchall())

    def of(self, day: int) -> Place:
        """Where the samples of ``day`` go."""
        if day not in self.hot:
            if not is_sane(day, self._today):
                return Place(None, STRAY)
            add_day(self._connection, day)
            self.hot.add(day)
        return Place(day, table_of(day))

    def touched(self, day: int) -> None:
        """Let a compaction that reads this day now see that it has changed."""
        self._connection.execute("UPDATE day SET writes = writes + 1 WHERE day = ?", (day,))


Heads = dict[tuple[str, Tags], dict[str, tuple[int, str]]]


class Names:
    """Numbers of series inside one transaction; what is new is kept in ``heads`` only after it.

    ``heads``: measurement and tags → field → number and type letter of the series.
    """

    def __init__(self, connection: sqlite3.Connection, heads: Heads, max_series: int) -> None:
        self._connection = connection
        self._heads = heads
        self._new: list[tuple[tuple[str, Tags], str, tuple[int, str]]] = []
        self._max_series = max_series
        self._count: int | None = None

    def find(self, head: tuple[str, Tags], field: str, kind: str) -> tuple[int | None, str]:
        """Number and type letter of a series; the first value of a field decides its type.

        None for the number where the series is new and either its type is another one or there are too many.

        Raises:
            ValueError: a name that line protocol cannot say.
        """
        measurement, tags = head
        encode_key(measurement, tags)
        encode_name(field, "field key")
        key = (measurement, field)
        self._connection.execute("INSERT INTO metric VALUES (NULL, ?, ?, ?) ON CONFLICT DO NOTHING", (*key, kind))
        query = "SELECT id, kind FROM metric WHERE measurement = ? AND field = ?"
        metric, known = self._connection.execute(query, key).fetchone()
        if known != kind:
            return None, known
        text = json.dumps(tags, ensure_ascii=False, separators=(",", ":"))
        query = "SELECT id FROM series WHERE metric = ? AND tags = ?"
        row = self._connection.execute(query, (metric, text)).fetchone()
        if row is None:
            if self._room() < 1:
                return None, known
            self._count = (self._count or 0) + 1
            added = self._connection.execute("INSERT INTO series VALUES (NULL, ?, ?)", (metric, text)).lastrowid
            assert added is not None
            _add_tags(self._connection, metric, added, tags)
            row = (added,)
        found = (int(row[0]), kind)
        self._heads.setdefault(head, {})[field] = found
        self._new.append((head, field, found))
        return found

    def forget(self) -> None:
        """The transaction was undone, and with it the numbers that it gave."""
        for head, field, _ in self._new:
            self._heads[head].pop(field, None)

    def _room(self) -> int:
        if self._count is None:
            self._count = int(self._connection.execute("SELECT count(*) FROM series").fetchone()[0])
        return self._max_series - self._count


def _add_tags(connection: sqlite3.Connection, metric: int, series: int, tags: Tags) -> None:
    connection.executemany("INSERT INTO tag VALUES (?, ?, ?, ?)", [(metric, k, v, series) for k, v in tags])


def matching(connection: sqlite3.Connection, metric: str, tags: Mapping[str, str]) -> list[Found]:
    """Series of a metric that carry at least ``tags``, in the order of their tags."""
    query = "SELECT id, kind FROM metric WHERE measurement = ? AND field = ?"
    row = connection.execute(query, split_metric(metric)).fetchone()
    if row is None:
        return []
    number, kind = row
    # The rarest tag leads; of the others one look each is enough.
    some = f"SELECT count(*) FROM (SELECT 1 FROM tag WHERE metric = ? AND key = ? AND value = ? LIMIT {_FEW})"  # noqa: S608
    wanted = sorted(tags.items(), key=lambda pair: connection.execute(some, (number, *pair)).fetchone()[0])
    query = "SELECT id, tags FROM series WHERE metric = ?"
    given: list[str | int] = [number]
    if wanted:
        query = "SELECT id, tags FROM tag CROSS JOIN series ON series.id = tag.series"
        query += " WHERE tag.metric = ? AND tag.key = ? AND tag.value = ?"
        given += wanted[0]
    for pair in wanted[1:]:
        query += (
            " AND EXISTS (SELECT 1 FROM tag AS t WHERE t.metric = ? AND t.key = ? AND t.value = ? AND t.series = id)"
        )
        given += [number, *pair]
    found = [Found(i, kind, tuple((k, v) for k, v in json.loads(text))) for i, text in connection.execute(query, given)]
    return sorted(found, key=lambda one: one.tags)


def described(connection: sqlite3.Connection, series: int) -> tuple[str, Found]:
    """Metric and series of a number."""
    query = (
        "SELECT measurement, field, kind, tags FROM series JOIN metric ON metric.id = series.metric WHERE series.id = ?"
    )
    measurement, field, kind, text = connection.execute(query, (series,)).fetchone()
    return f"{measurement}.{field}", Found(series, kind, tuple((k, v) for k, v in json.loads(text)))


def to_stored(value: Value, kind: str) -> Stored:
    """As SQLite keeps it, whose integers are signed."""
    if kind == "b":
        return int(value)
    if kind == "u" and int(value) > INT64_MAX:
        return int(value) - _TWO64
    if kind == "f":
        return float(value)
    return int(value) if kind in "iu" else str(value)


def from_stored(value: Stored, kind: str) -> Value:
    """The opposite of :func:`to_stored`."""
    if kind == "b":
        return bool(value)
    if kind == "u":
        return Unsigned(int(value) % _TWO64)
    return value
