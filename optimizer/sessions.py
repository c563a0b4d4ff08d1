"""Sessions of a job, counted from the slots in which it is on: starts, resumptions, early ends."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from optimizer.problem import Entry, Ints, Problem
from optimizer.ways import Way

Pattern = Mapping[str, Ints]
"""Copies of each entry that are on, one value a slot."""


def starts_of(e: Entry, on: Ints) -> tuple[int, int]:
    """Starts inside the horizon, and how many of them resume earlier work and lose some."""
    rises = on.copy()
    rises[1:] -= on[:-1]
    rises[0] -= e.on_before
    starts = int(rises[rises > 0].sum())
    return starts, max(0, starts - e.free_starts)


def taken(e: Entry, pattern: Pattern) -> list[tuple[Entry | Way, Ints]]:
    """The ways of an entry with the slots in which it runs so; where the pattern names none, it takes the first."""
    if not e.ways:
        return [(e, pattern[e.id])]
    if e.ways[0].key not in pattern:
        nowhere = np.zeros_like(pattern[e.id])
        return [(way, nowhere if k else pattern[e.id]) for k, way in enumerate(e.ways)]
    return [(way, pattern[way.key]) for way in e.ways]


def in_one_way_each(problem: Problem, pattern: Pattern) -> tuple[Entry, ...] | None:
    """The entries as if the ways that they take were their only ones; None where one takes several.

    Who runs when the day begins and goes on in another way takes two.
    """
    if not problem.chooses:
        return problem.entries
    found = []
    for e in problem.entries:
        goes = [way for way, on in taken(e, pattern) if on.any()] or e.options[:1]
        if len(goes) > 1 or resizes(e, pattern):
            return None
        found.append(e.in_way(goes[0]))
    return tuple(found)


def resizes(e: Entry, pattern: Pattern) -> int:
    """How often an entry changes its gang from one slot to the next; a running one begins with its first way."""
    if not e.ways:
        return 0
    now = np.array([on for _, on in taken(e, pattern)])
    before = np.roll(now, 1, axis=1)
    before[:, 0] = 0
    before[0, 0] = e.on_before
    return int((now.any(axis=0) & before.any(axis=0) & (now != before).any(axis=0)).sum())


def lost_h(e: Entry, pattern: Pattern) -> float:
    """Hours of work that starts and changes of the gang cost."""
    return e.loss_h * starts_of(e, pattern[e.id])[1] + e.resize_loss_h * resizes(e, pattern)


def egress_of(e: Entry, pattern: Pattern) -> float:
    """Money for going to the ways that an entry takes."""
    return sum(way.egress for way, on in taken(e, pattern) if isinstance(way, Way) and on.any())


def keeps_its_ways(e: Entry, pattern: Pattern) -> bool:
    """Whether each way is taken only once it is ready, and each session stays in one pool."""
    if not e.ways:
        return True
    pool_before = e.ways[0].pool if e.on_before else None
    on_before = bool(e.on_before)
    options = taken(e, pattern)
    for t in range(len(pattern[e.id])):
        here = [way for way, on in options if on[t]]
        if any(t < way.first for way in here):
            return False
        if here and on_before and here[0].pool != pool_before:
            return False
        on_before, pool_before = bool(here), here[0].pool if here else None
    return True


def runs_of(on: Ints) -> list[tuple[int, int]]:
    """Half-open slot intervals in which any copy is on."""
    with_off = np.zeros(len(on) + 2, dtype=bool)
    with_off[1:-1] = on > 0
    edges = np.flatnonzero(with_off[1:] != with_off[:-1]).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def short_sessions(e: Entry, on: Ints) -> list[tuple[int, int]]:
    """Sessions shorter than the minimum run that the end of the horizon does not cut."""
    if e.min_run <= 1:
        return []
    return [
        (start, end)
        for start, end in runs_of(on)
        if end < len(on) and end - start + (e.ran if start == 0 and e.on_before else 0) < e.min_run
    ]


def ends_early(e: Entry, on: Ints) -> bool:
    """Whether the last session is shorter than the minimum run, which only a job that ends in it may be."""
    return bool(short_sessions(e, on))


def lawful(e: Entry, on: Ints, done_h: float) -> bool:
    """Whether the sessions of one gang keep its rules, given the work that they do (losses taken off)."""
    if e.held:
        return not on.any()
    if e.count > 1:
        return True
    sessions = runs_of(on)
    continued = bool(e.on_before and len(on) and on[0])
    short = short_sessions(e, on)
    if any(session != sessions[-1] for session in short) or (short and done_h < e.work_h - 1e-9):
        return False
    if e.must_stay and not continued:
        return False
    if e.pinned is not None and (sessions[0][0] != e.pinned if sessions else e.work_h > 0):
        return False
    if not e.preemptible and len(sessions) > (0 if e.on_before and not continued else 1):
        return False
    paused_at_once = bool(e.on_before) and not continued and e.work_h > 0
    gaps = [b[0] - a[1] for a, b in itertools.pairwise(sessions)]
    if paused_at_once and sessions:
        gaps.append(sessions[0][0])
    if any(gap < e.min_pause for gap in gaps):
        return False
    pauses = max(len(gaps), int(paused_at_once))
    return e.max_pauses is None or pauses <= e.max_pauses
