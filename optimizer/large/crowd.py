"""The jobs of a problem as arrays for the compiled arithmetic: one line for each kind of job.

Jobs that are alike in everything but their name are one kind and priced once. An entry of many
copies is a kind by itself: its copies share their work, so one price of work binds them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimizer.aggregate import classes_of
from optimizer.large import kernels as k
from optimizer.problem import Entry, Floats, Ints, Problem

ALONE, GROUPS = 128, 48
"""Kinds up to which each gets its own column a round in the master, and the columns a round where there are more.

A column for each closes in the fewest rounds; of many, a few dozen close in hardly more, each much quicker.
"""

NEVER = 1 << 30

Arrays = tuple[Any, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any]
"""Eleven arrays, one line a kind."""


class Crowd:
    """Kinds of jobs that may run: windows, curves, numbers and flags, by line.

    ``left_undone``: what the due work of all the others costs, which no plan does.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        able = [_can_run(problem, e) for e in problem.entries]
        told = list(zip(problem.entries, able, strict=True))
        entries = [e for e, can in told if can and (e.due_h > 0 or e.value > 0 or e.published)]
        self.left_undone = sum(e.count * e.due_h * (e.unmet_cost or 0.0) for e, can in told if not can)
        self.members: list[list[Entry]] = [[entries[i] for i in alike] for alike in classes_of(entries)]
        self.kinds: list[Entry] = [alike[0] for alike in self.members]
        self.times = np.array([float(sum(e.count for e in alike)) for alike in self.members])
        lines, most = len(self.kinds), max((len(e.power) for e in self.kinds), default=1)
        self.window = np.zeros((lines, 2), dtype=np.int64)
        self.power, self.gain = np.zeros((lines, most)), np.zeros((lines, most))
        self.levels = np.array([len(e.power) for e in self.kinds], dtype=np.int64)
        self.job, self.flag = np.zeros((lines, 6)), np.zeros((lines, 10), dtype=np.int64)
        for j, e in enumerate(self.kinds):
            self.window[j] = (e.first if e.pinned is None else e.pinned), e.last
            n = len(e.power)
            self.power[j, :n], self.gain[j, :n] = e.power, e.speed * problem.step_h
            unmet = k.BIG if e.unmet_cost is None else e.unmet_cost
            self.job[j] = e.due_h, e.work_h, e.value, unmet, e.start_cost, e.loss_h
            self.flag[j] = _flags(e)
        pick = self._pick
        self.gpus = pick(lambda e: e.gpus)
        self.late = pick(lambda e: e.late_cost or 0.0)
        self.late_from = np.array([max(0, e.deadline) if e.late_cost else NEVER for e in self.kinds], dtype=np.int64)
        self.moved = np.array([on_money(e, problem.slots) for e in self.kinds]).reshape(lines, problem.slots)
        pools = len(problem.pools)
        self.row = np.array([pools if e.pool is None else e.pool for e in self.kinds], dtype=np.int64)
        self.group = spread_out(self.row, self.window, GROUPS if lines > ALONE else ALONE)
        self.groups = int(self.group.max(initial=-1)) + 1
        self.row_of_group = np.zeros(self.groups, dtype=np.int64)
        self.row_of_group[self.group] = self.row

    @property
    def arrays(self) -> Arrays:
        """Everything about the kinds that the compiled arithmetic reads, in its order."""
        who = self.window, self.power, self.gain, self.levels, self.gpus, self.late, self.late_from
        return *who, self.job, self.flag, self.row, self.moved

    def chosen(self, lines: Ints, copies: Ints) -> Chosen:
        """Units of these kinds, so many copies each; copies of an entry run alike and share nothing."""
        some = [array[lines] for array in self.arrays]
        some[8] = some[8].copy()
        some[8][:, k.TOGETHER] = 0
        return Chosen(tuple(some), copies.astype(float), np.arange(len(lines)), len(lines))

    def by_group(self, values: Floats) -> Floats:
        """Sums of values by kind over each group."""
        return np.bincount(self.group, values, self.groups).astype(float)

    def _pick(self, of: Callable[[Entry], float]) -> Floats:
        return np.array([of(e) for e in self.kinds], dtype=float)

    def idle_cost(self, dearest_price: float) -> Floats:
        """Cost by kind of leaving all work undone; far above any energy cost where it must be done."""
        due, unmet = self.job[:, k.DUE], self.job[:, k.UNMET]
        energy = due * self.power.max(axis=1) / np.maximum(self.gain.max(axis=1) / self.problem.step_h, 1e-9)
        must = (unmet >= k.BIG) & (due > 0) | (self.flag[:, k.STAYS] == 1) | (self.flag[:, k.PINNED] == 1)
        return self.times * np.where(must, 2e3 * (1.0 + dearest_price) * (1.0 + energy), unmet * due)

    def first_theta(self, price: float) -> Floats:
        """A price of work to begin with: what an hour of it draws, at some price of power."""
        frugal = (self.power[:, 0] / np.maximum(self.gain[:, 0], 1e-9)) * max(price, 1e-6)
        theta: Floats = np.minimum(frugal, np.where(self.job[:, k.UNMET] >= k.BIG, np.inf, self.job[:, k.UNMET]))
        return theta


def on_money(e: Entry, slots: int) -> Floats:
    """What being on in each slot costs a copy by itself: moving against the plan in force."""
    return np.zeros(slots) if e.published is None else e.published.on_money


def _can_run(problem: Problem, e: Entry) -> bool:
    """Whether its window is open, and its pool ever as large as one gang; who has to run is not asked."""
    fits = e.pool is None or e.must_start or e.gpus <= problem.pools[e.pool].widest(e.first, e.last)
    return e.may_run and fits


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
class Chosen:
    """Some units, each a group by itself: what the arithmetic reads of a crowd."""

    arrays: Arrays
    times: Floats
    group: Ints
    groups: int


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
