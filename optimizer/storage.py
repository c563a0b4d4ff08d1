"""Checkpoints that jobs write when they stop and read when they resume, against what the storage takes in a slot.

One that is larger than a slot takes is moved in equal parts over several (``Entry.checkpoint_slots``).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from optimizer.problem import Entry, Floats, Ints, Problem
from optimizer.sessions import Pattern

NEAR = 1e-9
"""Relative distance within which a slot's traffic is what the storage takes."""


def moved_gb(e: Entry, on: Ints) -> Floats:
    """GB that one gang writes and reads in each slot: from the first one off, and from that in which it resumes."""
    now = np.asarray(on) > 0
    before = np.concatenate([[e.on_before > 0], now[:-1]])
    starts = now & ~before
    if e.state == "queued" and starts.any():
        # its first start finds nothing to read
        starts[int(np.argmax(starts))] = False
    begun = starts.astype(float) + (before & ~now)
    found: Floats = np.convolve(begun, np.full(e.checkpoint_slots, e.checkpoint_gb / e.checkpoint_slots))[: len(now)]
    return found


def traffic_gb(problem: Problem, pattern: Pattern) -> Floats:
    """GB that all jobs write and read in each slot."""
    total = np.zeros(problem.slots)
    for e in with_checkpoints(problem):
        total += moved_gb(e, pattern[e.id])
    return total


def with_checkpoints(problem: Problem) -> Iterator[Entry]:
    """Entries whose stops and starts the storage feels; none where nothing is said of it."""
    return (e for e in problem.entries if problem.storage is not None and e.checkpoint_gb > 0)


def takes(problem: Problem, pattern: Pattern) -> bool:
    """Whether the storage takes all that is moved, where no price lets it be more."""
    return problem.storage is None or problem.storage.cost is not None or beyond_gb(problem, pattern) == 0


def beyond_gb(problem: Problem, pattern: Pattern) -> float:
    """GB of the whole horizon that are more than the storage takes in their slots."""
    if problem.storage is None:
        return 0.0
    over = traffic_gb(problem, pattern) - problem.storage.most_gb
    return float(np.where(over > NEAR * problem.storage.most_gb, over, 0.0).sum())
