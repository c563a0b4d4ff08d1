"""What the bench of telemetry counts in: rows of its table, seconds spent, and a fleet's points."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ingest.points import Point, to_ns


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
