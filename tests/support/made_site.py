"""A made-up (synthetic) site's day from a seed: two halls, gangs with cap levels, sun, wind, battery, a tight grid.

Every number here is *assumed*; none is a measurement of any machine or place.
"""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

_START = datetime(2026, 3, 2, tzinfo=UTC)
_STEP = timedelta(minutes=15)
SLOTS = 96
# share of the highest GPU power, share of full speed
_CURVES = (
    ((0.45, 0.55), (0.6, 0.78), (0.75, 0.91), (0.85, 0.96), (1.0, 1.0)),
    ((0.45, 0.8), (0.6, 0.93), (0.75, 0.98), (0.9, 0.995), (1.0, 1.0)),
)
_HALLS = {"air": (600.0, 3000), "liquid": (900.0, 1500)}


def site(jobs: int, seed: int) -> dict[str, Any]:
    """A document of 96 quarter hours; work of about two thirds of what the halls could do."""
    dice = random.Random(seed)
    made = [_job(dice, number) for number in range(jobs)]
    for name, (_, gpus) in _HALLS.items():
        mine = [job for job in made if job["pool"] == name]
        asked = sum(job["gpus"] * job["work_h"] for job in mine)
        for job in mine:
            _resize(job, max(8, min(gpus // 4, round(job["gpus"] * 0.66 * gpus * 24 / asked))))
    hours = [slot / 4 for slot in range(SLOTS)]
    sun = [max(0.0, math.sin((hour - 7) / 11 * math.pi)) if 7 < hour < 18 else 0.0 for hour in hours]
    heat = [0.5 - 0.5 * math.cos((hour - 3) / 12 * math.pi) for hour in hours]
    price = [70.0 if hour < 6 else 110.0 if hour < 18 else 150.0 if hour < 22 else 80.0 for hour in hours]
    return {
        "schema_version": "1.0",
        "name": f"made-{jobs}-{seed}",
        "site": {"name": "made", "currency": "EUR"},
        "horizon": {"start": _START.isoformat(), "step_minutes": 15, "slots": SLOTS},
        "gap": 0.005,
        "series": {
            "pv_available_mw": [round(1.4 * s * dice.uniform(0.7, 1.0), 4) for s in sun],
            "wind_available_mw": [round(0.5 + 0.4 * math.sin(hour / 5 + seed), 4) for hour in hours],
            "base_load_mw": [0.1] * SLOTS,
            "import_price_per_mwh": [round(p + dice.uniform(-2, 2), 2) for p in price],
            "export_price_per_mwh": [30.0] * SLOTS,
        },
        "grid": {
            "import_limit_mw": 3.2,
            "export_limit_mw": 1.0,
            "demand_charge_per_mw": 150.0,
            "peak_so_far_mw": 2.4,
        },
        "batteries": [
            {
                "name": "store",
                "power_mw": 0.8,
                "energy_mwh": 2.4,
                "charge_efficiency": 0.95,
                "discharge_efficiency": 0.95,
                "soc_start_mwh": 1.2,
                "soc_end_min_mwh": 1.2,
                "wear_cost_per_mwh": 3.0,
            }
        ],
        "cooling": {
            "tangents": [
                {"slope": [round(0.1 + 0.08 * h, 4) for h in heat], "intercept_mw": 0.02},
                {"slope": [round(0.2 + 0.1 * h, 4) for h in heat], "intercept_mw": -0.15},
            ]
        },
        "distribution_efficiency": 0.94,
        "pools": [{"name": name, "gpu": "made-up", "gpus": gpus} for name, (_, gpus) in _HALLS.items()],
        "jobs": made,
    }


def _at(slot: int) -> str:
    return (_START + slot * _STEP).isoformat()


def _job(dice: random.Random, number: int) -> dict[str, Any]:
    """A job whose window is three to eight times as long as its work."""
    work = round(dice.choice([1.5, 2.0, 3.0, 4.5, 6.0]) * dice.uniform(0.8, 1.2), 3)
    window = min(SLOTS, math.ceil(4 * work * dice.uniform(3.0, 8.0)))
    release = dice.randint(0, SLOTS - window)
    return {
        "id": f"made-{number:03d}",
        "pool": dice.choices(list(_HALLS), weights=[2, 1])[0],
        "gpus": dice.choice([32, 64, 128, 256]),
        "work_h": work,
        "levels": dice.choice(_CURVES),
        "release": _at(release),
        "deadline": _at(release + window),
        "preemptible": dice.random() < 0.4,
        "restart_loss_h": 0.2,
        "unmet_cost_per_h": dice.choice([2.0, 4.0, 9.0]),
    }


def _resize(job: dict[str, Any], gpus: int) -> None:
    watts, _ = _HALLS[job["pool"]]
    job["gpus"] = gpus
    job["unmet_cost_per_h"] = round(job["unmet_cost_per_h"] * gpus, 3)
    job["levels"] = [
        {"power_mw": round(gpus * (share * watts + 250.0) / 1e6, 9), "speed": speed, "limit_w": round(share * watts, 1)}
        for share, speed in job["levels"]
    ]
