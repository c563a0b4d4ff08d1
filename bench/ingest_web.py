"""Telemetry over HTTP, measured beside an empty route: the push endpoint, a question."""

from __future__ import annotations

import http.client
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from bench.ingest_rows import Row, Spent
from models.horizon import rfc3339


class Web:
    """The web process over a folder, on one connection."""

    def __init__(self, port: int, key: str, pid: int) -> None:
        self._here = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self._headers = {"Authorization": f"Bearer {key}"}
        self.pid = pid
        self._proc = Path(f"/proc/{pid}")

    def ask(self, method: str, path: str, body: bytes | None = None) -> float:
        """Seconds until the whole answer is here.

        Raises:
            RuntimeError: it is none of success.
        """
        begun = time.perf_counter()
        self._here.request(method, path, body, self._headers)
        answer = self._here.getresponse()
        told = answer.read()
        spent_s = time.perf_counter() - begun
        if answer.status not in (200, 204):
            raise RuntimeError(f"{path}: {answer.status} {told[:300]!r}")
        return spent_s

    def post(self, path: str, body: bytes) -> None:
        """Send a body."""
        self.ask("POST", path, body)

    def cpu_s(self) -> float:
        """CPU seconds that the process has used."""
        told = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Its memory now, shared pages included."""
        return int((self._proc / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def server(folder: Path) -> Iterator[Web]:
    """The web process, ended with the block."""
    command = [sys.executable, "-m", "bench.ingest_server", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            port, key, pid = child.stdout.readline().split()
            yield Web(int(port), key, int(pid))
        finally:
            child.terminate()


def measure_push(web: Web, batches: Sequence[bytes], points: int) -> Iterator[Row]:
    """The push endpoint, one connection and one worker, in turns with the empty route."""
    web.post("/api/v2/write", batches[0])  # first words, and heads that are new
    ours, empty = Spent(), Spent()
    for body in batches[1:]:
        for spent, path in ((ours, "/api/v2/write"), (empty, "/empty")):
            before = web.cpu_s()
            spent.time(lambda path=path, body=body: web.post(path, body), points)
            spent.cpu_s += web.cpu_s() - before
    told = f"empty route with the same bodies: {empty.rate / 1000:,.0f}k points/s"
    yield Row(f"push endpoint, batches of {points:,}", "≥ 50k points/s", str(ours), told, ours.rate >= 5e4)


def measure_read(folder: Path, series: int, start: datetime, minutes: int, times: int) -> Iterator[Row]:
    """24 hours of one series in 15-minute means over HTTP, in turns with the empty route."""
    end = start + timedelta(minutes=minutes // 15 * 15)
    chance = random.Random(7)
    with server(folder) as web:

        def question() -> str:
            k = chance.randrange(series)
            which = f"tag=gpu=GPU-{k % 8}&tag=node=n{k // 8:05d}&tag=site=local"
            return f"/api/v1/telemetry?metric=gpu.power_w&{which}&start={rfc3339(start)}&end={rfc3339(end)}&step_s=900"

        web.ask("GET", question())  # loads NumPy
        before = web.cpu_s()
        pairs = [(web.ask("GET", question()), web.ask("GET", "/empty")) for _ in range(times)]
        cpu_ms = (web.cpu_s() - before) / times * 1e3
    ours, empty = (sorted(column) for column in zip(*pairs, strict=True))
    p95, p50 = (ours[int(share * (times - 1))] * 1e3 for share in (0.95, 0.5))
    what = f"{minutes / 60:g} h of one series of {series:,} in 15-min means, HTTP"
    beside = f"empty route: p95 {empty[int(0.95 * (times - 1))] * 1e3:.1f} ms"
    yield Row(
        what,
        "p95 ≤ 20 ms",
        f"p95 {p95:.1f} ms, median {p50:.1f} ms; {cpu_ms:.1f} ms CPU with the empty one",
        beside,
        p95 <= 20,
    )
