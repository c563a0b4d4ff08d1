"""Ways to run a job: a pool, a gang of some size, and the curve of that gang there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.horizon import Horizon
from optimizer import document

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Way:
    """One way to run a job. ``power`` and ``speed`` are its curve, powers in the problem's unit.

    ``first`` is the slot from which it may run so, ``egress`` what it costs once to run so at all. ``key`` names the
    way among all ways of all jobs.
    """

    key: str
    pool: int | None
    gpus: int
    power: Floats
    speed: Floats
    limit_w: tuple[float | None, ...]
    first: int
    egress: float = 0.0
    clock_mhz: tuple[float | None, ...] = ()

    @property
    def top_speed(self) -> float:
        """Speed at the fastest level."""
        return float(self.speed.max())


@dataclass(frozen=True)
class Told:
    """A way as a document tells it, what it leaves out filled in from its job."""

    pool: str | None
    gpus: int
    levels: list[document.Level]
    ready: datetime | None
    egress: float = 0.0
    own: bool = True

    @property
    def name(self) -> tuple[str | None, int]:
        """What tells it from the other ways of its job, in problem and plan."""
        return self.pool, self.gpus


def told_ways(job: document.Job) -> Iterator[Told]:
    """Every way of a job, its own first."""
    yield Told(job.pool, job.gpus, job.levels, None)
    for other in job.alternatives:
        yield Told(
            pool=job.pool if other.pool is None else other.pool,
            gpus=job.gpus if other.gpus is None else other.gpus,
            levels=job.levels if other.levels is None else other.levels,
            ready=other.ready,
            egress=other.egress_cost,
            own=False,
        )


def open_to(job: document.Job, jurisdiction: str | None) -> bool:
    """Whether a job's residency lets it run under a jurisdiction; one that is not said is none of those named."""
    return not job.residency or jurisdiction in job.residency


def clocks(levels: Sequence[document.Level]) -> tuple[float | None, ...]:
    """Clock limit of each level; empty where none has one."""
    found = tuple(level.clock_mhz for level in levels)
    return found if any(clock is not None for clock in found) else ()


def _opens(told: Told, horizon: Horizon, delay: Mapping[str, int]) -> int:
    if told.ready is not None:
        return horizon.border(told.ready)
    return 0 if told.own else delay.get(told.pool or "", 0)


def ways_of(
    job: document.Job, horizon: Horizon, pools: Sequence[document.Pool], unit_mw: float, first: int
) -> tuple[Way, ...]:
    """Every way of a job that its residency leaves open, its own first; its window begins in slot ``first``."""
    index = {pool.name: k for k, pool in enumerate(pools)}
    law = {pool.name: pool.jurisdiction for pool in pools}
    delay = {pool.name: pool.partner.start_delay_slots for pool in pools if pool.partner is not None}
    return tuple(
        Way(
            key=f"{job.id}@{told.pool}/{told.gpus}",
            pool=None if told.pool is None else index[told.pool],
            gpus=told.gpus,
            power=np.array([level.power_mw for level in told.levels]) / unit_mw,
            speed=np.array([level.speed for level in told.levels]),
            limit_w=tuple(level.limit_w for level in told.levels),
            first=max(first, _opens(told, horizon, delay)),
            egress=told.egress,
            clock_mhz=clocks(told.levels),
        )
        for told in told_ways(job)
        if told.pool is None or open_to(job, law[told.pool])
    )
