"""A day on which jobs have several ways, planned at slot prices in one way each: the one that placing them came to.

What prices prove of such a day holds for it alone. Its plan is one of the whole day, and a start for the whole model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from optimizer.dispatch import redispatch
from optimizer.finds import Best, Clock, Find, Request
from optimizer.large.search import search
from optimizer.problem import Entry, Problem
from optimizer.sessions import Pattern, taken
from optimizer.solve import Options
from optimizer.ways import Way

FEW_COLUMNS = 1_000
"""On-slots and levels in all ways, up to which HiGHS closes the day itself before prices are worth their time."""


def prices_help(problem: Problem) -> bool:
    """Whether jobs have several ways, too many for HiGHS to be quick, and prices can carry the day in one way each."""
    if not problem.chooses or problem.has_surplus_jobs:
        return False
    slots = [(max(0, e.last - e.first), e.options) for e in problem.entries]
    return sum(open_ * len(way.power) for open_, ways in slots for way in ways) > FEW_COLUMNS


def in_one_way_each(problem: Problem, request: Request, clock: Clock, best: Best) -> Iterator[Find]:
    """The best plan of the day on which each job keeps to the way in which it runs longest in the best plan so far."""
    if best.pattern is None:
        return
    chosen = {e.id: _longest(e, best.pattern) for e in problem.entries}
    fixed = replace(problem, entries=tuple(e.in_way(chosen[e.id]) for e in problem.entries))
    found = Best(fixed, request.gap, clock)
    for _ in search(fixed, replace(request, previous=None), clock, found, small=True):
        pass
    if found.pattern is None:
        return
    pattern = dict(found.pattern)
    for e in problem.entries:
        pattern |= {way.key: pattern[e.id] if way is chosen[e.id] else np.zeros_like(pattern[e.id]) for way in e.ways}
    redone = redispatch(problem, pattern, Options(gap=request.gap, time_limit_s=max(2.0, clock.left / 3)))
    if redone is not None and best.offer(redone, pattern, "GREEDY"):
        yield best.find()


def _longest(e: Entry, pattern: Pattern) -> Entry | Way:
    return max(taken(e, pattern), key=lambda option: int(option[1].sum()))[0]
