"""Energy by rule, without a solver: sun and wind first, then import, batteries as told, what is short from stores.

What a ladder's lower rungs stand on. Nothing here is cheap on purpose; it only has to be right, and the referee
says whether it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optimizer.problem import Battery, Floats, Problem
from optimizer.schedule import Drawn, Energy
from optimizer.thermal import NAME, as_flows


def energy_by_rule(problem: Problem, drawn: Drawn, wishes: Mapping[str, Floats] | None = None) -> Energy:
    """Energy side for what pools and loads draw; limits of grid and ramp may be exceeded, the referee sees it.

    Args:
        problem: what to plan; all powers in its unit.
        drawn: IT power per slot, and of each pool.
        wishes: charge less discharge per slot by store; what its stock does not allow is cut. None: each battery
            stays idle, but charges in the cheapest slots with room what it owes at the end.

    Masses keep their temperature and a tank its stock. Where sun, wind and import do not suffice, batteries give what
    is short, then generating sets, then services.
    """
    heat = drawn.it / problem.efficiency
    cooling = problem.cooling_power(heat)
    need = heat + cooling + problem.base
    charge, discharge, soc = {}, {}, {}
    supply = problem.import_limit + problem.pv + problem.wind
    cold = problem.cold
    removal = None if cold is None else cold.steady(heat, drawn.entering(problem), problem.step_h)
    if cold is not None and removal is not None:
        more = problem.cooling_power(cold.plant(heat, removal)) - cooling
        charge[NAME], discharge[NAME], soc[NAME] = as_flows(more, problem.step_h)
        need = need + more
    for b in problem.batteries:
        if b.kind == "cold":
            continue
        wish = _owed(problem, b, need) if wishes is None else wishes.get(b.name, np.zeros(problem.slots))
        wish = _forced(problem, b, np.minimum(wish, supply - need))
        charge[b.name], discharge[b.name], soc[b.name] = _within_stock(problem, b, wish)
        need = need + charge[b.name] - discharge[b.name]
    pv = np.minimum(problem.pv, np.maximum(need, 0.0))
    wind = np.minimum(problem.wind, np.maximum(need - pv, 0.0))
    bought = np.maximum(need - pv - wind, 0.0)
    # must-take generation has to go; what sun and wind have left is sold where it earns something
    must_go = np.maximum(-need, 0.0)
    spare = np.where((problem.export_price > 0) & (bought <= 0), np.maximum(problem.export_limit - must_go, 0.0), 0.0)
    more_pv = np.minimum(problem.pv - pv, spare)
    more_wind = np.minimum(problem.wind - wind, spare - more_pv)
    sold = must_go + more_pv + more_wind
    sun, wind = pv + more_pv, wind + more_wind
    return Energy(drawn.it, heat, cooling, sun, wind, bought, sold, charge, discharge, soc, removal)


def _owed(problem: Problem, b: Battery, need: Floats) -> Floats:
    """Charging that ends the day at what is asked, in the cheapest slots with room."""
    wish = np.zeros(problem.slots)
    missing = max(b.soc_end_min, b.soc_min) - b.soc_start
    room = np.clip(problem.import_limit + problem.pv + problem.wind - need, 0.0, b.most_in)
    for t in np.argsort(problem.import_price + problem.carbon_cost, kind="stable"):
        if missing <= 0:
            break
        wish[t] = min(room[t], missing / (problem.step_h * b.charge_efficiency))
        missing -= problem.step_h * b.charge_efficiency * wish[t]
    return wish


def _forced(problem: Problem, b: Battery, wish: Floats) -> Floats:
    """The wish of a generating set: at least its least power where it gives, and on where it may not stop yet."""
    set_ = next((g for g in problem.generators if g.name == b.name), None)
    if set_ is None:
        return wish
    on = wish < 0
    if set_.on_before:
        on[: set_.stays] = True
    on &= set_.may_run
    return np.where(on, np.minimum(wish, -set_.least), wish)


def _within_stock(problem: Problem, b: Battery, wish: Floats) -> tuple[Floats, Floats, Floats]:
    """Charge, discharge and stock of a battery that follows a wish as far as its power and stock allow."""
    charge, discharge, soc = np.zeros(problem.slots), np.zeros(problem.slots), np.zeros(problem.slots)
    stock, h = b.soc_start, problem.step_h
    for t in range(problem.slots):
        charge[t] = min(max(wish[t], 0.0), b.most_in[t], max(0.0, b.soc_max - stock) / (h * b.charge_efficiency))
        discharge[t] = min(max(-wish[t], 0.0), b.most_out[t], max(0.0, stock - b.soc_min) * b.discharge_efficiency / h)
        stock += h * (b.charge_efficiency * charge[t] - discharge[t] / b.discharge_efficiency)
        soc[t] = stock
    return charge, discharge, soc
