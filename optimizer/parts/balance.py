"""Power balance of every slot: what is supplied is what is used."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``balance.power[t]``: supply = demand of the ledger + base load (negative: must be taken)."""
    block = model.balance = pyo.Block()
    slots = range(problem.slots)
    block.missing = pyo.Var(slots if ledger.elastic else [], domain=pyo.NonNegativeReals)
    block.surplus = pyo.Var(slots if ledger.elastic else [], domain=pyo.NonNegativeReals)

    def power(_: pyo.Block, t: int) -> pyo.Expression:
        row = Sum().plus(ledger.supply[t]).plus(ledger.demand[t], -1.0)
        if ledger.elastic:
            row.add(1.0, block.missing[t]).add(-1.0, block.surplus[t])
        return row.expression() == float(problem.base[t])

    block.power = pyo.Constraint(slots, rule=power)
    if ledger.elastic:
        for t in slots:
            base = problem.base[t] * problem.unit_mw
            ledger.give(
                [
                    Give(
                        ("balance", "missing"),
                        block.missing[t],
                        problem.unit_mw,
                        t,
                        f"supply is {{amount:.6g}} MW short of the base load ({base:g} MW) and the jobs that must run; "
                        "raise the import limit or free a job",
                    ),
                    Give(
                        ("balance", "surplus"),
                        block.surplus[t],
                        problem.unit_mw,
                        t,
                        f"{{amount:.6g}} MW of must-take generation (base load {base:g} MW) find no sink; "
                        "allow export or a load",
                    ),
                ]
            )
