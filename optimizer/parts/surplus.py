"""Jobs that run only on what would be curtailed: beside them nothing is bought or given, and what earns is sold."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from optimizer.problem import Flags, Problem
from optimizer.sessions import Pattern
from optimizer.surplus import alone, sells


def add(model: pyo.ConcreteModel, problem: Problem, pattern: Pattern) -> None:
    """Add ``surplus`` for such jobs whose on-slots are left to choose; those that are given hold the site's bounds."""
    block = model.surplus = pyo.Block()
    told = {e.id: pattern.get(e.id, np.zeros(problem.slots, dtype=np.int64)) for e in problem.entries}
    hold(model, problem, alone(problem, told))
    count = {e.id: e.count for e in problem.entries if e.surplus and e.id not in pattern}
    on = [(i, t) for i in count for t in model.jobs.slots.get(i, ())]
    slots = sorted({t for _, t in on})
    block.alone = pyo.Var(slots, domain=pyo.Binary)
    block.only_then = pyo.Constraint(on, rule=lambda b, i, t: model.jobs.on[i, t] - count[i] * b.alone[t] <= 0)
    # the bounds that the grid has set itself, which the diagnosing model sets wider
    limit = {t: float(model.grid.import_[t].ub) for t in slots}
    block.nothing_bought = pyo.Constraint(
        slots, rule=lambda b, t: model.grid.import_[t] + limit[t] * b.alone[t] <= limit[t]
    )
    most = {b.name: b.most_out for b in problem.batteries if b.kind != "cold"}
    block.nothing_given = pyo.Constraint(
        [(name, t) for name in most for t in slots],
        rule=lambda b, name, t: (
            model.battery.discharge[name, t] + float(most[name][t]) * b.alone[t] <= float(most[name][t])
        ),
    )
    sold = sells(problem)
    block.all_sold = pyo.Constraint(
        [t for t in slots if sold[t]],
        rule=lambda b, t: model.grid.export[t] - float(problem.export_limit[t]) * b.alone[t] >= 0,
    )


def hold(model: pyo.ConcreteModel, problem: Problem, slots: Flags) -> None:
    """Let sun and wind carry the site alone in these slots."""
    sold = sells(problem)
    for t in (int(t) for t in slots.nonzero()[0]):
        model.grid.import_[t].setub(0.0)
        for b in problem.batteries:
            if b.kind != "cold":
                model.battery.discharge[b.name, t].setub(0.0)
        if sold[t]:
            model.grid.export[t].setlb(float(problem.export_limit[t]))
