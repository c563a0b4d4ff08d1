"""An earlier plan laid on a later problem: what of its runs and set-points still lies inside.

Jobs are known by their id, slots by their instants. What the new problem does not know is dropped, what the earlier
plan does not reach stays off; whether the rest still holds is for the referee to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from optimizer.document import JobPlan, Plan, Run
from optimizer.kept_prices import KeptPrices
from optimizer.problem import Entry, Floats, Ints, Problem
from optimizer.schedule import Group, Schedule, curve_speed


@dataclass(frozen=True)
class Previous:
    """A plan made earlier, the first instant of its horizon, which the plan itself does not say, its prices, and the
    raw document that it answers."""

    plan: Plan
    start: datetime
    prices: KeptPrices | None = None
    problem: Mapping[str, Any] | None = None


def replayed(problem: Problem, previous: Previous) -> Schedule | None:
    """Runs of an earlier plan on the slots of a problem; None where the two do not share slot borders.

    A run ends where the work does, and where its job's window does. A gang that may not stop in slot 0 stays on there,
    at its lowest level where the plan had it off.
    """
    if (previous.start - problem.horizon.start) % problem.horizon.step:
        return None
    said = {job.id: job for job in previous.plan.jobs}
    groups: dict[str, list[list[Group]]] = {}
    ways: dict[str, Ints] = {}
    for e in problem.entries:
        found = _slots(problem, e, said.get(e.id))
        if found is None:
            return None
        slots, way = found
        if e.must_stay and e.may_run and not slots[0]:
            slots[0], way[0] = [(e.count, float(e.power[0]), float(e.speed[0]))], 0
        groups[e.id], ways[e.id] = _until_done(problem, e, slots, way), way
    return _schedule(problem, groups, ways)


def schedule_of(problem: Problem, plan: Plan) -> Schedule:
    """Runs of a plan on the slots of its own problem."""
    said = {job.id: job for job in plan.jobs}
    found = {e.id: _slots(problem, e, said.get(e.id)) or _off(problem) for e in problem.entries}
    schedule = _schedule(
        problem, {i: slots for i, (slots, _) in found.items()}, {i: way for i, (_, way) in found.items()}
    )
    on = {} if plan.series is None else plan.series.nodes_on
    return replace(schedule, nodes={name: np.array(told, dtype=np.int64) for name, told in on.items()})


def battery_wishes(problem: Problem, previous: Previous) -> dict[str, Floats]:
    """Charge less discharge per slot by store as the earlier plan had it, in the problem's unit; 0 where it ends.

    A generating set only gives; a service draws what it forecasts, unless the rest does not suffice.
    """
    series, gone = previous.plan.series, (problem.horizon.start - previous.start) // problem.horizon.step
    wishes = {b.name: np.zeros(problem.slots) for b in problem.batteries}
    for name, wish in wishes.items():
        given = {} if series is None else {**series.discharge_mw, **series.generator_mw}
        if series is None or name not in given:
            continue
        into = series.charge_mw.get(name, [0.0] * len(given[name]))
        flow = (np.array(into) - np.array(given[name])) / problem.unit_mw
        left = flow[max(0, gone) :][: problem.slots - max(0, -gone)]
        wish[max(0, -gone) : max(0, -gone) + len(left)] = left
    return wishes


def _slots(problem: Problem, e: Entry, said: JobPlan | None) -> tuple[list[list[Group]], Ints] | None:
    """What runs in each slot, and the number of the way that it takes."""
    horizon = problem.horizon
    slots, way = _off(problem)
    for run in said.runs if said is not None else []:
        if (run.start - horizon.start) % horizon.step or (run.end - horizon.start) % horizon.step:
            return None
        k = _way_of(problem, e, run)
        option = e.options[k]
        power = float(np.clip(run.power_mw / problem.unit_mw, option.power[0], option.power[-1]))
        for t in range(max(e.first, horizon.border(run.start)), min(e.last, horizon.border(run.end))):
            slots[t].append((run.count, power, curve_speed(option, power)))
            way[t] = k
    return slots, way


def _way_of(problem: Problem, e: Entry, run: Run) -> int:
    """Number of the way that a run takes; the first where the problem knows none like it."""
    names = [(None if o.pool is None else problem.pools[o.pool].name, o.gpus) for o in e.options]
    told = run.pool, run.gpus
    return names.index(told) if told in names else 0


def _off(problem: Problem) -> tuple[list[list[Group]], Ints]:
    return [[] for _ in range(problem.slots)], np.zeros(problem.slots, dtype=np.int64)


def _schedule(problem: Problem, groups: dict[str, list[list[Group]]], ways: dict[str, Ints]) -> Schedule:
    pattern = {
        i: np.array([sum(n for n, _, _ in here) for here in slots], dtype=np.int64) for i, slots in groups.items()
    }
    for e in problem.entries:
        pattern |= {way.key: pattern[e.id] * (ways[e.id] == k) for k, way in enumerate(e.ways)}
    return Schedule(pattern, groups)


def _until_done(problem: Problem, e: Entry, slots: list[list[Group]], way: Ints) -> list[list[Group]]:
    """The slots up to the one in which the work ends; losses taken off as they fall due."""
    done, before, free, last = 0.0, e.on_before, e.free_starts, 0
    for t, here in enumerate(slots):
        if done >= e.count * e.work_h - 1e-9:
            return slots[:t] + [[] for _ in slots[t:]]
        on = sum(n for n, _, _ in here)
        rise = max(0, on - before)
        done += problem.step_h * sum(n * speed for n, _, speed in here) - e.loss_h * max(0, rise - free)
        done -= e.resize_loss_h * (on > 0 and before > 0 and way[t] != last)
        free, before, last = max(0, free - rise), on, int(way[t])
    return slots
