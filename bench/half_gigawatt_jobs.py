"""The jobs of one pool of the half-gigawatt day: large gangs one by one, small ones as aggregated entries.

Sizes, lengths, windows and prices are *assumed*; the shape (few large gangs hold most GPU-hours, lengths are
log-normal) is what published traces of GPU clusters agree on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.gpu_power import GpuModel, levels
from models.jobs import Workload

SLOTS, STEP_H = 96, 0.25
LARGE_SHARE = 0.55
"""Part of a pool's GPU-hours that the explicit large jobs hold."""

RUNNING_SHARE = 0.35
"""Part of a pool that may be taken by jobs already running when the day begins."""

LOSS_H: dict[Workload, float] = {"pretrain": 0.25, "finetune": 0.1, "inference": 0.05}
_UNMET = ((2.5, 0.5), (6.0, 0.35), (15.0, 0.15))
_TENANTS = ("atlas", "baraka", "cedar", "draa")


@dataclass(frozen=True)
class JobMix:
    """How many entries of each kind a pool gets, and the GPU-hours that are due inside the day."""

    explicit: int
    aggregated: int
    gpu_hours: float


@dataclass
class _Draft:
    """An entry before its size is settled; times in slots, ``due`` and ``work`` in hours."""

    workload: Workload
    gang: int
    count: int
    work: float
    due: float
    release: int
    deadline: int
    roomy: bool


def jobs_of_pool(rng: np.random.Generator, pool: str, gpus: int, model: GpuModel, mix: JobMix) -> list[dict[str, Any]]:
    """Entries of one pool in the contract's fields; ``release`` and ``deadline`` are slots still."""
    large = [_large(rng, gpus) for _ in range(mix.explicit)]
    small = [_small(rng, gpus) for _ in range(mix.aggregated)]
    _size(large, "gang", mix.gpu_hours * LARGE_SHARE, step=8, most=lambda _: gpus // 4)
    left = mix.gpu_hours - sum(d.gang * d.due for d in large)
    _size(small, "count", max(left, 0.0), step=1, most=lambda d: max(2, gpus // 3 // d.gang))
    room = RUNNING_SHARE * gpus
    found = []
    for k, draft in enumerate([*large, *small]):
        entry = _entry(rng, f"{pool}-{'l' if k < len(large) else 's'}{k:04d}", pool, model, draft)
        wanted = rng.random() < (0.12 if draft.count == 1 else 0.03)
        if wanted and draft.gang * draft.count <= room:
            room -= draft.gang * draft.count
            entry |= {"state": "running", "ran_slots": int(rng.integers(1, 40))}
        found.append(entry)
    return found


def _large(rng: np.random.Generator, gpus: int) -> _Draft:
    workload: Workload = "pretrain" if rng.random() < 0.6 else "finetune"
    gang = int(np.exp(rng.uniform(np.log(gpus / 80), np.log(gpus / 8))))
    return _draft(rng, workload, gang, 1, float(np.clip(rng.lognormal(np.log(6.0), 0.6), 2.0, 20.0)))


def _small(rng: np.random.Generator, gpus: int) -> _Draft:
    draw = rng.random()
    workload: Workload = "finetune" if draw < 0.5 else "inference" if draw < 0.85 else "pretrain"
    gang = min(int(rng.choice([8, 16, 32, 64], p=[0.35, 0.3, 0.2, 0.15])), max(8, gpus // 16 // 8 * 8))
    weight = max(2, round(float(rng.lognormal(np.log(10.0), 0.7))))
    return _draft(rng, workload, gang, weight, float(np.clip(rng.lognormal(np.log(2.5), 0.6), 0.5, 10.0)))


def _draft(rng: np.random.Generator, workload: Workload, gang: int, count: int, run_h: float) -> _Draft:
    """Window and due part: a deadline beyond the day leaves its fair part of the work due inside it."""
    slack = float(rng.uniform(1.3, 4.0))
    window = max(2, int(np.ceil(run_h * slack / STEP_H)))
    release = 0 if rng.random() < 0.3 else int(rng.integers(0, SLOTS - 6))
    deadline = release + window
    inside = min(1.0, (SLOTS - release) / window)
    due = run_h * inside
    return _Draft(workload, gang, count, run_h, due, release, deadline, roomy=slack > 2.5 and inside == 1.0)


def _size(drafts: list[_Draft], field: str, wanted: float, *, step: int, most: Callable[[_Draft], int]) -> None:
    """Scale gangs or counts by one factor so that the due GPU-hours come near to ``wanted``."""
    drawn = [getattr(d, field) for d in drafts]
    low, high = 0.0, 1e4
    for _ in range(60):
        factor = (low + high) / 2
        for draft, size in zip(drafts, drawn, strict=True):
            # at least two steps: an aggregated entry has two copies or more
            setattr(draft, field, min(max(2, round(size * factor / step)) * step, most(draft)))
        asked = sum(d.gang * d.count * d.due for d in drafts)
        low, high = (factor, high) if asked < wanted else (low, factor)


def _entry(rng: np.random.Generator, name: str, pool: str, model: GpuModel, d: _Draft) -> dict[str, Any]:
    prices, weights = zip(*_UNMET, strict=True)
    unmet = d.gang * float(rng.choice(prices, p=weights))
    preemptible = bool(rng.random() < (0.6 if d.count == 1 else 0.4))
    entry: dict[str, Any] = {
        "id": name,
        "pool": pool,
        "gpus": d.gang,
        "count": d.count,
        "tenant": str(rng.choice(_TENANTS)),
        "work_h": round(d.work, 6),
        "due_h": min(round(d.due, 6), round(d.work, 6)),
        "levels": levels(d.gang, model, d.workload),
        "release": d.release,
        "deadline": d.deadline,
        "preemptible": preemptible,
        "restart_loss_h": LOSS_H[d.workload],
        "unmet_cost_per_h": round(unmet, 6),
    }
    kind = rng.random()
    if d.deadline > SLOTS:
        entry["work_value_per_h"] = round(d.gang * float(rng.uniform(0.08, 0.25)), 6)
    elif kind < 0.25:
        entry["late_cost_per_h"] = round(d.gang * float(rng.uniform(0.4, 1.5)), 6)
    elif kind < 0.35 and d.roomy and d.count == 1:
        entry["unmet_cost_per_h"] = None  # a promise without a price; only where the window has room for it
    return entry
