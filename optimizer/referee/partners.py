"""GPUs rented from partners: quotas, and the money for using them and for going there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .day import Day
from .findings import Findings, Floats
from .runs import Track


def _gpus(day: Day, tracks: Sequence[Track], pool: str) -> Floats:
    held = [track.gpus[pool] for track in tracks if pool in track.gpus]
    return np.asarray(np.sum([np.zeros(day.slots), *held], axis=0), dtype=np.float64)


def check_quotas(day: Day, tracks: Sequence[Track], findings: Findings) -> None:
    """GPU-hours with each partner stay within its quota."""
    for pool in day.problem.pools:
        if pool.partner is None or pool.partner.quota_gpu_h is None:
            continue
        used, quota = day.step_h * float(_gpus(day, tracks, pool.name).sum()), pool.partner.quota_gpu_h
        if used > quota * (1 + 1e-9) + 1e-9:
            text = f"pool {pool.name} is used for {used:.9g} GPU-hours, its quota is {quota:.9g}"
            findings.add("partner.quota", text, amount=used - quota, unit="GPU-hours")


def money_of_partners(day: Day, tracks: Sequence[Track]) -> float:
    """Rent of all partners' GPUs and what going there costs."""
    money = sum(track.egress_cost for track in tracks)
    for pool in day.problem.pools:
        if pool.partner is not None:
            price = day.per_slot(pool.partner.price_per_gpu_h)
            money += day.step_h * float(_gpus(day, tracks, pool.name) @ price)
    return money
