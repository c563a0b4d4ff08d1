"""Levels of very many jobs at given starts: priced like the jobs themselves, and mixed.

With the on-slots given, levels are a linear program of one column for each segment of each slot of
each job. For thousands of jobs that is slow. Here every entry answers slot prices with its cheapest
levels by itself, and the energy model mixes a few such answers: any mix of levels for the same
on-slots does the same work, so the mix itself is a plan, and the prices prove how good it is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from optimizer.energy_model import EnergyModel, SlotPrices
from optimizer.large.crowd import Parts, spread_out
from optimizer.large.kernels import BIG, fill_entries
from optimizer.large.master import Master
from optimizer.large.prices import Answer, close_in
from optimizer.problem import Entry, Floats
from optimizer.schedule import RESTING, Group, Schedule
from optimizer.sessions import Pattern, ends_early, starts_of

GROUPS = 64
CLOSED = 1e-4
"""Relative distance of the mix from the cheapest levels at which it is good enough."""


class MixedLevels:
    """The levels of one pattern of on-slots, for many entries; what :class:`optimizer.levels.Levels` is for few."""

    def __init__(self, energy: EnergyModel, pattern: Pattern) -> None:
        self.energy, self.pattern = energy, pattern
        problem = energy.problem
        entries = self.entries = [e for e in problem.entries if pattern[e.id].any()]
        pools, most = len(problem.pools), max((len(e.power) for e in entries), default=1)
        self.row = np.array([pools if e.pool is None else e.pool for e in entries], dtype=np.int64)
        on = [np.flatnonzero(pattern[e.id]) for e in entries]
        self.begin = np.concatenate([[0], np.cumsum([len(slots) for slots in on])]).astype(np.int64)
        self.slot = np.concatenate([*on, np.zeros(0)]).astype(np.int64)
        self.copies = np.concatenate([*(pattern[e.id][s] for e, s in zip(entries, on, strict=True)), np.zeros(0)])
        self.late = np.zeros(len(self.slot))
        self.power, self.gain = np.zeros((len(entries), most)), np.zeros((len(entries), most))
        self.top = np.array([int(np.argmax(e.speed)) for e in entries], dtype=np.int64)
        self.numbers = np.zeros((5, len(entries)))
        for j, e in enumerate(entries):
            mine = slice(self.begin[j], self.begin[j + 1])
            self.late[mine] = np.where(self.slot[mine] >= e.deadline, e.late_cost or 0.0, 0.0)
            self.power[j, : len(e.power)], self.gain[j, : len(e.speed)] = e.power, e.speed * problem.step_h
            self.numbers[:, j] = self._numbers(e)
        window = np.array([[s[0], s[-1]] for s in on], dtype=np.int64).reshape(-1, 2)
        self.group = spread_out(self.row, window, GROUPS)
        self.groups = int(self.group.max(initial=-1)) + 1
        row_of_group = np.zeros(self.groups, dtype=np.int64)
        row_of_group[self.group] = self.row
        self._master = Master(energy, Parts(np.arange(self.groups), row_of_group))
        self._told: list[tuple[Floats, Floats]] = []
        gpus = self._gpus = np.zeros(energy.gpu_rows.shape)
        for e in entries:
            if e.pool is not None:
                gpus[e.pool] += e.gpus * pattern[e.id]
        self._master.carry(np.zeros(energy.power_rows.shape), gpus)

    def _numbers(self, e: Entry) -> tuple[float, float, float, float, float]:
        """Hours missing at the lowest level, hours beyond them, room for hours, and the prices of the first two."""
        h, on = self.energy.problem.step_h, self.pattern[e.id]
        _, resumed = starts_of(e, on)
        base = h * float(on.sum()) * float(e.speed[0]) - e.loss_h * resumed
        must_end = ends_early(e, on)
        due = e.work_h if must_end else e.count * e.due_h
        unmet = BIG if must_end or e.unmet_cost is None else e.unmet_cost
        return due - base, max(0.0, e.count * e.work_h - due), max(0.0, e.most_work_h(h) - base), unmet, e.value

    def forecast(self, pv: Floats, wind: Floats) -> None:
        """Change what sun and wind offer, in the problem's unit, one value a slot; all answers stay."""
        self._master.offer(pv, wind)

    def _answer(self, prices: SlotPrices, quick: bool) -> Answer:
        del quick
        missing, beyond, room, unmet, value = self.numbers
        drawn, work = np.empty(len(self.slot)), np.empty(len(self.slot))
        money, power = np.zeros(self.groups), np.zeros((self.groups, self.energy.problem.slots))
        least = fill_entries(
            self.begin,
            self.slot,
            self.copies,
            self.late,
            self.row,
            self.top,
            self.power,
            self.gain,
            missing,
            beyond,
            room,
            unmet,
            value,
            self.group,
            prices.power,
            drawn,
            work,
            money,
            power,
        )
        self._told.append((drawn, work))
        # GPUs in use are no choice here, but their price is part of the proof
        least += float((prices.gpus[: len(self._gpus)] * self._gpus).sum())
        return Answer(float(least), money, power, np.zeros_like(power))

    def solve(self, time_limit_s: float, seeds: Sequence[Floats]) -> tuple[Schedule, Floats] | None:
        """Levels that are nearly the cheapest, and the row prices that prove it.

        None where the on-slots cannot be supplied, or nothing was found in the time. ``seeds`` are row prices
        near the answer, at least one.
        """
        prices = seeds[0]
        for last in close_in(self.energy, self._master, self._answer, seeds, time.monotonic() + time_limit_s, CLOSED):
            prices = last.rows
        self._master.release()
        if self._master.solve() is None:
            return None
        share = self._master.mix()[:, self.group]
        at = np.repeat(np.arange(len(self.entries)), np.diff(self.begin))
        work = np.zeros(len(self.slot))
        for weight, (_, told) in zip(share, self._told, strict=True):
            work += weight[at] * told
        return self._schedule(work), prices

    def _schedule(self, work: Floats) -> Schedule:
        """The least power that does the work: a mix of levels lies under the curve, and on it the work costs less."""
        problem = self.energy.problem
        groups: dict[str, list[list[Group]]] = {e.id: [RESTING] * problem.slots for e in problem.entries}
        for j, e in enumerate(self.entries):
            mine, rising = slice(self.begin[j], self.begin[j + 1]), int(self.top[j]) + 1
            copies = self.copies[mine]
            speed = work[mine] / (copies * problem.step_h)
            power = np.interp(speed, e.speed[:rising], e.power[:rising])
            speed = np.interp(power, e.power, e.speed)
            told = groups[e.id]
            for t, n, p, s in zip(
                self.slot[mine].tolist(), copies.tolist(), power.tolist(), speed.tolist(), strict=True
            ):
                told[t] = [(int(n), p, s)]
        return Schedule(self.pattern, groups)
