"""Days on which every job has two or three ways to run: ``python -m bench.many_ways``.

Prints, as Markdown, the proven gap after the limit, when the first plan stood, and what the cheapest plan costs beside
the same day with each job in its first way alone. Sites and jobs are made up (synthetic), every number is *assumed*.
"""

from __future__ import annotations

import argparse
import math
import platform
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from models.horizon import use_packaged_time_zones
from optimizer.refusals import check_problem
from optimizer.rolling import Progress, plan
from optimizer.verify import verify

SLOTS, STEP = 96, timedelta(minutes=15)
BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
BUSY = 0.66
"""Share of each hall's GPU-hours that the jobs ask for in their own hall."""

HALLS = {"air": (700.0, 4000), "liquid": (1000.0, 2000)}
"""Watts of a GPU at its highest limit, and GPUs."""

CURVES = (
    ((0.45, 0.55), (0.6, 0.78), (0.75, 0.91), (0.85, 0.96), (1.0, 1.0)),
    ((0.45, 0.8), (0.6, 0.93), (0.75, 0.98), (0.9, 0.995), (1.0, 1.0)),
)
"""Share of the highest power, share of full speed: bound by compute, and by memory."""

HOST_W = 250.0


def day(jobs: int, seed: int) -> dict[str, Any]:
    """Document of 96 quarter hours with two halls; each job may go to the other hall, most run as half a gang too."""
    dice = random.Random(seed)
    drawn = [_drawn(dice, number) for number in range(jobs)]
    for hall, (_, gpus) in HALLS.items():
        mine = [job for job in drawn if job["pool"] == hall]
        asked = sum(job["gpus"] * job["work_h"] for job in mine)
        for job in mine:
            share = job["gpus"] * BUSY * gpus * SLOTS / 4 / asked
            job["gpus"] = 8 * max(2, min(gpus // 32, round(share / 8)))
    made = [_with_ways(dice, job) for job in drawn]
    hours = [slot / 4 for slot in range(SLOTS)]
    sun = [max(0.0, math.sin((hour - 7) / 11 * math.pi)) if 7 < hour < 18 else 0.0 for hour in hours]
    heat = [0.5 - 0.5 * math.cos((hour - 3) / 12 * math.pi) for hour in hours]
    price = [70.0 if hour < 6 else 110.0 if hour < 18 else 150.0 if hour < 22 else 80.0 for hour in hours]
    return {
        "schema_version": "1.1",
        "name": f"ways-{jobs}-{seed}",
        "site": {"name": "made", "currency": "EUR"},
        "horizon": {"start": BEGAN.isoformat(), "step_minutes": 15, "slots": SLOTS},
        "gap": 0.001,
        "series": {
            "pv_available_mw": [round(2.2 * s * dice.uniform(0.7, 1.0), 4) for s in sun],
            "wind_available_mw": [round(0.8 + 0.6 * math.sin(hour / 5 + seed), 4) for hour in hours],
            "base_load_mw": [0.2] * SLOTS,
            "import_price_per_mwh": [round(p + dice.uniform(-2, 2), 2) for p in price],
            "export_price_per_mwh": [30.0] * SLOTS,
        },
        "grid": {
            "import_limit_mw": 4.6,
            "export_limit_mw": 1.0,
            "demand_charge_per_mw": 150.0,
            "peak_so_far_mw": 3.6,
        },
        "batteries": [
            {
                "name": "store",
                "power_mw": 1.2,
                "energy_mwh": 3.6,
                "charge_efficiency": 0.95,
                "discharge_efficiency": 0.95,
                "soc_start_mwh": 1.8,
                "soc_end_min_mwh": 1.8,
                "wear_cost_per_mwh": 3.0,
            }
        ],
        "cooling": {
            "tangents": [
                {"slope": [round(0.1 + 0.08 * h, 4) for h in heat], "intercept_mw": 0.02},
                {"slope": [round(0.2 + 0.1 * h, 4) for h in heat], "intercept_mw": -0.2},
            ]
        },
        "distribution_efficiency": 0.94,
        "pools": [{"name": hall, "gpu": "made-up", "gpus": gpus} for hall, (_, gpus) in HALLS.items()],
        "jobs": made,
    }


def _at(slot: int) -> str:
    return (BEGAN + slot * STEP).isoformat()


def _drawn(dice: random.Random, number: int) -> dict[str, Any]:
    """A job whose window is three to eight times as long as its work."""
    work = round(dice.choice([1.5, 2.0, 3.0, 4.5, 6.0]) * dice.uniform(0.8, 1.2), 3)
    window = min(SLOTS, math.ceil(4 * work * dice.uniform(3.0, 8.0)))
    release = dice.randint(0, SLOTS - window)
    return {
        "id": f"job-{number:04d}",
        "pool": dice.choices(list(HALLS), weights=[2, 1])[0],
        "gpus": dice.choice([32, 64, 128, 256]),
        "work_h": work,
        "release": _at(release),
        "deadline": _at(release + window),
        "preemptible": dice.random() < 0.4,
        "restart_loss_h": 0.2,
        "resize_loss_h": 0.1,
    }


def _with_ways(dice: random.Random, job: dict[str, Any]) -> dict[str, Any]:
    curve, (other,) = dice.choice(CURVES), [hall for hall in HALLS if hall != job["pool"]]
    # a GPU of the liquid hall does the work of nearly two of the other
    worth = dice.uniform(1.5, 2.0)
    there = round(job["gpus"] * (worth if other == "air" else 1 / worth) / 8) * 8
    alternatives = [
        {"pool": other, "gpus": max(8, there), "levels": _levels(other, max(8, there), curve, dice.uniform(0.85, 1.0))}
    ]
    if dice.random() < 0.6:
        half = job["gpus"] // 2
        alternatives.append({"gpus": half, "levels": _levels(job["pool"], half, curve, dice.uniform(0.5, 0.56))})
    unmet = round(dice.choice([2.0, 4.0, 9.0]) * job["gpus"] * (worth if job["pool"] == "liquid" else 1.0), 3)
    levels = _levels(job["pool"], job["gpus"], curve, 1.0)
    return {**job, "levels": levels, "unmet_cost_per_h": unmet, "alternatives": alternatives}


def _levels(hall: str, gpus: int, curve: Sequence[tuple[float, float]], speed: float) -> list[dict[str, float]]:
    watts, _ = HALLS[hall]
    return [
        {
            "power_mw": round(gpus * (share * watts + HOST_W) / 1e6, 9),
            "speed": round(speed * of_full, 6),
            "limit_w": round(share * watts, 1),
        }
        for share, of_full in curve
    ]


@dataclass(frozen=True)
class Solved:
    """One solve: cost, proven gap, seconds until the first plan, and until the end."""

    cost: float
    gap: float | None
    first_s: float | None
    took_s: float
    rung: str


def solved(raw: dict[str, Any], limit_s: float, gap: float) -> Solved:
    """Plan a day in a process of its own, as the service does; the referee judges the plan once more."""
    told: list[Progress] = []
    received, begun = check_problem(raw), time.perf_counter()
    found = plan(received, gap=gap, time_limit_s=limit_s, threads=1, on_progress=told.append)
    took = time.perf_counter() - begun
    broken = verify(received, found, gap)
    if broken or found.objective is None:
        raise AssertionError(f"{raw['name']}: no plan that holds: {[one.sentence for one in broken]}")
    first = next((one.elapsed_s for one in told if one.objective is not None), None)
    return Solved(found.objective, found.gap, first, took, str(found.rung))


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Days on which every job has several ways to run.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[10, 100, 500])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--limit", type=float, default=30.0, help="seconds of one solve")
    parser.add_argument("--gap", type=float, default=0.001, help="relative gap asked")
    parser.add_argument("--first-way", action="store_true", help="the same days with each job in its first way, too")
    asked = parser.parse_args(argv)
    use_packaged_time_zones()
    print(f"{SLOTS} slots, one thread, limit {asked.limit:g} s, {platform.machine()}; made-up site and jobs.\n")
    print("| jobs | ways | seed | gap | first plan s | whole s | rung | cost | in the first way |")
    print("|---|---|---|---|---|---|---|---|---|")
    for jobs in asked.jobs:
        for seed in asked.seeds:
            raw = day(jobs, seed)
            ways = sum(1 + len(job["alternatives"]) for job in raw["jobs"])
            found = solved(raw, asked.limit, asked.gap)
            alone = "–"
            if asked.first_way:
                one = [{**job, "alternatives": []} for job in raw["jobs"]]
                alone = f"{solved(raw | {'jobs': one}, asked.limit, asked.gap).cost:,.0f}"
            gap = "none" if found.gap is None else f"{found.gap:.2%}"
            first = "–" if found.first_s is None else f"{found.first_s:.1f}"
            figures = f"{gap} | {first} | {found.took_s:.1f} | {found.rung} | {found.cost:,.0f} | {alone}"
            print(f"| {jobs} | {ways} | {seed} | {figures} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
