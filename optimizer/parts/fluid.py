"""Jobs as divisible energy: what a day would look like if gangs could be cut at will.

A rough stand-in for the jobs part, used to price the slots before the first plan. Entries with
similar windows are poured together; each needs its due work at its most frugal level.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyomo.environ as pyo

from optimizer.ledger import Ledger
from optimizer.problem import Problem

BUCKET_SLOTS = 6
"""Windows that begin and end in the same bucket of slots are poured together."""


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``fluid.power[g, t]`` per pool and window, with unmet energy at the entries' mean price."""
    groups: dict[tuple[int | None, int, int], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for e in problem.entries:
        useful = e.speed > 0
        if not e.may_run or e.due_h <= 0 or not useful.any():
            continue
        frugal = float((e.power[useful] / e.speed[useful]).min())
        energy = e.count * e.due_h * frugal
        price = e.unmet_cost if e.unmet_cost is not None else 1e3 * frugal * (1 + np.abs(problem.import_price).max())
        first = e.first // BUCKET_SLOTS * BUCKET_SLOTS
        last = min(problem.slots, -(-e.last // BUCKET_SLOTS) * BUCKET_SLOTS)
        group = groups[e.pool, first, last]
        group[0] += energy
        group[1] += e.count * float(e.power.max())
        group[2] += price * e.count * e.due_h
    block = model.fluid = pyo.Block()
    keys = list(groups)
    at = [(g, t) for g, (_, first, last) in enumerate(keys) for t in range(first, last)]
    block.power = pyo.Var(at, bounds=lambda _, g, t: (0.0, groups[keys[g]][1]))
    block.short = pyo.Var(range(len(keys)), domain=pyo.NonNegativeReals)
    block.pour = pyo.Constraint(
        range(len(keys)),
        rule=lambda b, g: (
            problem.step_h * pyo.quicksum(b.power[g, t] for t in range(keys[g][1], keys[g][2])) + b.short[g]
            >= groups[keys[g]][0]
        ),
    )
    for g, t in at:
        pool = keys[g][0]
        if pool is None:
            ledger.loads[t].add(1.0, block.power[g, t])
        else:
            ledger.pool_power[pool, t].add(1.0, block.power[g, t])
    for g, key in enumerate(keys):
        energy, _, price = groups[key]
        ledger.cost["unmet"].add(price / max(energy, 1e-9), block.short[g])
