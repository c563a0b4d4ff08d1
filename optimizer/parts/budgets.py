"""Budgets of a whole horizon: export left of the year's allowance, carbon, and the share of sun and wind."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``budgets.export``, ``budgets.carbon`` and ``budgets.renewable``, each where it is asked for."""
    block = model.budgets = pyo.Block()
    b, h, slots = problem.budgets, problem.step_h, range(problem.slots)
    if b.export_left is not None:
        sold = Sum()
        for t in slots:
            sold.plus(ledger.sold[t], h)
        _limit(block, ledger, "export", sold, b.export_left, None, problem.unit_mw, _EXPORT)
    if b.carbon_kg is not None:
        emitted = Sum()
        for t in slots:
            emitted.plus(ledger.bought[t], h * float(b.import_kg[t]))
            for g in problem.generators:
                emitted.plus(ledger.given[g.name, t], h * g.carbon_kg)
        _limit(block, ledger, "carbon", emitted, b.carbon_kg, b.carbon_cost, 1.0, _CARBON)
    if b.renewable_share is not None:
        fossil, rest = Sum(), 1.0 - b.renewable_share
        for t in slots:
            fossil.plus(ledger.bought[t], h).plus(ledger.used[t], -h * rest)
            fossil.constant -= h * rest * float(problem.base[t])
            for g in problem.generators:
                fossil.plus(ledger.given[g.name, t], h)
            for s in problem.services:
                fossil.plus(ledger.given[s.name, t], h * rest)
        _limit(block, ledger, "renewable", fossil, 0.0, b.renewable_cost, problem.unit_mw, _RENEWABLE)


_EXPORT = (
    "{amount:.6g} MWh more have to be exported than export_allowance_mwh leaves; raise it or give the surplus a load"
)
_CARBON = (
    "{amount:.6g} kg more are emitted than carbon_budget_kg allows; raise it, give above_carbon_budget_cost_per_kg or "
    "free a job that must run"
)
_RENEWABLE = (
    "{amount:.6g} MWh more come from import and generators than renewable_share allows; lower it, give "
    "below_renewable_share_cost_per_mwh or free a job that must run"
)


def _limit(
    block: pyo.Block,
    ledger: Ledger,
    name: str,
    amount: Sum,
    limit: float,
    cost: float | None,
    scale: float,
    sentence: str,
) -> None:
    """``amount`` stays within ``limit``, or what is beyond it has its price."""
    beyond = pyo.Var(bounds=(0.0, _most(amount)))
    if ledger.gives_way(cost):
        block.add_component(f"beyond_{name}", beyond)
        amount = Sum().plus(amount).add(-1.0, beyond)
        if cost is not None:
            ledger.cost["wishes"].add(cost, beyond)
        else:
            # counted in power, a budget gives before a limit does
            weight = 1e3 / max(map(abs, amount.coefficients))
            ledger.give([Give(("budget", name), beyond, scale, None, sentence, weight)])
    if not amount.empty:
        block.add_component(name, pyo.Constraint(expr=amount.expression() <= limit))


def _most(amount: Sum) -> float:
    """More than a sum can ever reach, from the upper bounds of what adds to it."""
    pairs = zip(amount.coefficients, amount.variables, strict=True)
    return sum(c * float(v.ub) for c, v in pairs if c > 0) + max(0.0, amount.constant)
