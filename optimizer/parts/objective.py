"""The objective: the ledger's cost terms, kept by name, and their sum."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import TERMS, Ledger, Sum


def add(model: pyo.ConcreteModel, ledger: Ledger) -> None:
    """Add ``objective.total``; the diagnosing model minimizes the slacks instead of money."""
    block = model.objective = pyo.Block()
    block.term = pyo.Expression(TERMS, rule=lambda _, name: ledger.cost[name].expression())
    total = Sum()
    if ledger.elastic:
        for give in ledger.gives:
            total.add(give.weight, give.variable)
    else:
        for name in TERMS:
            total.plus(ledger.cost[name])
    block.total = pyo.Objective(expr=total.expression(), sense=pyo.minimize)
