"""``python -m bench.ingest``: how fast telemetry is read, kept and asked for, each figure beside its limit or peer.

One fleet of ``--series`` GPUs, a sample a minute. The bare engine is SQLite with the same table, rows, commits and
synchronisation, in turns with ours, so that other work on the machine slows both. Walls are what a user sees; CPU
seconds are what stays the same on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.ingest_fleet import measure_fleet
from bench.ingest_rows import Fleet, Row, Spent
from bench.ingest_web import Web, measure_push, measure_read, server
from ingest.line_protocol import encode, parse
from ingest.stores.embedded import EmbeddedStore

_BARE = """CREATE TABLE sample (part INTEGER NOT NULL, series INTEGER NOT NULL, time_ns INTEGER NOT NULL,
  value NOT NULL, believed_ms INTEGER NOT NULL, PRIMARY KEY (part, series, time_ns)) WITHOUT ROWID"""
_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 8192", "cache_size = -32768")
_DAY = timedelta(days=1)


def measure_store(folder: Path, fleet: Fleet, minutes: int) -> Iterator[Row]:
    """Durable writes, in turns with the bare engine; leaves the store filled."""
    store = EmbeddedStore(folder / "telemetry.db")
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for statement in (*(f"PRAGMA {one}" for one in _PRAGMAS), _BARE):
        bare.execute(statement)
    ours, theirs = Spent(), Spent()
    for number in range(minutes):
        batch = fleet.minute(number)
        known_ms = time.time_ns() // 1_000_000
        rows = [(number // 5, k, point.time_ns, point.fields[0][1], known_ms) for k, point in enumerate(batch)]

        def insert(rows: Sequence[tuple[object, ...]] = rows) -> None:
            bare.execute("BEGIN IMMEDIATE")
            bare.executemany("INSERT INTO sample VALUES (?, ?, ?, ?, ?)", rows)
            bare.execute("COMMIT")

        work = [(ours, lambda batch=batch: store.write(batch)), (theirs, insert)]
        for spent, do in work if number % 2 else reversed(work):
            spent.time(do, len(batch))
    bare.close()
    store.close()
    share = ours.rate / theirs.rate
    yield Row("embedded store, durable", "≥ 100k points/s", str(ours), f"bare SQLite: {theirs}", ours.rate >= 1e5)
    told = f"{share:.0%} of the wall, {ours.points / ours.cpu_s / (theirs.points / theirs.cpu_s):.0%} of the CPU"
    yield Row("the same, of the bare engine", "≥ 50 %", told, "", share >= 0.5)
    (folder / "bare.db").unlink()


def measure_lines(fleet: Fleet) -> Iterator[Row]:
    """Encoding beside the client library, and reading."""
    from influxdb_client import Point as TheirPoint

    batches = [fleet.minute(k) for k in range(12)]
    ours, theirs, reading = Spent(), Spent(), Spent()
    encode(batches[0])
    for batch in batches:
        made = []
        for point in batch:
            one = TheirPoint(point.measurement).time(point.time_ns)
            for key, tag in point.tags:
                one.tag(key, tag)
            for key, value in point.fields:
                one.field(key, value)
            made.append(one)
        theirs.time(lambda made=made: "\n".join(one.to_line_protocol() for one in made), len(batch))
        ours.time(lambda batch=batch: encode(batch), len(batch))
        body = encode(batch).encode()
        reading.time(lambda body=body: parse(body), len(batch))
    ratio = ours.points / ours.cpu_s / (theirs.points / theirs.cpu_s)
    yield Row(
        "line protocol, encoding", "≥ 3 x Point.to_line_protocol", f"{ours}, {ratio:.1f} x", str(theirs), ratio >= 3
    )
    yield Row("line protocol, reading", "", str(reading), "", None)


def measure_history(folder: Path, series: int, start: datetime, minutes: int) -> Iterator[Row]:
    """Moving the days to files, their size, and asking for a series of them."""

    class Later:
        def now(self) -> datetime:
            return start + 10 * _DAY

        def monotonic(self) -> float:
            return 0.0

    store = EmbeddedStore(folder / "telemetry.db", clock=Later())
    moving = Spent()
    moving.time(store.tidy, series * minutes)
    size = sum(path.stat().st_size for path in store.history.rglob("level=raw/*/*.parquet"))
    rows = f"{moving}, raw {size / (series * minutes):.1f} bytes a point"
    yield Row("moving days to files, three levels", "", rows, "", None)
    end = start + timedelta(minutes=minutes // 15 * 15)
    chance = random.Random(8)
    spent = []
    for _ in range(60):
        k = chance.randrange(series)
        begun = time.perf_counter()
        tags = {"gpu": f"GPU-{k % 8}", "node": f"n{k // 8:05d}"}
        store.query("gpu.power_w", tags, start, end, timedelta(minutes=15))
        spent.append(time.perf_counter() - begun)
    spent.sort()
    told = f"p95 {spent[57] * 1e3:.1f} ms, median {spent[30] * 1e3:.1f} ms"
    yield Row("the same series from the files, without HTTP", "", told, "", None)
    store.close()


def pushed(web: Web, wanted: argparse.Namespace) -> Iterator[Row]:
    """Bodies made beforehand, then :func:`measure_push`."""
    live = Fleet(wanted.series, datetime.now(UTC) - timedelta(minutes=wanted.batches + 5))
    batches = [encode(live.minute(k)).encode() for k in range(wanted.batches + 1)]
    yield from measure_push(web, batches, wanted.series)


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--series", type=int, default=5_000)
    asked.add_argument("--minutes", type=int, default=1_440, help="that the store is filled with")
    asked.add_argument("--batches", type=int, default=60, help="pushed over HTTP")
    asked.add_argument("--reads", type=int, default=300)
    asked.add_argument("--nodes", type=int, default=30_000, help="of the 500 MW site")
    asked.add_argument("--fleet-minutes", type=int, default=6, help="of its roll-ups, pushed at speed")
    asked.add_argument("--hold-s", type=float, help="push a day of them within this instead; the goal is 3600")
    asked.add_argument("--planner", type=float, default=1.0, help="share of the 500 MW day solved meanwhile; 0: none")
    asked.add_argument("--only", default="lines,store,read,history,push,fleet", help="some of these, by commas")
    asked.add_argument("--folder", type=Path, help="where the store lies (default: a temporary folder)")
    wanted = asked.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chergui-bench-", dir=wanted.folder))
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 2 * _DAY
    fleet = Fleet(wanted.series, start)
    parts = wanted.only.split(",")
    rows: list[Row] = []
    try:
        if "lines" in parts:
            rows += measure_lines(fleet)
        if {"store", "read", "history"} & set(parts):
            rows += measure_store(folder, fleet, wanted.minutes)
        if "read" in parts:
            rows += measure_read(folder, wanted.series, start, wanted.minutes, wanted.reads)
        if "history" in parts:
            rows += measure_history(folder, wanted.series, start, wanted.minutes)
        if {"push", "fleet"} & set(parts):
            (folder / "push").mkdir()
            with server(folder / "push") as web:
                rows += pushed(web, wanted) if "push" in parts else ()
                if "fleet" in parts:
                    size = (wanted.nodes, wanted.fleet_minutes, wanted.hold_s, wanted.planner)
                    rows += measure_fleet(web, folder / "push", *size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load}; Python {platform.python_version()}, ", end="")
    print(f"SQLite {sqlite3.sqlite_version}; {wanted.series:,} series, {wanted.minutes:,} minutes\n")
    print("| what | goal | measured | beside it, same run | reached |\n|---|---|---|---|---|")
    for row in rows:
        reached = "–" if row.reached is None else "yes" if row.reached else "no"
        print(f"| {row.what} | {row.goal or '–'} | {row.ours} | {row.beside or '–'} | {reached} |")


if __name__ == "__main__":
    main()
