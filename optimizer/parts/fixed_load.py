"""IT power that is already decided: takes the place of jobs and pools when only the energy side is planned."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Ledger
from optimizer.problem import Floats, Problem


def add(
    model: pyo.ConcreteModel, problem: Problem, ledger: Ledger, it_power: Floats, pool_power: Floats | None = None
) -> None:
    """Add ``gpus.it[t]``, fixed to ``it_power`` (one value a slot, in the problem's unit).

    ``pool_power`` is what each pool draws of it, ``[pool, slot]``: needed where pools have heat shares of their own.
    """
    block = model.gpus = pyo.Block()
    block.it = pyo.Var(range(problem.slots), bounds=lambda _, t: (float(it_power[t]), float(it_power[t])))
    for t in range(problem.slots):
        ledger.heat[t].add(1.0 / problem.efficiency, block.it[t])
        for k, drawn in enumerate([] if pool_power is None else pool_power[:, t]):
            ledger.pool_heat[k, t].constant += float(drawn) / problem.efficiency
