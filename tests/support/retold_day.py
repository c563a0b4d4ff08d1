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
    for feed in told.get("feeds", []):
        _scale(feed, factor, "limit_mw")
    for job in told["jobs"]:
        for level in job["levels"]:
            _scale(level, factor, "power_mw")
    return told


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
