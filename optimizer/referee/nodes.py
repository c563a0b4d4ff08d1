"""Nodes that may be off: how many are up, that jobs run on those alone, that none stops too soon, what they draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimizer.document import Pool

from .day import Day
from .findings import Findings, Floats


def check_nodes(day: Day, pool: Pool, said: list[Any], available: Floats, used: Floats, findings: Findings) -> Floats:
    """Power in MW that a pool draws beside its jobs; ``available`` and ``used`` are GPUs per slot."""
    nodes = pool.nodes
    assert nodes is not None
    whole, gpus = np.floor(available / nodes.gpus_per_node), nodes.gpus_per_node
    on = day.per_slot(said)
    half = np.full(day.slots, 0.5)
    what = f"the number of nodes on in pool {pool.name}"
    findings.limits("nodes.there", what, on, whole, half, "nodes")
    findings.limits("nodes.there", f"what is missing in {what}", -on, np.zeros(day.slots), half, "nodes")
    before = whole[0] if nodes.on_before is None else nodes.on_before
    ages = _ages(on, float(before), nodes.started_before)
    booting = np.array([sum(n for age, n in here if age < nodes.boot_slots) for here in ages])
    least = max(nodes.min_up_slots, nodes.boot_slots)
    staying = np.array([sum(n for age, n in here if age < least) for here in ages])
    up = gpus * (on - booting)
    findings.limits("nodes.up", f"use of pool {pool.name} on nodes that are up", used, up, half, "GPUs")
    text = f"nodes of pool {pool.name} that may not be off yet"
    findings.limits("nodes.min_up", text, staying, on, half, "nodes")
    idle = pool.idle_w_per_gpu * np.maximum(0.0, gpus * on - used) + nodes.off_w * np.maximum(0.0, whole - on)
    return np.asarray(idle / 1e6, dtype=np.float64)


def _ages(on: Floats, before: float, started: list[int]) -> list[list[tuple[int, float]]]:
    """For each slot, how many nodes were started how many slots ago; those of which that is not known left out."""
    born: dict[int, float] = {-1 - k: float(n) for k, n in enumerate(started)}
    found = []
    for t, now in enumerate(on.tolist()):
        if now > before:
            born[t] = now - before
        before = now
        found.append([(t - slot, n) for slot, n in born.items()])
    return found
