"""The grid: import, export, their exclusion, the ramp of the net import, the demand charge by billing interval."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger, *, exact: bool) -> None:
    """Add ``grid`` with its cost terms.

    Import and export at once only pays where the selling price is above the buying price (a binary
    stands there), or where burning pays (``exact``: a binary in every slot that can do both);
    elsewhere the two are netted afterwards at no cost.
    """
    block = model.grid = pyo.Block()
    h, slots = problem.step_h, range(problem.slots)
    buy = problem.import_price + problem.carbon_cost
    # the diagnosing model has the connection's own limit: what an event took of it is for the event's row to say
    limit = problem.connection if ledger.elastic else problem.import_limit
    block.import_ = pyo.Var(slots, bounds=lambda _, t: (0.0, float(limit[t])))
    block.export = pyo.Var(slots, bounds=lambda _, t: (0.0, float(problem.export_limit[t])))

    both = [t for t in slots if limit[t] > 0 and problem.export_limit[t] > 0]
    exclusive = [t for t in both if exact or problem.export_price[t] > buy[t]]
    block.importing = pyo.Var(exclusive, domain=pyo.Binary)
    block.import_only_when_importing = pyo.Constraint(
        exclusive, rule=lambda _, t: block.import_[t] <= float(limit[t]) * block.importing[t]
    )
    block.export_only_otherwise = pyo.Constraint(
        exclusive, rule=lambda _, t: block.export[t] <= float(problem.export_limit[t]) * (1 - block.importing[t])
    )

    if problem.ramp is not None:
        inner = range(1, problem.slots)
        block.beyond_ramp = pyo.Var(inner if ledger.elastic else [], domain=pyo.NonNegativeReals)

        def ramp(_: pyo.Block, t: int, sign: int) -> pyo.Expression:
            now = block.import_[t] - block.export[t]
            before = block.import_[t - 1] - block.export[t - 1]
            slack = block.beyond_ramp[t] if ledger.elastic else 0.0
            return sign * (now - before) - slack <= problem.ramp

        block.ramp_up = pyo.Constraint(inner, rule=lambda b, t: ramp(b, t, 1))
        block.ramp_down = pyo.Constraint(inner, rule=lambda b, t: ramp(b, t, -1))
        if ledger.elastic:
            ledger.give(
                Give(
                    ("grid", "ramp"),
                    block.beyond_ramp[t],
                    problem.unit_mw,
                    t,
                    "the net import changes {amount:.6g} MW more than import_ramp_mw_per_slot "
                    f"{problem.ramp * problem.unit_mw:g} allows; raise it or soften the loads",
                    weight=5e3,
                )
                for t in inner
            )

    if problem.demand_rate > 0:
        means = problem.intervals
        most = [(m.elapsed + h * float(limit[m.first : m.last].sum())) / m.hours for m in means]
        block.peak = pyo.Var(bounds=(problem.peak_so_far, max(*most, problem.peak_so_far)))

        def peak_of_import(_: pyo.Block, k: int) -> pyo.Expression:
            inside = pyo.quicksum(h / means[k].hours * block.import_[t] for t in range(means[k].first, means[k].last))
            return block.peak - inside >= means[k].elapsed / means[k].hours

        block.peak_of_import = pyo.Constraint(range(len(means)), rule=peak_of_import)
        ledger.cost["demand_charge"].add(problem.demand_rate, block.peak)
        ledger.cost["demand_charge"].constant -= problem.demand_rate * problem.peak_so_far

    for t in slots:
        ledger.bought[t].add(1.0, block.import_[t])
        ledger.sold[t].add(1.0, block.export[t])
        ledger.supply[t].plus(ledger.bought[t])
        ledger.demand[t].plus(ledger.sold[t])
        ledger.cost["import"].add(h * float(problem.import_price[t]), block.import_[t])
        ledger.cost["export"].add(-h * float(problem.export_price[t]), block.export[t])
        ledger.cost["carbon"].add(h * float(problem.carbon_cost[t]), block.import_[t])
