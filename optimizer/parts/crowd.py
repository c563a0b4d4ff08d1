"""All jobs together as what they draw and hold in each slot: where columns of schedules meet the energy model."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from optimizer.ledger import Ledger
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``crowd.power``, ``crowd.gpus`` (by pool and slot) and ``crowd.load``, each tied to columns by a row.

    The rows read ``variable = 0`` here; schedules enter them later as columns of the compiled model.
    Every variable has a bound that no schedule exceeds, so that any prices give a finite bound.
    """
    block = model.crowd = pyo.Block()
    slots = range(problem.slots)
    at = [(k, t) for k in range(len(problem.pools)) for t in slots]
    most_power = np.zeros((len(problem.pools) + 1, problem.slots))
    most_gpus = np.zeros((len(problem.pools), problem.slots))
    options = [(e, way) for e in problem.entries for way in e.options]
    for e, way in options:
        k = len(problem.pools) if way.pool is None else way.pool
        open_ = slice(max(e.first, way.first), e.last)
        most_power[k, open_] += e.count * float(way.power.max())
        if way.pool is not None:
            most_gpus[k, open_] += e.count * way.gpus
    block.power = pyo.Var(at, bounds=lambda _, k, t: (0.0, float(most_power[k, t])))
    block.gpus = pyo.Var(at, bounds=lambda _, k, t: (0.0, float(most_gpus[k, t])))
    block.load = pyo.Var(slots, bounds=lambda _, t: (0.0, float(most_power[-1, t])))
    block.power_of_columns = pyo.Constraint(at, rule=lambda b, k, t: b.power[k, t] == 0)
    block.gpus_of_columns = pyo.Constraint(at, rule=lambda b, k, t: b.gpus[k, t] == 0)
    block.load_of_columns = pyo.Constraint(slots, rule=lambda b, t: b.load[t] == 0)
    # what jobs pay for never running as published; schedules bring the rest with them
    ledger.cost["change"].constant += sum(e.published.constant for e in problem.entries if e.published is not None)
    for k, t in at:
        ledger.pool_power[k, t].add(1.0, block.power[k, t])
        ledger.gpus_used[k, t].add(1.0, block.gpus[k, t])
    for t in slots:
        ledger.loads[t].add(1.0, block.load[t])
