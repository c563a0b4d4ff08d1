"""A job's runs laid on the slots, and each run held against the job's own curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.horizon import rfc3339
from optimizer.document import Job, JobPlan, Level, Run

from .day import Day
from .findings import POWER, SPEED, SPEED_FLOOR, Findings, Floats
from .ways import Way, check_moves, way_of, ways_of

_ONE_BELOW = 1.0  # a cap may be rounded down to what the device accepts, by no more than this


@dataclass(frozen=True)
class Track:
    """One job entry on the slots: copies that are on, MW of all of them, hours of work at speed 1.0.

    ``gpus`` and ``pool_mw`` are what it holds and draws in each pool (None: without one), ``resized_h`` the hours that
    changes of its gang cost, ``egress_cost`` the money for going to other ways.
    """

    job: Job
    said: JobPlan
    copies: npt.NDArray[np.int64]
    power_mw: Floats
    work_h: Floats
    gpus: dict[str | None, Floats]
    pool_mw: dict[str | None, Floats]
    resized_h: float
    egress_cost: float


def upper_envelope(levels: list[Level]) -> tuple[Floats, Floats]:
    """Powers and speeds of the upper concave envelope of the rows; points on a straight stretch stay."""
    hull: list[tuple[float, float]] = []
    for power, speed in sorted((level.power_mw, level.speed) for level in levels):
        while hull and hull[-1][0] == power:
            hull.pop()
        while len(hull) > 1:
            (p0, s0), (p1, s1) = hull[-2], hull[-1]
            if (s1 - s0) * (power - p0) >= (speed - s0) * (p1 - p0):
                break
            hull.pop()
        hull.append((power, speed))
    return np.array([p for p, _ in hull]), np.array([s for _, s in hull])


def lay(day: Day, job: Job, said: JobPlan, findings: Findings) -> Track:
    """Check every run of ``said`` for itself and spread it over its slots (clipped to the horizon)."""
    copies = np.zeros(day.slots, dtype=np.int64)
    power, work = np.zeros(day.slots), np.zeros(day.slots)
    gpus, pool_mw = ({way.pool: np.zeros(day.slots) for way in ways_of(job)} for _ in range(2))
    curves = {(way.pool, way.gpus): upper_envelope(way.levels) for way in ways_of(job)}
    laid: list[tuple[Run, Way]] = []
    last_end = None
    for number, run in enumerate(said.runs):
        way = way_of(day, job, number, run, findings)
        laid.append((run, way))
        _on_grid(day, job, number, run, findings)
        _on_curve(day, job, run, way, curves[way.pool, way.gpus], findings)
        if job.count == 1 and last_end is not None and run.start < last_end:
            findings.add(
                "run.order",
                f"job {job.id} run {number} starts at {rfc3339(run.start)}, before the run listed ahead of it "
                f"ends at {rfc3339(last_end)}",
                amount=(last_end - run.start).total_seconds() / 3600,
                unit="h",
                job=job.id,
                slot=_slot(day, run),
            )
        last_end = run.end
        span = slice(max(0, day.horizon.slot(run.start)), max(0, day.first_slot_from(run.end)))
        copies[span] += run.count
        power[span] += run.count * run.power_mw
        gpus[way.pool][span] += run.count * way.gpus
        pool_mw[way.pool][span] += run.count * run.power_mw
        work[span] += run.count * run.speed * day.step_h
    for k in np.flatnonzero(copies > job.count):
        findings.add(
            "run.count",
            f"job {job.id} has {copies[k]} of its copies on, it has {job.count}",
            amount=float(copies[k] - job.count),
            unit="copies",
            job=job.id,
            slot=int(k),
        )
    resized = check_moves(day, job, laid, findings) if job.alternatives else 0.0
    went = {(way.pool, way.gpus): way.egress_cost for _, way in laid}
    return Track(job, said, copies, power, work, gpus, pool_mw, resized, sum(went.values()))


def _slot(day: Day, run: Run) -> int:
    return min(max(0, day.horizon.slot(run.start)), day.slots - 1)


def _on_grid(day: Day, job: Job, number: int, run: Run, findings: Findings) -> None:
    for word, moment in (("starts", run.start), ("ends", run.end)):
        rest = (moment - day.horizon.start) % day.horizon.step
        if rest:
            findings.add(
                "run.border",
                f"job {job.id} run {number} {word} at {rfc3339(moment)}, {rest} after a slot border",
                amount=rest.total_seconds() / 3600,
                unit="h",
                job=job.id,
                slot=_slot(day, run),
            )
    outside = max(day.horizon.start - run.start, run.end - day.horizon.end).total_seconds() / 3600
    if outside > 0:
        findings.add(
            "run.horizon",
            f"job {job.id} run {number} from {rfc3339(run.start)} to {rfc3339(run.end)} leaves the horizon "
            f"{day.at(0)} to {day.at(day.slots)} by {outside:g} h",
            amount=outside,
            unit="h",
            job=job.id,
            slot=_slot(day, run),
        )
    if run.end <= run.start:
        findings.add(
            "run.empty",
            f"job {job.id} run {number} ends at {rfc3339(run.end)}, not after its start {rfc3339(run.start)}",
            amount=(run.start - run.end).total_seconds() / 3600,
            unit="h",
            job=job.id,
            slot=_slot(day, run),
        )


def _on_curve(day: Day, job: Job, run: Run, way: Way, curve: tuple[Floats, Floats], findings: Findings) -> None:
    powers, speeds = curve
    slot = _slot(day, run)
    low, high = float(powers[0]), float(powers[-1])
    outside = max(low - run.power_mw, run.power_mw - high)
    if outside > POWER * high + 1e-12:
        findings.add(
            "run.power",
            f"job {job.id} draws {run.power_mw:.9g} MW, its levels go from {low:.9g} to {high:.9g} MW",
            amount=outside,
            unit="MW",
            job=job.id,
            slot=slot,
        )
    speed = float(np.interp(run.power_mw, powers, speeds))
    if abs(run.speed - speed) > SPEED * max(speed, abs(run.speed)) + SPEED_FLOOR:
        findings.add(
            "run.speed",
            f"job {job.id} is said to run at speed {run.speed:.9g}, its curve gives {speed:.9g} at "
            f"{run.power_mw:.9g} MW",
            amount=run.speed - speed,
            unit="speed",
            job=job.id,
            slot=slot,
        )
    _levers(job, way.levels, run, slot, findings)


def _levers(job: Job, levels: list[Level], run: Run, slot: int, findings: Findings) -> None:
    watts = [(level.power_mw, level.limit_w) for level in levels]
    _lever("run.limit_w", "power limit", "W", job, watts, (run, run.limit_w), slot, findings)
    clocks = [(level.power_mw, level.clock_mhz) for level in levels]
    _lever("run.clock_mhz", "clock limit", "MHz", job, clocks, (run, run.clock_mhz), slot, findings)


def _lever(
    rule: str,
    word: str,
    unit: str,
    job: Job,
    points: list[tuple[float, float | None]],
    said: tuple[Run, float | None],
    slot: int,
    findings: Findings,
) -> None:
    """A limit is null without a lever, else at most one unit below the line between the levels' limits."""
    rows = sorted((power, limit) for power, limit in points if limit is not None)
    run, told = said
    if told is None:
        if len(rows) == len(points):
            findings.add(
                rule,
                f"job {job.id} runs without a {word} although each of its levels has one",
                amount=0.0,
                unit=unit,
                job=job.id,
                slot=slot,
            )
        return
    if not rows:
        findings.add(
            rule,
            f"job {job.id} is given a {word} of {told:.9g} {unit}, its levels have no such lever",
            amount=told,
            unit=unit,
            job=job.id,
            slot=slot,
        )
        return
    curve = float(np.interp(run.power_mw, [p for p, _ in rows], [limit for _, limit in rows]))
    slack = POWER * curve + 1e-3
    if not curve - _ONE_BELOW - slack <= told <= curve + slack:
        findings.add(
            rule,
            f"job {job.id} is given a {word} of {told:.9g} {unit}, its curve gives {curve:.9g} {unit} at "
            f"{run.power_mw:.9g} MW and at most 1 {unit} less is rounding",
            amount=told - curve,
            unit=unit,
            job=job.id,
            slot=slot,
        )
