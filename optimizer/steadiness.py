"""How steady a plan is: how often its set-points change, and how many starts it moves against the plan before.

Plain arithmetic on plan documents, as the page and the terminal tell it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime

from optimizer.document import JobPlan, Plan
from optimizer.replay import Previous

DEADBAND = 0.01
"""Share of a device's highest planned power by which a set-point may wander without counting as changed."""


def changes_per_hour(plan: Plan, step_h: float) -> float | None:
    """Changes of set-points between neighbouring slots, per hour of the horizon; None for a plan without series.

    Counted are the powers of batteries and generators and the power limits of jobs while they run. Starts and ends of
    jobs are no set-points.
    """
    series = plan.series
    if series is None or len(series.import_mw) < 2:
        return None
    flows: list[Sequence[float]] = [
        [a - b for a, b in zip(series.discharge_mw[name], series.charge_mw[name], strict=True)]
        for name in series.charge_mw
    ]
    flows += list(series.generator_mw.values())
    changes = sum(_moves(flow) for flow in flows) + sum(1 for job in plan.jobs for _ in _new_limits(job))
    return changes / (step_h * (len(series.import_mw) - 1))


def _moves(flow: Sequence[float]) -> int:
    most = max(map(abs, flow), default=0.0)
    return sum(abs(b - a) > DEADBAND * most for a, b in itertools.pairwise(flow)) if most > 0 else 0


def _new_limits(job: JobPlan) -> Iterator[datetime]:
    """Instants at which a session goes on under another limit; entries of several copies have no one limit."""
    for one, other in itertools.pairwise(job.runs):
        alone = one.count == other.count == 1 and one.end == other.start
        if alone and one.limit_w is not None and other.limit_w is not None and abs(one.limit_w - other.limit_w) > 1.0:
            yield other.start


def moved_starts(plan: Plan, start: datetime, previous: Previous | None) -> int | None:
    """Jobs in both plans whose first start from ``start`` on is another one; None where there is no plan before."""
    if previous is None:
        return None
    before = {job.id: job for job in previous.plan.jobs}
    both = [(job, before[job.id]) for job in plan.jobs if job.id in before]
    return sum(_next_start(job, start) != _next_start(old, start) for job, old in both)


def _next_start(job: JobPlan, start: datetime) -> datetime | None:
    """First start at or after an instant; a run that goes on over it counts as none."""
    runs = sorted(job.runs, key=lambda run: run.start)
    fresh = [run for k, run in enumerate(runs) if k == 0 or runs[k - 1].end < run.start]
    return next((run.start for run in fresh if run.start >= start), None)
