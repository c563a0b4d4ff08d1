"""How a hot day's samples lie: in parts of five minutes; within a part by series, then by time. Light.

A batch tells one instant of many series. Were a day clustered by series alone, every batch would touch a page of each
of them, and a page is written twice, to the log and to the database: four kilobytes for a value of eight bytes. By part
it touches few pages, and a question seeks once a part. ``present`` names the series that a day has samples of, so that
nobody seeks in vain for one that has none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ingest.stores.layout import DAY_NS, table_of

_PART_NS = 300 * 1_000_000_000
_LAST = DAY_NS // _PART_NS - 1
_PART = f"?2 % {DAY_NS} / {_PART_NS}"
NEW_IN_3 = """CREATE TABLE present (day INTEGER NOT NULL, series INTEGER NOT NULL, PRIMARY KEY (day, series))
WITHOUT ROWID"""


def create(connection: sqlite3.Connection, day: int) -> None:
    """An empty table for a day."""
    connection.execute(
        f"CREATE TABLE {table_of(day)} (part INTEGER NOT NULL, series INTEGER NOT NULL, time_ns INTEGER NOT NULL, "
        "value NOT NULL, believed_ms INTEGER NOT NULL, PRIMARY KEY (part, series, time_ns)) WITHOUT ROWID"
    )


def drop(connection: sqlite3.Connection, day: int) -> None:
    """The table of a day is gone, and with it who is present."""
    connection.execute(f"DROP TABLE {table_of(day)}")
    connection.execute("DELETE FROM present WHERE day = ?", (day,))


def copy(connection: sqlite3.Connection, day: int, source: str, where: str = "TRUE") -> None:
    """Fill a day's table from another one with the columns series, time_ns, value, believed_ms."""
    part = _PART.replace("?2", "time_ns")
    rows = f"SELECT {part}, series, time_ns, value, believed_ms FROM {source} WHERE {where} ORDER BY 1, 2, 3"  # noqa: S608
    connection.execute(f"INSERT INTO {table_of(day)} {rows}")
    known = f"INSERT OR IGNORE INTO present SELECT DISTINCT {day}, series FROM {source} WHERE {where}"  # noqa: S608
    connection.execute(known)


def put(day: int | None, table: str, otherwise: str = "") -> str:
    """Statement that keeps a row (series, time_ns, value, believed_ms); ``day`` None: ``table`` has no parts."""
    part = "" if day is None else f"{_PART}, "
    return f"INSERT {otherwise} INTO {table} VALUES ({part}?1, ?2, ?3, ?4)"  # noqa: S608  our own names


def at(day: int | None, table: str, columns: str) -> str:
    """Question for the row of a series (?1) at an instant (?2)."""
    part = "" if day is None else f"part = {_PART} AND "
    return f"SELECT {columns} FROM {table} WHERE {part}series = ?1 AND time_ns = ?2"  # noqa: S608  our own names


def within(day: int | None, table: str, columns: str) -> str:
    """Question for the rows of a series (?1) in the span [?2, ?3)."""
    asked = "series = ?1 AND time_ns >= ?2 AND time_ns < ?3"
    if day is None:
        return f"SELECT {columns} FROM {table} WHERE {asked}"  # noqa: S608  our own names
    first, last = (f"(?{k} - {day * DAY_NS}) / {_PART_NS}" for k in (2, 3))
    begins = f"SELECT max(0, {first}) WHERE {_is_present(day)}"
    return (
        f"WITH RECURSIVE parts (n) AS ({begins} UNION ALL SELECT n + 1 FROM parts WHERE n < min({_LAST}, {last})) "  # noqa: S608
        f"SELECT {columns} FROM parts CROSS JOIN {table} ON part = n WHERE {asked}"
    )


def newest(day: int) -> str:
    """Question for time, value and belief of a series' (?1) newest row in a day's table, from its last part back."""
    table = table_of(day)
    begins = f"SELECT (SELECT max(part) FROM {table}) WHERE {_is_present(day)}"  # noqa: S608  our own name
    return (
        f"WITH RECURSIVE parts (n) AS ({begins} UNION ALL SELECT n - 1 FROM parts WHERE n > 0) "  # noqa: S608
        f"SELECT time_ns, value, believed_ms FROM parts CROSS JOIN {table} ON part = n WHERE series = ?1 "
        f"AND time_ns = (SELECT max(time_ns) FROM {table} WHERE part = n AND series = ?1) LIMIT 1"
    )


def by_series(day: int) -> str:
    """Question for all rows of the series from ?1 to ?2 (both included), by series and time."""
    columns = "series, time_ns, value, believed_ms"
    return (
        f"WITH RECURSIVE parts (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM parts WHERE n < {_LAST}) "  # noqa: S608
        f"SELECT {columns} FROM parts CROSS JOIN {table_of(day)} ON part = n "
        "WHERE series BETWEEN ?1 AND ?2 ORDER BY 1, 2"
    )


def _is_present(day: int) -> str:
    return f"EXISTS (SELECT 1 FROM present WHERE day = {day} AND series = ?1)"  # noqa: S608  a number


class Presence:
    """What this process has seen to be in ``present``, so that a batch asks only about series that are new to a day.

    A table that came or went since, by whoever's hand, makes it forget: then it asks anew.
    """

    def __init__(self) -> None:
        self._known: dict[int, set[int]] = {}
        self._schema = -1

    def begin(self, connection: sqlite3.Connection) -> None:
        """Inside a transaction, before anything is noted."""
        schema = connection.execute("PRAGMA schema_version").fetchone()[0]
        if schema != self._schema:
            self._schema = schema
            self._known.clear()

    def note(self, connection: sqlite3.Connection, day: int, series: Iterable[int]) -> None:
        """These have samples in the table of ``day``."""
        known = self._known.setdefault(day, set())
        news = {one for one in series if one not in known}
        if news:
            connection.executemany("INSERT OR IGNORE INTO present VALUES (?, ?)", [(day, one) for one in news])
            known |= news

    def forget(self) -> None:
        """The transaction was undone."""
        self._known.clear()
