"""Tiny random days of version 1.1: those of :mod:`random_days` with duties, machines and water added from a seed."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import random_days


def day(seed: int) -> dict[str, Any]:
    """A random day and, each with some chance, everything that version 1.1 can ask of its energy side."""
    raw = random_days.day(seed)
    dice = random.Random(f"asks {seed}")
    raw["schema_version"] = "1.1"
    for add in (
        _grid,
        _events,
        _nominations,
        _reserves,
        _machines,
        _water,
        _mass,
        _order,
        _ways,
        _clocks,
        _surplus,
        _in_force,
        _nodes,
        _storage,
        _heat_shares,
    ):
        add(raw, dice)
    return raw


def _at(raw: dict[str, Any], slot: int) -> str:
    start = datetime.fromisoformat(raw["horizon"]["start"])
    return (start + timedelta(minutes=raw["horizon"]["step_minutes"] * slot)).isoformat()


def _period(raw: dict[str, Any], dice: random.Random) -> dict[str, str]:
    slots = raw["horizon"]["slots"]
    first = dice.randint(-1, slots - 1)
    return {"start": _at(raw, first), "end": _at(raw, dice.randint(first + 1, slots + 1))}


def _maybe_price(dice: random.Random, most: float) -> dict[str, Any]:
    """Mostly a price, because what must be kept often leaves no plan."""
    return {} if dice.random() < 0.25 else {"price": round(dice.uniform(0.0, most), 1)}


def _grid(raw: dict[str, Any], dice: random.Random) -> None:
    grid, slots, hours = raw["grid"], raw["horizon"]["slots"], raw["horizon"]["step_minutes"] / 60
    if dice.random() < 0.1:
        first = dice.randint(-1, slots - 1)
        grid["outages"] = [{"start": _at(raw, first), "end": _at(raw, first + 1)}]
    if "demand_charge_per_mw" in grid and dice.random() < 0.6:
        length = dice.randint(2, 4)
        grid["billing_interval_slots"] = length
        grid["billing_elapsed_slots"] = dice.randint(0, length - 1)
        if grid["billing_elapsed_slots"]:
            grid["billing_elapsed_mwh"] = round(dice.uniform(0.0, 3.0) * hours, 2)
    if "export_limit_mw" in grid and dice.random() < 0.4:
        grid["export_allowance_mwh"] = round(dice.uniform(0.0, 4.0) * hours, 2)
        grid["exported_so_far_mwh"] = round(dice.uniform(0.0, 1.0) * hours, 2)
    if "carbon_kg_per_mwh" in raw["series"] and dice.random() < 0.5:
        grid["carbon_budget_kg"] = round(dice.uniform(0.0, 1500.0) * hours, 1)
        if price := _maybe_price(dice, 0.3):
            grid["above_carbon_budget_cost_per_kg"] = price["price"]
    if "pv_available_mw" in raw["series"] and dice.random() < 0.4:
        grid["renewable_share"] = round(dice.uniform(0.05, 0.6), 2)
        if price := _maybe_price(dice, 60.0):
            grid["below_renewable_share_cost_per_mwh"] = price["price"]


def _events(raw: dict[str, Any], dice: random.Random) -> None:
    if dice.random() < 0.4:
        event: dict[str, Any] = {"id": "dr", **_period(raw, dice)}
        if dice.random() < 0.7:
            event["most_import_mw"] = round(dice.uniform(-0.5, 3.0), 1)
        if dice.random() < 0.4 or "most_import_mw" not in event:
            event["least_import_mw"] = round(event.get("most_import_mw", 2.0) - dice.uniform(0.0, 2.0), 1)
        if price := _maybe_price(dice, 80.0):
            event["cost_per_mwh"] = price["price"]
        raw["events"] = [event]


def _nominations(raw: dict[str, Any], dice: random.Random) -> None:
    if dice.random() < 0.3:
        promise: dict[str, Any] = {"id": "block", **_period(raw, dice), "import_mw": round(dice.uniform(0.0, 3.0), 1)}
        promise |= {f"{side}_cost_per_mwh": round(dice.uniform(0.0, 50.0), 1) for side in ("over", "under")}
        if promise["start"] == _at(raw, -1):
            promise["elapsed_mwh"] = round(dice.uniform(0.0, 1.0), 2)
        raw["nominations"] = [promise]


def _reserves(raw: dict[str, Any], dice: random.Random) -> None:
    for battery in raw.get("batteries", []):
        if dice.random() < 0.5:
            room = battery["soc_start_mwh"] - battery.get("soc_min_mwh", 0.0)
            battery["reserve_mwh"] = round(dice.uniform(0.0, 1.0) * room, 3)
            if price := _maybe_price(dice, 60.0):
                battery["below_reserve_cost_per_mwh_h"] = price["price"]
        if dice.random() < 0.4:
            battery["soc_end_value_per_mwh"] = round(dice.uniform(0.0, 60.0), 1)
    if dice.random() < 0.3:
        raw["reserve"] = {"drop_mw": round(dice.uniform(0.5, 3.0), 1)}
        if price := _maybe_price(dice, 40.0):
            raw["reserve"]["cost_per_mwh"] = price["price"]


def _machines(raw: dict[str, Any], dice: random.Random) -> None:
    slots, hours = raw["horizon"]["slots"], raw["horizon"]["step_minutes"] / 60
    if dice.random() < 0.4:
        power = round(dice.uniform(0.5, 2.0), 1)
        raw["generators"] = [
            {
                "name": "set",
                "power_mw": power,
                "min_power_mw": dice.choice([0.0, round(0.4 * power, 2)]),
                "fuel_cost_per_mwh": round(dice.uniform(5.0, 60.0), 1),
                "no_load_cost_per_h": dice.choice([0.0, 2.0]),
                "start_cost": dice.choice([0.0, 5.0]),
                "stop_cost": dice.choice([0.0, 3.0]),
                "min_up_slots": dice.randint(1, 3),
                "min_down_slots": dice.randint(1, 3),
                "on_before": dice.random() < 0.4,
                "state_slots": dice.randint(0, 2),
                "fuel_mwh": dice.choice([None, round(1.5 * power * hours, 2)]),
                "carbon_kg_per_mwh": dice.choice([0.0, 600.0]),
            }
        ]
    if dice.random() < 0.3:
        nominal = [round(dice.uniform(0.2, 1.0), 2) for _ in range(slots)]
        raw["inference"] = [
            {
                "name": "chat",
                "power_mw": nominal,
                "min_power_mw": [round(0.5 * power, 3) for power in nominal],
                "below_nominal_cost_per_mwh": round(dice.uniform(10.0, 90.0), 1),
            }
        ]


def _water(raw: dict[str, Any], dice: random.Random) -> None:
    if "cooling" in raw and dice.random() < 0.7:
        slots, hours = raw["horizon"]["slots"], raw["horizon"]["step_minutes"] / 60
        raw["cooling"]["water_m3_per_mwh"] = [round(dice.uniform(0.0, 2.0), 2) for _ in range(slots)]
        raw["cooling"]["water_price_per_m3"] = dice.choice([0.0, 4.0])
        if dice.random() < 0.6:
            limit: dict[str, Any] = {"id": "day", **_period(raw, dice)}
            limit["limit_m3"] = round(dice.uniform(0.5, 6.0) * hours, 2)
            if price := _maybe_price(dice, 30.0):
                limit["over_cost_per_m3"] = price["price"]
            raw["cooling"]["water_limits"] = [limit]


def _mass(raw: dict[str, Any], dice: random.Random) -> None:
    if "cooling" in raw and dice.random() < 0.5:
        hours = raw["horizon"]["step_minutes"] / 60
        raw["cooling"]["capacity_heat_mw"] = raw["cooling"].get("capacity_heat_mw") or 5.0
        mass: dict[str, Any] = {
            "mwh_per_k": round(dice.uniform(0.1, 0.6) * hours, 3),
            "start_c": 24.0,
            "lowest_c": round(dice.uniform(18.0, 24.0), 1),
            "allowable_c": 32.0,
            "kept_share": dice.choice([1.0, 0.8]),
        }
        if dice.random() < 0.6:
            mass |= {"recommended_c": 26.0, "above_recommended_cost_per_k_h": round(dice.uniform(0.0, 20.0), 1)}
        if dice.random() < 0.4:
            mass["most_change_k_per_slot"] = round(dice.uniform(2.0, 6.0), 1)
        if dice.random() < 0.6:
            mass["end_most_c"] = 26.0
        if dice.random() < 0.3:
            mass["surroundings_c"] = round(dice.uniform(20.0, 35.0), 1)
        raw["cooling"]["mass"] = mass
        if dice.random() < 0.4:
            _several(raw["cooling"], dice, hours)


def _several(cooling: dict[str, Any], dice: random.Random, hours: float) -> None:
    """Hall and loop in place of one mass, a tank beside them, or both."""
    mass = cooling["mass"]
    if dice.random() < 0.7:
        del cooling["mass"]
        share = round(dice.uniform(0.2, 0.7), 2)
        loop = {"name": "loop", "heat_share": round(dice.choice([1.0, 0.9]) - share, 2), "mwh_per_k": 0.1 * hours}
        loop |= {"start_c": 30.0, "lowest_c": 25.0, "allowable_c": 40.0}
        cooling["masses"] = [mass | {"name": "hall", "heat_share": share}, loop]
    if dice.random() < 0.6:
        cooling["tank"] = {"energy_mwh": 2.0 * hours, "fill_mw": 1.0, "draw_mw": 1.5, "start_mwh": 1.0 * hours}
        cooling["tank"] |= {"kept_share": dice.choice([1.0, 0.95]), "end_min_mwh": dice.choice([0.0, 0.8 * hours])}


def _heat_shares(raw: dict[str, Any], dice: random.Random) -> None:
    """Sometimes a pool's heat goes to hall and loop in shares of its own."""
    if not raw.get("cooling", {}).get("masses"):
        return
    for pool in raw.get("pools", []):
        if "partner" not in pool and dice.random() < 0.6:
            loop = round(dice.uniform(0.0, 0.9), 2)
            pool["heat_shares"] = {"loop": loop} | ({"hall": round(1.0 - loop, 2)} if dice.random() < 0.7 else {})


def _storage(raw: dict[str, Any], dice: random.Random) -> None:
    """Sometimes the storage takes no two checkpoints at once."""
    if dice.random() < 0.6:
        return
    raw["storage"] = {"gb_per_s": round(100.0 / (60 * raw["horizon"]["step_minutes"]), 6)}
    if dice.random() < 0.6:
        raw["storage"]["over_cost_per_gb"] = dice.choice([0.05, 1.0])
    for job in raw["jobs"]:
        if job.get("count", 1) == 1 and dice.random() < 0.9:
            job["checkpoint_gb"] = dice.choice([60.0, 80.0])


def _nodes(raw: dict[str, Any], dice: random.Random) -> None:
    """Sometimes the nodes of the first pool may be switched off."""
    pool = raw["pools"][0]
    if dice.random() < 0.7:
        return
    there = pool["gpus"][0] if isinstance(pool["gpus"], list) else pool["gpus"]
    size = dice.choice([n for n in (2, 3, 4) if there // n <= 4] or [there])
    running = sum(j["gpus"] * j.get("count", 1) for j in raw["jobs"] if j["state"] == "running" and j.get("pool"))
    least, most = -(-running // size), there // size
    if least > most:
        return
    nodes = {"gpus_per_node": size, "boot_slots": dice.randint(0, 2), "min_up_slots": dice.randint(1, 3)}
    nodes |= {"on_before": dice.randint(least, most), "off_w": dice.choice([0.0, 0.2 * size * pool["idle_w_per_gpu"]])}
    if nodes["on_before"] > least and dice.random() < 0.5:
        nodes["started_before"] = [1]
    pool["nodes"] = nodes


def _order(raw: dict[str, Any], dice: random.Random) -> None:
    """Sometimes the last job waits for one or both before it."""
    jobs = raw["jobs"]
    single = [job for job in jobs if job.get("count", 1) == 1]
    if len(single) > 1 and single[-1]["state"] == "queued" and dice.random() < 0.4:
        single[-1]["after"] = [job["id"] for job in single[:-1] if dice.random() < 0.8]


def _ways(raw: dict[str, Any], dice: random.Random) -> None:
    """Sometimes the first single job with a pool may also run in a second one, or there as a smaller gang."""
    if raw["horizon"]["slots"] > 5 or dice.random() < 0.5:
        return
    single = [job for job in raw["jobs"] if job.get("count", 1) == 1 and job.get("pool") and job["gpus"] > 1]
    for job in single[:1]:
        top = job["levels"][-1]
        half = [{"power_mw": round(0.6 * top["power_mw"], 3), "speed": 0.6}]
        raw["pools"].append({"name": "shed", "gpu": "A100", "gpus": dice.randint(1, 4), "idle_w_per_gpu": 0.0})
        other: dict[str, Any] = {"pool": "shed", "gpus": dice.choice([job["gpus"], 1]), "levels": half}
        if dice.random() < 0.3:
            other["ready"] = _at(raw, dice.randint(0, 2))
        job["alternatives"] = [other]
        if dice.random() < 0.6:
            job["alternatives"].append({"gpus": job["gpus"] - 1, "levels": [dict(level) for level in half]})
            job["resize_loss_h"] = dice.choice([0.0, round(0.1 * job["work_h"], 4)])
        if dice.random() < 0.5:
            raw["pools"][-1]["partner"] = {
                "price_per_gpu_h": round(dice.uniform(0.5, 20.0), 1),
                "quota_gpu_h": dice.choice([None, round(2.0 * raw["horizon"]["step_minutes"] / 60, 2)]),
                "start_delay_slots": dice.randint(0, 2),
            }
            job["alternatives"][0]["egress_cost"] = dice.choice([0.0, 4.0])
        if dice.random() < 0.4:
            for pool in raw["pools"]:
                pool["jurisdiction"] = dice.choice(["MA", "ES"])
            if job["state"] != "running":
                job["residency"] = ["MA"]


def _in_force(raw: dict[str, Any], dice: random.Random) -> None:
    """Sometimes a plan in force, of which a part is frozen, that has some jobs and devices do something else."""
    if dice.random() < 0.5:
        return
    slots = raw["horizon"]["slots"]
    until = dice.randint(1, slots + 1)
    raw["stability"] = {"until": _at(raw, until)}
    if dice.random() < 0.6:
        raw["stability"]["frozen_until"] = _at(raw, dice.randint(0, until))
    for job in raw["jobs"]:
        if job.get("count", 1) == 1 and dice.random() < 0.8:
            first = dice.randint(-1, slots - 1)
            middle = dice.randint(first + 1, slots)
            low, high = job["levels"][0]["power_mw"], job["levels"][-1]["power_mw"]
            spans = [(first, middle), *([(middle + 1, slots + 1)] if dice.random() < 0.3 and middle < slots else [])]
            runs = [
                {"start": _at(raw, a), "end": _at(raw, b), "power_mw": round(dice.uniform(low, high), 3)}
                for a, b in spans
            ]
            job["published"] = {"runs": runs if dice.random() < 0.8 else []}
            job["published"] |= {"moved_cost_per_h": round(dice.uniform(0.0, 15.0), 1)}
            job["published"] |= {"frozen_cost_per_h": dice.choice([0.0, 200.0])}
            if not job.get("alternatives") and not job.get("residency"):
                job["published"] |= {"frozen_cost_per_mwh": dice.choice([0.0, round(dice.uniform(0.0, 60.0), 1)])}
    for device in (*raw.get("batteries", []), *raw.get("generators", [])):
        if dice.random() < 0.5:
            low = -device["power_mw"] if "energy_mwh" in device else 0.0
            device["published_mw"] = [round(dice.uniform(low, device["power_mw"]), 2) for _ in range(slots)]
            device["moved_cost_per_mwh"] = round(dice.uniform(0.0, 40.0), 1)


def _clocks(raw: dict[str, Any], dice: random.Random) -> None:
    """Sometimes the hall's lever is the clock."""
    if dice.random() < 0.2:
        raw["pools"][0]["lever"] = "clock"
        for job in raw["jobs"]:
            if job.get("pool") == "hall":
                lists = [job["levels"]]
                lists += [
                    o["levels"]
                    for o in job.get("alternatives", [])
                    if o.get("pool", "hall") == "hall" and "levels" in o
                ]
                for levels in {id(levels): levels for levels in lists}.values():
                    for k, level in enumerate(levels):
                        level.pop("limit_w", None)
                        level["clock_mhz"] = 1000.0 + 200.0 * k


def _surplus(raw: dict[str, Any], dice: random.Random) -> None:
    """Sometimes the first job runs on surplus alone."""
    if dice.random() < 0.2 and not raw["jobs"][0].get("after"):
        on_surplus(raw)


def on_surplus(raw: dict[str, Any]) -> None:
    """Let the first job run on surplus alone, and there be more sun."""
    first, series = raw["jobs"][0], raw["series"]
    series["pv_available_mw"] = [
        round(2.0 * v + 1.0, 2) for v in series.get("pv_available_mw", [0.0] * raw["horizon"]["slots"])
    ]
    for field in ("min_run_slots", "max_pauses"):
        first.pop(field, None)
    first |= {"surplus": True, "preemptible": True}
    first.setdefault("unmet_cost_per_h", 80.0)
