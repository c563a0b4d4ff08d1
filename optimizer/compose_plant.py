"""What a site file says of its plant in the contract's words: nodes that switch, maintenance, units, masses, a tank.

Each function gives what is to be merged into a section of a composed document; nothing where nothing is asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from models.cooling_plant import CoolingPlant, CoolingUnit
from models.held_heat import Mass, Tank
from models.horizon import Horizon, rfc3339
from models.site import GpuPool, Site
from models.site_asks import Maintenance, Nodes, Span

_DIGITS = 9


def span(one: Span, horizon: Horizon) -> dict[str, str]:
    """Whole slots that a time touches, as the contract tells them."""
    first = (one.start - horizon.start) // horizon.step
    last = -((horizon.start - one.end) // horizon.step)
    return {"start": rfc3339(horizon.at(first)), "end": rfc3339(horizon.at(last))}


def touches(one: Span, horizon: Horizon) -> bool:
    """Whether any of it lies inside the horizon."""
    return one.start < horizon.end and one.end > horizon.start


def upkeep(listed: Sequence[Maintenance], horizon: Horizon) -> dict[str, Any]:
    """Maintenance of one asset, as far as it touches the horizon."""
    rows = [
        {**span(one, horizon), "left_share": one.left_share, "reason": one.reason}
        for one in listed
        if touches(one, horizon)
    ]
    return {"maintenance": rows} if rows else {}


def pool(
    site: Site, raw: Mapping[str, Any], running_gpus: int, horizon: Horizon, state: Mapping[str, Any]
) -> dict[str, Any]:
    """Nodes, maintenance and heat shares of a pool; a partner's pool has none of them."""
    found = next((one for one in site.pools if one.name == raw["name"]), None)
    if found is None:
        return {}
    told = upkeep(found.maintenance, horizon)
    if found.heat_shares is not None:
        told["heat_shares"] = dict(found.heat_shares)
    if found.nodes is not None:
        told["nodes"] = _nodes(found, found.nodes, running_gpus, horizon, state.get("nodes", {}).get(found.name))
    return told


def _nodes(
    pool: GpuPool, nodes: Nodes, running_gpus: int, horizon: Horizon, known: tuple[int, Sequence[int]] | None
) -> dict[str, Any]:
    """Nodes with their state: those that carry a running job are up, whatever else is said of them, and a least run
    ends where maintenance begins."""
    there = pool.gpus // pool.gpus_per_node
    boot = _slots(nodes.boot_minutes, horizon)
    least = max(1, boot, _slots(nodes.min_up_minutes, horizon))
    on, started = known or (there if nodes.on_assumed is None else nodes.on_assumed, ())
    needed = -(-running_gpus // pool.gpus_per_node)
    on = max(min(on, there), needed)
    told = _at_most(list(started)[: least - 1], on)
    told = [*_at_most(told[: max(0, boot - 1)], on - needed), *told[max(0, boot - 1) :]]
    for t in range(len(told)):
        # whoever may not be off yet has to go where maintenance takes its node
        staying = max(0, least - 1 - t)
        told = [*_at_most(told[:staying], _there(pool, horizon, t)), *told[staying:]]
    found = {"gpus_per_node": pool.gpus_per_node, "boot_slots": boot, "min_up_slots": least, "off_w": nodes.off_w}
    return found | {"on_before": on, "started_before": told}


def _there(pool: GpuPool, horizon: Horizon, t: int) -> int:
    """Nodes that maintenance leaves in a slot."""
    first, end = horizon.at(t), horizon.at(t + 1)
    left = min([1.0, *(one.left_share for one in pool.maintenance if one.start < end and one.end > first)])
    return math.floor(pool.gpus * left + 1e-9) // pool.gpus_per_node


def _at_most(started: list[int], most: int) -> list[int]:
    """Starts, the newest first, as many as there can be; what is too many is taken from the oldest."""
    found = []
    for n in started:
        found.append(min(n, max(0, most)))
        most -= n
    return found


def _slots(minutes: float, horizon: Horizon) -> int:
    return -(-timedelta(minutes=minutes) // horizon.step)


def plant(
    document: Mapping[str, Any], of: CoolingPlant, horizon: Horizon, state: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Units, masses and tank of a plant, and which fields of the composed plant they stand in place of."""
    told: dict[str, Any] = {}
    instead: tuple[str, ...] = ()
    if of.units:
        dry, wet = document["series"]["dry_bulb_c"], document["series"]["wet_bulb_c"]
        told["units"] = [_unit(one, of.tangents, dry, wet, horizon) for one in of.units]
        told["spare_units"] = of.spare_units
        # what each unit draws is all that the plant draws, and what they can remove its capacity
        told["tangents"], instead = [{"slope": 0.0, "intercept_mw": 0.0}], ("capacity_heat_mw",)
    if of.mass is not None:
        told["mass"] = _mass(of.mass, horizon, state.get("temperature_c"))
    if of.masses:
        warm = state.get("masses_c", {})
        told["masses"] = [
            {"name": m.name, "heat_share": m.heat_share, **_mass(m, horizon, warm.get(m.name))} for m in of.masses
        ]
    if of.tank is not None:
        told["tank"] = _tank(of.tank, horizon, state.get("tank_mwh"))
    return told, instead


def _unit(
    unit: CoolingUnit, pieces: int, dry: Sequence[float], wet: Sequence[float], horizon: Horizon
) -> dict[str, Any]:
    from models.cooling import unit_tangents  # heavy: the web process knows this module

    found = unit_tangents(unit, dry, wet, pieces)
    told: dict[str, Any] = {
        "name": unit.name,
        "capacity_heat_mw": _rounded(found.capacity_heat_mw),
        "tangents": [
            {"slope": _rounded(slope), "intercept_mw": _rounded(intercept)}
            for slope, intercept in zip(found.slope, found.intercept_mw, strict=True)
        ],
    }
    if unit.free_only:
        bulb = "wet_bulb_c" if unit.wet else "dry_bulb_c"
        told["free"] = {"bulb": bulb, "full_below_c": unit.full_below_c, "none_above_c": unit.none_above_c}
    return told | upkeep(unit.maintenance, horizon)


_OF_A_MASS = {
    "mwh_per_k",
    "lowest_c",
    "allowable_c",
    "recommended_c",
    "above_recommended_cost_per_k_h",
    "end_most_c",
}


def _mass(mass: Mass, horizon: Horizon, warm_c: float | None) -> dict[str, Any]:
    told = mass.model_dump(include=_OF_A_MASS, exclude_none=True)
    start = mass.assumed_c if warm_c is None else warm_c
    told["start_c"] = min(max(start, mass.lowest_c), mass.allowable_c)
    if mass.most_change_k_per_h is not None:
        told["most_change_k_per_slot"] = mass.most_change_k_per_h * horizon.step_h
    if mass.time_constant_h is not None:
        told["kept_share"] = math.exp(-horizon.step_h / mass.time_constant_h)
        told["surroundings_c"] = mass.assumed_c if mass.surroundings_c is None else mass.surroundings_c
    return told


def _tank(tank: Tank, horizon: Horizon, stored_mwh: float | None) -> dict[str, Any]:
    kept = (1.0 - tank.loss_share_per_h) ** horizon.step_h
    start = tank.assumed_mwh if stored_mwh is None else min(max(stored_mwh, 0.0), tank.energy_mwh)
    reach = start
    for _ in range(horizon.slots):
        reach = min(tank.energy_mwh, kept * reach + horizon.step_h * tank.fill_mw)
    told = tank.model_dump(include={"energy_mwh", "fill_mw", "draw_mw"})
    # an end that filling all day does not reach would leave no plan at all
    return told | {"start_mwh": start, "end_min_mwh": min(tank.end_min_mwh, reach), "kept_share": kept}


def _rounded(values: Sequence[float] | Any) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]
