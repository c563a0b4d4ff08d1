"""In which of its ways a job runs: a pool, a gang of some size, and from when on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from models.horizon import rfc3339
from optimizer.document import Job, Level, Run

from .day import Day
from .findings import Findings


@dataclass(frozen=True)
class Way:
    """A pool, the GPUs of one gang there, its levels, and the first instant at which it can run so."""

    pool: str | None
    gpus: int
    levels: list[Level]
    ready: datetime | None
    egress_cost: float = 0.0


def ways_of(job: Job) -> list[Way]:
    """Every way of a job; its own first."""
    own = Way(job.pool, job.gpus, job.levels, None)
    return [own] + [
        Way(
            job.pool if other.pool is None else other.pool,
            job.gpus if other.gpus is None else other.gpus,
            job.levels if other.levels is None else other.levels,
            other.ready,
            other.egress_cost,
        )
        for other in job.alternatives
    ]


def top_speed(job: Job) -> float:
    """Speed of a job's fastest level in its fastest way."""
    return max(level.speed for way in ways_of(job) for level in way.levels)


def way_of(day: Day, job: Job, number: int, run: Run, findings: Findings) -> Way:
    """The way that a run says it takes; the job's own where it says nothing and there is no choice."""
    ways = ways_of(job)
    for way in ways:
        if (run.pool, run.gpus) == (way.pool, way.gpus):
            ready = _ready(day, way, own=way is ways[0])
            if run.start < ready:
                findings.add(
                    "job.ready",
                    f"job {job.id} run {number} starts at {rfc3339(run.start)} with {way.gpus} GPUs of pool "
                    f"{way.pool}, where it is not ready before {rfc3339(ready)}",
                    amount=(ready - run.start).total_seconds() / 3600,
                    unit="h",
                    job=job.id,
                    slot=min(max(0, day.horizon.slot(run.start)), day.slots - 1),
                )
            _residence(day, job, way, run, findings)
            return way
    own = ways[0]
    _residence(day, job, own, run, findings)
    silent = len(ways) == 1 and run.pool in (None, own.pool) and run.gpus in (None, own.gpus)
    if not silent:
        names = ", ".join(f"{way.gpus} GPUs of {way.pool}" for way in ways)
        findings.add(
            "run.way",
            f"job {job.id} run {number} says {run.gpus} GPUs of pool {run.pool}; its ways are {names}",
            amount=1.0,
            unit="runs",
            job=job.id,
            slot=min(max(0, day.horizon.slot(run.start)), day.slots - 1),
        )
    return own


def _ready(day: Day, way: Way, *, own: bool) -> datetime:
    """When a job can first run in a way; with a partner that it does not know yet, after the partner's delay."""
    if way.ready is not None:
        return way.ready
    partner = next((pool.partner for pool in day.problem.pools if pool.name == way.pool), None)
    if own or partner is None:
        return day.horizon.start
    return day.horizon.at(partner.start_delay_slots)


def _residence(day: Day, job: Job, way: Way, run: Run, findings: Findings) -> None:
    law = {pool.name: pool.jurisdiction for pool in day.problem.pools}
    if not job.residency or way.pool is None or law[way.pool] in job.residency:
        return
    findings.add(
        "job.residency",
        f"job {job.id} runs in pool {way.pool} of jurisdiction {law[way.pool]}, it may run in "
        f"{', '.join(job.residency)} only",
        amount=(run.end - run.start).total_seconds() / 3600,
        unit="h",
        job=job.id,
        slot=min(max(0, day.horizon.slot(run.start)), day.slots - 1),
    )


def check_moves(day: Day, job: Job, laid: list[tuple[Run, Way]], findings: Findings) -> float:
    """Each session stays in one pool; hours that changes of the gang within sessions cost."""
    own = ways_of(job)[0]
    before = [(day.horizon.start, own)] if job.state == "running" else []
    lost = 0.0
    ends = [*before, *((run.end, way) for run, way in laid)]
    starts = [(run.start, way) for run, way in laid][0 if before else 1 :]
    for (end, was), (start, way) in zip(ends, starts, strict=False):
        if start != end or was == way:
            continue
        if was.pool != way.pool:
            findings.add(
                "job.move",
                f"job {job.id} goes from pool {was.pool} to pool {way.pool} without a pause",
                amount=1.0,
                unit="moves",
                job=job.id,
                slot=min(max(0, day.horizon.slot(start)), day.slots - 1),
            )
        else:
            lost += job.resize_loss_h
    return lost
