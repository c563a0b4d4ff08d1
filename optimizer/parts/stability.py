"""Stability: batteries and generating sets pay for power beside what the plan in force has them do.

Jobs pay as well, on their own columns (:mod:`optimizer.parts.jobs`) and in slot pricing.
"""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Ledger, Sum
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``stability.more[name, t]`` and ``stability.less[name, t]`` on what a device gives less what it takes."""
    block = model.stability = pyo.Block()
    flow = {(p.name, t): value for p in problem.set_points for t, value in enumerate(p.flow)}
    power = {b.name: b.power for b in problem.batteries}
    block.away = pyo.Var(list(flow), bounds=lambda _, name, t: (0.0, power[name] + abs(flow[name, t])))

    def given(name: str, t: int) -> Sum:
        return Sum().plus(ledger.given[name, t]).plus(ledger.taken[name, t], -1.0)

    block.more = pyo.Constraint(
        list(flow), rule=lambda b, i, t: given(i, t).add(-1.0, b.away[i, t]).expression() <= flow[i, t]
    )
    block.less = pyo.Constraint(
        list(flow), rule=lambda b, i, t: given(i, t).add(1.0, b.away[i, t]).expression() >= flow[i, t]
    )
    for p in problem.set_points:
        for t in range(len(p.flow)):
            ledger.cost["change"].add(problem.step_h * p.cost, block.away[p.name, t])
