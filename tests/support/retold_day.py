"""The same day told differently: in other units, later in the week, or with more or less of something."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

Document = dict[str, Any]


def _times(value: Any, factor: float) -> Any:
    if value is None:
        return None
    return [number * factor for number in value] if isinstance(value, list) else value * factor


def _scale(part: Document, factor: float, *names: str) -> None:
    for name in names:
        if name in part:
            part[name] = _times(part[name], factor)


def in_kilowatts(day: Document, factor: float = 1000.0) -> Document:
    """Every power and energy times ``factor``, every price of power or energy by it: the same money."""
    told = copy.deepcopy(day)
    series, grid = told.get("series", {}), told.get("grid", {})
    _scale(series, factor, "pv_available_mw", "wind_available_mw", "base_load_mw")
    _scale_asks(told, factor)
    _scale(series, 1 / factor, "import_price_per_mwh", "export_price_per_mwh")
    _scale(grid, factor, "import_limit_mw", "export_limit_mw", "peak_so_far_mw", "import_ramp_mw_per_slot")
    # carbon per megawatt hour stays, so a kilogram gets cheaper
    _scale(grid, 1 / factor, "demand_charge_per_mw", "carbon_price_per_kg")
    energies = ("power_mw", "energy_mwh", "soc_start_mwh", "soc_min_mwh", "soc_max_mwh", "soc_end_min_mwh")
    for battery in told.get("batteries", []):
        _scale(battery, factor, *energies)
        _scale(battery, 1 / factor, "wear_cost_per_mwh")
    cooling = told.get("cooling")
    if cooling is not None:
        _scale(cooling, factor, "capacity_heat_mw")
        for tangent in cooling["tangents"]:
            _scale(tangent, factor, "intercept_mw")
    for pool in told.get("pools", []):
        _scale(pool, factor, "idle_w_per_gpu")
        _scale(pool.get("nodes") or {}, factor, "off_w")
    for feed in told.get("feeds", []):
        _scale(feed, factor, "limit_mw")
    for job in told["jobs"]:
        for level in job["levels"]:
            _scale(level, factor, "power_mw")
    return told


def _scale_asks(told: Document, factor: float) -> None:
    """The fields of version 1.1 in other units."""
    grid, cooling = told.get("grid", {}), told.get("cooling") or {}
    _scale(grid, factor, "billing_elapsed_mwh", "export_allowance_mwh", "exported_so_far_mwh", "carbon_budget_kg")
    _scale(grid, 1 / factor, "above_carbon_budget_cost_per_kg", "below_renewable_share_cost_per_mwh")
    for event in told.get("events", []):
        _scale(event, factor, "most_import_mw", "least_import_mw")
        _scale(event, 1 / factor, "cost_per_mwh")
    for promise in told.get("nominations", []):
        _scale(promise, factor, "import_mw", "elapsed_mwh")
        _scale(promise, 1 / factor, "over_cost_per_mwh", "under_cost_per_mwh")
    for battery in told.get("batteries", []):
        _scale(battery, factor, "reserve_mwh")
        _scale(battery, 1 / factor, "below_reserve_cost_per_mwh_h", "soc_end_value_per_mwh")
    if told.get("reserve") is not None:
        _scale(told["reserve"], factor, "drop_mw")
        _scale(told["reserve"], 1 / factor, "cost_per_mwh")
    for machine in told.get("generators", []):
        _scale(machine, factor, "power_mw", "min_power_mw", "fuel_mwh")
        _scale(machine, 1 / factor, "fuel_cost_per_mwh")
    for service in told.get("inference", []):
        _scale(service, factor, "power_mw", "min_power_mw")
        _scale(service, 1 / factor, "below_nominal_cost_per_mwh")
    # a cubic metre stays one, so that a megawatt hour evaporates less of it
    _scale(cooling, 1 / factor, "water_m3_per_mwh")
    if cooling.get("mass") is not None:
        _scale(cooling["mass"], factor, "mwh_per_k")
    for mass in cooling.get("masses", []):
        _scale(mass, factor, "mwh_per_k")
    if cooling.get("tank") is not None:
        _scale(cooling["tank"], factor, "energy_mwh", "fill_mw", "draw_mw", "start_mwh", "end_min_mwh")


def later(day: Document, days: int = 7) -> Document:
    """Every time of the document moved."""
    told = copy.deepcopy(day)

    def moved(text: str) -> str:
        return (datetime.fromisoformat(text) + timedelta(days=days)).isoformat()

    told["horizon"]["start"] = moved(told["horizon"]["start"])
    for job in told["jobs"]:
        for name in ("release", "deadline", "pinned_start"):
            if job.get(name) is not None:
                job[name] = moved(job[name])
    return told


def with_sun(day: Document, factor: float = 1.1) -> Document:
    """More sun."""
    told = copy.deepcopy(day)
    _scale(told["series"], factor, "pv_available_mw")
    return told


def without_batteries(day: Document) -> Document:
    """No battery."""
    return {**copy.deepcopy(day), "batteries": []}
