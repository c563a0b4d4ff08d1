"""State that a plan in force leaves for the next one, where it was carried out: what a site asks of version 1.1.

Runs of generators, nodes that are on and since when, temperatures, cold in the tank, what the running billing interval,
promise and day of water have taken so far. Stored energy, peak, what the year has exported and the jobs' work are
followed by :mod:`api.following`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from models.horizon import Horizon, parse_rfc3339
from optimizer.document import PlanSeries
from optimizer.replay import Previous


def carried(horizon: Horizon, previous: Previous | None) -> dict[str, Any]:
    """State when ``horizon`` begins, as :func:`optimizer.compose_asks.with_asks` takes it; empty where nothing tells.

    A plan whose slots do not share the horizon's borders, or that begins after it, says nothing. Beyond its end
    its last state holds.
    """
    if previous is None or previous.problem is None or previous.plan.series is None:
        return {}
    gone = (horizon.start - previous.start) // horizon.step
    if gone < 0 or (horizon.start - previous.start) % horizon.step:
        return {}
    series, before = previous.plan.series, previous.problem
    passed = min(gone, len(series.import_mw))
    found: dict[str, Any] = {
        "billing_elapsed_mwh": _billing(before.get("grid") or {}, series, passed, horizon.step_h),
        "generators": {g["name"]: _generator(g, series, passed) for g in before.get("generators", [])},
        "promises": {
            n["id"]: _promised(n, series, previous.start, passed, horizon) for n in before.get("nominations", [])
        },
        "water_m3": _water(before.get("cooling") or {}, series, previous.start, passed, horizon),
    }
    found["nodes"] = {
        pool["name"]: _nodes(pool, series.nodes_on[pool["name"]], passed, gone)
        for pool in before.get("pools", [])
        if pool.get("nodes") is not None and pool["name"] in series.nodes_on
    }
    return found | _held_heat(before.get("cooling") or {}, series, passed)


def _held_heat(cooling: Mapping[str, Any], series: PlanSeries, passed: int) -> dict[str, Any]:
    """Temperature of each mass and cold in the tank; beyond the plan's end its last state."""
    found: dict[str, Any] = {}
    mass, tank = cooling.get("mass"), cooling.get("tank")
    if mass is not None and series.temperature_c is not None:
        found["temperature_c"] = series.temperature_c[passed - 1] if passed else mass["start_c"]
    named = {m["name"]: m["start_c"] for m in cooling.get("masses", []) if m["name"] in series.mass_c}
    if named:
        found["masses_c"] = {
            name: series.mass_c[name][passed - 1] if passed else start for name, start in named.items()
        }
    if tank is not None and series.tank_mwh is not None:
        found["tank_mwh"] = series.tank_mwh[passed - 1] if passed else tank["start_mwh"]
    return found


def _nodes(pool: Mapping[str, Any], on: Sequence[int], passed: int, gone: int) -> tuple[int, list[int]]:
    """Nodes that are on, and how many of them were started 1, 2, ... slots before.

    Slots beyond the plan's end count as such in which none was started.
    """
    told = pool["nodes"]
    before = told.get("on_before")
    if before is None:
        gpus = pool["gpus"]
        before = (gpus[0] if isinstance(gpus, list) else gpus) // told["gpus_per_node"]
    counts = [before, *on[:passed]]
    rises = [max(0, now - last) for last, now in itertools.pairwise(counts)]
    return counts[-1], [0] * (gone - passed) + rises[::-1] + list(told.get("started_before", []))


def _billing(grid: Mapping[str, Any], series: PlanSeries, passed: int, step_h: float) -> float:
    """MWh imported in the slots of the interval that runs when the horizon begins."""
    length, slots = grid.get("billing_interval_slots", 1), grid.get("billing_elapsed_slots", 0)
    energy = float(grid.get("billing_elapsed_mwh", 0.0))
    for k in range(passed):
        slots, energy = slots + 1, energy + step_h * series.import_mw[k]
        if slots >= length:
            slots, energy = 0, 0.0
    return round(energy, 9)


def _generator(raw: Mapping[str, Any], series: PlanSeries, passed: int) -> tuple[bool, int]:
    """Whether it runs, and for how many slots it has been so."""
    on, slots = bool(raw.get("on_before", False)), int(raw.get("state_slots", 1))
    for now in map(bool, series.generator_on.get(raw["name"], [])[:passed]):
        on, slots = now, slots + 1 if now == on else 1
    return on, slots


def _inside(raw: Mapping[str, Any], start: datetime, passed: int, horizon: Horizon) -> list[int]:
    first, last = parse_rfc3339(raw["start"]), parse_rfc3339(raw["end"])
    return [k for k in range(passed) if first <= start + k * horizon.step < last]


def _promised(raw: Mapping[str, Any], series: PlanSeries, start: datetime, passed: int, horizon: Horizon) -> float:
    """MWh that a promise has taken so far."""
    slots = _inside(raw, start, passed, horizon)
    taken = horizon.step_h * sum(series.import_mw[k] - series.export_mw[k] for k in slots)
    return round(float(raw.get("elapsed_mwh", 0.0)) + taken, 9)


def _water(cooling: Mapping[str, Any], series: PlanSeries, start: datetime, passed: int, horizon: Horizon) -> float:
    """m3 evaporated so far in the period of a limit that runs when the horizon begins."""
    rate = cooling.get("water_m3_per_mwh", 0.0)
    gone = series.heat_mw if series.heat_removed_mw is None else series.heat_removed_mw
    for raw in cooling.get("water_limits", []):
        if parse_rfc3339(raw["start"]) <= horizon.start < parse_rfc3339(raw["end"]):
            slots = _inside(raw, start, passed, horizon)
            used: float = sum((rate[k] if isinstance(rate, list) else rate) * gone[k] for k in slots)
            return float(round(raw.get("so_far_m3", 0.0) + horizon.step_h * used, 9))
    return 0.0


def with_readings(state: Mapping[str, Any], metered: Mapping[str, Any]) -> dict[str, Any]:
    """The carried state with what meters say in its place: ``temperature_c``, ``masses_c``, ``tank_mwh``, ``nodes_on``.

    A node that is on although no plan started it has been so for long.
    """
    found = {**state, **{key: value for key, value in metered.items() if key not in ("masses_c", "nodes_on")}}
    if "masses_c" in metered:
        found["masses_c"] = {**state.get("masses_c", {}), **metered["masses_c"]}
    nodes = state.get("nodes", {})
    told = {name: (on, nodes[name][1] if name in nodes else []) for name, on in metered.get("nodes_on", {}).items()}
    return found | ({"nodes": {**nodes, **told}} if told else {})
