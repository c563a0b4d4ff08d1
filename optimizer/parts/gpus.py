"""Pools and feeds: GPUs in use never exceed those available; idle ones draw; a feed limits its pools."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``gpus.it[t]``, the IT power of the site, from what the jobs have put into the ledger."""
    block = model.gpus = pyo.Block()
    slots = range(problem.slots)
    pools = problem.pools
    at = [(p.name, t) for p in pools for t in slots]
    index = {p.name: k for k, p in enumerate(pools)}
    busy = [(name, t) for name, t in at if not ledger.gpus_used[index[name], t].empty]
    block.over_pool = pyo.Var(busy if ledger.elastic else [], domain=pyo.NonNegativeReals)

    def capacity(_: pyo.Block, name: str, t: int) -> pyo.Expression:
        slack = block.over_pool[name, t] if ledger.elastic else 0.0
        used = ledger.gpus_used[index[name], t]
        return used.expression() - slack <= float(pools[index[name]].gpus[t]) - 0.0

    block.gpus_available = pyo.Constraint(busy, rule=capacity)

    block.pool_power = pyo.Var(at, domain=pyo.NonNegativeReals)

    def power(_: pyo.Block, name: str, t: int) -> pyo.Expression:
        k = index[name]
        idle = pools[k].idle
        drawn = Sum(idle * float(pools[k].gpus[t])).plus(ledger.pool_power[k, t])
        drawn.plus(ledger.gpus_used[k, t], -idle)
        return drawn.add(-1.0, block.pool_power[name, t]).expression() == 0

    block.power_of_pool = pyo.Constraint(at, rule=power)

    fed = [(f.name, t) for f in problem.feeds for t in slots]
    feeds = {f.name: f for f in problem.feeds}
    block.over_feed = pyo.Var(fed if ledger.elastic else [], domain=pyo.NonNegativeReals)

    def feed(_: pyo.Block, name: str, t: int) -> pyo.Expression:
        drawn = Sum()
        for k in feeds[name].pools:
            drawn.add(1.0, block.pool_power[pools[k].name, t])
        if ledger.elastic:
            drawn.add(-1.0, block.over_feed[name, t])
        if drawn.empty:
            return pyo.Constraint.Feasible
        return drawn.expression() <= float(feeds[name].limit[t])

    block.feed_limit = pyo.Constraint(fed, rule=feed)

    block.it = pyo.Var(slots)

    def it(_: pyo.Block, t: int) -> pyo.Expression:
        total = Sum().plus(ledger.loads[t]).add(-1.0, block.it[t])
        for p in pools:
            total.add(1.0 if p.ours else 0.0, block.pool_power[p.name, t])
        return total.expression() == 0

    block.it_power = pyo.Constraint(slots, rule=it)
    for t in slots:
        ledger.heat[t].add(1.0 / problem.efficiency, block.it[t])
    for k, p in enumerate(pools):
        for t in slots:
            ledger.pool_heat[k, t].add(1.0 / problem.efficiency, block.pool_power[p.name, t])
    if ledger.elastic:
        ledger.give(
            Give(
                ("pool", name),
                block.over_pool[name, t],
                1.0,
                t,
                f"pool {name} is {{amount:.6g}} GPUs short for the jobs that must run there; "
                "give it more GPUs, a later deadline or a price for unmet work",
            )
            for name, t in busy
        )
        ledger.give(
            Give(
                ("feed", name),
                block.over_feed[name, t],
                problem.unit_mw,
                t,
                f"feed {name} is {{amount:.6g}} MW over its limit of {feeds[name].limit[t] * problem.unit_mw:g} MW; "
                "raise the limit, lower idle_w_per_gpu or free a job that must run",
            )
            for name, t in fed
        )
