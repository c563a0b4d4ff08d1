"""Thermal masses and the tank: the plant removes heat earlier or later than it is made, within what they can hold."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Problem
from optimizer.thermal import NAME, Cold, Mass


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``mass`` with the temperatures, the tank, what the plant removes, and the power that this draws.

    The power lies on the plant's curve in every model: what is removed beyond the heat is no place to burn energy.
    """
    cold = problem.cold
    if cold is None:
        return
    block = model.mass = pyo.Block()
    slots, lines = range(problem.slots), range(len(cold.cooling.slope) + 1)
    slope = np.vstack([cold.cooling.slope, np.zeros((1, problem.slots))])
    intercept = np.vstack([cold.cooling.intercept, np.zeros((1, problem.slots))])
    most_power = cold.cooling.power(cold.most_removed)
    block.plant = pyo.Var(slots, bounds=lambda _, t: (0.0, float(cold.most_removed[t])))
    block.power = pyo.Var(slots, bounds=lambda _, t: (0.0, float(most_power[t])))
    block.rules = pyo.Var(slots, lines, domain=pyo.Binary)
    # the curve lies above line k by at most this much, at one end of what can be removed
    at_most = slope * cold.most_removed + intercept
    above = np.maximum(intercept.max(axis=0) - intercept, at_most.max(axis=0) - at_most)
    block.one_line_rules = pyo.Constraint(slots, rule=lambda b, t: sum(b.rules[t, k] for k in lines) == 1)
    block.above_line = pyo.Constraint(
        slots,
        lines,
        rule=lambda b, t, k: b.power[t] - float(slope[k, t]) * b.plant[t] >= float(intercept[k, t]),
    )
    block.on_ruling_line = pyo.Constraint(
        slots,
        lines,
        rule=lambda b, t, k: (
            b.power[t] - float(slope[k, t]) * b.plant[t] + float(above[k, t]) * (b.rules[t, k] - 1)
            <= float(intercept[k, t])
        ),
    )

    def drawn(b: pyo.Block, t: int) -> pyo.Expression:
        row = Sum().plus(ledger.cooling[t]).plus(ledger.taken[NAME, t]).plus(ledger.given[NAME, t], -1.0)
        return row.add(-1.0, b.power[t]).expression() == 0

    block.drawn = pyo.Constraint(slots, rule=drawn)
    _temperatures(block, problem, ledger, cold)
    _tank(block, problem, ledger, cold)

    def plant_removes(b: pyo.Block, t: int) -> pyo.Expression:
        row = Sum().plus(ledger.heat[t], cold.rest) if cold.rest else Sum()
        for k in np.flatnonzero(cold.rest_apart).tolist():
            row.plus(ledger.pool_heat[k, t], float(cold.rest_apart[k]))
        for m in cold.masses:
            row.add(1.0, b.removed[m.name, t])
        if cold.tank is not None:
            row.add(1.0, b.into_tank[t])
        return row.add(-1.0, b.plant[t]).expression() == 0

    block.plant_removes = pyo.Constraint(slots, rule=plant_removes)
    for t in slots:
        ledger.removed[t].add(1.0, block.plant[t])
        ledger.used[t].plus(ledger.taken[NAME, t]).plus(ledger.given[NAME, t], -1.0)


def _temperatures(block: pyo.Block, problem: Problem, ledger: Ledger, cold: Cold) -> None:
    """The temperature of each mass at the end of each slot, its limits, and how fast it may move."""
    slots, last, h = range(problem.slots), problem.slots - 1, problem.step_h
    masses = {m.name: m for m in cold.masses}
    at = [(name, t) for name in masses for t in slots]
    most_in = cold.most_removed + (0.0 if cold.tank is None else cold.tank.draw)

    def limits(_: pyo.Block, name: str, t: int) -> tuple[float, float]:
        m = masses[name]
        return m.lowest_c, min(m.allowable_c, m.end_most_c) if t == last else m.allowable_c

    block.removed = pyo.Var(at, bounds=lambda _, name, t: (0.0, float(most_in[t])))
    block.temperature = pyo.Var(at, bounds=None if ledger.elastic else limits)
    if ledger.elastic:
        block.too_warm = pyo.Var(at, domain=pyo.NonNegativeReals)
        block.too_cold = pyo.Var(at, domain=pyo.NonNegativeReals)
        block.allowable = pyo.Constraint(
            at, rule=lambda b, i, t: b.temperature[i, t] - b.too_warm[i, t] <= limits(b, i, t)[1]
        )
        block.lowest = pyo.Constraint(
            at, rule=lambda b, i, t: b.temperature[i, t] + b.too_cold[i, t] >= limits(b, i, t)[0]
        )
        for name, t in at:
            _outside(block, ledger, masses[name], t, limits(block, name, t))

    def warms(b: pyo.Block, name: str, t: int) -> pyo.Expression:
        m = masses[name]
        row = Sum(-float(m.drift[t])).add(1.0, b.temperature[name, t]).add(m.per_heat, b.removed[name, t])
        row.plus(ledger.heat[t], -m.per_heat * m.share)
        for k in np.flatnonzero(m.apart).tolist():
            row.plus(ledger.pool_heat[k, t], -m.per_heat * float(m.apart[k]))
        if t:
            row.add(-m.kept, b.temperature[name, t - 1])
        else:
            row.constant -= m.kept * m.start_c
        return row.expression() == 0

    block.warms = pyo.Constraint(at, rule=warms)
    warmest = {m.name: 0.0 if m.recommended_c is None else m.allowable_c - m.recommended_c for m in cold.masses}
    soft = [(name, t) for name, t in at if warmest[name] > 0]
    block.above = pyo.Var(soft, bounds=lambda _, name, t: (0.0, warmest[name]))
    block.recommended = pyo.Constraint(
        soft, rule=lambda b, i, t: b.temperature[i, t] - b.above[i, t] <= float(masses[i].recommended_c or 0.0)
    )
    for name, t in soft:
        ledger.cost["wishes"].add(h * masses[name].cost, block.above[name, t])
    limited = [] if ledger.elastic else [m for m in cold.masses if m.most_change is not None]

    def moves_slowly(b: pyo.Block, name: str, t: int, sign: int) -> pyo.Expression:
        before = b.temperature[name, t - 1] if t else masses[name].start_c
        return sign * (b.temperature[name, t] - before) <= masses[name].most_change

    moves = [(m.name, t, sign) for m in limited for t in slots for sign in (1, -1)]
    block.moves_slowly = pyo.Constraint(moves, rule=moves_slowly)


def _outside(block: pyo.Block, ledger: Ledger, m: Mass, t: int, limits: tuple[float, float]) -> None:
    """What the limits of a temperature give in the diagnosing model."""
    low, high = limits
    warm = f"{m.label} is {{amount:.6g}} K warmer than {high:g} degC; free a job that must run or raise it"
    cold = f"{m.label} is {{amount:.6g}} K colder than {low:g} degC (lowest_c); lower it"
    for key, variable, sentence in (
        ("warm", block.too_warm[m.name, t], warm),
        ("cold", block.too_cold[m.name, t], cold),
    ):
        ledger.give([Give((m.label, key), variable, 1.0, t, sentence, weight=1e2)])


def _tank(block: pyo.Block, problem: Problem, ledger: Ledger, cold: Cold) -> None:
    """Cold stored at the end of each slot, which loses a share in every slot, and its least at the end."""
    tank = cold.tank
    if tank is None:
        return
    slots, last, h = range(problem.slots), problem.slots - 1, problem.step_h
    block.into_tank = pyo.Var(slots, bounds=(-tank.draw, tank.fill))
    least = 0.0 if ledger.elastic else tank.end_least
    block.stored = pyo.Var(slots, bounds=lambda _, t: (least if t == last else 0.0, tank.most))

    def tank_keeps(b: pyo.Block, t: int) -> pyo.Expression:
        before = b.stored[t - 1] if t else tank.start
        return b.stored[t] - tank.kept * before - h * b.into_tank[t] == 0

    block.tank_keeps = pyo.Constraint(slots, rule=tank_keeps)
    if ledger.elastic:
        block.tank_short = pyo.Var(domain=pyo.NonNegativeReals)
        block.tank_end = pyo.Constraint(expr=block.stored[last] + block.tank_short >= tank.end_least)
        sentence = (
            f"the tank ends {{amount:.6g}} MWh short of end_min_mwh {tank.end_least * problem.unit_mw:g}; lower it or "
            "give the plant more capacity"
        )
        ledger.give([Give(("tank", "end"), block.tank_short, problem.unit_mw, None, sentence)])
