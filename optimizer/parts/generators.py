"""Generating sets: off, or on between least and full power; starts, stops, shortest runs and pauses."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Ledger, Sum
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``generators`` with the on-slots of every set (Rajan-Takriti rows); what it gives stands in the ledger."""
    block = model.generators = pyo.Block()
    h, slots = problem.step_h, range(problem.slots)
    sets = {g.name: g for g in problem.generators}
    at = [(name, t) for name in sets for t in slots]

    def stays(_: pyo.Block, name: str, t: int) -> tuple[int, int]:
        g = sets[name]
        if t < g.stays:
            return int(g.on_before), int(g.on_before)
        return 0, int(g.may_run[t])

    block.on = pyo.Var(at, domain=pyo.Binary, bounds=stays)
    block.start = pyo.Var(at, bounds=(0.0, 1.0))
    block.stop = pyo.Var(at, bounds=(0.0, 1.0))

    def on_follows(_: pyo.Block, name: str, t: int) -> pyo.Expression:
        before = block.on[name, t - 1] if t else float(sets[name].on_before)
        return block.on[name, t] - before - block.start[name, t] + block.stop[name, t] == 0

    def within(name: str, t: int, power: float) -> Sum:
        return Sum().plus(ledger.given[name, t]).add(-power, block.on[name, t])

    def run_lasts(_: pyo.Block, name: str, t: int) -> pyo.Expression:
        lately = range(max(0, t - sets[name].min_up + 1), t + 1)
        return pyo.quicksum(block.start[name, s] for s in lately) - block.on[name, t] <= 0

    def pause_lasts(_: pyo.Block, name: str, t: int) -> pyo.Expression:
        lately = range(max(0, t - sets[name].min_down + 1), t + 1)
        return pyo.quicksum(block.stop[name, s] for s in lately) + block.on[name, t] <= 1

    block.on_follows = pyo.Constraint(at, rule=on_follows)
    block.gives_at_most = pyo.Constraint(at, rule=lambda b, i, t: within(i, t, sets[i].power).expression() <= 0)
    block.gives_at_least = pyo.Constraint(
        [(i, t) for i, t in at if sets[i].least > 0],
        rule=lambda b, i, t: within(i, t, sets[i].least).expression() >= 0,
    )
    block.run_lasts = pyo.Constraint(at, rule=run_lasts)
    block.pause_lasts = pyo.Constraint(at, rule=pause_lasts)
    for name, t in at:
        g = sets[name]
        ledger.cost["fuel"].add(h * g.no_load_cost, block.on[name, t])
        ledger.cost["fuel"].add(g.start_cost, block.start[name, t]).add(g.stop_cost, block.stop[name, t])
        ledger.cost["carbon"].plus(ledger.given[name, t], h * g.carbon_kg * problem.carbon_price)
