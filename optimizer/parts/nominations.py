"""Nominations: the net import of a block as it was promised the day before; what differs is paid for."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Ledger, Sum
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``nominations.kept[id]``: import - export of the block = what was promised + over - under."""
    block = model.nominations = pyo.Block()
    h = problem.step_h
    by_id = {n.id: n for n in problem.nominations}

    def most(_: pyo.Block, i: str) -> tuple[float, float]:
        n = by_id[i]
        inside = slice(n.first, n.last)
        traded = h * float(problem.connection[inside].sum() + problem.export_limit[inside].sum())
        return 0.0, traded + abs(n.energy)

    block.over = pyo.Var(list(by_id), bounds=most)
    block.under = pyo.Var(list(by_id), bounds=most)

    def kept(_: pyo.Block, i: str) -> pyo.Expression:
        row = Sum().add(-1.0, block.over[i]).add(1.0, block.under[i])
        for t in range(by_id[i].first, by_id[i].last):
            row.plus(ledger.bought[t], h).plus(ledger.sold[t], -h)
        return row.expression() == by_id[i].energy

    block.kept = pyo.Constraint(list(by_id), rule=kept)
    for n in problem.nominations:
        ledger.cost["wishes"].add(n.over_cost, block.over[n.id]).add(n.under_cost, block.under[n.id])
