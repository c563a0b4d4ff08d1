"""Headroom: when sun or wind falls within a slot, the grid and the batteries make up for it at once."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``headroom.covers_drop[t]``: import below its limit and batteries below their power make up for the fall."""
    asked = problem.headroom
    if asked is None:
        return
    block = model.headroom = pyo.Block()
    h, mw = problem.step_h, problem.unit_mw
    slots = [t for t in range(problem.slots) if asked.drop[t] > 0]
    soft = slots if ledger.gives_way(asked.cost) else []
    block.missing = pyo.Var(soft, bounds=lambda _, t: (0.0, float(asked.drop[t])))

    def covers_drop(_: pyo.Block, t: int) -> pyo.Expression:
        room = Sum(float(problem.connection[t])).plus(ledger.bought[t], -1.0).plus(ledger.sold[t])
        for b in problem.batteries:
            if b.kind == "battery":
                room.constant += float(b.most_out[t])
                room.plus(ledger.given[b.name, t], -1.0).plus(ledger.taken[b.name, t])
        if soft:
            room.add(1.0, block.missing[t])
        return room.expression() >= float(asked.drop[t])

    block.covers_drop = pyo.Constraint(slots, rule=covers_drop)
    for t in soft:
        if asked.cost is not None:
            ledger.cost["wishes"].add(h * asked.cost, block.missing[t])
        else:
            sentence = (
                "{amount:.6g} MW are missing to make up for a fall of sun and wind by "
                f"{asked.drop[t] * mw:g} MW (reserve/drop_mw); lower it or give reserve/cost_per_mwh"
            )
            ledger.give([Give(("reserve", "drop"), block.missing[t], mw, t, sentence)])
