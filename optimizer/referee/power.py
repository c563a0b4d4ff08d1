"""Watts: pools, feeds, IT, heat, cooling, supply, grid and the balance of each slot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optimizer.document import PlanSeries

from .day import Day
from .findings import COOLING, POWER_FLOOR_MW, Findings, Floats, near_mw
from .nodes import check_nodes
from .runs import Track
from .units import check_units, curve


def check_power(day: Day, series: PlanSeries, tracks: Sequence[Track], findings: Findings) -> dict[str, Floats]:
    """Everything about power but batteries; series have been found to be of the right length. IT power of each pool."""
    said = {name: day.per_slot(getattr(series, name)) for name in PlanSeries.model_fields if _is_flat(series, name)}
    it, pool_mw = _it_power(day, tracks, series.nodes_on, findings)
    _check_load(day, said, series.unit_heat_mw, it, findings)
    _check_supply(day, said, findings)
    _check_grid(day, said, findings)
    charge, discharge = (
        np.sum([np.zeros(day.slots), *(day.per_slot(row) for row in rows.values())], axis=0)
        for rows in (series.charge_mw, series.discharge_mw)
    )
    generated, served = (
        np.sum([np.zeros(day.slots), *(day.per_slot(row) for row in rows.values())], axis=0)
        for rows in (series.generator_mw, series.inference_mw)
    )
    supply = said["pv_used_mw"] + said["wind_used_mw"] + said["import_mw"] + discharge + generated
    demand = said["heat_mw"] + said["cooling_mw"] + said["base_load_mw"] + said["export_mw"] + charge + served
    flows = [said[name] for name in ("import_mw", "export_mw", "pv_used_mw", "wind_used_mw", "heat_mw", "cooling_mw")]
    flows += [said["base_load_mw"], charge, discharge, generated, served]
    for k in np.flatnonzero(np.abs(supply - demand) > near_mw(*flows)):
        findings.add(
            "balance",
            f"supply is {supply[k]:.9g} MW, demand {demand[k]:.9g} MW",
            amount=supply[k] - demand[k],
            unit="MW",
            slot=int(k),
        )
    return pool_mw


def _is_flat(series: PlanSeries, name: str) -> bool:
    return isinstance(getattr(series, name), list)


def _it_power(
    day: Day, tracks: Sequence[Track], nodes_on: dict[str, list[int]], findings: Findings
) -> tuple[Floats, dict[str, Floats]]:
    """IT power per slot and by pool from the runs, with pools' GPUs and feeds' limits checked on the way."""
    total = np.sum([np.zeros(day.slots), *(t.pool_mw[None] for t in tracks if None in t.pool_mw)], axis=0)
    pool_mw: dict[str, Floats] = {}
    for pool in day.problem.pools:
        mine = [track for track in tracks if pool.name in track.gpus]
        used = np.sum([np.zeros(day.slots), *(t.gpus[pool.name] for t in mine)], axis=0)
        available = np.floor(day.per_slot(pool.gpus) * day.left(pool.maintenance) + 1e-9)
        findings.limits("pool.gpus", f"use of pool {pool.name}", used, available, np.full(day.slots, 0.5), "GPUs")
        idle = pool.idle_w_per_gpu * np.maximum(0, available - used) / 1e6
        if pool.nodes is not None:
            idle = check_nodes(day, pool, nodes_on[pool.name], available, used, findings)
        pool_mw[pool.name] = np.sum([idle, *(t.pool_mw[pool.name] for t in mine)], axis=0)
    for feed in day.problem.feeds:
        load = np.sum([np.zeros(day.slots), *(pool_mw[name] for name in dict.fromkeys(feed.pools))], axis=0)
        limit = day.per_slot(feed.limit_mw) * day.left(feed.maintenance)
        findings.limits("feed.limit", f"IT power of feed {feed.name}", load, limit, near_mw(limit), "MW")
    ours = [pool_mw[pool.name] for pool in day.problem.pools if pool.partner is None]
    return np.asarray(np.sum([total, *ours], axis=0), dtype=np.float64), pool_mw


def _check_load(
    day: Day, said: dict[str, Floats], units: dict[str, list[float]], it: Floats, findings: Findings
) -> None:
    problem = day.problem
    findings.same("power.it", "IT power", said["it_mw"], it, near_mw(it), "MW")
    heat = it / problem.distribution_efficiency
    findings.same("power.heat", "heat", said["heat_mw"], heat, near_mw(heat), "MW")
    base = day.per_slot(problem.series.base_load_mw)
    findings.same("power.base_load", "base load", said["base_load_mw"], base, near_mw(base), "MW")
    cooling = np.zeros(day.slots)
    if problem.cooling is not None:
        # with a thermal mass or a tank the plant draws for what it removes, which the plan tells
        out = said["heat_removed_mw"] if problem.cooling.holds_heat else heat
        cooling = curve(day, problem.cooling.tangents, out)
        if problem.cooling.capacity_heat_mw is not None:
            limit = day.per_slot(problem.cooling.capacity_heat_mw)
            findings.limits("cooling.capacity", "heat", out, limit, near_mw(limit), "MW")
        if problem.cooling.units:
            cooling = cooling + check_units(day, problem.cooling, units, out, findings)
    slack = COOLING * cooling + POWER_FLOOR_MW
    findings.same("power.cooling", "cooling power", said["cooling_mw"], cooling, slack, "MW")


def _check_supply(day: Day, said: dict[str, Floats], findings: Findings) -> None:
    given = day.problem.series
    for rule, what, used, available in (
        ("supply.pv", "PV used", said["pv_used_mw"], day.per_slot(given.pv_available_mw)),
        ("supply.wind", "wind used", said["wind_used_mw"], day.per_slot(given.wind_available_mw)),
    ):
        between(rule, what, used, available, findings)


def _check_grid(day: Day, said: dict[str, Floats], findings: Findings) -> None:
    grid = day.problem.grid
    bought, sold = said["import_mw"], said["export_mw"]
    left = day.left(grid.maintenance)
    between("grid.import_limit", "import", bought, day.per_slot(grid.import_limit_mw) * left, findings)
    between("grid.export_limit", "export", sold, day.per_slot(grid.export_limit_mw) * left, findings)
    exclusive("grid.exclusion", "import and export", bought, sold, findings)
    if grid.import_ramp_mw_per_slot is not None:
        net = bought - sold
        step = np.abs(np.diff(net, prepend=net[:1]))
        limit = day.per_slot(grid.import_ramp_mw_per_slot)
        slack = near_mw(net, np.roll(net, 1), limit)
        findings.limits("grid.ramp", "the step of import less export", step, limit, slack, "MW")


def between(rule: str, what: str, values: Floats, limit: Floats, findings: Findings) -> None:
    """``values`` lie between 0 and ``limit``."""
    slack = near_mw(limit)
    findings.limits(rule, what, values, limit, slack, "MW")
    for k in np.flatnonzero(values < -slack):
        text = f"{what} is {values[k]:.9g} MW, it cannot be negative"
        findings.add(rule, text, amount=-values[k], unit="MW", slot=int(k))


def exclusive(rule: str, what: str, one: Floats, other: Floats, findings: Findings) -> None:
    """``one`` and ``other`` are not both at work in a slot."""
    both = np.minimum(one, other)
    for k in np.flatnonzero(both > near_mw(one, other)):
        text = f"{what} exclude each other and are {one[k]:.9g} and {other[k]:.9g} MW"
        findings.add(rule, text, amount=both[k], unit="MW", slot=int(k))
