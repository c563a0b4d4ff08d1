"""Run times forecast on a year of real jobs, beside what the time limit, a share of it, and the usual run tell.

    python -m bench.learn_jobs

The trace (GAIA's year of Alibaba PAI 2020) has arrival, length and size of each job and neither users, names nor time
limits. So the likes of a job are those of the same size, and limits are made up: a job uses a share of its limit that
is even between 0.1 and 0.95 (recorded logs show such a flat spread; Mu'alem & Feitelson 2001, as remembered), rounded
up to what people write. What the prediction is worth on jobs whose users and names repeat is not shown here.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.real_inputs import shared_data
from models.learn.ended_jobs import EndedJob, log_hours, seen_at_submission
from models.learn.run_times import LEVELS, JobQuantiles, fit_run_times

Array = npt.NDArray[np.float64]
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WRITTEN_H = np.array([0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 36, 48, 72, 96, 120, 168, 240, 336, 720])
SCORED_DAYS = 28


def gaia_jobs(path: Path | None = None, seed: int = 1) -> list[EndedJob]:
    """The year with made-up limits; each job starts as it arrives."""
    path = path or shared_data() / "jobs" / "gaia_pai_100k_year.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(float(r["arrival_h"]), float(r["length_h"]), int(r["units"])) for r in csv.DictReader(file)]
    share = np.random.default_rng(seed).uniform(0.1, 0.95, len(rows))
    found = []
    for (arrival, length, units), used in zip(rows, share, strict=True):
        limit = float(WRITTEN_H[np.searchsorted(WRITTEN_H, length / used)])
        at = BEGIN + timedelta(hours=arrival)
        found.append(EndedJob("", _letters(units), "", units, at, at, at + timedelta(hours=length), limit))
    return found


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


@dataclass(frozen=True, slots=True)
class RunScore:
    """Over the scored jobs: pinball of log hours (mean of the levels), cover of P10-P90, error factor of the middle."""

    pinball: float
    cover: float
    factor: float
    over: float


def _scored(quantiles: Array, hours: Array) -> RunScore:
    off = np.log(hours)[:, None] - np.log(quantiles)
    levels = np.array(LEVELS)
    pinball = float(np.maximum(levels * off, (levels - 1) * off).mean())
    inside = float(((hours >= quantiles[:, 0]) & (hours <= quantiles[:, 4])).mean())
    middle = np.abs(np.log(quantiles[:, 2] / hours))
    return RunScore(pinball, inside, float(np.exp(np.median(middle))), float(quantiles[:, 2].sum() / hours.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class RunTimes:
    """Model as of ``until`` and the four weeks of jobs after it."""

    model: JobQuantiles
    until: datetime
    rows: Array
    hours: Array
    limits: Array
    before: list[EndedJob]
    late: list[EndedJob]


def learned(jobs: list[EndedJob], *, with_limits: bool = True, share_of_year: float = 0.6) -> RunTimes:
    """Learn from what had ended after ``share_of_year``; inputs of later jobs hold what had ended when they came."""
    if not with_limits:
        jobs = [replace(job, limit_h=None) for job in jobs]
    until = BEGIN + timedelta(days=round(365 * share_of_year))
    before = [job for job in jobs if job.ended_at <= until]
    model = fit_run_times(before, until)
    end = until + timedelta(days=SCORED_DAYS)
    recent = [job for job in jobs if job.submitted_at < end]
    rows, values, order, _ = seen_at_submission(recent, log_hours)
    late = np.array([job.submitted_at >= until for job in order])
    limits = np.array([np.nan if job.limit_h is None else job.limit_h for job in order])
    return RunTimes(model, until, rows[late], np.exp(values[late]), limits[late], before, order[int(np.argmax(late)) :])


def scores(jobs: list[EndedJob]) -> dict[str, RunScore]:
    """Ours with and without made-up limits, beside three simple answers."""
    ours, bare = learned(jobs), learned(jobs, with_limits=False)
    past = np.array([job.run_h for job in ours.before])
    used = np.array([job.run_h / job.limit_h for job in ours.before if job.limit_h])
    usual = np.quantile(past, LEVELS)
    shares = np.quantile(used, LEVELS)
    n = len(ours.hours)
    return {
        "ours, size, hour and limit": _scored(ours.model.of(ours.rows, ours.limits), ours.hours),
        "ours, size and hour only": _scored(bare.model.of(bare.rows), bare.hours),
        "usual share of the limit": _scored(ours.limits[:, None] * shares, ours.hours),
        "usual run of all jobs": _scored(np.tile(usual, (n, 1)), ours.hours),
        "the limit itself": _scored(np.tile(ours.limits[:, None], (1, len(LEVELS))), ours.hours),
    }
