"""With the on-slots given: levels of the jobs, then battery, grid and curtailment, re-planned in one go.

Two solves. The first chooses levels and energy together, on the model's own parts. The second
takes the IT power that the first came to, holds cooling to its curve, and plans the energy side
alone, so that what is published balances to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo

from optimizer.accounts import TRIFLE_H, hours_of, terms_of
from optimizer.build import build
from optimizer.calm import DEARER, prefer_calm
from optimizer.energy_model import EnergyModel
from optimizer.parts.surplus import hold as hold_alone
from optimizer.problem import Entry, Flags, Floats, Ints, Problem
from optimizer.schedule import (
    RESTING,
    Drawn,
    Energy,
    Group,
    Schedule,
    at_constant_levels,
    curve_speed,
    drawn_by,
    fits_pools,
    least_power,
)
from optimizer.sessions import Pattern, in_one_way_each, lawful, lost_h, taken
from optimizer.solve import Options, Outcome, solve
from optimizer.starts_given import levels_of
from optimizer.storage import takes
from optimizer.surplus import alone
from optimizer.thermal import Cold, Removal, as_flows
from optimizer.ways import Way


@dataclass(frozen=True)
class Redispatched:
    """Levels and energy for given on-slots, and what they cost."""

    schedule: Schedule
    energy: Energy
    cost: float


ONE_WAY = 1e-7
"""Power below which two opposite flows are a solver's last digits."""

MENDED = 1e-7
"""Relative cost above the relaxed optimum within which a mended plan counts as that optimum."""


def redispatch(
    problem: Problem,
    pattern: Pattern,
    options: Options,
    energy_model: EnergyModel | None = None,
    rows: Floats | None = None,
    hold: Callable[[pyo.ConcreteModel], None] | None = None,
) -> Redispatched | None:
    """Best levels and energy for given on-slots; None where there are none in the time.

    ``hold`` may hold more of the model (:mod:`optimizer.explain` asks what a level would cost).

    Where burning energy never pays this is one linear program over ``energy_model`` (compiled here if none
    is handed in; ``rows``: prices of its rows near the answer, if known). Elsewhere the relaxed model comes
    first: mended, its plan is nearly always as cheap as the relaxation itself, and only where the mending cost
    something is the exact model, with binaries, solved too.
    """
    if any(_owes_too_much(problem, e, pattern) for e in problem.entries) or not takes(problem, pattern):
        return None
    entries = in_one_way_each(problem, pattern)
    if hold is None and not (problem.burning_may_pay or entries is None or alone(problem, pattern).any()):
        energy_model = (energy_model or EnergyModel(problem)).among(entries)
        levels = levels_of(energy_model, pattern, options.threads, rows, options.gap)
        schedule = levels.solve(options.time_limit_s)
        return None if schedule is None else settled(problem, schedule, options)
    best: Redispatched | None = None
    for exact in (False, True):
        model, _ = build(problem, exact=exact, pattern=pattern)
        if hold is not None:
            hold(model)
        outcome = solve(model, options)
        if outcome.values is None or outcome.objective is None:
            continue
        groups = {e.id: _groups(model, outcome, e, pattern, problem, exact) for e in problem.entries}
        schedule = Schedule(pattern, groups, _nodes(model, outcome, problem))
        found = settled(problem, schedule, options)
        if found is None:
            continue
        if best is None or found.cost < best.cost:
            best = found
        if found.cost <= outcome.objective + MENDED * max(1.0, abs(found.cost)):
            break
    return best


def _nodes(model: pyo.ConcreteModel, outcome: Outcome, problem: Problem) -> dict[str, Ints]:
    """Nodes on in a solution, by pool whose nodes may be off."""
    switched, slots = [pool.name for pool in problem.pools if pool.nodes is not None], range(problem.slots)
    return {
        name: np.array([round(outcome.value(model.nodes.on[name, t])) for t in slots], dtype=np.int64)
        for name in switched
    }


def settled(problem: Problem, schedule: Schedule, options: Options) -> Redispatched | None:
    """Energy for a schedule with its levels; None where it cannot be supplied or breaks a rule that has no price."""
    energy = dispatch_energy(problem, drawn_by(problem, schedule), options, alone=alone(problem, schedule.pattern))
    return None if energy is None else _judged(problem, schedule, energy)


def at_levels(
    problem: Problem, pattern: Pattern, levels: Mapping[str, int], options: Options, *, battery_idle: bool = False
) -> Redispatched | None:
    """Energy for on-slots at one constant level an entry; None where it cannot be supplied or breaks a rule."""
    schedule = at_constant_levels(problem, pattern, levels)
    if any(_owes_too_much(problem, e, pattern) for e in problem.entries):
        return None
    drawn, only = drawn_by(problem, schedule), alone(problem, pattern)
    energy = dispatch_energy(problem, drawn, options, battery_idle=battery_idle, alone=only)
    return None if energy is None else _judged(problem, schedule, energy)


def _judged(problem: Problem, schedule: Schedule, energy: Energy) -> Redispatched | None:
    """The plan with its cost; None where a pool, a session or a wish breaks a rule that has no price."""
    if not fits_pools(problem, schedule):
        return None
    hours = hours_of(problem, schedule)
    for e in problem.entries:
        mine = hours[e.id]
        overrun = mine.done > e.most_work_h(problem.step_h) + TRIFLE_H
        undone = mine.unmet > 0 and e.unmet_cost is None
        if overrun or undone or not lawful(e, schedule.pattern[e.id], mine.done):
            return None
    return Redispatched(schedule, energy, sum(terms_of(problem, schedule, energy, hours).values()))


def _owes_too_much(problem: Problem, e: Entry, pattern: Pattern) -> bool:
    """Whether these slots cannot hold due work that must be done."""
    if e.unmet_cost is not None or e.due_h <= 0:
        return False
    fastest = sum(way.top_speed * float(on.sum()) for way, on in taken(e, pattern))
    most = problem.step_h * fastest - lost_h(e, pattern)
    return most < e.count * e.due_h - TRIFLE_H


def _groups(
    model: pyo.ConcreteModel, outcome: Outcome, e: Entry, pattern: Pattern, problem: Problem, exact: bool
) -> list[list[Group]]:
    slots: list[list[Group]] = [RESTING] * problem.slots
    for way, on in taken(e, pattern):
        for t in (int(t) for t in on.nonzero()[0]):
            slots[t] = _groups_of_way(model.jobs, outcome, way, t, int(on[t]), exact)
    return slots


def _groups_of_way(jobs: pyo.Block, outcome: Outcome, way: Entry | Way, t: int, n: int, exact: bool) -> list[Group]:
    if len(way.power) == 1:
        return [(n, float(way.power[0]), float(way.speed[0]))]
    if exact:
        found: list[Group] = []
        for k in range(len(way.power) - 1):
            copies = round(outcome.value(jobs.in_segment[way.key, t, k]))
            if copies:
                share = min(1.0, max(0.0, outcome.value(jobs.filled[way.key, t, k]) / copies))
                power = float(way.power[k] + share * (way.power[k + 1] - way.power[k]))
                found.append((copies, power, curve_speed(way, power)))
        return found
    shares = np.array([max(0.0, outcome.value(jobs.level[way.key, t, k])) for k in range(len(way.power))])
    shares /= shares.sum()
    # a mix of levels that are no neighbours lies under the curve: the same speed costs less power on it
    power = least_power(way, float(shares @ way.speed))
    return [(n, power, curve_speed(way, power))]


def calmed(problem: Problem, found: Redispatched, options: Options) -> Redispatched:
    """The same plan with calmer set-points at the same cost, where there are any."""
    drawn, only = drawn_by(problem, found.schedule), alone(problem, found.schedule.pattern)
    energy = dispatch_energy(problem, drawn, options, calm=True, alone=only)
    judged = None if energy is None else _judged(problem, found.schedule, energy)
    if judged is None or judged.cost > found.cost + 2 * DEARER * max(1.0, abs(found.cost)):
        return found
    return judged


def dispatch_energy(
    problem: Problem,
    drawn: Drawn,
    options: Options,
    *,
    battery_idle: bool = False,
    calm: bool = False,
    alone: Flags | None = None,
) -> Energy | None:
    """Cheapest energy for what pools and loads draw; None where limits leave none.

    ``battery_idle`` keeps every battery at its state of charge (the yardstick's rule). ``calm`` looks among
    the cheapest for the one that moves least. In the slots of ``alone`` sun and wind carry the site by themselves.
    """
    for exact in (False, True):
        once = _dispatch_once(problem, drawn, options, exact=exact, battery_idle=battery_idle, calm=calm, alone=alone)
        if once is None:
            return None
        energy, one_way = once
        # what runs both ways at once is netted; that is free where burning never pays and the grid takes the rest
        if exact or one_way or (not problem.burning_may_pay and _within_grid(problem, energy)):
            return energy
    return None


def _within_grid(problem: Problem, energy: Energy) -> bool:
    over = np.maximum(energy.import_ - problem.import_limit, energy.export - problem.export_limit)
    return bool(over.max() <= 1e-6)


def _dispatch_once(
    problem: Problem,
    drawn: Drawn,
    options: Options,
    *,
    exact: bool,
    battery_idle: bool,
    calm: bool,
    alone: Flags | None,
) -> tuple[Energy, bool] | None:
    """Energy, and whether no battery and no meter ran both ways at once before netting."""
    it, heat = drawn.it, drawn.it / problem.efficiency
    cooling = problem.cooling_power(heat)
    model, _ = build(problem, exact=exact, it_power=it, pool_power=drawn.pools)
    if problem.cooling is not None:
        for t, variable in model.cooling.power.items():
            variable.setlb(float(cooling[t]))
            variable.setub(float(cooling[t]))
    if battery_idle:
        for variable in (*model.battery.charge.values(), *model.battery.discharge.values()):
            variable.setub(0.0)
    if alone is not None:
        hold_alone(model, problem, alone)
    outcome = solve(model, options)
    if outcome.values is None or outcome.objective is None:
        return None
    if calm:
        prefer_calm(model, problem, outcome.objective)
        outcome = solve(model, options)
        if outcome.values is None:
            return None
    slots = range(problem.slots)

    def read(variables: pyo.Var, limit: Floats) -> Floats:
        got = np.array([outcome.value(variables[t]) if t in variables else 0.0 for t in slots])
        held: Floats = np.clip(got, 0.0, limit)
        return held

    charge, discharge, soc = {}, {}, {}
    both_ways = 0.0
    net_charge = np.zeros(problem.slots)
    removal = None if problem.cold is None else _removal(problem.cold, drawn.entering(problem), model, outcome)
    for b in problem.batteries:
        if problem.cold is not None and removal is not None and b.kind == "cold":
            # the plant draws what its curve says for what it removes
            more = problem.cooling_power(problem.cold.plant(heat, removal)) - cooling
            charge[b.name], discharge[b.name], soc[b.name] = as_flows(more, problem.step_h)
            net_charge += more
            continue
        cells = model.battery
        into = np.array([outcome.value(cells.charge[b.name, t]) for t in slots])
        out = np.array([outcome.value(cells.discharge[b.name, t]) for t in slots])
        both_ways = max(both_ways, float(np.minimum(into, out).max()))
        stored = np.clip(into, 0, b.power) * b.charge_efficiency - np.clip(out, 0, b.power) / b.discharge_efficiency
        charge[b.name] = np.maximum(stored, 0.0) / b.charge_efficiency
        discharge[b.name] = np.maximum(-stored, 0.0) * b.discharge_efficiency
        soc[b.name] = b.soc_start + problem.step_h * np.cumsum(stored)
        net_charge += charge[b.name] - discharge[b.name]

    pv, wind = read(model.supply.pv_used, problem.pv), read(model.supply.wind_used, problem.wind)
    bought, sold = read(model.grid.import_, problem.import_limit), read(model.grid.export, problem.export_limit)
    both_ways = max(both_ways, float(np.minimum(bought, sold).max()))
    net = bought - sold
    # what netting freed, and the solver's last digits: less import first, then less sun and wind; never more burnt
    excess = pv + wind + net - (heat + cooling + problem.base + net_charge)
    cut = np.clip(excess, 0.0, np.maximum(net, 0.0))
    net, excess = net - cut, excess - cut
    for series in (pv, wind):
        cut = np.clip(excess, 0.0, series)
        series -= cut
        excess -= cut
    for series, available in ((pv, problem.pv), (wind, problem.wind)):
        more = np.clip(-excess, 0.0, available - series)
        series += more
        excess += more
    net = net - excess
    bought, sold = np.maximum(net, 0.0), np.maximum(-net, 0.0)
    energy = Energy(it, heat, cooling, pv, wind, bought, sold, charge, discharge, soc, removal)
    return energy, both_ways <= ONE_WAY


def _removal(cold: Cold, entering: dict[str, Floats], model: pyo.ConcreteModel, outcome: Outcome) -> Removal:
    """What leaves the masses and goes into the tank in a solution."""
    slots, block = range(len(cold.most_removed)), model.mass
    taken = {m.name: np.array([max(0.0, outcome.value(block.removed[m.name, t])) for t in slots]) for m in cold.masses}
    into = np.zeros(len(slots))
    if cold.tank is not None:
        into = np.array([outcome.value(block.into_tank[t]) for t in slots])
    return Removal(entering, taken, into)
