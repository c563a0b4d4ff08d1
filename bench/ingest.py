"""``python -m bench.ingest``: how fast telemetry is read, kept and asked for, each figure beside its limit or peer.

One fleet of ``--series`` GPUs, a sample a minute. The bare engine is SQLite with the same table, rows, commits and
synchronisation, in turns with ours, so that other work on the machine slows both. Walls are what a user sees; CPU
seconds are what stays the same on a busy machine.
"""

from __future__ import annotations

import argparse
import http.client
import os
import platform
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.line_protocol import encode, parse
from ingest.points import Point, to_ns
from ingest.stores.embedded import EmbeddedStore
from models.horizon import rfc3339

_BARE = """CREATE TABLE sample (series INTEGER NOT NULL, time_ns INTEGER NOT NULL, value NOT NULL,
  believed_ms INTEGER NOT NULL, PRIMARY KEY (series, time_ns)) WITHOUT ROWID"""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``reached`` None: no goal."""

    what: str
    goal: str
    ours: str
    beside: str
    reached: bool | None


@dataclass(slots=True)
class Spent:
    """Wall and CPU seconds of some work, and how many points it was."""

    points: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def time(self, work: Callable[[], object], points: int) -> None:
        """Do it and count it."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        self.wall_s += time.perf_counter() - wall
        self.cpu_s += time.process_time() - cpu
        self.points += points

    @property
    def rate(self) -> float:
        """Points a second."""
        return self.points / self.wall_s

    def __str__(self) -> str:
        return f"{self.rate / 1000:,.0f}k points/s ({self.points / self.cpu_s / 1000:,.0f}k a CPU second)"


class Fleet:
    """Points of one minute after the other, the same for everybody."""

    def __init__(self, series: int, start: datetime) -> None:
        self._tags = [(("gpu", f"GPU-{k % 8}"), ("node", f"n{k // 8:05d}"), ("site", "local")) for k in range(series)]
        self._start_ns = to_ns(start)
        self._chance = random.Random(6)

    def minute(self, number: int) -> list[Point]:
        """One point of each series."""
        at = self._start_ns + number * 60 * 10**9
        watts = self._chance.uniform
        return [Point("gpu", tags, (("power_w", round(watts(300, 700), 1)),), at) for tags in self._tags]


def measure_store(folder: Path, fleet: Fleet, minutes: int) -> Iterator[Row]:
    """Durable writes, in turns with the bare engine; leaves the store filled."""
    store = EmbeddedStore(folder / "telemetry.db")
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", _BARE):
        bare.execute(statement)
    ours, theirs = Spent(), Spent()
    for number in range(minutes):
        batch = fleet.minute(number)
        rows = [(k, point.time_ns, point.fields[0][1], 0) for k, point in enumerate(batch)]

        def insert(rows: Sequence[tuple[object, ...]] = rows) -> None:
            bare.execute("BEGIN IMMEDIATE")
            bare.executemany("INSERT INTO sample VALUES (?, ?, ?, ?)", rows)
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


@contextmanager
def server(folder: Path) -> Iterator[tuple[http.client.HTTPConnection, dict[str, str], int]]:
    """The web process over a folder: a connection, its headers, its process."""
    command = [sys.executable, "-m", "bench.ingest_server", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            port, key, pid = child.stdout.readline().split()
            here = http.client.HTTPConnection("127.0.0.1", int(port), timeout=120)
            yield here, {"Authorization": f"Bearer {key}"}, int(pid)
        finally:
            child.terminate()


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def measure_push(folder: Path, batches: Sequence[bytes], points: int) -> Iterator[Row]:
    """The push endpoint, one connection and one worker, in turns with the empty route."""
    with server(folder) as (here, headers, pid):

        def post(path: str, body: bytes) -> None:
            here.request("POST", path, body, headers)
            answer = here.getresponse()
            told = answer.read()
            if answer.status != 204:
                raise RuntimeError(f"{path}: {answer.status} {told[:300]!r}")

        post("/api/v2/write", batches[0])  # first words, and heads that are new
        ours, empty = Spent(), Spent()
        for body in batches[1:]:
            for spent, path in ((ours, "/api/v2/write"), (empty, "/empty")):
                before = cpu_of(pid)
                spent.time(lambda path=path, body=body: post(path, body), points)
                spent.cpu_s += cpu_of(pid) - before
        told = f"empty route with the same bodies: {empty.rate / 1000:,.0f}k points/s"
        yield Row(f"push endpoint, batches of {points:,}", "≥ 50k points/s", str(ours), told, ours.rate >= 5e4)


def rss_mb(pid: int) -> float:
    """Memory of a process now, its own and shared."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure_fleet(folder: Path, nodes: int, minutes: int) -> Iterator[Row]:
    """Node roll-ups of a large site: eight fields a node and minute, pushed as fast as they are taken."""
    fields = ("power_w", "inlet_c", "gpu_power_w", "gpu_max_c", "utilization_ratio", "cap_w", "fan_ratio", "gpus")
    heads = [f"rollup,node=n{k:05d},site=local " for k in range(nodes)]
    chance = random.Random(9)
    start_ns = to_ns(datetime.now(UTC)) - (minutes + 2) * 60 * 10**9
    with server(folder) as (here, headers, pid):
        spent, memory = Spent(), [rss_mb(pid)]
        for minute in range(minutes):
            at = start_ns + minute * 60 * 10**9
            lines = [
                head + ",".join(f"{name}={round(chance.uniform(0, 900), 1)}" for name in fields) + f" {at}"
                for head in heads
            ]
            for begin in range(0, nodes, 5_000):
                body = "\n".join(lines[begin : begin + 5_000]).encode()
                before = cpu_of(pid)

                def post(body: bytes = body) -> None:
                    here.request("POST", "/api/v2/write", body, headers)
                    answer = here.getresponse()
                    if answer.read() or answer.status != 204:
                        raise RuntimeError(f"the fleet's batch: {answer.status}")

                spent.time(post, len(lines[begin : begin + 5_000]) * len(fields))
                spent.cpu_s += cpu_of(pid) - before
            memory.append(rss_mb(pid))
    asked = nodes * len(fields) / 60
    told = f"{spent}, {spent.rate / asked:.1f} x real time; memory {memory[0]:.0f} to {max(memory):.0f} MB"
    half = memory[len(memory) // 2]
    what = f"{nodes:,} nodes x {len(fields)} series a minute, {minutes} minutes pushed"
    yield Row(what, "real time, bounded memory", told, f"half-way {half:.0f} MB", spent.rate >= asked)


def measure_read(folder: Path, series: int, start: datetime, minutes: int, times: int) -> Iterator[Row]:
    """24 hours of one series in 15-minute means over HTTP, in turns with the empty route."""
    end = start + timedelta(minutes=minutes // 15 * 15)
    chance = random.Random(7)
    with server(folder) as (here, headers, _):

        def get(path: str) -> float:
            begun = time.perf_counter()
            here.request("GET", path, headers=headers)
            answer = here.getresponse()
            told = answer.read()
            spent = time.perf_counter() - begun
            if answer.status not in (200, 204):
                raise RuntimeError(f"{path}: {answer.status} {told[:300]!r}")
            return spent

        def question() -> str:
            k = chance.randrange(series)
            which = f"tag=gpu=GPU-{k % 8}&tag=node=n{k // 8:05d}&tag=site=local"
            return f"/api/v1/telemetry?metric=gpu.power_w&{which}&start={rfc3339(start)}&end={rfc3339(end)}&step_s=900"

        get(question())  # loads NumPy
        pairs = [(get(question()), get("/empty")) for _ in range(times)]
    ours, empty = (sorted(column) for column in zip(*pairs, strict=True))
    p95, p50 = (ours[int(share * (times - 1))] * 1e3 for share in (0.95, 0.5))
    what = f"{minutes / 60:g} h of one series of {series:,} in 15-min means, HTTP"
    beside = f"empty route: p95 {empty[int(0.95 * (times - 1))] * 1e3:.1f} ms"
    yield Row(what, "p95 ≤ 20 ms", f"p95 {p95:.1f} ms, median {p50:.1f} ms", beside, p95 <= 20)


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


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--series", type=int, default=5_000)
    asked.add_argument("--minutes", type=int, default=1_440, help="that the store is filled with")
    asked.add_argument("--batches", type=int, default=60, help="pushed over HTTP")
    asked.add_argument("--reads", type=int, default=300)
    asked.add_argument("--nodes", type=int, default=30_000, help="of the 500 MW site")
    asked.add_argument("--fleet-minutes", type=int, default=6)
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
        if "push" in parts:
            live = Fleet(wanted.series, datetime.now(UTC) - timedelta(minutes=wanted.batches + 5))
            batches = [encode(live.minute(k)).encode() for k in range(wanted.batches + 1)]
            (folder / "push").mkdir()
            rows += measure_push(folder / "push", batches, wanted.series)
        if "fleet" in parts:
            (folder / "fleet").mkdir()
            rows += measure_fleet(folder / "fleet", wanted.nodes, wanted.fleet_minutes)
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
