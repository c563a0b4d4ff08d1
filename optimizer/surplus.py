"""Jobs that run only on what would be curtailed: when that is, and schedules without them."""

from __future__ import annotations

import numpy as np

from optimizer.problem import Entry, Flags, Problem
from optimizer.schedule import Group, Schedule
from optimizer.sessions import Pattern


def alone(problem: Problem, pattern: Pattern) -> Flags:
    """Slots in which such a job runs, so that sun and wind carry the site alone."""
    found = np.zeros(problem.slots, dtype=bool)
    for e in problem.entries:
        if e.surplus:
            found |= pattern[e.id] > 0
    return found


def sells(problem: Problem) -> Flags:
    """Slots in which what is left over earns something, so that it would not be curtailed but sold up to the limit.

    An allowance for the year makes no slot's export certain, so that nothing is asked then.
    """
    earns: Flags = (problem.export_price > 0) & (problem.export_limit > 0)
    return earns if problem.budgets.export_left is None else np.zeros_like(earns)


def closed_to(problem: Problem, e: Entry) -> Flags:
    """Slots in which such a job cannot run whatever the others do: sun and wind would not carry base load, it and what
    is sold."""
    if not e.surplus:
        return np.zeros(problem.slots, dtype=bool)
    ours = e.pool is None or problem.pools[e.pool].ours
    needs = problem.base + (float(e.power.min()) / problem.efficiency if ours else 0.0)
    sold = np.where(sells(problem), problem.export_limit, 0.0)
    found: Flags = problem.pv + problem.wind < needs + sold - 1e-6
    return found


def without(problem: Problem, schedule: Schedule) -> Schedule:
    """The schedule with all such jobs off."""
    off = {key for e in problem.entries if e.surplus for key in (e.id, *(way.key for way in e.ways))}
    pattern = {key: np.zeros_like(on) if key in off else on for key, on in schedule.pattern.items()}
    groups = {i: [list[Group]() for _ in slots] if i in off else slots for i, slots in schedule.groups.items()}
    return Schedule(pattern, groups)
