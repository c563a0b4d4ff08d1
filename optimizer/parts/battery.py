"""Batteries: state of charge slot by slot, recursively; charge and discharge exclude each other.

Generating sets and services stand here as stores that nothing charges (:mod:`optimizer.devices`).
"""

from __future__ import annotations

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger
from optimizer.problem import Problem

_TERM = {"battery": "wear", "generator": "fuel", "service": "wishes", "cold": "wear"}


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger, *, exact: bool) -> None:
    """Add a block of every battery.

    ``exact`` adds the direction binary; without it a plan that charges and discharges at once is
    netted afterwards, which costs nothing wherever burning energy never pays.
    """
    block = model.battery = pyo.Block()
    names = [b.name for b in problem.batteries if b.kind == "battery"]
    at = [(b.name, t) for b in problem.batteries for t in range(problem.slots)]
    by_name = {b.name: b for b in problem.batteries}
    h, last = problem.step_h, problem.slots - 1

    def soc_bounds(_: pyo.Block, name: str, t: int) -> tuple[float, float]:
        b = by_name[name]
        low = max(b.soc_min, b.soc_end_min) if t == last and not ledger.elastic else b.soc_min
        return low, b.soc_max

    block.charge = pyo.Var(at, bounds=lambda _, name, t: (0.0, float(by_name[name].most_in[t])))
    block.discharge = pyo.Var(at, bounds=lambda _, name, t: (0.0, float(by_name[name].most_out[t])))
    block.soc = pyo.Var(at, bounds=soc_bounds)

    def energy_balance(_: pyo.Block, name: str, t: int) -> pyo.Expression:
        b = by_name[name]
        before = block.soc[name, t - 1] if t else b.soc_start
        change = b.charge_efficiency * block.charge[name, t] - block.discharge[name, t] / b.discharge_efficiency
        return block.soc[name, t] - before - h * change == 0

    block.energy_balance = pyo.Constraint(at, rule=energy_balance)
    if exact:
        two_way = [(name, t) for name, t in at if by_name[name].most_in[t] > 0]
        block.charging = pyo.Var(two_way, domain=pyo.Binary)
        block.charge_only_when_charging = pyo.Constraint(
            two_way, rule=lambda _, name, t: block.charge[name, t] <= by_name[name].power * block.charging[name, t]
        )
        block.discharge_only_otherwise = pyo.Constraint(
            two_way,
            rule=lambda _, name, t: block.discharge[name, t] <= by_name[name].power * (1 - block.charging[name, t]),
        )
    _reserve(block, problem, ledger)
    for name, t in at:
        ledger.taken[name, t].add(1.0, block.charge[name, t])
        ledger.given[name, t].add(1.0, block.discharge[name, t])
        ledger.demand[t].plus(ledger.taken[name, t])
        ledger.supply[t].plus(ledger.given[name, t])
        ledger.cost[_TERM[by_name[name].kind]].add(h * float(by_name[name].out_cost[t]), block.discharge[name, t])
    for b in problem.batteries:
        ledger.cost["stored"].add(-b.end_value, block.soc[b.name, last])
        ledger.cost["stored"].constant += b.end_value * b.soc_start
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
            if b.kind == "battery"
        )


def _reserve(block: pyo.Block, problem: Problem, ledger: Ledger) -> None:
    """Ride-through energy at the end of each slot, or what is missing of it at its price."""
    h, mw = problem.step_h, problem.unit_mw
    by_name = {b.name: b for b in problem.batteries}
    at = [(b.name, t) for b in problem.batteries for t in range(problem.slots) if b.reserve[t] > 0]
    soft = [(name, t) for name, t in at if ledger.gives_way(by_name[name].reserve_cost)]
    block.below_reserve = pyo.Var(soft, bounds=lambda _, name, t: (0.0, float(by_name[name].reserve[t])))

    def keep_reserve(_: pyo.Block, name: str, t: int) -> pyo.Expression:
        held = block.soc[name, t]
        if (name, t) in block.below_reserve:
            held += block.below_reserve[name, t]
        return held >= by_name[name].soc_min + float(by_name[name].reserve[t])

    block.keep_reserve = pyo.Constraint(at, rule=keep_reserve)
    for name, t in soft:
        cost = by_name[name].reserve_cost
        if cost is not None:
            ledger.cost["wishes"].add(h * cost, block.below_reserve[name, t])
        elif ledger.elastic:
            sentence = (
                f"battery {name} holds {{amount:.6g}} MWh less than its reserve_mwh "
                f"{by_name[name].reserve[t] * mw:g}; lower it or give below_reserve_cost_per_mwh_h"
            )
            ledger.give([Give(("battery reserve", name), block.below_reserve[name, t], mw, t, sentence)])
