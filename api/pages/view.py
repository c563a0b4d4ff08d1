"""The view model of the day: what HTML and JSON show, without words, from one edition.

``plan_view`` is what never changes with a plan (charts and tables are made of it), ``day_view`` adds
what the clock and the modes say. Powers MW, energies MWh, temperatures degC, W at the GPU, money in the
document's currency; ``None`` is unknown and is shown as such, never as 0.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from api.pages.clock import offset_text, read_horizon
from api.pages.view_jobs import job_views
from api.pages.view_plant import masses_view, plant_view
from models.horizon import Horizon, parse_rfc3339, rfc3339

MOST_GAP_SHOWN = 0.5  # a gap above this says nothing; documents.md: "gap not known yet"


def plan_view(edition: dict[str, Any]) -> dict[str, Any]:
    """What an edition shows at any time."""
    problem, plan = edition["problem"], edition["plan"]
    horizon = read_horizon(problem["horizon"])
    series = plan.get("series") or {}
    given = problem.get("series") or {}
    grid = problem.get("grid") or {}
    slots = horizon.slots
    gap = plan.get("gap")
    baseline = edition.get("baseline")
    view: dict[str, Any] = {
        "plan_id": edition["plan_id"],
        "version": f"{edition['plan_version']['epoch']}.{edition['plan_version']['seq']}",
        "site": edition.get("site") or problem["site"]["name"],
        "timezone": problem["site"].get("timezone", "UTC"),
        "currency": problem["site"].get("currency", "USD"),
        "created_at": edition["created_at"],
        "valid_from": edition["valid_from"],
        "valid_until": edition["valid_until"],
        "horizon": {
            "start": rfc3339(horizon.start),
            "end": rfc3339(horizon.end),
            "step_h": horizon.step_h,
            "slots": slots,
        },
        "status": plan["status"],
        "rung": plan["rung"],
        "gap": gap if gap is not None and gap <= MOST_GAP_SHOWN else None,
        "solve_seconds": plan["solve_seconds"],
        "objective": plan.get("objective"),
        "conflicts": plan.get("conflicts", []),
        "unmet": plan.get("unmet", []),
        "synthetic": _synthetic(edition),
        "sources": edition.get("sources") or [],
        "supply": {
            "pv": series.get("pv_used_mw"),
            "wind": series.get("wind_used_mw"),
            "battery": _sum(series.get("discharge_mw"), slots) if series else None,
            "import": series.get("import_mw"),
        },
        "demand": {
            "it": series.get("heat_mw"),
            "cooling": series.get("cooling_mw"),
            "base": series.get("base_load_mw"),
            "charge": _sum(series.get("charge_mw"), slots) if series else None,
            "export": series.get("export_mw"),
        },
        "it_mw": series.get("it_mw"),
        "available": {"pv": given.get("pv_available_mw"), "wind": given.get("wind_available_mw")},
        "bands": {
            "pv": (edition.get("bands") or {}).get("pv_available_mw"),
            "wind": (edition.get("bands") or {}).get("wind_available_mw"),
        },
        "forecasts": edition.get("forecasts") or {},
        "curves": edition.get("curves") or [],
        "batteries": _batteries(problem, series),
        "temperatures": {k: v for k, v in (edition.get("temperatures") or {}).items() if v},
        "masses": masses_view(problem, series),
        "plant": plant_view(problem, series),
        "limits": edition.get("limits") or {},
        "price": {"import": given.get("import_price_per_mwh"), "export": given.get("export_price_per_mwh")},
        "carbon": given.get("carbon_kg_per_mwh"),
        "import_limit_mw": _per_slot(grid.get("import_limit_mw", 0.0), slots),
        "terms": plan.get("terms", {}),
        "baseline_terms": baseline.get("terms", {}) if baseline else None,
        "baseline_note": edition.get("baseline_note"),
        "saving": edition.get("saving"),
        "steadiness": edition.get("steadiness") or {},
        "scenarios": edition.get("scenarios"),
        "jobs": job_views(edition, horizon),
        "pools": [pool["name"] for pool in problem.get("pools", [])],
    }
    for group, key, name in (("supply", "generator", "generator_mw"), ("demand", "services", "inference_mw")):
        if series.get(name):
            view[group][key] = _sum(series[name], slots)
    if series.get("temperature_c"):
        view["temperatures"]["mass_c"] = series["temperature_c"]
    view["curtailed"] = _curtailed(view)
    return view


def day_view(edition: dict[str, Any], modes: dict[str, str], now: datetime) -> dict[str, Any]:
    """The plan's view with what the clock says: ages, the slot that runs, what is abnormal."""
    view = plan_view(edition)
    zone = ZoneInfo(view["timezone"])
    horizon = read_horizon(edition["problem"]["horizon"])
    slot = horizon.slot(now)
    inside = 0 <= slot < horizon.slots
    view["live"] = {
        "now": rfc3339(now),
        "now_ms": int(now.timestamp() * 1000),
        "offset": offset_text(now, zone),
        "slot": slot if inside else None,
        "plan_age_s": (now - parse_rfc3339(view["created_at"])).total_seconds(),
        "expired": now >= parse_rfc3339(view["valid_until"]),
        "next_plan_at": edition.get("next_plan_at"),
        "modes": dict(sorted(modes.items())),
        "mode": mode_of_all(modes),
        "figures": _figures(view, slot if inside else None),
        "counts": _counts(view),
    }
    return view


def _figures(view: dict[str, Any], slot: int | None) -> list[dict[str, Any]]:
    """Analog bars of the running slot: value between its limits, all of them planned, not measured."""

    def at(values: list[float] | None) -> float | None:
        return values[slot] if values is not None and slot is not None else None

    used = _add(at(view["supply"]["pv"]), at(view["supply"]["wind"]))
    ready = _add(at(view["available"]["pv"]), at(view["available"]["wind"]))
    figures = [
        _figure("import", at(view["supply"]["import"]), "MW", 0.0, at(view["import_limit_mw"])),
        _figure("renewable", used, "MW", 0.0, ready),
    ]
    for battery in view["batteries"]:
        # stored energy stands at the end of a slot: while slot k runs, what stood at its start is known
        stored = None if slot is None else battery["soc_start_mwh"] if slot == 0 else battery["soc_mwh"][slot - 1]
        figures.append(_figure("stored", stored, "MWh", battery["min_mwh"], battery["max_mwh"], battery["name"]))
    hall = view["temperatures"].get("hall_air_c")
    if hall is not None:
        figures.append(_figure("hall", at(hall), "°C", 10.0, view["limits"].get("hall_air_allowable_c")))
    it, heat, cooling = at(view["it_mw"]), at(view["demand"]["it"]), at(view["demand"]["cooling"])
    ratio = (heat + cooling) / it if it and heat is not None and cooling is not None else None
    figures.append(_figure("pue", ratio, "", 1.0, 2.0))
    return figures


def _figure(
    key: str, value: float | None, unit: str, low: float | None, high: float | None, name: str | None = None
) -> dict[str, Any]:
    share = None
    if value is not None and low is not None and high is not None and high > low:
        share = min(1.0, max(0.0, (value - low) / (high - low)))
    quality = "unknown" if value is None else "planned"
    return {
        "key": key,
        "name": name,
        "value": value,
        "unit": unit,
        "low": low,
        "high": high,
        "share": share,
        "quality": quality,
    }


def _counts(view: dict[str, Any]) -> dict[str, int]:
    standings = [job["standing"] for job in view["jobs"]]
    return {word: standings.count(word) for word in ("unmet", "late", "risk", "held", "waiting", "on_time", "done")}


def mode_of_all(modes: dict[str, str]) -> str:
    """The one mode of all pools and assets, ``mixed``, or ``unknown`` where none is known."""
    found = set(modes.values())
    return "unknown" if not found else found.pop() if len(found) == 1 else "mixed"


def _synthetic(edition: dict[str, Any]) -> bool:
    sources = any(source.get("synthetic") for source in edition.get("sources") or [])
    return sources or any(label.get("synthetic") for label in (edition.get("job_labels") or {}).values())


def _batteries(problem: dict[str, Any], series: dict[str, Any]) -> list[dict[str, Any]]:
    stored = series.get("soc_mwh") or {}
    return [
        {
            "name": battery.get("name", "battery"),
            "soc_mwh": stored[battery.get("name", "battery")],
            "soc_start_mwh": battery["soc_start_mwh"],
            "min_mwh": battery.get("soc_min_mwh", 0.0),
            "max_mwh": battery["energy_mwh"] if battery.get("soc_max_mwh") is None else battery["soc_max_mwh"],
            "end_min_mwh": battery.get("soc_end_min_mwh", 0.0),
        }
        for battery in problem.get("batteries", [])
        if battery.get("name", "battery") in stored
    ]


def _curtailed(view: dict[str, Any]) -> list[float] | None:
    """Sun and wind that were there and not used, MW per slot."""
    if view["supply"]["pv"] is None:
        return None
    total = [0.0] * view["horizon"]["slots"]
    for name in ("pv", "wind"):
        available = view["available"][name]
        if available is not None:
            total = [t + max(0.0, a - u) for t, a, u in zip(total, available, view["supply"][name], strict=True)]
    return total


def _sum(named: dict[str, list[float]] | None, slots: int) -> list[float]:
    return [sum(values[k] for values in (named or {}).values()) for k in range(slots)]


def _per_slot(value: float | list[float], slots: int) -> list[float]:
    return list(value) if isinstance(value, list) else [float(value)] * slots


def _add(*values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def horizon_of(view: dict[str, Any]) -> Horizon:
    """Horizon that a view was made of."""
    given = view["horizon"]
    return read_horizon({"start": given["start"], "step_minutes": round(given["step_h"] * 60), "slots": given["slots"]})
