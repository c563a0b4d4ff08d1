"""The rungs below the solver: plans that need no solver at all, each a step plainer than the one before.

A solver may hang, lie or die; what is published must be a plan that the referee has passed all the same. These rungs
are arithmetic on arrays: earliest deadline first, the last plan laid on today's facts, and no new start at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from optimizer.by_rule import energy_by_rule
from optimizer.document import Plan
from optimizer.extract import extract
from optimizer.first_come import in_order
from optimizer.problem import Entry, Floats, Problem
from optimizer.replay import Previous, battery_wishes, replayed
from optimizer.schedule import Schedule, at_constant_levels, drawn_by
from optimizer.site_limits import supported_it
from optimizer.surplus import without

Lower = Literal["GREEDY", "LAST", "SAFE"]

MARGINS = (1.0, 0.9, 0.75, 0.5)
"""Shares of the IT power that the grid can carry, tried in turn where a ramp or a battery's end leaves no room."""


def descend(problem: Problem, previous: Previous | None) -> Iterator[Plan]:
    """Plans from the best rung to the last; none of them has been judged yet."""
    begun = time.monotonic()

    def plan(schedule: Schedule, rung: Lower, wishes: Mapping[str, Floats] | None = None) -> Plan:
        energy = energy_by_rule(problem, drawn_by(problem, schedule), wishes)
        return extract(problem, schedule, energy, rung, time.monotonic() - begun)

    for margin in MARGINS:
        for levels in (_top(problem), _frugal(problem)):
            yield plan(_earliest_deadline_first(problem, levels, margin), "GREEDY")
    last = None if previous is None else replayed(problem, previous)
    if previous is not None and last is not None:
        yield plan(last, "LAST", battery_wishes(problem, previous))
        yield plan(last, "LAST")
        if problem.has_surplus_jobs:
            yield plan(without(problem, last), "LAST")
    yield plan(_no_new_starts(problem), "SAFE")


def _top(problem: Problem) -> dict[str, int]:
    return {e.id: int(np.argmax(e.speed)) for e in problem.entries}


def _frugal(problem: Problem) -> dict[str, int]:
    """The level of each entry that needs least energy for its work."""
    return {
        e.id: int(np.argmin(np.where(e.speed > 0, e.power / np.maximum(e.speed, 1e-9), np.inf)))
        for e in problem.entries
    }


def _earliest_deadline_first(problem: Problem, levels: Mapping[str, int], margin: float) -> Schedule:
    """Running gangs that may not stop, then orders, then by deadline; among equals what is dearest undone."""
    limit = margin * supported_it(problem, problem.import_limit + problem.pv + problem.wind)
    queue = sorted(
        problem.entries,
        key=lambda e: (not e.must_stay, e.pinned is None, e.deadline, -_price(e), e.id),
    )
    return at_constant_levels(problem, in_order(problem, limit, levels, queue), levels)


def _price(e: Entry) -> float:
    return np.inf if e.unmet_cost is None else e.unmet_cost


def _no_new_starts(problem: Problem) -> Schedule:
    """Only gangs that may not stop go on, at the lowest level, and what an operator has ordered to start."""
    pattern, levels = {}, {}
    for e in problem.entries:
        on = np.zeros(problem.slots, dtype=np.int64)
        moving = np.flatnonzero(e.speed > 0)
        levels[e.id] = int(moving[0]) if len(moving) else 0
        if e.must_start and e.may_run:
            first = 0 if e.pinned is None else e.pinned
            worked = problem.step_h * float(e.speed[levels[e.id]])
            owed = e.due_h if e.min_run <= 1 else min(e.work_h, max(e.due_h, (e.min_run - e.ran) * worked))
            length = int(np.ceil(owed / worked - 1e-9)) if worked > 0 else 1
            on[first : min(first + max(1, length), e.last)] = e.count
        pattern[e.id] = on
    return at_constant_levels(problem, pattern, levels)
