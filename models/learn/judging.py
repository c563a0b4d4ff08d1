"""How good learned run times would have been on the jobs that came last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import Fault, InvalidInput
from models.learn.ended_jobs import EndedJob, check_ended, log_hours, seen_at_submission
from models.learn.run_times import LEVELS, fit_run_times


@dataclass(frozen=True, slots=True)
class Judgement:
    """``kept``: share that did not exceed the level; ``factor``: median error factor of the middle; ``over``,
    ``limit_over``: hours believed over hours run, by the level and by the limit (None where a job has none)."""

    taught: int
    judged: int
    kept: float
    factor: float
    over: float
    limit_over: float | None


def judged_run_times(ended: Sequence[EndedJob], level: float) -> Judgement:
    """Learn as of four fifths of the jobs, by submission, and judge on the rest, each as it was seen when it came.

    Raises:
        InvalidInput: too few jobs, or records that no accounting can have meant.
    """
    check_ended(ended)
    order = sorted(ended, key=lambda job: job.submitted_at)
    if len(order) < 10:
        message = f"{len(order)} jobs that ended; ask the accounting for a longer time"
        raise InvalidInput("the jobs of the past", [Fault("", "too_few", message)])
    until = order[int(0.8 * len(order))].submitted_at
    model = fit_run_times(order, until)
    rows, values, jobs, _ = seen_at_submission(order, log_hours)
    late = np.array([job.submitted_at >= until for job in jobs])
    limits = np.array([np.nan if job.limit_h is None else job.limit_h for job in jobs])[late]
    quantiles = model.of(rows[late], limits)
    hours = np.exp(values[late])
    asked = np.exp([np.interp(level, LEVELS, row) for row in np.log(quantiles)])
    return Judgement(
        model.jobs,
        int(late.sum()),
        float(np.mean(hours <= asked)),
        float(np.exp(np.median(np.abs(np.log(quantiles[:, 2] / hours))))),
        float(asked.sum() / hours.sum()),
        None if np.isnan(limits).any() else float(limits.sum() / hours.sum()),
    )
