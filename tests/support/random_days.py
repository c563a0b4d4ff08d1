"""Tiny random problem documents from a seed, rich in the corners of the contract."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

_START = datetime(2026, 11, 9, tzinfo=UTC)


def day(seed: int) -> dict[str, Any]:
    """A document of 3 to 6 slots, up to three jobs, and each other part with some chance."""
    dice = random.Random(seed)
    slots, step = dice.randint(3, 6), dice.choice([15, 30, 60])
    hours = step / 60

    def maybe(chance: float) -> bool:
        return dice.random() < chance

    def row(low: float, high: float, digits: int = 1) -> list[float]:
        return [round(dice.uniform(low, high), digits) for _ in range(slots)]

    cheap = -20.0 if maybe(0.3) else 5.0
    series: dict[str, Any] = {"import_price_per_mwh": row(cheap, 60.0)}
    grid: dict[str, Any] = {"import_limit_mw": row(2.0, 8.0) if maybe(0.3) else round(dice.uniform(3.0, 8.0), 1)}
    if maybe(0.5):
        series["pv_available_mw"] = row(0.0, 3.0)
    if maybe(0.3):
        series["wind_available_mw"] = row(0.0, 2.0)
    if maybe(0.5):
        series["base_load_mw"] = row(-1.0 if maybe(0.3) else 0.2, 1.5)
    if maybe(0.6):
        grid["export_limit_mw"] = row(0.5, 4.0) if maybe(0.3) else round(dice.uniform(1.0, 4.0), 1)
        series["export_price_per_mwh"] = row(-10.0 if maybe(0.3) else 0.0, 50.0)
    if maybe(0.3):
        grid["demand_charge_per_mw"] = round(dice.uniform(1.0, 30.0), 1)
        grid["peak_so_far_mw"] = round(dice.uniform(0.0, 3.0), 1)
    if maybe(0.2):
        grid["import_ramp_mw_per_slot"] = round(dice.uniform(1.0, 4.0), 1)
    if maybe(0.3):
        series["carbon_kg_per_mwh"] = row(0.0, 600.0)
        grid["carbon_price_per_kg"] = 0.05
    document: dict[str, Any] = {
        "schema_version": "1.0",
        "name": f"random-{seed}",
        "site": {"name": "random"},
        "horizon": {"start": _START.isoformat(), "step_minutes": step, "slots": slots},
        "gap": 1e-9,
        "series": series,
        "grid": grid,
    }
    if maybe(0.4):
        document["batteries"] = [_battery(dice, k) for k in range(dice.choice([1, 1, 2]))]
    if maybe(0.4):
        document["cooling"] = _cooling(dice, slots)
    if maybe(0.4):
        document["distribution_efficiency"] = 0.9
    gpus: Any = dice.randint(6, 12)
    if maybe(0.2):
        gpus = [gpus - dice.choice([0, 0, 2]) for _ in range(slots)]
    document["pools"] = [{"name": "hall", "gpu": "H100", "gpus": gpus, "idle_w_per_gpu": dice.choice([0.0, 20000.0])}]
    if maybe(0.3):
        document["feeds"] = [{"name": "ups", "pools": ["hall"], "limit_mw": round(dice.uniform(1.5, 4.0), 1)}]
    document["jobs"] = [_job(dice, k, slots, step, hours) for k in range(dice.randint(1, 3))]
    _mend_states(document["jobs"], gpus[0] if isinstance(gpus, list) else gpus)
    return document


def _mend_states(jobs: list[dict[str, Any]], gpus: int) -> None:
    """More running GPUs than there are is refused; of running aggregates only preemptible ones are drawn.

    (Whether each copy of another one must stay on in slot 0 is read in two ways.)
    """
    for job in jobs:
        if job["state"] == "running":
            gpus -= job.get("count", 1) * job.get("gpus", 0)
            if gpus < 0:
                job["state"] = "queued"
                del job["ran_slots"]
            elif job.get("count", 1) > 1:
                job["preemptible"] = True


def _battery(dice: random.Random, number: int) -> dict[str, Any]:
    energy = round(dice.uniform(0.5, 3.0), 1)
    start = round(dice.uniform(0.2, 0.8) * energy, 2)
    return {
        "name": f"store-{number}",
        "power_mw": round(dice.uniform(0.3, 1.5), 1),
        "energy_mwh": energy,
        "charge_efficiency": dice.choice([1.0, 0.9]),
        "discharge_efficiency": dice.choice([1.0, 0.9]),
        "soc_start_mwh": start,
        "soc_min_mwh": round(0.1 * energy, 2),
        "soc_end_min_mwh": dice.choice([0.0, start]),
        "wear_cost_per_mwh": dice.choice([0.0, 3.0]),
    }


def _cooling(dice: random.Random, slots: int) -> dict[str, Any]:
    tangents = [{"slope": 0.1, "intercept_mw": dice.choice([0.05, -0.1])}]
    if dice.random() < 0.6:
        slope = [round(dice.uniform(0.2, 0.5), 2) for _ in range(slots)]
        tangents.append({"slope": slope, "intercept_mw": [round(-s, 2) for s in slope]})  # type: ignore[dict-item]
    capacity = dice.choice([None, None, round(dice.uniform(3.0, 5.0), 1)])
    return {"tangents": tangents, "capacity_heat_mw": capacity}


def _levels(dice: random.Random) -> list[dict[str, Any]]:
    top = round(dice.uniform(0.5, 2.0), 2)
    kind = dice.random()
    if kind < 0.35:
        return [{"power_mw": top, "speed": 1.0}]
    if kind < 0.7:
        return [
            {"power_mw": round(0.6 * top, 3), "speed": 0.75, "limit_w": 400.0},
            {"power_mw": top, "speed": 1.0, "limit_w": 700.0},
        ]
    if kind < 0.8:
        return [{"power_mw": 0.0, "speed": 0.0}, {"power_mw": top, "speed": 1.0}]
    return [
        {"power_mw": round(0.5 * top, 3), "speed": 0.65, "limit_w": 300.0},
        {"power_mw": round(0.7 * top, 3), "speed": 0.85, "limit_w": 450.0},
        {"power_mw": top, "speed": 1.0, "limit_w": 700.0},
    ]


def _job(dice: random.Random, number: int, slots: int, step: int, hours: float) -> dict[str, Any]:
    def at(slot: int) -> str:
        return (_START + timedelta(minutes=step * slot)).isoformat()

    def maybe(chance: float) -> bool:
        return dice.random() < chance

    work = round(dice.choice([0.5, 1.0, 1.5, 2.0, 2.5, 3.0]) * hours, 4)
    job: dict[str, Any] = {"id": f"job-{number}", "work_h": work, "levels": _levels(dice), "release": at(0)}
    if maybe(0.6):
        job |= {"pool": "hall", "gpus": dice.randint(1, 4)}
    if maybe(0.3):
        job["release"] = at(dice.randint(-2, slots))
    if maybe(0.4):
        job["deadline"] = at(dice.randint(-1, slots + 1))
    if maybe(0.5):
        job["late_cost_per_h"] = round(dice.uniform(0.0, 40.0), 1)
    if maybe(0.75):
        job["unmet_cost_per_h"] = round(dice.uniform(10.0, 150.0), 1)
    if maybe(0.3):
        job["due_h"] = round(work * dice.choice([0.0, 0.5, 0.8]), 4)
        job["work_value_per_h"] = round(dice.uniform(0.0, job.get("unmet_cost_per_h", 60.0)), 1)
    job["preemptible"] = maybe(0.65)
    if maybe(0.4):
        job["restart_loss_h"] = round(dice.choice([0.25, 0.5]) * hours, 4)
    if maybe(0.3):
        job["start_cost"] = round(dice.uniform(0.5, 10.0), 1)
    job["state"] = dice.choice(["queued", "queued", "running", "paused"])
    if job["state"] == "running":
        job["ran_slots"] = dice.randint(0, 3)
    if maybe(0.2):
        job["count"] = 2
        return job
    if maybe(0.35):
        job["min_run_slots"] = dice.randint(2, 3)
    if maybe(0.3):
        job["min_pause_slots"] = dice.randint(2, 3)
    if maybe(0.3):
        job["max_pauses"] = dice.randint(0, 1)
    if maybe(0.1):
        job["pinned_start"] = at(dice.randint(-1, slots))
    if maybe(0.05):
        job["held"] = True
    return job
