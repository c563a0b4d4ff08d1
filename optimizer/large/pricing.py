"""What each job would do at given slot prices, and what it costs at the very least.

All jobs at once, in arrays ``[job, slot]``. The work that a job owes is priced too (``theta`` per
hour of work): at a fixed ``theta`` every slot has a best level, and the on-slots follow from a walk
over the slots (off and never started, on, off after a run). The least cost over all schedules is at
least the value at any ``theta``; the best ``theta`` is found by halving. Minimum runs and pauses are
left out of the walk, which only lowers the bound, never lifts it over the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optimizer.problem import Entry, Flags, Floats, Problem

HALVINGS = 14
FAR = 1e15
"""Cost of a slot in which a job may not run."""


@dataclass(frozen=True)
class Priced:
    """Per entry, over all its copies: the proven least cost, and a mix of two schedules that does the work owed.

    ``cost`` is the mix's own money (starts, late, unmet, value), without what its power and GPUs cost.
    """

    least: Floats
    cost: Floats
    power: Floats
    on: Floats


class Crowd:
    """The entries of a problem that may run, padded into arrays; an entry of many copies counts once."""

    def __init__(self, problem: Problem) -> None:
        self.entries: list[Entry] = [e for e in problem.entries if e.may_run and (e.due_h > 0 or e.value > 0)]
        jobs, levels = len(self.entries), max((len(e.power) for e in self.entries), default=1)
        self.step_h = problem.step_h
        self.slots = problem.slots
        self.power = np.zeros((jobs, levels))
        self.speed = np.zeros((jobs, levels))
        self.open = np.zeros((jobs, self.slots), dtype=bool)
        self.late = np.zeros((jobs, self.slots))
        for j, e in enumerate(self.entries):
            n = len(e.power)
            self.power[j] = np.concatenate([e.power, np.full(levels - n, e.power[-1])])
            self.speed[j] = np.concatenate([e.speed, np.full(levels - n, e.speed[-1])])
            self.open[j, e.first : e.last] = True
            if e.pinned is not None:
                self.open[j, : e.pinned] = False
            self.late[j, max(0, e.deadline) :] = (e.late_cost or 0.0) * self.step_h
        pick = self._pick
        self.gpus = pick(lambda e: e.gpus)
        self.count = pick(lambda e: e.count)
        self.due = pick(lambda e: e.due_h)
        self.work = pick(lambda e: e.work_h)
        self.value = pick(lambda e: e.value)
        self.start_cost = pick(lambda e: e.start_cost)
        self.loss = pick(lambda e: e.loss_h)
        self.running = pick(lambda e: e.on_before > 0).astype(bool)
        self.stays = pick(lambda e: e.must_stay).astype(bool)
        self.preemptible = pick(lambda e: e.preemptible).astype(bool)
        self.fresh = pick(lambda e: e.state == "queued").astype(bool)
        unmet = pick(lambda e: np.inf if e.unmet_cost is None else e.unmet_cost)
        self.unmet = np.where(np.isfinite(unmet), unmet, 0.0)
        self.must = ~np.isfinite(unmet)

    def _pick(self, of: Callable[[Entry], float]) -> Floats:
        return np.array([of(e) for e in self.entries], dtype=float)

    def price(self, power_price: Floats, gpu_price: Floats) -> Priced:
        """Least costs and mixes at prices per unit of power and per GPU over each slot, ``[job, slot]``."""
        low = np.zeros(len(self.entries))
        # an hour of work is never worth more than its price, or than the dearest way to do it
        dearest = (np.abs(power_price) * self.power.max(axis=1)[:, None] + np.abs(gpu_price) * self.gpus[:, None]).max(
            axis=1, initial=0.0
        )
        frugal = np.maximum(self.speed.max(axis=1), 1e-9) * self.step_h
        costly = 4 * (dearest + self.start_cost) / frugal + self.late.max(axis=1, initial=0.0) / self.step_h
        high = np.where(self.must, costly, self.unmet)
        at_low = self._walk(low, power_price, gpu_price)
        at_high = self._walk(high, power_price, gpu_price)
        best = np.maximum(self._value(low, at_low), self._value(high, at_high))
        for _ in range(HALVINGS):
            theta = (low + high) / 2
            walk = self._walk(theta, power_price, gpu_price)
            best = np.maximum(best, self._value(theta, walk))
            enough = walk.work >= self._owed(theta)
            low, at_low = np.where(enough, low, theta), _choose(enough, at_low, walk)
            high, at_high = np.where(enough, theta, high), _choose(enough, walk, at_high)
        return self._mix(best, at_low, at_high, self._owed((low + high) / 2))

    def idle_cost(self, dearest_price: float) -> Floats:
        """Cost per entry of leaving all its work undone; far above any energy cost where it must be done."""
        energy = self.due * (self.power.max(axis=1) / np.maximum(self.speed.max(axis=1), 1e-9))
        forbidden = self.must & (self.due > 0) | self.stays
        return self.count * np.where(forbidden, 20.0 * (1.0 + dearest_price) * (1.0 + energy), self.unmet * self.due)

    def _owed(self, theta: Floats) -> Floats:
        """Work that pays at a work price: what is due, and all of it while the price is below its value."""
        return np.where(theta >= self.value, self.due, self.work)

    def _value(self, theta: Floats, walk: _Walk) -> Floats:
        owed = np.where(theta >= self.value, theta * self.due, theta * self.work - self.value * (self.work - self.due))
        return owed + walk.cost - theta * walk.work

    def _walk(self, theta: Floats, power_price: Floats, gpu_price: Floats) -> _Walk:
        """Cheapest on-slots of every job at a work price; costs are without the reward for work."""
        jobs, slots = self.open.shape
        worth = (self.late - theta[:, None] * self.step_h)[:, :, None]
        each = power_price[:, :, None] * self.power[:, None, :] + worth * self.speed[:, None, :]
        level = each.argmin(axis=2)
        slot = np.take_along_axis(each, level[:, :, None], axis=2)[:, :, 0] + gpu_price * self.gpus[:, None]
        slot = np.where(self.open, slot, FAR)
        resume = self.start_cost + theta * self.loss
        first = np.where(self.fresh, self.start_cost, resume)
        again = np.where(self.preemptible, resume, FAR)
        never = np.where(self.running, FAR, 0.0)
        on = np.where(self.running, 0.0, FAR)
        after = np.full(jobs, FAR)
        came_from = np.zeros((slots, jobs), dtype=np.int8)
        left_from = np.zeros((slots, jobs), dtype=bool)
        for t in range(slots):
            start, back = never + first, after + again
            entry = np.minimum(start, back)
            stay = on <= entry
            came_from[t] = np.where(stay, 1, np.where(start <= back, 0, 2))
            now_on = np.where(stay, on, entry) + slot[:, t]
            left_from[t] = on < after
            after = np.minimum(after, on)
            if t == 0:
                after = np.where(self.stays, FAR, after)
                left_from[t] &= ~self.stays
            on = now_on
        end = np.argmin(np.stack([never, on, after]), axis=0)
        pattern = np.zeros((jobs, slots), dtype=bool)
        resumed = np.zeros(jobs)
        starts = np.zeros(jobs)
        state = end
        for t in range(slots - 1, -1, -1):
            is_on = state == 1
            pattern[:, t] = is_on
            source = came_from[t]
            begun = is_on & (source != 1)
            starts += begun
            resumed += begun & ~(self.fresh & (source == 0))
            state = np.where(is_on, source, np.where((state == 2) & left_from[t], 1, state))
        speed = np.take_along_axis(self.speed, level, axis=1) * pattern
        power = np.take_along_axis(self.power, level, axis=1) * pattern
        work = speed.sum(axis=1) * self.step_h - self.loss * resumed
        money = self.start_cost * starts + (self.late * speed).sum(axis=1)
        cost = money + (power_price * power).sum(axis=1) + (gpu_price * pattern).sum(axis=1) * self.gpus
        return _Walk(cost, work, money, power, pattern.astype(float))

    def _mix(self, best: Floats, less: _Walk, more: _Walk, owed: Floats) -> Priced:
        """Convex mix of the two schedules beside the best work price that does the work owed."""
        spread = more.work - less.work
        share = np.where(spread > 1e-12, (owed - less.work) / np.where(spread > 1e-12, spread, 1.0), 1.0)
        share = np.clip(share, 0.0, 1.0)

        def mixed(a: Floats, b: Floats) -> Floats:
            s = share if a.ndim == 1 else share[:, None]
            values: Floats = (1 - s) * a + s * b
            return values

        work = mixed(less.work, more.work)
        missing = np.maximum(0.0, self.due - work)
        beyond = np.clip(work - self.due, 0.0, self.work - self.due)
        unmet_price = np.where(self.must, 1e6, self.unmet)
        money = mixed(less.money, more.money) + unmet_price * missing - self.value * beyond
        copies = self.count[:, None]
        power, on = copies * mixed(less.power, more.power), copies * mixed(less.on, more.on)
        return Priced(self.count * best, self.count * money, power, on)


@dataclass(frozen=True)
class _Walk:
    """One schedule of every job: all its cost, its work, its own money, and its power and on-slots."""

    cost: Floats
    work: Floats
    money: Floats
    power: Floats
    on: Floats


def _choose(flags: Flags, a: _Walk, b: _Walk) -> _Walk:
    wide = flags[:, None]
    return _Walk(
        np.where(flags, a.cost, b.cost),
        np.where(flags, a.work, b.work),
        np.where(flags, a.money, b.money),
        np.where(wide, a.power, b.power),
        np.where(wide, a.on, b.on),
    )
