"""Placing jobs in the order of their release: the yardstick's way, and the quickest way to a first plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from optimizer.board import Board, slots_needed, work_of
from optimizer.problem import Entry, Flags, Floats, Ints, Problem
from optimizer.sessions import lawful
from optimizer.ways import Way


def in_order_of_release(problem: Problem, it_limit: Floats, levels: Mapping[str, int]) -> dict[str, Ints]:
    """On-slots of every entry, each at its given level in the earliest block that GPUs, feeds and supply allow."""
    by_release = sorted(problem.entries, key=lambda e: (e.state != "running", e.pinned or e.first, e.deadline, e.id))
    return in_order(problem, it_limit, levels, by_release)


def in_order(
    problem: Problem, it_limit: Floats, levels: Mapping[str, int], entries: Iterable[Entry]
) -> dict[str, Ints]:
    """The same for any order of entries; those that are not among ``entries`` stay off."""
    board = Board(problem, it_limit)
    pattern: dict[str, Ints] = {e.id: np.zeros(problem.slots, dtype=np.int64) for e in problem.entries}
    for e in entries:
        # what runs on surplus alone is for whoever knows the surplus
        if e.may_run and not e.surplus and (e.due_h > 0 or e.must_start):
            way, here, level, on = _place(problem, e, board, levels[e.id])
            pattern[e.id] = on
            pattern |= {other.key: on if other is way else np.zeros_like(on) for other in e.ways}
            board.take(here, on, here.power[level] * on)
    return pattern


def _place(problem: Problem, e: Entry, board: Board, level: int) -> tuple[Entry | Way, Entry, int, Ints]:
    """In which way an entry does most of what is due, of these the one that ends first; the entry in that way alone.

    Who runs when the day begins goes on where it is.
    """
    found = []
    for way in e.options[:1] if e.on_before else e.options:
        here = e.in_way(way)
        at = min(level, len(here.power) - 1)
        on = _earliest(problem, here, board, at)
        done = min(e.count * e.due_h, work_of(problem, here, on, at))
        found.append(((-round(done, 9), int(np.flatnonzero(on)[-1]) if on.any() else 0), way, here, at, on))
    _, way, here, at, on = min(found, key=lambda one: one[0])
    return way, here, at, on


def _earliest(problem: Problem, e: Entry, board: Board, level: int) -> Ints:
    """Each copy in one block from the earliest slot that takes it whole; what finds no place stays undone.

    Where no place holds the whole block, the earliest that the horizon or the deadline cuts is taken,
    as a scheduler without foresight would.
    """
    left = board.room(e, e.power)[level]
    on = np.zeros(problem.slots, dtype=np.int64)
    starts = 0 if e.on_before else 1
    # a run that the work does not end lasts its minimum, whatever is due
    shortest = min(e.min_run - e.ran * e.on_before, slots_needed(problem, e, level, e.work_h, starts))
    length = max(shortest, slots_needed(problem, e, level, e.due_h, starts))
    for _ in range(e.count):
        free = left >= 1
        start = _first_start(problem, e, free, length, level)
        if start is None and e.must_stay:
            start = 0
        if start is None:
            break
        end = min(start + length, e.last)
        on[start:end] += 1
        left[start:end] -= 1
    return on


def _first_start(problem: Problem, e: Entry, free: Flags, length: int, level: int) -> int | None:
    taken = np.concatenate([[0], np.cumsum(~free)])
    first = e.first if e.pinned is None else e.pinned
    last = first + 1 if e.pinned is not None or e.on_before else e.last
    for start in range(first, last):
        end = min(start + length, e.last)
        if end <= start or taken[end] != taken[start]:
            continue
        on = np.zeros(problem.slots, dtype=np.int64)
        on[start:end] = 1
        if lawful(e, on, work_of(problem, e, on, level)):
            return start
    return None
