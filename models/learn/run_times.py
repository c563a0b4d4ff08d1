"""Run time and drawn power of a job from its likes, as quantiles; the plan takes a stated one in place of the limit.

Gradient-boosted quantile regression (scikit-learn) of the logarithm. Long jobs that began lately have not ended yet and
are missing from accounting, so that young jobs would teach that all are short: only jobs as old as the longest run
teach (the others still count among the likes). Every fifth of them is held back and shifts each quantile to its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from models.errors import Fault, InvalidInput
from models.learn.ended_jobs import EndedJob, Likes, check_ended, log_hours, log_watts, seen_at_submission
from models.learn.survival import total_h
from models.queued_job import QueuedJob

Array = npt.NDArray[np.float64]
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
LEAST_JOBS = 200
_NEWEST = 30_000
_HELD_BACK = 5


@dataclass(frozen=True, slots=True, eq=False)
class JobQuantiles:
    """Quantiles of hours or watts at :data:`LEVELS`; ``shifts`` are added to the logarithm, ``jobs`` taught it.

    ``columns``: inputs that any of those jobs had (none had a limit where the site sets none).
    """

    what: Literal["run_h", "drawn_w"]
    trees: tuple[Any, ...]
    columns: npt.NDArray[np.intp]
    shifts: Array
    likes: Likes
    known_until: datetime
    jobs: int

    def of(self, rows: Array, limits: Array | None = None) -> Array:
        """Quantiles for inputs of :meth:`Likes.row`, shape ``(n, levels)``: rising, no higher than ``limits`` (n,)."""
        with threadpool_limits(1, user_api="openmp"):
            logs = np.stack([tree.predict(rows[:, self.columns]) for tree in self.trees], axis=1) + self.shifts
        found: Array = np.exp(np.sort(logs, axis=1))
        if limits is not None:
            found = np.fmin(found, limits[:, None])
        return found

    def of_job(self, job: QueuedJob) -> Array:
        """Quantiles of a job in the queue, shape ``(levels,)``, no higher than its time limit."""
        limit = np.array([np.nan if job.limit_h is None or self.what != "run_h" else job.limit_h])
        found: Array = self.of(np.array([self.likes.row_of(job)]), limit)[0]
        return found

    def expected_h(self, job: QueuedJob, level: float) -> float:
        """Hours in all, from its first start, that the job does not exceed with probability ``level``.

        For a job that has run, the survival form: what it has run already is known.
        """
        return _expected_h(job, self.of_job(job), level)


def _expected_h(job: QueuedJob, quantiles_h: Array, level: float) -> float:
    return total_h(LEVELS, [float(q) for q in quantiles_h], job.done_h + job.ran_h, level, job.limit_h)


def with_expectations(jobs: Iterable[QueuedJob], model: JobQuantiles, level: float) -> list[QueuedJob]:
    """The jobs, each with the hours that it is not expected to exceed with probability ``level``.

    The policy plans with them in place of the time limit; what a job says of itself still wins.
    """
    queue = list(jobs)
    asked = [job for job in queue if job.gpus]
    if not asked:
        return queue
    limits = np.array([np.nan if job.limit_h is None else job.limit_h for job in asked])
    rows = np.array([model.likes.row_of(job) for job in asked])
    found = iter(model.of(rows, limits))  # all at once: a tree takes as long for one row as for hundreds
    return [replace(job, expected_h=_expected_h(job, next(found), level)) if job.gpus else job for job in queue]


def with_drawn_power(jobs: Iterable[QueuedJob], model: JobQuantiles, level: float) -> list[QueuedJob]:
    """The jobs, each with the W per GPU that it is not expected to exceed with probability ``level``.

    Between the learned levels along straight lines of the probability, beyond them the outermost.
    """
    queue = list(jobs)
    asked = [job for job in queue if job.gpus]
    if not asked:
        return queue
    found = model.of(np.array([model.likes.row_of(job) for job in asked]))
    watts = iter([float(np.interp(level, LEVELS, row)) for row in found])
    return [replace(job, drawn_w=next(watts)) if job.gpus else job for job in queue]


def fit_run_times(ended: Sequence[EndedJob], until: datetime) -> JobQuantiles:
    """Learn run hours from jobs that had ended at ``until``; later ends are not looked at.

    Raises:
        InvalidInput: fewer than 200 jobs, or records that no accounting can have meant.
    """
    known = _known(ended, until)
    return _fit("run_h", known, until, _old_enough(known, until))


def _old_enough(known: list[EndedJob], until: datetime) -> datetime:
    """The last submission from which on every run would have ended: the longest run ago, four fifths of the record at
    most."""
    if not known:
        return until
    longest = max(job.ended_at - job.started_at for job in known)
    return until - min(longest, 0.8 * (until - known[0].submitted_at))


def fit_drawn_power(ended: Sequence[EndedJob], until: datetime) -> JobQuantiles:
    """Learn drawn W per GPU from jobs that had ended at ``until`` and whose power telemetry knows.

    Raises:
        InvalidInput: fewer than 200 of them, a meter that is stuck, or records that no accounting can have meant.
    """
    known = [job for job in _known(ended, until) if job.drawn_w is not None]
    if len(known) >= LEAST_JOBS and len({job.drawn_w for job in known}) < 3:
        message = f"{known[0].drawn_w:g} W for every job: the meter is stuck; mend it"
        raise InvalidInput("the jobs of the past", [Fault("drawn_w", "stuck", message)])
    return _fit("drawn_w", known, until, until)


def _known(ended: Sequence[EndedJob], until: datetime) -> list[EndedJob]:
    check_ended(ended)
    known = sorted((job for job in ended if job.ended_at <= until), key=lambda job: job.submitted_at)
    return known[-_NEWEST:]


def _fit(
    what: Literal["run_h", "drawn_w"], known: list[EndedJob], until: datetime, young_from: datetime
) -> JobQuantiles:
    rows, values, jobs, likes = seen_at_submission(known, log_hours if what == "run_h" else log_watts)
    teach = np.array([job.submitted_at <= young_from for job in jobs], bool)
    if teach.sum() < LEAST_JOBS:
        message = (
            f"{int(teach.sum())} jobs with {what} had ended by {until.isoformat()} and are old enough to teach, "
            f"{LEAST_JOBS} are needed; until then the time limit and the catalogue count"
        )
        raise InvalidInput("the jobs of the past", [Fault(what, "too_few", message)])
    rows, values = rows[teach], values[teach]
    columns = np.flatnonzero(np.isfinite(rows).any(axis=0))
    rows = rows[:, columns]
    held = np.arange(len(rows)) % _HELD_BACK == 0
    trees = tuple(_tree(level, rows[~held], values[~held]) for level in LEVELS)
    with threadpool_limits(1, user_api="openmp"):
        shifts = [
            np.quantile(values[held] - tree.predict(rows[held]), level)
            for level, tree in zip(LEVELS, trees, strict=True)
        ]
    return JobQuantiles(what, trees, columns, np.array(shifts), likes, until, len(rows))


def _tree(level: float, rows: Array, values: Array) -> Any:
    tree = HistGradientBoostingRegressor(
        loss="quantile", quantile=level, max_iter=60, max_leaf_nodes=12, min_samples_leaf=30, early_stopping=False
    )
    with threadpool_limits(1, user_api="openmp"):  # small data: threads that wait for a busy core bring nothing
        return tree.fit(rows, values)
