"""Among plans of equal cost, the one whose set-points move least.

In a block of flat prices the cheapest plans are many, and a solver's corner solution charges a battery
at full power in one odd slot. Money comes first; then the least movement of grid and batteries, so
that set-points do not flap.
"""

from __future__ import annotations

import pyomo.environ as pyo
from pyomo.core.expr.numvalue import is_potentially_variable

from optimizer.problem import Problem

DEARER = 1e-8
"""Share of the cost that calm may cost: below what a solver's tolerances can tell apart."""


def prefer_calm(model: pyo.ConcreteModel, problem: Problem, cost: float) -> None:
    """Turn an energy model into one that keeps its cost and minimizes movement.

    Args:
        model: as built for a given IT power; its objective is put away.
        problem: what the model was built for.
        cost: its optimum, in money.
    """
    block = model.calm = pyo.Block()
    slots = range(1, problem.slots)
    names = ["grid", *(b.name for b in problem.batteries)]
    at = [(k, t) for k in range(len(names)) for t in slots]

    def power(k: int, t: int) -> pyo.Expression:
        if k == 0:
            return model.grid.import_[t] - model.grid.export[t]
        return model.battery.charge[names[k], t] - model.battery.discharge[names[k], t]

    block.move = pyo.Var(at, domain=pyo.NonNegativeReals)
    block.move_up = pyo.Constraint(at, rule=lambda b, k, t: b.move[k, t] >= power(k, t) - power(k, t - 1))
    block.move_down = pyo.Constraint(at, rule=lambda b, k, t: b.move[k, t] >= power(k, t - 1) - power(k, t))
    money = model.objective.total
    if is_potentially_variable(money.expr):
        block.cost_kept = pyo.Constraint(expr=money.expr <= cost + DEARER * max(1.0, abs(cost)))
    money.deactivate()
    block.movement = pyo.Objective(expr=pyo.quicksum(block.move[i] for i in at), sense=pyo.minimize)
