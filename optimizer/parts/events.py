"""Events: what a grid operator asks of the net import in some slots, kept or paid for."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger) -> None:
    """Add ``events.at_most[id, t]`` and ``events.at_least[id, t]`` on import - export."""
    block = model.events = pyo.Block()
    h, mw = problem.step_h, problem.unit_mw
    by_id = {e.id: e for e in problem.events}
    upper = [(e.id, t) for e in problem.events if e.most is not None for t in range(e.first, e.last)]
    lower = [(e.id, t) for e in problem.events if e.least is not None for t in range(e.first, e.last)]
    widest = [float(problem.connection[t] + problem.export_limit[t]) for t in range(problem.slots)]

    def bounds(_: pyo.Block, i: str, t: int) -> tuple[float, float]:
        e = by_id[i]
        return 0.0, widest[t] + max(abs(e.most or 0.0), abs(e.least or 0.0))

    block.beyond = pyo.Var([(i, t) for i, t in upper if ledger.gives_way(by_id[i].cost)], bounds=bounds)
    block.short = pyo.Var([(i, t) for i, t in lower if ledger.gives_way(by_id[i].cost)], bounds=bounds)

    def net(t: int) -> Sum:
        return Sum().plus(ledger.bought[t]).plus(ledger.sold[t], -1.0)

    def at_most(_: pyo.Block, i: str, t: int) -> pyo.Expression:
        row = net(t)
        if (i, t) in block.beyond:
            row.add(-1.0, block.beyond[i, t])
        return row.expression() <= by_id[i].most

    def at_least(_: pyo.Block, i: str, t: int) -> pyo.Expression:
        row = net(t)
        if (i, t) in block.short:
            row.add(1.0, block.short[i, t])
        return row.expression() >= by_id[i].least

    block.at_most = pyo.Constraint(upper, rule=at_most)
    block.at_least = pyo.Constraint(lower, rule=at_least)
    for word, field, slack in (
        ("above", "most_import_mw", block.beyond),
        ("below", "least_import_mw", block.short),
    ):
        for (i, t), variable in slack.items():
            cost = by_id[i].cost
            if cost is not None:
                ledger.cost["wishes"].add(h * cost, variable)
            else:
                sentence = (
                    f"the net import is {{amount:.6g}} MW {word} what event {i} asks ({field}); "
                    "move the target, give the event a cost_per_mwh or free a job that must run"
                )
                ledger.give([Give(("event", i), variable, mw, t, sentence)])
