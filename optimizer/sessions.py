"""Sessions of a job, counted from the slots in which it is on: starts, resumptions, early ends."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optimizer.problem import Entry, Ints

Pattern = Mapping[str, Ints]
"""Copies of each entry that are on, one value a slot."""


def starts_of(e: Entry, on: Ints) -> tuple[int, int]:
    """Starts inside the horizon, and how many of them resume earlier work and lose some."""
    rises = np.diff(on, prepend=e.on_before)
    starts = int(rises[rises > 0].sum())
    return starts, max(0, starts - e.free_starts)


def runs_of(on: Ints) -> list[tuple[int, int]]:
    """Half-open slot intervals in which any copy is on."""
    edges = np.flatnonzero(np.diff((on > 0).astype(np.int8), prepend=0, append=0))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def ends_early(e: Entry, on: Ints) -> bool:
    """Whether the last session is shorter than the minimum run, which only a job that ends in it may be."""
    sessions = runs_of(on)
    if not sessions or e.min_run <= 1:
        return False
    start, end = sessions[-1]
    before = e.ran if start == 0 and e.on_before else 0
    return end < len(on) and end - start + before < e.min_run
