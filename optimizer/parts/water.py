"""Water that cooling evaporates: its price, and how much of it there is."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Floats, Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger, most_heat: Floats) -> None:
    """Add ``water.within_limit[id]`` over each period; ``most_heat`` (one value a slot) bounds what is beyond it."""
    water = problem.water
    if water is None:
        return
    block = model.water = pyo.Block()
    h = problem.step_h
    by_id = {w.id: w for w in water.limits}

    def evaporated(i: str) -> Sum:
        total = Sum()
        for t in range(by_id[i].first, by_id[i].last):
            total.plus(ledger.removed[t], h * float(water.m3[t]))
        return total

    def most(_: pyo.Block, i: str) -> tuple[float, float]:
        inside = slice(by_id[i].first, by_id[i].last)
        return 0.0, h * float(water.m3[inside] @ most_heat[inside])

    block.beyond = pyo.Var([i for i, w in by_id.items() if ledger.gives_way(w.cost)], bounds=most)

    def within_limit(_: pyo.Block, i: str) -> pyo.Expression:
        row = evaporated(i)
        if i in block.beyond:
            row.add(-1.0, block.beyond[i])
        return pyo.Constraint.Feasible if row.empty else row.expression() <= by_id[i].left_m3

    block.within_limit = pyo.Constraint(list(by_id), rule=within_limit)
    for t in range(problem.slots):
        ledger.cost["water"].plus(ledger.removed[t], h * water.price * float(water.m3[t]))
    for i, variable in block.beyond.items():
        cost = by_id[i].cost
        if cost is not None:
            ledger.cost["wishes"].add(cost, variable)
        else:
            sentence = (
                f"cooling evaporates {{amount:.6g}} m3 more than water limit {i} leaves; raise it, give "
                "over_cost_per_m3 or free a job that must run"
            )
            # counted in power, water gives before a limit does
            weight = 1e3 / max(map(abs, evaporated(i).coefficients), default=1.0)
            ledger.give([Give(("water", i), variable, 1.0, None, sentence, weight)])
