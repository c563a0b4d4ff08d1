"""Entries that are the same gang told several times: what a planner may treat as one entry with a count.

Two entries are of one class where nothing but their id and tenant tells them apart. Copies of a class may
change places in a plan without changing its cost, so one integer a slot stands for all of them; a copy keeps
its own id because the plan names it.

What an integer counts has to come apart again into jobs that each do their own work, at the same cost. That is so
for two kinds of job with one level, and only these are merged for the whole model:

- one that may not pause and must be done: every copy takes as many slots as its work needs (or one more, where the
  contract allows it and burning energy may pay), so starts are all there is to count;
- one that may pause, where neither starts nor pauses count: any counts that add up to equal shares come apart (a
  matrix of zeros and ones with these sums exists: Gale 1957, Ryser 1957).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from operator import attrgetter

import numpy as np

from optimizer.problem import Entry, Ints, Problem

_NAMES = {"id", "tenant"}
_ARRAYS = {"power", "speed"}
_plain = attrgetter(*(field.name for field in fields(Entry) if field.name not in _NAMES | _ARRAYS))

WHOLE = 1e-9
"""Relative distance from a whole number of slots within which work counts as one."""


def classes_of(entries: Sequence[Entry]) -> list[list[int]]:
    """Indices of ``entries`` by class, each index once.

    A class lists its members in rising order, and classes come by their first member. Equality is exact: a
    document that means identical jobs writes identical numbers. About 20 ms for 10,000 entries.
    """
    found: dict[tuple[object, ...], list[int]] = {}
    for index, e in enumerate(entries):
        key = (*_plain(e), *e.power.tolist(), *e.speed.tolist())
        found.setdefault(key, []).append(index)
    return list(found.values())


@dataclass(frozen=True)
class Merged:
    """A problem in which one entry stands for several, and what it stands for."""

    problem: Problem
    members: Mapping[str, tuple[str, ...]]

    def together(self, pattern: Mapping[str, Ints]) -> dict[str, Ints]:
        """Copies on, by entry of the merged problem, of on-slots by entry of the original one."""
        return {name: np.sum([pattern[i] for i in ids], axis=0) for name, ids in self.members.items()}

    def begun(self, pattern: Mapping[str, Ints], name: str) -> dict[tuple[int, int], int]:
        """How many of an entry's members begin in each slot, by slot and length of their run; they never pause."""
        found: dict[tuple[int, int], int] = {}
        for on in (pattern[i] for i in self.members[name]):
            if on.any():
                run = int(np.flatnonzero(on)[0]), int(on.sum())
                found[run] = found.get(run, 0) + 1
        return found

    def apart(self, counts: Mapping[str, Ints], begun: Mapping[str, Mapping[tuple[int, int], int]]) -> dict[str, Ints]:
        """On-slots by entry of the original problem, of copies on and of runs begun by entry of the merged one."""
        found: dict[str, Ints] = {}
        for e in self.problem.entries:
            ids = self.members[e.id]
            if e.share is None:
                found[ids[0]] = counts[e.id]
            elif e.preemptible:
                found.update(zip(ids, _equal_shares(counts[e.id], len(ids), e.share[1]), strict=True))
            else:
                runs = [run for run, copies in sorted(begun[e.id].items()) for _ in range(copies)]
                for i, (start, length) in zip(ids, runs, strict=True):
                    found[i] = np.zeros(self.problem.slots, dtype=np.int64)
                    found[i][start : start + length] = 1
        return found


def merged(problem: Problem) -> Merged:
    """The problem with one entry for each class that comes apart again; the others stay as they are.

    An entry that stands for jobs of their own has a ``share``, also where it stands for one alone.
    """
    entries, awaited = problem.entries, {name for e in problem.entries for name in e.after}
    burning_may_pay = problem.burning_may_pay
    kept: list[Entry] = []
    members: dict[str, tuple[str, ...]] = {}
    for indices in classes_of(entries):
        alike = [entries[i] for i in indices]
        share = _share(alike[0], problem.step_h, idle_work=burning_may_pay)
        if share is None or any(e.id in awaited for e in alike):
            kept += alike
            members |= {e.id: (e.id,) for e in alike}
        else:
            first = replace(alike[0], count=len(alike), share=share)
            kept.append(first)
            members[first.id] = tuple(e.id for e in alike)
    return Merged(replace(problem, entries=tuple(kept)), members)


_MEANT = {
    *("id", "tenant", "pool", "gpus", "work_h", "due_h", "power", "speed", "limit_w", "first", "last", "deadline"),
    *("late_cost", "unmet_cost", "value", "preemptible", "loss_h", "start_cost", "min_run", "min_pause", "max_pauses"),
    *("state", "pinned", "on_before", "ran", "held", "count", "clock_mhz"),
}
"""Fields of which this module knows what they mean to a merged job; any other must have its default."""


def _share(e: Entry, step_h: float, *, idle_work: bool) -> tuple[int, int] | None:
    """Least and most on-slots of one copy, if copies of this entry come apart again; else None.

    ``idle_work``: whether the slot that a job may run beyond its work could pay.
    """
    plain = all(f.default is not MISSING and getattr(e, f.name) == f.default for f in fields(e) if f.name not in _MEANT)
    if not (plain and e.may_run and e.count == 1 and e.state == "queued" and e.pinned is None):
        return None
    if len(e.power) != 1 or e.top_speed <= 0 or e.work_h <= 0:
        return None
    each = step_h * e.top_speed
    due, work = e.due_h / each, e.work_h / each
    whole = all(abs(slots - round(slots)) <= WHOLE * max(1.0, slots) for slots in (due, work))
    least, most = (math.ceil(slots - WHOLE * max(1.0, slots)) for slots in (due, work))
    must = e.unmet_cost is None
    if not (whole or (must and least == most)):
        return None
    counted = e.loss_h > 0 or e.start_cost > 0 or e.min_run > 1 or e.min_pause > 1 or e.max_pauses is not None
    if counted if e.preemptible else not must or least < most:
        return None
    return (least if must else 0), most + (1 if idle_work and whole else 0)


def _equal_shares(counts: Ints, copies: int, most: int) -> list[Ints]:
    """On-slots of copies, equal in number up to one, that add up to ``counts``; a copy that runs goes on if it can."""
    total = int(counts.sum())
    owed = np.full(copies, total // copies)
    owed[: total % copies] += 1
    if owed.max(initial=0) > most or counts.max(initial=0) > copies:
        raise AssertionError(f"{counts} gives {copies} copies more than {most} slots each")
    on = np.zeros((copies, len(counts)), dtype=np.int64)
    running = np.zeros(copies, dtype=bool)
    for t, here in enumerate(counts.tolist()):
        going_on = np.lexsort((-owed, ~running, owed == 0))
        longest = np.argsort(-owed, kind="stable")
        # as many of those that run as leave the rest something that still comes apart; owing most is always right
        for swapped in range(here + 1):
            chosen = _mixed(going_on, longest, here, swapped)
            left = owed.copy()
            left[chosen] -= 1
            if _comes_apart(left, counts[t + 1 :]):
                break
        owed, running = left, np.isin(np.arange(copies), chosen)
        on[chosen, t] = 1
    return list(on)


def _mixed(first: Ints, then: Ints, size: int, swapped: int) -> Ints:
    """``size`` indices: all but ``swapped`` from the beginning of ``first``, the others from ``then``."""
    chosen = first[: size - swapped]
    others = then[~np.isin(then, chosen)][:swapped]
    return np.concatenate([chosen, others])


def _comes_apart(owed: Ints, counts: Ints) -> bool:
    """Whether copies that owe so many slots each can fill these counts: the theorem of Gale and Ryser."""
    if owed.min(initial=0) < 0 or owed.sum() != counts.sum():
        return False
    most = np.cumsum(np.sort(owed)[::-1])
    room = np.minimum(counts[:, None], np.arange(1, len(owed) + 1)).sum(axis=0)
    return bool((most <= room).all())
