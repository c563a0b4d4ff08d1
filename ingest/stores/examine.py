"""Is an embedded store whole? Reads everything that must be readable; changes nothing. Heavy."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.errors import StoreUnavailable
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.layout import date_of


@dataclass(frozen=True, slots=True)
class Examined:
    """What a store holds, and what is wrong with it; ``problems`` say what to do."""

    series: int
    hot_days: int
    files: int
    bytes: int
    problems: tuple[str, ...]


def examine(store: EmbeddedStore) -> Examined:
    """Read a store's database and its files through.

    Raises:
        StoreUnavailable: the database cannot be read at all.
    """
    try:
        connection = sqlite3.connect(f"file:{store.path}?mode=ro", uri=True)
        try:
            told = [row[0] for row in connection.execute("PRAGMA quick_check")]
            series = connection.execute("SELECT count(*) FROM series").fetchone()[0]
            hot = connection.execute("SELECT count(*) FROM day").fetchone()[0]
            segments = connection.execute("SELECT day, level, file FROM segment ORDER BY day, level").fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(str(store.path), f"{error}; restore it from a backup") from error
    problems = [f"{store.path}: {one}; restore it from a backup" for one in told if one != "ok"]
    size = store.path.stat().st_size
    for day, level, file in segments:
        path = store.history / file
        fault = _fault(path)
        if fault:
            problems.append(f"{level} of {date_of(day)}, {path}: {fault}; restore it from a backup")
        else:
            size += path.stat().st_size
    return Examined(series, hot, len(segments), size, tuple(problems))


def _fault(path: Path) -> str:
    try:
        with pq.ParquetFile(path) as file:
            for _ in file.iter_batches(columns=["series", "time_ns"]):
                pass
    except (OSError, pa.ArrowException) as error:
        return str(error)
    return ""
