"""PV and wind: anything from nothing to what is available; curtailment is free."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Ledger
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``supply.pv_used[t]`` and ``supply.wind_used[t]`` to the model and to the supply side."""
    block = model.supply = pyo.Block()
    for name, available in (("pv_used", problem.pv), ("wind_used", problem.wind)):
        slots = [t for t in range(problem.slots) if available[t] > 0]
        used = pyo.Var(slots, bounds=(0.0, None))
        block.add_component(name, used)
        for t in slots:
            used[t].setub(float(available[t]))
            ledger.supply[t].add(1.0, used[t])
