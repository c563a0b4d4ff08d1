"""What would have been: the plan with one thing otherwise, planned again, and the difference term by term.

Two kinds. *Held*: every other start stays where it is, and levels, battery, cooling and grid are planned anew (a
linear program, less than a second). *Free*: the job is pinned and everything else may move (a whole solve, with its
gap). Both come out as plans that the referee passes, so that each difference is one of two checked plans.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyomo.environ as pyo

from models.errors import Fault, InvalidInput
from models.horizon import rfc3339
from optimizer.dispatch import redispatch
from optimizer.document import JobPlan, Plan, ReceivedProblem
from optimizer.explain.seen import Seen
from optimizer.extract import extract
from optimizer.problem import Ints
from optimizer.refusals import check_problem
from optimizer.replay import Previous
from optimizer.solve import Options
from optimizer.verify import verify

HELD_S = 20.0
"""Seconds for one held plan."""

SOME_H = 1e-3
"""Hours below which a job's work is said to be as before."""


@dataclass(frozen=True)
class Move:
    """Another job that goes elsewhere: first starts before and after, None where it does not run."""

    job: str
    before: datetime | None
    after: datetime | None
    late_h: float
    unmet_h: float


@dataclass(frozen=True)
class Difference:
    """What one plan costs more than another, term by term; the terms add up to ``money``."""

    money: float
    terms: Mapping[str, float]
    carbon_kg: float
    peak_mw: float
    import_mwh: float
    own_mwh: float
    late_h: Mapping[str, float] = field(default_factory=dict)
    unmet_h: Mapping[str, float] = field(default_factory=dict)


def difference(plan: Seen, other: Seen) -> Difference:
    """``other`` less ``plan``; both on the same slots. Hours are by job, where they differ."""
    names = dict.fromkeys([*plan.plan.terms, *other.plan.terms])
    terms = {name: other.plan.terms.get(name, 0.0) - plan.plan.terms.get(name, 0.0) for name in names}
    h = plan.problem.step_h
    was, becomes = _hours(plan.plan), _hours(other.plan)
    return Difference(
        money=other.money - plan.money,
        terms=terms,
        carbon_kg=other.carbon_kg - plan.carbon_kg,
        peak_mw=other.peak_mw - plan.peak_mw,
        import_mwh=h * float(other.imported.sum() - plan.imported.sum()),
        own_mwh=h * float(other.own.sum() - plan.own.sum()),
        late_h=_changed({i: becomes[i].late_h - was[i].late_h for i in was if i in becomes}),
        unmet_h=_changed({i: becomes[i].unmet_h - was[i].unmet_h for i in was if i in becomes}),
    )


def _hours(plan: Plan) -> dict[str, JobPlan]:
    return {job.id: job for job in plan.jobs}


def _changed(hours: dict[str, float]) -> dict[str, float]:
    return {i: value for i, value in hours.items() if abs(value) > SOME_H}


def moves(plan: Seen, other: Seen, but: str | None = None) -> list[Move]:
    """Jobs whose first start or promised hours differ, ``but`` left out; by the new start."""
    was, becomes = _hours(plan.plan), _hours(other.plan)
    found = []
    for i, before in was.items():
        after = becomes.get(i)
        if i == but or after is None:
            continue
        late, unmet = after.late_h - before.late_h, after.unmet_h - before.unmet_h
        if _first(before) != _first(after) or abs(late) > SOME_H or abs(unmet) > SOME_H:
            found.append(Move(i, _first(before), _first(after), late, unmet))
    return sorted(found, key=lambda m: (m.after is None, m.after or m.before, m.job))


def _first(job: JobPlan) -> datetime | None:
    return min((run.start for run in job.runs), default=None)


# ---- held: everything else starts as it does


def shifted(seen: Seen, job_id: str, slots: int) -> dict[str, Ints]:
    """The pattern with one job's on-slots moved by some slots; what leaves the horizon is cut."""
    pattern = {i: on.copy() for i, on in seen.pattern.items()}
    for key in (job_id, *(way.key for way in seen.entry(job_id).ways)):
        on, moved = pattern[key], np.zeros_like(pattern[key])
        for t in np.flatnonzero(on):
            if 0 <= t + slots < len(on):
                moved[t + slots] = on[t]
        pattern[key] = moved
    return pattern


def held(
    seen: Seen, pattern: Mapping[str, Ints], hold: Callable[[pyo.ConcreteModel], None] | None = None
) -> Seen | None:
    """The plan with these on-slots; None where no levels and no energy make them lawful."""
    energy = seen.energy if hold is None else None
    found = redispatch(seen.problem, pattern, Options(gap=1e-9, time_limit_s=HELD_S), energy, hold=hold)
    if found is None:
        return None
    plan = extract(seen.problem, found.schedule, found.energy, "LP", 0.0)
    return None if verify(seen.received, plan) else Seen(seen.received, plan)


def redone(seen: Seen) -> Seen:
    """The plan with its own starts and everything else planned anew, so that a contrast differs in its start alone.

    Asked for again, it is the same; where planning anew brings nothing, it is the plan itself.
    """
    kept: Seen | None = seen.__dict__.get("_redone")
    if kept is None:
        made = held(seen, seen.pattern)
        kept = made if made is not None and made.money < seen.money else seen
        seen.__dict__["_redone"] = kept
    return kept


# ---- free: a whole solve


@dataclass(frozen=True)
class WhatIf:
    """A job pinned to a start, against the plan without the pin; ``other`` None: it cannot be, ``conflicts`` say why.

    ``gap_money`` is how much of the difference the two plans' gaps leave open (None: a gap is not known).
    """

    job: str
    start: datetime
    plan: Seen
    other: Seen | None
    conflicts: tuple[str, ...] = ()

    @property
    def difference(self) -> Difference | None:
        """What the wish costs."""
        return None if self.other is None else difference(self.plan, self.other)

    @property
    def moves(self) -> list[Move]:
        """Who else moves."""
        return [] if self.other is None else moves(self.plan, self.other, self.job)

    @property
    def gap_money(self) -> float | None:
        """Sum of what either plan may lie above its optimum; the true difference is within it."""
        bounds = [self.plan.plan.bound, None if self.other is None else self.other.plan.bound]
        if self.other is None or None in bounds:
            return None
        return sum(s.money - float(b) for s, b in zip((self.plan, self.other), bounds, strict=True) if b is not None)


Solve = Callable[[ReceivedProblem, Previous | None], Plan]
"""Plans a problem, from the starts of an earlier plan where there is one; raises as :func:`optimizer.rolling.plan`."""


def pinned(received: ReceivedProblem, job_id: str, start: datetime) -> ReceivedProblem:
    """The problem with an operator's order that a job first starts at an instant.

    Raises:
        InvalidInput: no such job, one of several copies, or an instant that is no slot border of the horizon.
    """
    document, horizon = received.document, received.document.horizon
    faults: list[Fault] = []
    jobs = {job.id: k for k, job in enumerate(document.jobs)}
    if job_id not in jobs:
        few = ", ".join(list(jobs)[:5])
        faults.append(Fault("/job", "unknown", f"{job_id!r} is no job of the problem; some are: {few}"))
    elif document.jobs[jobs[job_id]].count > 1:
        faults.append(Fault("/job", "count", f"{job_id} stands for several jobs; write the one meant by itself"))
    step = timedelta(minutes=horizon.step_minutes)
    end = horizon.start + horizon.slots * step
    if not horizon.start <= start < end:
        told = (
            f"{rfc3339(start)} lies outside the horizon [{rfc3339(horizon.start)}, {rfc3339(end)}); choose a slot in it"
        )
        faults.append(Fault("/start", "outside", told))
    elif (start - horizon.start) % step:
        near = rfc3339(start - (start - horizon.start) % step)
        told = (
            f"{rfc3339(start)} is no slot border ({horizon.step_minutes} min from {rfc3339(horizon.start)}); try {near}"
        )
        faults.append(Fault("/start", "border", told))
    if faults:
        raise InvalidInput("the question", faults)
    raw: dict[str, Any] = copy.deepcopy(received.raw)
    raw["jobs"][jobs[job_id]] |= {"pinned_start": rfc3339(start), "held": False}
    return check_problem(raw)


def what_if(seen: Seen, job_id: str, start: datetime, solve: Solve) -> WhatIf:
    """Plan with a job pinned to a start and compare; the held plan is where the search begins.

    Raises:
        InvalidInput: as :func:`pinned`.
        NoPlanInTime, SolverFault: as ``solve``.
    """
    wished = pinned(seen.received, job_id, start)
    quick = _held_at(seen, Seen(wished, seen.plan), job_id, start)
    made = solve(wished, None if quick is None else Previous(quick.plan, seen.problem.horizon.start))
    if made.objective is None:
        return WhatIf(job_id, start, seen, None, tuple(made.conflicts))
    return WhatIf(job_id, start, seen, Seen.of(wished, made))


def _held_at(seen: Seen, wished: Seen, job_id: str, start: datetime) -> Seen | None:
    """The plan with only the job moved, levels and energy planned anew; None where it cannot be, or the job is off."""
    sessions = seen.sessions(job_id)
    if not sessions:
        return None
    by = seen.problem.horizon.slot(start) - sessions[0][0]
    return held(wished, shifted(seen, job_id, by))
