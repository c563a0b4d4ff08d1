"""IT power that is already decided: takes the place of jobs and pools when only the energy side is planned."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Ledger
from optimizer.problem import Floats, Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger, it_power: Floats) -> None:
    """Add ``gpus.it[t]``, fixed to ``it_power`` (one value a slot, in the problem's unit)."""
    block = model.gpus = pyo.Block()
    block.it = pyo.Var(range(problem.slots), bounds=lambda _, t: (float(it_power[t]), float(it_power[t])))
    for t in range(problem.slots):
        ledger.heat[t].add(1.0 / problem.efficiency, block.it[t])
