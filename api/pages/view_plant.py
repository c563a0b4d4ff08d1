"""What a plan has the plant do beside power flows: sets, nodes, units, tank, masses. Empty where a site has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plant_view(problem: Mapping[str, Any], series: Mapping[str, Any]) -> dict[str, Any]:
    """MW of each generating set, nodes on by pool, MW of heat by unit; the tank's MWh at slot borders."""
    cooling = problem.get("cooling") or {}
    tank, stored = cooling.get("tank"), series.get("tank_mwh")
    return {
        "generators": series.get("generator_mw") or {},
        "nodes": series.get("nodes_on") or {},
        "units": series.get("unit_heat_mw") or {},
        "tank": None
        if tank is None or stored is None
        else {"stored_mwh": [tank["start_mwh"], *stored], "energy_mwh": tank["energy_mwh"]},
    }


def masses_view(problem: Mapping[str, Any], series: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each of several masses: its temperature at the end of each slot, what is recommended and what allowed."""
    warm = series.get("mass_c") or {}
    return [
        {
            "name": mass["name"],
            "c": warm[mass["name"]],
            "recommended_c": mass.get("recommended_c"),
            "allowable_c": mass["allowable_c"],
        }
        for mass in (problem.get("cooling") or {}).get("masses") or []
        if mass["name"] in warm
    ]
