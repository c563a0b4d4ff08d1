"""The jobs of a problem as arrays for the compiled arithmetic: one line for each way of each kind of job.

Jobs that are alike in everything but their name are one kind and priced once. An entry of many
copies is a kind by itself: its copies share their work, so one price of work binds them all. A kind
without a choice has one line; one that may run in several ways has a line for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optimizer.aggregate import classes_of
from optimizer.large import kernels as k
from optimizer.problem import Entry, Floats, Ints, Problem
from optimizer.surplus import closed_to
from optimizer.ways import Way

ALONE, GROUPS = 128, 48
"""Kinds up to which each gets its own column a round in the master, and the columns a round where there are more.

A column for each closes in the fewest rounds; of many, a few dozen close in hardly more, each much quicker.
"""

NEVER = 1 << 30

Arrays = tuple[Any, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any]
"""Twelve arrays, one line a way, and the first line of every kind."""


class Crowd:
    """Kinds of jobs that may run, and the ways in which they may: windows, curves, numbers and flags, by line.

    ``ways`` are entries that know one way alone; those of kind ``i`` stand in lines ``begin[i]`` to ``begin[i + 1]``.
    ``left_undone``: what the due work of all the others costs, which no plan does.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        told = [(e, _ways(problem, e)) for e in problem.entries]
        able = [(e, ways) for e, ways in told if ways and (e.due_h > 0 or e.value > 0 or e.published)]
        self.left_undone = sum(e.count * e.due_h * (e.unmet_cost or 0.0) for e, ways in told if not ways)
        self.members: list[list[Entry]] = []
        self.ways: list[Entry] = []
        begin = [0]
        for alike in classes_of([e for e, _ in able]):
            self.members.append([able[i][0] for i in alike])
            self.ways += able[alike[0]][1]
            begin.append(len(self.ways))
        self.kinds: list[Entry] = [alike[0] for alike in self.members]
        self.begin = np.array(begin, dtype=np.int64)
        self.kind = np.repeat(np.arange(len(self.kinds)), np.diff(self.begin))
        self.times = np.array([float(sum(e.count for e in alike)) for alike in self.members])
        self._lines()
        self._groups()

    def _lines(self) -> None:
        problem = self.problem
        lines, most = len(self.ways), max((len(e.power) for e in self.ways), default=1)
        self.window = np.zeros((lines, 2), dtype=np.int64)
        self.power, self.gain = np.zeros((lines, most)), np.zeros((lines, most))
        self.levels = np.array([len(e.power) for e in self.ways], dtype=np.int64)
        self.job, self.flag = np.zeros((lines, 6)), np.zeros((lines, 10), dtype=np.int64)
        for j, e in enumerate(self.ways):
            self.window[j] = (e.first if e.pinned is None else e.pinned), e.last
            n = len(e.power)
            self.power[j, :n], self.gain[j, :n] = e.power, e.speed * problem.step_h
            unmet = k.BIG if e.unmet_cost is None else e.unmet_cost
            self.job[j] = e.due_h, e.work_h, e.value, unmet, e.start_cost, e.loss_h
            self.flag[j] = _flags(e)
        pick = self._pick
        self.gpus = pick(lambda e: e.gpus)
        self.late = pick(lambda e: e.late_cost or 0.0)
        self.late_from = np.array([max(0, e.deadline) if e.late_cost else NEVER for e in self.ways], dtype=np.int64)
        # what no work can be worth closes a slot
        shut = [np.where(closed_to(problem, e), 2.0 * k.BIG, on_money(e, problem.slots)) for e in self.ways]
        self.moved = np.array(shut).reshape(lines, problem.slots)
        pools = len(problem.pools)
        self.row = np.array([pools if e.pool is None else e.pool for e in self.ways], dtype=np.int64)
        chosen = [_chosen_way(self.kinds[i], e) for i, e in zip(self.kind.tolist(), self.ways, strict=True)]
        self.egress = np.array([0.0 if way is None else way.egress for way in chosen])
        self.home = (np.arange(lines) == self.begin[self.kind]).astype(np.int64)
        self.mixes = np.array([_mixes(self.row[a:b], self.flag[a:b]) for a, b in self._spans()], dtype=bool)
        self.resize = np.array([e.resize_loss_h for e in self.kinds], dtype=float)

    def _groups(self) -> None:
        """Columns of the master: a group of kinds gives one, which touches the rows of all pools that these go to."""
        first, last = (
            np.array([of(self.window[a:b, i]) for a, b in self._spans()], dtype=np.int64)
            for i, of in ((0, np.min), (1, np.max))
        )
        window = np.stack([first, last], axis=1) if len(first) else np.zeros((0, 2), dtype=np.int64)
        self.group = spread_out(self.choice, window, GROUPS if len(self.kinds) > ALONE else ALONE)
        self.groups = int(self.group.max(initial=-1)) + 1
        rows = len(self.problem.pools) + 1
        parts, self.part = np.unique(self.group[self.kind] * rows + self.row, return_inverse=True)
        self.parts = Parts(parts // rows, parts % rows)

    def _spans(self) -> list[tuple[int, int]]:
        return list(zip(self.begin[:-1].tolist(), self.begin[1:].tolist(), strict=True))

    @property
    def choice(self) -> Ints:
        """By kind, a number for the pools that it chooses among; that of its pool where it has no choice."""
        rows = [tuple(self.row[a:b].tolist()) for a, b in self._spans()]
        several = {choice: i for i, choice in enumerate(sorted({one for one in rows if len(one) > 1}))}
        beyond = len(self.problem.pools) + 1
        return np.array([one[0] if len(one) == 1 else beyond + several[one] for one in rows], dtype=np.int64)

    @property
    def arrays(self) -> Arrays:
        """Everything about the ways that the compiled arithmetic reads, in its order."""
        who = self.window, self.power, self.gain, self.levels, self.gpus, self.late, self.late_from
        return *who, self.job, self.flag, self.row, self.moved, self.egress, self.begin

    @property
    def mixing(self) -> tuple[Any, Any, Any]:
        """What is read besides where kinds may change their way: home lines, which kinds may, and what it loses."""
        return self.home, self.mixes, self.resize

    def chosen(self, kinds: Ints, copies: Ints) -> Chosen:
        """Units of these kinds, so many copies each; copies of an entry run alike and share nothing."""
        lines = np.concatenate([np.arange(self.begin[i], self.begin[i + 1]) for i in kinds.tolist()])
        some = [array[lines] for array in self.arrays[:-1]]
        some[8] = some[8].copy()
        some[8][:, k.TOGETHER] = 0
        width = self.begin[kinds + 1] - self.begin[kinds]
        begin = np.concatenate([[0], np.cumsum(width)])
        parts = Parts(np.repeat(np.arange(len(kinds)), width), self.row[lines])
        mixing = self.home[lines], np.zeros(len(kinds), dtype=bool), self.resize[kinds]
        return Chosen((*some, begin), mixing, copies.astype(float), np.arange(len(lines)), parts, lines)

    def by_group(self, values: Floats) -> Floats:
        """Sums of values by kind over each group."""
        return np.bincount(self.group, values, self.groups).astype(float)

    def _pick(self, of: Callable[[Entry], float]) -> Floats:
        return np.array([of(e) for e in self.ways], dtype=float)

    def idle_cost(self, dearest_price: float) -> Floats:
        """Cost by kind of leaving all work undone; far above any energy cost where it must be done."""
        first = self.begin[:-1]
        job, flag, gain = self.job[first], self.flag[first], self.gain[first]
        due, unmet = job[:, k.DUE], job[:, k.UNMET]
        energy = due * self.power[first].max(axis=1) / np.maximum(gain.max(axis=1) / self.problem.step_h, 1e-9)
        must = (unmet >= k.BIG) & (due > 0) | (flag[:, k.STAYS] == 1) | (flag[:, k.PINNED] == 1)
        return self.times * np.where(must, 2e3 * (1.0 + dearest_price) * (1.0 + energy), unmet * due)

    def first_theta(self, price: float) -> Floats:
        """A price of work to begin with, by kind: what an hour of it draws, at some price of power."""
        first = self.begin[:-1]
        unmet = self.job[first, k.UNMET]
        frugal = (self.power[first, 0] / np.maximum(self.gain[first, 0], 1e-9)) * max(price, 1e-6)
        theta: Floats = np.minimum(frugal, np.where(unmet >= k.BIG, np.inf, unmet))
        return theta


def on_money(e: Entry, slots: int) -> Floats:
    """What being on in each slot costs a copy by itself: moving against the plan in force."""
    return np.zeros(slots) if e.published is None else e.published.on_money


def _ways(problem: Problem, e: Entry) -> list[Entry]:
    """The entry in each way in which it could ever run, the first one first; none where its window is closed."""
    if not e.may_run:
        return []
    if not e.ways:
        return [e] if _fits(problem, e) else []
    ways = [_in_way(e, way) for way in e.ways]
    # where it runs when the day begins is where its changes begin, whether it fits there for longer or not
    return [way for k, way in enumerate(ways) if way and (_fits(problem, way) or (k == 0 and e.on_before))]


def _in_way(e: Entry, way: Way) -> Entry | None:
    """The entry as one that goes this way for the whole day; None where it may not."""
    here = e.in_way(way)
    if e.on_before and way.pool != e.ways[0].pool:
        if e.must_stay:
            return None
        # it stops at once, and begins anew over there
        pauses = None if e.max_pauses is None else e.max_pauses - 1
        first = max(here.first, 1, e.min_pause)
        here = replace(here, state="paused", on_before=0, first=first, max_pauses=pauses)
    elif e.on_before and way is not e.ways[0]:
        here = replace(here, due_h=e.due_h + e.resize_loss_h, work_h=e.work_h + e.resize_loss_h)
    closed = here.first >= here.last or (here.pinned is not None and here.pinned < here.first)
    return None if closed else here


def _fits(problem: Problem, e: Entry) -> bool:
    """Whether its pool is ever as large as one gang; who has to run is not asked."""
    return e.pool is None or e.must_start or e.gpus <= problem.pools[e.pool].widest(e.first, e.last)


def _chosen_way(kind: Entry, e: Entry) -> Way | None:
    return next((way for way in kind.ways if (way.pool, way.gpus) == (e.pool, e.gpus)), None)


def _mixes(row: Ints, flag: Ints) -> bool:
    """Whether a job may change among these ways: from session to session, or its gang within one."""
    return len(row) > 1 and (bool((flag[:, k.PAUSES] == 1).any()) or len(np.unique(row)) < len(row))


def _flags(e: Entry) -> list[int]:
    pausable = e.preemptible and e.max_pauses != 0
    return [
        int(e.state == "queued"),
        int(e.on_before > 0),
        int(e.must_stay),
        int(e.pinned is not None and e.work_h > 0),
        int(pausable),
        max(1, e.min_run),
        max(1, e.min_pause),
        max(1, e.ran),
        -1 if e.max_pauses is None else e.max_pauses,
        int(e.count > 1),
    ]


@dataclass(frozen=True)
class Parts:
    """What a group's column consists of: power and GPUs in one pool each; by part its group and line of prices."""

    group: Ints
    row: Ints

    @property
    def groups(self) -> int:
        """Number of groups."""
        return int(self.group.max(initial=-1)) + 1


@dataclass(frozen=True)
class Chosen:
    """Some units, each a group by itself and each of its ways a part: what the arithmetic reads of a crowd.

    ``lines`` are those of the crowd.
    """

    arrays: Arrays
    mixing: tuple[Any, Any, Any]
    times: Floats
    part: Ints
    parts: Parts
    lines: Ints


def spread_out(row: Ints, window: Ints, most: int) -> Ints:
    """Group of every kind: by itself while there are few, else with those of its row and like window."""
    lines = len(row)
    if lines <= most:
        return np.arange(lines)
    group = np.zeros(lines, dtype=np.int64)
    begin = 0
    for one in np.unique(row):
        mine = np.flatnonzero(row == one)
        each = max(1, round(most * len(mine) / lines))
        rank = np.argsort(np.argsort(window[mine].sum(axis=1), kind="stable"), kind="stable")
        group[mine] = begin + rank * each // len(mine)
        begin += each
    _, dense = np.unique(group, return_inverse=True)
    return np.asarray(dense, dtype=np.int64)
