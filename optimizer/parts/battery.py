"""Batteries: state of charge slot by slot, recursively; charge and discharge exclude each other."""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger
from optimizer.problem import Problem


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger, *, exact: bool) -> None:
    """Add a block of every battery.

    ``exact`` adds the direction binary; without it a plan that charges and discharges at once is
    netted afterwards, which costs nothing wherever burning energy never pays.
    """
    block = model.battery = pyo.Block()
    names = [b.name for b in problem.batteries]
    at = [(b.name, t) for b in problem.batteries for t in range(problem.slots)]
    by_name = {b.name: b for b in problem.batteries}
    h, last = problem.step_h, problem.slots - 1

    def soc_bounds(_: pyo.Block, name: str, t: int) -> tuple[float, float]:
        b = by_name[name]
        low = max(b.soc_min, b.soc_end_min) if t == last and not ledger.elastic else b.soc_min
        return low, b.soc_max

    block.charge = pyo.Var(at, bounds=lambda _, name, t: (0.0, by_name[name].power))
    block.discharge = pyo.Var(at, bounds=lambda _, name, t: (0.0, by_name[name].power))
    block.soc = pyo.Var(at, bounds=soc_bounds)

    def energy_balance(_: pyo.Block, name: str, t: int) -> pyo.Expression:
        b = by_name[name]
        before = block.soc[name, t - 1] if t else b.soc_start
        change = b.charge_efficiency * block.charge[name, t] - block.discharge[name, t] / b.discharge_efficiency
        return block.soc[name, t] - before - h * change == 0

    block.energy_balance = pyo.Constraint(at, rule=energy_balance)
    if exact:
        block.charging = pyo.Var(at, domain=pyo.Binary)
        block.charge_only_when_charging = pyo.Constraint(
            at, rule=lambda _, name, t: block.charge[name, t] <= by_name[name].power * block.charging[name, t]
        )
        block.discharge_only_otherwise = pyo.Constraint(
            at, rule=lambda _, name, t: block.discharge[name, t] <= by_name[name].power * (1 - block.charging[name, t])
        )
    for name, t in at:
        ledger.demand[t].add(1.0, block.charge[name, t])
        ledger.supply[t].add(1.0, block.discharge[name, t])
        ledger.cost["wear"].add(h * by_name[name].wear_cost, block.discharge[name, t])
    if ledger.elastic:
        block.short_of_end = pyo.Var(names, domain=pyo.NonNegativeReals)
        block.reach_end = pyo.Constraint(
            names, rule=lambda _, name: block.soc[name, last] + block.short_of_end[name] >= by_name[name].soc_end_min
        )
        ledger.give(
            Give(
                ("battery", b.name),
                block.short_of_end[b.name],
                problem.unit_mw,
                None,
                f"battery {b.name} ends {{amount:.6g}} MWh short of soc_end_min_mwh "
                f"{b.soc_end_min * problem.unit_mw:g}; lower it or allow more import",
            )
            for b in problem.batteries
        )
