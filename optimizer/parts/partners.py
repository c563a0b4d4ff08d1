"""A partner's GPUs: what is in use there is paid by the hour, and no more than its quota."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``partners`` from the GPUs in use that the ledger holds; what moving there costs stands with the ways."""
    block = model.partners = pyo.Block()
    h, slots = problem.step_h, range(problem.slots)
    for k, pool in enumerate(problem.pools):
        if pool.rent is not None:
            for t in slots:
                ledger.cost["partner"].plus(ledger.gpus_used[k, t], h * float(pool.rent[t]))
    limited = {p.name: k for k, p in enumerate(problem.pools) if p.quota_gpu_h is not None}
    block.over_quota = pyo.Var(list(limited) if ledger.elastic else [], domain=pyo.NonNegativeReals)

    def quota(b: pyo.Block, name: str) -> pyo.Expression:
        used = Sum()
        for t in slots:
            used.plus(ledger.gpus_used[limited[name], t], h)
        if used.empty:
            return pyo.Constraint.Feasible
        if ledger.elastic:
            used.add(-1.0, b.over_quota[name])
        return used.expression() <= problem.pools[limited[name]].quota_gpu_h

    block.within_quota = pyo.Constraint(list(limited), rule=quota)
    if ledger.elastic:
        ledger.give(
            Give(
                ("partner", name),
                block.over_quota[name],
                1.0,
                None,
                f"partner pool {name} is {{amount:.6g}} GPU-hours over its quota of "
                f"{problem.pools[k].quota_gpu_h:g} GPU-hours; raise quota_gpu_h or free a job that must run there",
            )
            for name, k in limited.items()
        )
