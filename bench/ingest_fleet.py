"""Node roll-ups of a large site through the push endpoint, while a planner solves the 500 MW day on another core."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.half_gigawatt import make
from bench.ingest_rows import Row, Spent
from bench.ingest_web import Web
from ingest.points import to_ns

_FIELDS = {
    "power_w": (3_000.0, 9_000.0),
    "inlet_c": (21.5, 22.5),
    "gpu_power_w": (2_000.0, 5_600.0),
    "gpu_max_c": (50.0, 80.0),
    "utilization_ratio": (0.5, 1.0),
    "cap_w": (300.0, 700.0),
    "fan_ratio": (0.3, 0.9),
    "gpus": (8.0, 8.0),
}
_LINES = 5_000
_DAY_MINUTES = 1_440
_SOLVE_S = 60.0
_GROWTH = 1.1
"""Of the most memory in the first half to the most in the second: more would be no bound."""


class Planner:
    """Solves the day again and again in processes of its own; counts how often and how long."""

    def __init__(self, folder: Path, share: float, core: int) -> None:
        self.seconds: list[float] = []
        self.failed = ""
        self._problem, self._core = folder / "day.json", core
        self._problem.write_text(json.dumps(make(1, share)))
        self._stop = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._solve, daemon=True)
        self._thread.start()

    def _solve(self) -> None:
        code = f"import os; os.sched_setaffinity(0, {{{self._core}}}); from api.cli import main; main()"
        words = ["solve", str(self._problem), "--time-limit", str(_SOLVE_S), "-o", os.devnull]
        while not self._stop.is_set() and not self.failed:
            begun = time.perf_counter()
            self._child = subprocess.Popen([sys.executable, "-P", "-c", code, *words], stderr=subprocess.PIPE)
            _, said = self._child.communicate()
            if self._child.returncode == 0:
                self.seconds.append(time.perf_counter() - begun)
            elif not self._stop.is_set():
                self.failed = said.decode(errors="replace").strip()[-200:]

    def end(self) -> None:
        """Stop it, in the middle of a solve perhaps."""
        self._stop.set()
        if self._child is not None:
            self._child.kill()
        self._thread.join()

    def __str__(self) -> str:
        if self.failed:
            return f"the planner FAILED: {self.failed}"
        if not self.seconds:
            return "the planner was within its first solve"
        middle = sorted(self.seconds)[len(self.seconds) // 2]
        return f"the planner solved the day {len(self.seconds)} times, median {middle:.0f} s"


@contextmanager
def _planner(folder: Path, share: float, web: Web) -> Iterator[Planner]:
    """A planner on the last core, the web process on the others."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(web.pid, set(cores[:-1] or cores))
    planner = Planner(folder, share, cores[-1])
    try:
        yield planner
    finally:
        planner.end()


def measure_fleet(
    web: Web, folder: Path, nodes: int, minutes: int, hold_s: float | None, share: float
) -> Iterator[Row]:
    """Eight fields a node and minute: ``minutes`` of them pushed as fast as they are taken, or a day in ``hold_s``.

    A day that is not through by then ends there. ``share`` of the 500 MW day is solved meanwhile; 0: none.
    """
    heads = [f"node,node=n{k:05d},site=local " for k in range(nodes)]
    chance = random.Random(9)
    most = minutes if hold_s is None else _DAY_MINUTES
    pace_s = 0.0 if hold_s is None else hold_s / _DAY_MINUTES
    start_ns = to_ns(datetime.now(UTC) - timedelta(hours=23, minutes=59))  # a day fits: none late, none in the future
    spent, memory, begun, pushed = Spent(), [web.rss_mb()], time.monotonic(), 0
    with nullcontext() if share == 0 else _planner(folder, share, web) as planner:
        while pushed < most and (hold_s is None or time.monotonic() - begun < hold_s):
            time.sleep(max(0.0, begun + pushed * pace_s - time.monotonic()))
            for body in _bodies(heads, chance, start_ns + pushed * 60 * 10**9):
                before = web.cpu_s()
                points = (body.count(b"\n") + 1) * len(_FIELDS)
                spent.time(lambda body=body: web.post("/api/v2/write", body), points)
                spent.cpu_s += web.cpu_s() - before
            pushed += 1
            memory.append(web.rss_mb())
    asked = nodes * len(_FIELDS) / 60
    half = len(memory) // 2
    bounded = len(memory) < 4 or max(memory[half:]) <= _GROWTH * max(memory[1:half])
    span = f"{(time.monotonic() - begun) / 60:.1f} min of the wall"
    told = f"{spent}, {spent.rate / asked:.1f} x real time, {pushed} minutes of them in {span}"
    room = f"memory {memory[0]:.0f} MB at first, most {max(memory[1 : half + 1]):.0f} in the first half, "
    room += f"{max(memory[half:]):.0f} in the second; store {_size_gb(folder):.2f} GB"
    beside = room if planner is None else f"{room}; {planner}"
    what = f"{nodes:,} nodes x {len(_FIELDS)} series a minute"
    well = spent.rate >= asked and bounded and not (planner and planner.failed)
    yield Row(what, "real time, bounded memory, the planner solving", told, beside, well)


def _bodies(heads: Sequence[str], chance: random.Random, at_ns: int) -> Iterator[bytes]:
    ranges = list(_FIELDS.items())
    for begin in range(0, len(heads), _LINES):
        lines = [
            head + ",".join(f"{name}={chance.uniform(low, high):.1f}" for name, (low, high) in ranges) + f" {at_ns}"
            for head in heads[begin : begin + _LINES]
        ]
        yield "\n".join(lines).encode()


def _size_gb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.glob("telemetry.db*") if path.is_file()) / 1e9
