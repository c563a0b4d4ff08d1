"""Nodes that switch off and on: integers by pool, with the slots of a boot and a least run (Rajan-Takriti rows)."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``nodes`` for pools whose nodes may be off; what they draw takes the place of all GPUs' idle power."""
    switched = {p.name: (k, p.nodes) for k, p in enumerate(problem.pools) if p.nodes is not None}
    block = model.nodes = pyo.Block()
    at = [(name, t) for name in switched for t in range(problem.slots)]
    block.on = pyo.Var(
        at, domain=pyo.NonNegativeIntegers, bounds=lambda _, name, t: (0, int(switched[name][1].there[t]))
    )
    block.start = pyo.Var(at, bounds=lambda _, name, t: (0, int(switched[name][1].there.max())))
    block.too_few = pyo.Var(at if ledger.elastic else [], domain=pyo.NonNegativeReals)

    def lately(b: pyo.Block, name: str, t: int, slots: int) -> Sum:
        total = Sum()
        for s in range(max(0, t - slots + 1), t + 1):
            total.add(1.0, b.start[name, s])
        return total

    def start_when_more_on(b: pyo.Block, name: str, t: int) -> pyo.Expression:
        before = b.on[name, t - 1] if t else switched[name][1].on_before
        return b.start[name, t] - b.on[name, t] + before >= 0

    def enough_up(b: pyo.Block, name: str, t: int) -> pyo.Expression:
        k, n = switched[name]
        row = Sum().plus(ledger.gpus_used[k, t]).add(-float(n.gpus), b.on[name, t])
        row.plus(lately(b, name, t, n.boot), float(n.gpus))
        if ledger.elastic:
            row.add(-1.0, b.too_few[name, t])
        return row.expression() <= -float(n.gpus * n.booting_before(t))

    def run_lasts(b: pyo.Block, name: str, t: int) -> pyo.Expression:
        n = switched[name][1]
        return lately(b, name, t, n.min_up).add(-1.0, b.on[name, t]).expression() <= -float(n.staying_before(t))

    block.start_when_more_on = pyo.Constraint(at, rule=start_when_more_on)
    block.enough_up = pyo.Constraint(at, rule=enough_up)
    block.run_lasts = pyo.Constraint(at, rule=run_lasts)
    for name, t in at:
        k, n = switched[name]
        pool = problem.pools[k]
        power = ledger.pool_power[k, t].add(n.gpus * pool.idle - n.off, block.on[name, t])
        power.constant += n.off * float(n.there[t]) - pool.idle * float(pool.gpus[t])
    if ledger.elastic:
        ledger.give(
            Give(
                ("pool", name),
                block.too_few[name, t],
                1.0,
                t,
                f"pool {name} has {{amount:.6g}} GPUs too few on nodes that are up for the jobs that must run there; "
                "switch nodes on earlier (nodes/on_before), give the jobs a later deadline or a price for unmet work",
            )
            for name, t in at
        )
