"""Thermal mass: the plant removes heat earlier or later than it is made, within temperatures that hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Problem
from optimizer.thermal import NAME


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``mass`` with its temperature, what the plant removes, and the power that this draws.

    The power lies on the plant's curve in every model: what is removed is read from it.
    """
    mass = problem.mass
    if mass is None:
        return
    block = model.mass = pyo.Block()
    slots, lines = range(problem.slots), range(len(mass.slope) + 1)
    slope = np.vstack([mass.slope, np.zeros((1, problem.slots))])
    intercept = np.vstack([mass.intercept, np.zeros((1, problem.slots))])
    most_power = mass.power(mass.most_removed)
    block.removed = pyo.Var(slots, bounds=lambda _, t: (0.0, float(mass.most_removed[t])))
    block.power = pyo.Var(slots, bounds=lambda _, t: (0.0, float(most_power[t])))
    block.rules = pyo.Var(slots, lines, domain=pyo.Binary)
    # the curve lies above line k by at most this much, at one end of what can be removed
    at_most = slope * mass.most_removed + intercept
    above = np.maximum(intercept.max(axis=0) - intercept, at_most.max(axis=0) - at_most)
    block.one_line_rules = pyo.Constraint(slots, rule=lambda b, t: sum(b.rules[t, k] for k in lines) == 1)
    block.above_line = pyo.Constraint(
        slots,
        lines,
        rule=lambda b, t, k: b.power[t] - float(slope[k, t]) * b.removed[t] >= float(intercept[k, t]),
    )
    block.on_ruling_line = pyo.Constraint(
        slots,
        lines,
        rule=lambda b, t, k: (
            b.power[t] - float(slope[k, t]) * b.removed[t] + float(above[k, t]) * (b.rules[t, k] - 1)
            <= float(intercept[k, t])
        ),
    )

    def drawn(b: pyo.Block, t: int) -> pyo.Expression:
        row = Sum().plus(ledger.cooling[t]).plus(ledger.taken[NAME, t]).plus(ledger.given[NAME, t], -1.0)
        return row.add(-1.0, b.power[t]).expression() == 0

    block.drawn = pyo.Constraint(slots, rule=drawn)
    _temperatures(block, problem, ledger)
    for t in slots:
        ledger.removed[t].add(1.0, block.removed[t])
        ledger.used[t].plus(ledger.taken[NAME, t]).plus(ledger.given[NAME, t], -1.0)


def _temperatures(block: pyo.Block, problem: Problem, ledger: Ledger) -> None:
    """The temperature at the end of each slot, its limits, and how fast it may move."""
    mass = problem.mass
    assert mass is not None
    slots, last, h = range(problem.slots), problem.slots - 1, problem.step_h

    def limits(_: pyo.Block, t: int) -> tuple[float, float]:
        return mass.lowest_c, min(mass.allowable_c, mass.end_most_c) if t == last else mass.allowable_c

    block.temperature = pyo.Var(slots, bounds=None if ledger.elastic else limits)
    if ledger.elastic:
        _outside(block, problem, ledger, limits)

    def warms(b: pyo.Block, t: int) -> pyo.Expression:
        row = Sum(-float(mass.drift[t])).add(1.0, b.temperature[t]).add(mass.per_heat, b.removed[t])
        row.plus(ledger.heat[t], -mass.per_heat)
        if t:
            row.add(-mass.kept, b.temperature[t - 1])
        else:
            row.constant -= mass.kept * mass.start_c
        return row.expression() == 0

    block.warms = pyo.Constraint(slots, rule=warms)
    warmest = 0.0 if mass.recommended_c is None else mass.allowable_c - mass.recommended_c
    soft = slots if warmest > 0 else []
    block.above = pyo.Var(soft, bounds=(0.0, warmest))
    block.recommended = pyo.Constraint(
        soft, rule=lambda b, t: b.temperature[t] - b.above[t] <= float(mass.recommended_c or 0.0)
    )
    for t in soft:
        ledger.cost["wishes"].add(h * mass.cost, block.above[t])
    if mass.most_change is not None and not ledger.elastic:
        moves = [(t, sign) for t in slots for sign in (1, -1)]

        def moves_slowly(b: pyo.Block, t: int, sign: int) -> pyo.Expression:
            before = b.temperature[t - 1] if t else mass.start_c
            return sign * (b.temperature[t] - before) <= mass.most_change

        block.moves_slowly = pyo.Constraint(moves, rule=moves_slowly)


def _outside(
    block: pyo.Block, problem: Problem, ledger: Ledger, limits: Callable[[pyo.Block, int], tuple[float, float]]
) -> None:
    """Slacks of the temperature's limits, in the diagnosing model."""
    slots = range(problem.slots)
    block.too_warm = pyo.Var(slots, domain=pyo.NonNegativeReals)
    block.too_cold = pyo.Var(slots, domain=pyo.NonNegativeReals)
    block.allowable = pyo.Constraint(slots, rule=lambda b, t: b.temperature[t] - b.too_warm[t] <= limits(b, t)[1])
    block.lowest = pyo.Constraint(slots, rule=lambda b, t: b.temperature[t] + b.too_cold[t] >= limits(b, t)[0])
    for t in slots:
        low, high = limits(block, t)
        warm = f"the thermal mass is {{amount:.6g}} K warmer than {high:g} degC; free a job that must run or raise it"
        cold = f"the thermal mass is {{amount:.6g}} K colder than {low:g} degC (lowest_c); lower it"
        for key, variable, sentence in (("warm", block.too_warm[t], warm), ("cold", block.too_cold[t], cold)):
            ledger.give([Give(("thermal mass", key), variable, 1.0, t, sentence, weight=1e2)])
