"""Thermal masses and tank: temperatures and stock recomputed from heat made and removed, held against their limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from optimizer.document import Cooling, NamedMass, PlanSeries, Tank, ThermalMass

from .day import Day
from .findings import POWER, POWER_FLOOR_MW, Findings, Floats, near_mw

PoolPower = Mapping[str, Floats]
"""IT power of each pool in MW, recounted from the runs."""

NEAR_K = 1e-3  # a thousandth of a degree: below what any sensor tells


@dataclass(frozen=True, eq=False)
class State:
    """One mass: its wish and where it stands, what is removed from it, its true temperature and the told one."""

    name: str
    wish: str
    place: str
    mass: ThermalMass
    removed: Floats
    true: Floats
    told: Floats


def states_of(day: Day, series: PlanSeries, pool_mw: PoolPower) -> list[State]:
    """Every mass of the site; none where it has none."""
    return [] if day.problem.cooling is None else list(_states(day, series, pool_mw, day.problem.cooling))


def _states(day: Day, series: PlanSeries, pool_mw: PoolPower, cooling: Cooling) -> Iterator[State]:
    if cooling.mass is not None:
        taken = day.per_slot(series.heat_removed_mw) - into_tank(day, series)
        made = day.per_slot(series.heat_mw)
        true, told = _temperature(day, cooling.mass, made, taken), day.per_slot(series.temperature_c)
        yield State("thermal mass", "cooling/recommended", "/cooling/mass", cooling.mass, taken, true, told)
    for number, mass in enumerate(cooling.masses):
        taken = day.per_slot(series.mass_removed_mw[mass.name])
        made = _entering(day, series, pool_mw, mass)
        true, told = _temperature(day, mass, made, taken), day.per_slot(series.mass_c[mass.name])
        wish, place = f"mass:{mass.name}/recommended", f"/cooling/masses/{number}"
        yield State(f"thermal mass {mass.name}", wish, place, mass, taken, true, told)


def _entering(day: Day, series: PlanSeries, pool_mw: PoolPower, mass: NamedMass) -> Floats:
    """Heat that enters a mass: of each pool by its own shares where it says some, of all the rest by the mass's."""
    rest, found = day.per_slot(series.heat_mw).copy(), np.zeros(day.slots)
    for pool in day.problem.pools:
        if pool.heat_shares is not None:
            mine = pool_mw[pool.name] / day.problem.distribution_efficiency
            rest = rest - mine
            found = found + pool.heat_shares.get(mass.name, 0.0) * mine
    return np.asarray(found + mass.heat_share * rest, dtype=np.float64)


def _temperature(day: Day, mass: ThermalMass, made: Floats, taken: Floats) -> Floats:
    around = day.per_slot(mass.surroundings_c, absent=mass.start_c)
    warm, found = mass.start_c, []
    for k in range(day.slots):
        cooled = around[k] + mass.kept_share * (warm - around[k])
        warm = cooled + day.step_h * (made[k] - taken[k]) / mass.mwh_per_k
        found.append(warm)
    return np.array(found)


def into_tank(day: Day, series: PlanSeries) -> Floats:
    """Cold that goes into the tank in each slot, read from what is in it; zeros without one."""
    tank = None if day.problem.cooling is None else day.problem.cooling.tank
    if tank is None:
        return np.zeros(day.slots)
    stored = day.per_slot(series.tank_mwh)
    before = np.concatenate([[tank.start_mwh], stored[:-1]])
    return np.asarray((stored - tank.kept_share * before) / day.step_h, dtype=np.float64)


def check_temperature(day: Day, series: PlanSeries, pool_mw: PoolPower, findings: Findings) -> None:
    """Temperatures that are told, their hard limits, how fast they move; the tank; and that the heat adds up."""
    cooling = day.problem.cooling
    if cooling is None or not cooling.holds_heat:
        return
    states = states_of(day, series, pool_mw)
    for state in states:
        _check_mass(day, state, findings)
    if cooling.tank is not None:
        _check_tank(day, cooling.tank, series, findings)
    gone, heat, into = day.per_slot(series.heat_removed_mw), day.per_slot(series.heat_mw), into_tank(day, series)
    _not_negative("the plant", gone, findings)
    in_masses = [heat] if cooling.mass is not None else [_entering(day, series, pool_mw, m) for m in cooling.masses]
    at_once = heat - np.sum([np.zeros(day.slots), *in_masses], axis=0)
    true = at_once + into + np.sum([np.zeros(day.slots), *(state.removed for state in states)], axis=0)
    near = near_mw(gone, heat, into)
    findings.same("thermal.removed", "the heat that the plant removes", gone, true, near, "MW")


def _check_mass(day: Day, state: State, findings: Findings) -> None:
    mass, true, near = state.mass, state.true, np.full(day.slots, NEAR_K)
    what = f"temperature of {state.name}"
    _not_negative(f"what is taken from {state.name}", state.removed, findings)
    findings.same("thermal.temperature", what, state.told, true, near, "degC")
    top = day.per_slot(mass.allowable_c).copy()
    if mass.end_most_c is not None:
        top[-1] = min(top[-1], mass.end_most_c)
    findings.limits("thermal.allowable", what, true, top, near, "degC")
    for k in np.flatnonzero(mass.lowest_c - true > near):
        text = f"{what} is {true[k]:.9g} degC, the lowest is {mass.lowest_c:.9g} degC"
        findings.add("thermal.lowest", text, amount=mass.lowest_c - true[k], unit="K", slot=int(k))
    if mass.most_change_k_per_slot is not None:
        step = np.abs(np.diff(true, prepend=mass.start_c))
        limit = day.per_slot(mass.most_change_k_per_slot)
        findings.limits("thermal.change", f"the step of the {what}", step, limit, near, "K")


def _not_negative(what: str, removed: Floats, findings: Findings) -> None:
    for k in np.flatnonzero(removed < -near_mw(removed)):
        text = f"{what} is said to remove {removed[k]:.9g} MW of heat"
        findings.add("thermal.removed", text, amount=-removed[k], unit="MW", slot=int(k))


def _check_tank(day: Day, tank: Tank, series: PlanSeries, findings: Findings) -> None:
    """Between empty and full, no faster in or out than it may, and full enough at the end."""
    stored, into = day.per_slot(series.tank_mwh), into_tank(day, series)
    near = np.full(day.slots, POWER * tank.energy_mwh + POWER_FLOOR_MW)
    findings.limits("tank.stored", "the tank", stored, day.per_slot(tank.energy_mwh), near, "MWh")
    findings.limits("tank.stored", "what is missing in the tank", -stored, np.zeros(day.slots), near, "MWh")
    fast = near_mw(day.per_slot(tank.fill_mw), day.per_slot(tank.draw_mw)) + near / day.step_h
    findings.limits("tank.flow", "the flow into the tank", into, day.per_slot(tank.fill_mw), fast, "MW")
    findings.limits("tank.flow", "the flow out of the tank", -into, day.per_slot(tank.draw_mw), fast, "MW")
    if tank.end_min_mwh - stored[-1] > near[-1]:
        text = f"the tank ends with {stored[-1]:.9g} MWh, end_min_mwh is {tank.end_min_mwh:.9g} MWh"
        findings.add("tank.end", text, amount=tank.end_min_mwh - stored[-1], unit="MWh", slot=day.slots - 1)
