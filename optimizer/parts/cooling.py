"""Cooling: electric power equals the largest tangent at the slot's heat, and is never below zero."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger
from optimizer.problem import Floats, Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger, *, exact: bool, most_heat: Floats) -> None:
    """Add ``cooling`` on the heat of the ledger; heat and cooling become demand.

    Without ``exact`` the plant's power may lie above its curve, which never pays unless burning
    energy does; with it one binary a slot and tangent holds it down to the curve. ``most_heat``
    (one value a slot) bounds the heat, so that the binaries' big-M is no larger than a slot can use.
    """
    slots = range(problem.slots)
    block = model.cooling = pyo.Block()
    for t in slots:
        ledger.demand[t].plus(ledger.heat[t])
        ledger.used[t].plus(ledger.heat[t])
        if problem.cold is None:
            ledger.removed[t].plus(ledger.heat[t])
    plant = problem.cooling
    if plant is None:
        return
    tangents = range(len(plant.slope))
    block.power = pyo.Var(slots, domain=pyo.NonNegativeReals)
    block.above_tangent = pyo.Constraint(
        slots,
        tangents,
        rule=lambda _, t, k: (
            block.power[t] - float(plant.slope[k, t]) * ledger.heat[t].expression() >= float(plant.intercept[k, t])
        ),
    )
    if exact:
        _on_curve(block, problem, ledger, most_heat)
    if plant.capacity is not None and problem.cold is None:
        capacity = plant.capacity
        block.over_capacity = pyo.Var(slots if ledger.elastic else [], domain=pyo.NonNegativeReals)

        def heat_limit(_: pyo.Block, t: int) -> pyo.Expression:
            slack = block.over_capacity[t] if ledger.elastic else 0.0
            return ledger.heat[t].expression() - slack <= float(capacity[t])

        block.heat_within_capacity = pyo.Constraint(slots, rule=heat_limit)
        if ledger.elastic:
            ledger.give(
                Give(
                    ("cooling", "capacity"),
                    block.over_capacity[t],
                    problem.unit_mw,
                    t,
                    "the heat is {amount:.6g} MW over the cooling capacity of "
                    f"{capacity[t] * problem.unit_mw:g} MW{plant.lost}; raise it or free a job that must run",
                )
                for t in slots
            )
    for t in slots:
        ledger.demand[t].add(1.0, block.power[t])
        ledger.cooling[t].add(1.0, block.power[t])
        ledger.used[t].add(1.0, block.power[t])


def _on_curve(block: pyo.Block, problem: Problem, ledger: Ledger, most_heat: Floats) -> None:
    """One tangent (or zero) of each slot rules, and the plant's power lies on it."""
    plant = problem.cooling
    assert plant is not None
    zero = np.zeros((1, problem.slots))
    slope, intercept = np.vstack([plant.slope, zero]), np.vstack([plant.intercept, zero])
    at_rest = intercept
    at_most = slope * most_heat + intercept
    # the curve lies above line k by at most this much, at one end of the heat's range
    above = np.maximum(at_rest.max(axis=0) - at_rest, at_most.max(axis=0) - at_most)
    lines = range(len(slope))
    slots = range(problem.slots)
    block.rules = pyo.Var(slots, lines, domain=pyo.Binary)
    block.one_line_rules = pyo.Constraint(slots, rule=lambda _, t: sum(block.rules[t, k] for k in lines) == 1)
    block.on_ruling_line = pyo.Constraint(
        slots,
        lines,
        rule=lambda _, t, k: (
            block.power[t]
            - float(slope[k, t]) * ledger.heat[t].expression()
            + float(above[k, t]) * (block.rules[t, k] - 1)
            <= float(intercept[k, t])
        ),
    )
