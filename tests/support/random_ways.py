"""Tiny random days on which most jobs have several ways to run: those of :mod:`random_days` with a second pool."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import random_days

MOST_SLOTS = 5
"""Slots of a day; the oracle writes out every pattern of ways."""


def day(seed: int) -> dict[str, Any]:
    """A random day of version 1.1 whose single jobs with a pool have up to two other ways."""
    dice = random.Random(f"ways {seed}")
    raw = next(raw for raw in map(random_days.day, _seeds(seed)) if _suits(raw))
    raw |= {"schema_version": "1.1", "name": f"ways-{seed}"}
    shed = {"name": "shed", "gpu": "A100", "gpus": dice.randint(1, 5), "idle_w_per_gpu": dice.choice([0.0, 20000.0])}
    raw["pools"].append(shed)
    for job in raw["jobs"]:
        if job.get("pool") and job.get("count", 1) == 1 and dice.random() < 0.85:
            _add_ways(raw, job, dice)
    return raw


def _seeds(seed: int) -> range:
    return range(100 * seed, 100 * seed + 100)


def _suits(raw: dict[str, Any]) -> bool:
    jobs = [job for job in raw["jobs"] if job.get("pool") and job.get("count", 1) == 1]
    return bool(jobs) and raw["horizon"]["slots"] <= MOST_SLOTS


def _add_ways(raw: dict[str, Any], job: dict[str, Any], dice: random.Random) -> None:
    other: dict[str, Any] = {"pool": "shed", "gpus": dice.choice([job["gpus"], 1])}
    if dice.random() < 0.7:
        other["levels"] = _slower(job, dice.uniform(0.5, 1.1))
    if dice.random() < 0.2:
        start = datetime.fromisoformat(raw["horizon"]["start"])
        ready = start + timedelta(minutes=raw["horizon"]["step_minutes"] * dice.randint(0, 2))
        other["ready"] = ready.isoformat()
    if dice.random() < 0.3:
        other["egress_cost"] = round(dice.uniform(0.0, 6.0), 1)
    job["alternatives"] = [other]
    if job["gpus"] > 1 and dice.random() < 0.5:
        job["alternatives"].append({"gpus": job["gpus"] - 1, "levels": _slower(job, dice.uniform(0.5, 1.0))})
    if dice.random() < 0.4:
        job["resize_loss_h"] = round(dice.uniform(0.0, 0.2) * job["work_h"], 4)


def _slower(job: dict[str, Any], share: float) -> list[dict[str, Any]]:
    """A gang of about that share of the speed, for about that share of the power."""
    return [
        {"power_mw": round(share * level["power_mw"], 3), "speed": round(min(1.0, 1.1 * share) * level["speed"], 3)}
        for level in job["levels"]
    ]
