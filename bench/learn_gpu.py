"""GPU curves against the measured sweep: one limit left out, one job left out."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.real_inputs import shared_data
from models.learn.gpu_fit import Known, posterior

Array = npt.NDArray[np.float64]
TOP_W = 400.0
_ERROR = 0.005


@dataclass(frozen=True, slots=True)
class SweptJob:
    """One job of the sweep: limits, drawn W per GPU, speed; shapes ``(limits,)``."""

    name: str
    limit_w: Array
    drawn_w: Array
    speed: Array

    @property
    def share(self) -> Array:
        return self.drawn_w / TOP_W


@dataclass(frozen=True, slots=True)
class CurveScore:
    """Errors of predicted speed over true speed, limits below the top: mean, largest of 250-350 W, band cover."""

    mean: float
    worst_upper: float
    cover: float
    worst: float
    n: int


def distinct_jobs(path: Path | None = None) -> list[SweptJob]:
    """Jobs of Emerald's sweep; rows that are scaled copies of another job's are left out (three inference rows)."""
    rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    path = path or shared_data() / "emerald" / "dvfs_sweep.csv"
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows[row["Workload"]].append(
                (float(row["GPU power cap"]), float(row["power per GPU"]), float(row["normalized throughput"]))
            )
    found: list[SweptJob] = []
    for name, points in rows.items():
        limit, drawn, speed = (np.array(column) for column in zip(*sorted(points), strict=True))
        if not any(np.allclose(speed, job.speed, atol=1e-9) for job in found):
            found.append(SweptJob(name, limit, drawn, speed))
    return found


def _known(jobs: Sequence[SweptJob], but: SweptJob) -> list[Known]:
    return [Known(tuple(job.share), tuple(job.speed)) for job in jobs if job is not but]


def leave_one_limit_out(jobs: Sequence[SweptJob]) -> CurveScore:
    """Each limit of each job from the job's other limits and from the other jobs; its drawn watts are known."""
    return _scored(jobs, lambda job, k: np.arange(len(job.limit_w)) != k)


def leave_one_job_out(jobs: Sequence[SweptJob]) -> CurveScore:
    """Each job from the others and its own draw at full speed."""
    return _scored(jobs, lambda job, _: np.arange(len(job.limit_w)) == len(job.limit_w) - 1)


def straight_line(jobs: Sequence[SweptJob]) -> CurveScore:
    """Baseline of the first: a straight line through the job's two nearest limits."""
    errors, upper = [], []
    for job in jobs:
        for k in range(len(job.limit_w) - 1):
            rest = np.arange(len(job.limit_w)) != k
            x, y = job.drawn_w[rest], job.speed[rest]
            at = job.drawn_w[k]
            guess = np.interp(at, x, y) if at >= x[0] else y[0] + (y[1] - y[0]) / (x[1] - x[0]) * (at - x[0])
            errors.append(abs(guess - job.speed[k]) / job.speed[k])
            if 250 <= job.limit_w[k] <= 350:
                upper.append(errors[-1])
    return CurveScore(float(np.mean(errors)), max(upper), float("nan"), max(errors), len(errors))


def mean_of_others(jobs: Sequence[SweptJob]) -> CurveScore:
    """Baseline of the second: at each limit the other jobs' mean speed."""
    errors, upper = [], []
    for job in jobs:
        others = np.mean([other.speed for other in jobs if other is not job], axis=0)
        errors += list(np.abs(others - job.speed)[:-1] / job.speed[:-1])
        upper += list((np.abs(others - job.speed) / job.speed)[(job.limit_w >= 250) & (job.limit_w <= 350)])
    return CurveScore(float(np.mean(errors)), max(upper), float("nan"), max(errors), len(errors))


def _scored(jobs: Sequence[SweptJob], known: Callable[[SweptJob, int], npt.NDArray[np.bool_]]) -> CurveScore:
    errors, upper, inside = [], [], []
    for job in jobs:
        family = _known(jobs, job)
        for k in range(len(job.limit_w) - 1):
            seen = known(job, k)
            error = np.where(job.limit_w[seen] == job.limit_w[-1], 1e-3, _ERROR)
            found = posterior(family, job.share[seen], job.speed[seen], error, job.share[[k]])
            at = int(np.searchsorted(found.share, job.share[k]))
            errors.append(abs(float(found.speed[at]) - job.speed[k]) / job.speed[k])
            inside.append(found.low[at] <= job.speed[k] <= found.high[at])
            if 250 <= job.limit_w[k] <= 350:
                upper.append(errors[-1])
    return CurveScore(float(np.mean(errors)), max(upper), float(np.mean(inside)), max(errors), len(errors))
