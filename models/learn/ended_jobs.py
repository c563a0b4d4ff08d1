"""Jobs of the past as accounting tells them, and what is known of a new job from those that had ended before it.

Likes of a job are those of the same user and name stem, of the same user, and all; of each group the weighted mean and
spread of the logarithm (the newest weigh most), the last value and the number. A row's groups hold only jobs that had
ended when it was submitted, so that nothing peeks.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from models.errors import Fault, InvalidInput
from models.queued_job import QueuedJob

Array = npt.NDArray[np.float64]
_NUMBERS = re.compile(r"[0-9a-f]{7,}|\d+")
_WEIGHT = 0.2
_LEAST_H = 1 / 60
FEATURES = (
    "log_gpus",
    "log_limit",
    "hour_sin",
    "hour_cos",
    "weekday",
    *(f"{group}_{what}" for group in ("like", "user", "all") for what in ("mean", "spread", "last", "count")),
)


@dataclass(frozen=True, slots=True)
class EndedJob:
    """One run of one job: from start to end, whatever ended it.

    ``drawn_w``: mean per GPU, where a meter has it; ``nodes``: that it ran on, where the accounting says.
    """

    user: str
    name: str
    partition: str
    gpus: int
    submitted_at: datetime
    started_at: datetime
    ended_at: datetime
    limit_h: float | None = None
    drawn_w: float | None = None
    nodes: tuple[str, ...] = ()

    @property
    def run_h(self) -> float:
        """Hours from start to end."""
        return (self.ended_at - self.started_at).total_seconds() / 3600


def stem(name: str) -> str:
    """A job's name without its numbers and hashes: ``llm-7b_run12`` and ``llm-7b_run13`` are alike."""
    return _NUMBERS.sub("#", name.lower())[:40]


def check_ended(jobs: Iterable[EndedJob]) -> None:
    """Refuse what no accounting can have meant.

    Raises:
        InvalidInput: times without a zone or out of order, no GPUs, a limit or a power that is no number above 0; the
            first ten of them.
    """
    faults: list[Fault] = []
    for k, job in enumerate(jobs):
        if job.submitted_at.tzinfo is None or job.started_at.tzinfo is None or job.ended_at.tzinfo is None:
            faults.append(Fault(f"[{k}].submitted_at", "no_time_zone", "a time has no zone; give it one"))
        elif not job.submitted_at <= job.started_at <= job.ended_at:
            message = f"submitted {job.submitted_at}, started {job.started_at}, ended {job.ended_at}; mend the clock"
            faults.append(Fault(f"[{k}].started_at", "out_of_order", message))
        if job.gpus < 1:
            faults.append(Fault(f"[{k}].gpus", "out_of_range", f"{job.gpus} GPUs; leave such jobs out"))
        for key in ("limit_h", "drawn_w"):
            value = getattr(job, key)
            if value is not None and not (math.isfinite(value) and value > 0):
                faults.append(Fault(f"[{k}].{key}", "not_positive", f"{value:g}; write None where it is not known"))
        if len(faults) >= 10:
            break
    if faults:
        raise InvalidInput("the jobs of the past", faults)


@dataclass(slots=True)
class _Group:
    mean: float = math.nan
    spread: float = math.nan
    last: float = math.nan
    count: int = 0

    def add(self, value: float) -> None:
        if self.count == 0:
            self.mean, self.spread = value, 0.5
        else:
            weight = max(_WEIGHT, 1 / (self.count + 1))
            self.spread += weight * (abs(value - self.mean) - self.spread)
            self.mean += weight * (value - self.mean)
        self.last = value
        self.count += 1

    def row(self) -> tuple[float, float, float, float]:
        return self.mean, self.spread, self.last, math.log1p(self.count)


@dataclass(slots=True)
class Likes:
    """What is known at a moment of each group; ``add`` jobs in the order in which they ended."""

    groups: dict[tuple[str, ...], _Group] = field(default_factory=dict)

    def add(self, user: str, name: str, log_value: float) -> None:
        """A job that has ended, by the logarithm of its hours or watts."""
        for key in _keys(user, name):
            self.groups.setdefault(key, _Group()).add(log_value)

    def row(self, user: str, name: str, gpus: int, limit_h: float | None, at: datetime) -> list[float]:
        """Inputs of a job, in the order of :data:`FEATURES`; NaN where nothing is known."""
        utc = at.astimezone(UTC)
        turn = 2 * math.pi * (utc.hour + utc.minute / 60) / 24
        found = [
            math.log(gpus),
            math.nan if limit_h is None else math.log(max(limit_h, _LEAST_H)),
            math.sin(turn),
            math.cos(turn),
            float(utc.weekday()),
        ]
        for key in _keys(user, name):
            found += self.groups.get(key, _NOTHING).row()
        return found

    def row_of(self, job: QueuedJob) -> list[float]:
        """Inputs of a job in the queue."""
        return self.row(job.user, job.name, max(1, job.gpus), job.limit_h, job.submitted_at)


_NOTHING = _Group()


def _keys(user: str, name: str) -> tuple[tuple[str, ...], ...]:
    return ("like", user, stem(name)), ("user", user), ("all",)


def log_hours(job: EndedJob) -> float | None:
    """Logarithm of the run hours, a minute at least."""
    return math.log(max(job.run_h, _LEAST_H))


def log_watts(job: EndedJob) -> float | None:
    """Logarithm of the drawn W per GPU, None where telemetry has none."""
    return None if job.drawn_w is None else math.log(job.drawn_w)


def seen_at_submission(
    jobs: Sequence[EndedJob], value: Callable[[EndedJob], float | None]
) -> tuple[Array, Array, list[EndedJob], Likes]:
    """Inputs of each job as of its submission, its value, the jobs in that order, and the likes after all ended.

    Jobs without a value are left out.
    """
    valued = sorted((job for job in jobs if value(job) is not None), key=lambda job: job.submitted_at)
    likes = Likes()
    ending: list[tuple[float, int]] = []
    rows, values = [], []
    for k, job in enumerate(valued):
        while ending and ending[0][0] <= job.submitted_at.timestamp():
            _end(likes, valued[heapq.heappop(ending)[1]], value)
        rows.append(likes.row(job.user, job.name, job.gpus, job.limit_h, job.submitted_at))
        values.append(value(job))
        heapq.heappush(ending, (job.ended_at.timestamp(), k))
    while ending:
        _end(likes, valued[heapq.heappop(ending)[1]], value)
    return np.array(rows, float).reshape(len(rows), len(FEATURES)), np.array(values, float), valued, likes


def _end(likes: Likes, job: EndedJob, value: Callable[[EndedJob], float | None]) -> None:
    found = value(job)
    if found is not None:
        likes.add(job.user, job.name, found)
