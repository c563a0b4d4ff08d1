"""What every entry does in every slot, and the energy side that goes with it: a plan in the problem's unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from optimizer.problem import Entry, Floats, Ints, Pool, Problem
from optimizer.sessions import Pattern, egress_of, keeps_its_ways, lost_h, taken
from optimizer.storage import takes
from optimizer.thermal import Removal
from optimizer.ways import Way

Group = tuple[int, float, float]
"""Copies that run alike in a slot: how many, power of one, speed of one."""

RESTING: list[Group] = []
"""What every slot holds in which nothing runs: shared, because a list each for thousands of jobs takes its time."""


@dataclass(frozen=True)
class Schedule:
    """What every entry does in every slot: groups of copies, each on the entry's curve.

    ``nodes`` are those on, by pool whose nodes may be off; by rule where a pool is not among them.
    """

    pattern: Pattern
    groups: dict[str, list[list[Group]]]
    nodes: dict[str, Ints] = field(default_factory=dict)
    _known: dict[str, tuple[Floats, Floats]] = field(default_factory=dict, compare=False)

    def power(self, entry_id: str) -> Floats:
        """Power of all copies of an entry, per slot."""
        return self._sums(entry_id)[0]

    def speed(self, entry_id: str) -> Floats:
        """Speed summed over the copies of an entry, per slot."""
        return self._sums(entry_id)[1]

    def _sums(self, entry_id: str) -> tuple[Floats, Floats]:
        # asked several times for each of thousands of entries
        if entry_id not in self._known:
            slots = self.groups[entry_id]
            power, speed = np.zeros(len(slots)), np.zeros(len(slots))
            for t, here in enumerate(slots):
                for n, p, s in here:
                    power[t] += n * p
                    speed[t] += n * s
            self._known[entry_id] = power, speed
        return self._known[entry_id]


@dataclass(frozen=True, eq=False)
class Drawn:
    """IT power of the site ``[slot]``, and of each pool ``[pool, slot]``, in the problem's unit."""

    it: Floats
    pools: Floats

    def entering(self, problem: Problem) -> dict[str, Floats]:
        """Heat that enters each thermal mass; nothing where there is none."""
        if problem.cold is None:
            return {}
        return problem.cold.entering(self.it / problem.efficiency, self.pools / problem.efficiency)


@dataclass(frozen=True)
class Energy:
    """The energy side of a plan, per slot, in the problem's unit; state of charge at the end of slots.

    ``cooling`` is what the plant draws at the slot's own heat; ``removal`` is there where the site holds heat.
    """

    it: Floats
    heat: Floats
    cooling: Floats
    pv: Floats
    wind: Floats
    import_: Floats
    export: Floats
    charge: dict[str, Floats] = field(default_factory=dict)
    discharge: dict[str, Floats] = field(default_factory=dict)
    soc: dict[str, Floats] = field(default_factory=dict)
    removal: Removal | None = None


def curve_speed(e: Entry | Way, power: float) -> float:
    """Speed on a curve at a power of one copy."""
    return float(np.interp(power, e.power, e.speed))


def least_power(e: Entry | Way, speed: float) -> float:
    """Smallest power of one copy that yields a speed, on the rising part of the curve."""
    top = int(np.argmax(e.speed)) + 1
    return float(np.interp(speed, e.speed[:top], e.power[:top]))


def at_constant_levels(problem: Problem, pattern: Pattern, levels: Mapping[str, int]) -> Schedule:
    """On-slots at one level an entry; in a way that has fewer levels, at its highest."""
    groups: dict[str, list[list[Group]]] = {}
    for e in problem.entries:
        slots = groups[e.id] = [RESTING] * problem.slots
        for way, on in taken(e, pattern):
            level = min(levels[e.id], len(way.power) - 1)
            power, speed = float(way.power[level]), float(way.speed[level])
            for t in on.nonzero()[0].tolist():
                slots[t] = [(int(on[t]), power, speed)]
    return Schedule(pattern, groups)


def in_pools(problem: Problem, schedule: Schedule) -> tuple[Floats, Floats, Floats]:
    """GPUs in use and power drawn, idle GPUs included, ``[pool, slot]``; power of loads without a pool, per slot."""
    used, loads = np.zeros((len(problem.pools), problem.slots)), np.zeros(problem.slots)
    drawn = np.zeros_like(used)
    for e in problem.entries:
        power = schedule.power(e.id)
        for way, on in taken(e, schedule.pattern):
            mine = np.where(on > 0, power, 0.0)
            if way.pool is None:
                loads += mine
            else:
                used[way.pool] += way.gpus * on
                drawn[way.pool] += mine
    for k, pool in enumerate(problem.pools):
        drawn[k] += pool.idle_power(used[k], schedule.nodes.get(pool.name))
    return used, drawn, loads


def nodes_on(pool: Pool, schedule: Schedule, used: Floats) -> Ints:
    """Nodes on in a pool whose nodes may be off."""
    if pool.name in schedule.nodes or pool.nodes is None:
        return schedule.nodes[pool.name]
    return pool.nodes.by_rule(used)


def fits_pools(problem: Problem, schedule: Schedule) -> bool:
    """Whether GPUs in use and the power of every feed stay within their limits, and jobs wait for one another."""
    if not _in_order(problem, schedule):
        return False
    if not all(keeps_its_ways(e, schedule.pattern) for e in problem.entries):
        return False
    if not takes(problem, schedule.pattern):
        return False
    used, drawn, _ = in_pools(problem, schedule)
    if any((used[k] > pool.gpus).any() for k, pool in enumerate(problem.pools)):
        return False
    for k, pool in enumerate(problem.pools):
        if pool.nodes is not None and not pool.nodes.holds(nodes_on(pool, schedule, used[k]), used[k]):
            return False
    held = problem.step_h * used.sum(axis=1)
    if any(p.quota_gpu_h is not None and held[k] > p.quota_gpu_h * (1 + 1e-9) for k, p in enumerate(problem.pools)):
        return False
    return all((drawn[list(f.pools)].sum(axis=0) <= f.limit * (1 + 1e-6) + 1e-9).all() for f in problem.feeds)


def _in_order(problem: Problem, schedule: Schedule) -> bool:
    """Whether no job runs before what it waits for is done, all restart losses of the horizon counted."""
    by_id = {e.id: e for e in problem.entries}
    for e in problem.entries:
        on = np.flatnonzero(schedule.pattern[e.id])
        for name in e.after if len(on) else ():
            other = by_id[name]
            done = problem.step_h * float(schedule.speed(name)[: on[0]].sum()) - lost_h(other, schedule.pattern)
            if done < other.work_h - 1e-6:
                return False
    return True


def it_power(problem: Problem, schedule: Schedule) -> Floats:
    """IT power per slot: running jobs and the idle draw of GPUs that are available and unused."""
    return drawn_by(problem, schedule).it


def drawn_by(problem: Problem, schedule: Schedule) -> Drawn:
    """IT power of the site and of each pool."""
    _, drawn, loads = in_pools(problem, schedule)
    return Drawn(loads + drawn[[pool.ours for pool in problem.pools]].sum(axis=0), drawn)


def rented(problem: Problem, schedule: Schedule) -> tuple[dict[str, float], float]:
    """GPU-hours with each partner by the name of its pool, and the money for them and for going there."""
    hours: dict[str, float] = {}
    money = sum(egress_of(e, schedule.pattern) for e in problem.entries if e.ways)
    if all(pool.rent is None for pool in problem.pools):
        return hours, money
    used, _, _ = in_pools(problem, schedule)
    for k, pool in enumerate(problem.pools):
        if pool.rent is not None:
            hours[pool.name] = problem.step_h * float(used[k].sum())
            money += problem.step_h * float(used[k] @ pool.rent)
    return hours, money
