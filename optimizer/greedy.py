"""List scheduling: each job in turn takes the cheapest place at the slots' prices.

What is in use stands on a board: GPUs of each pool, power on each feed, IT power of the site. Early
sweeps may overbook it at a growing fine (hard from the start, the first jobs take what later ones
need); the last sweeps may not. Levels are constant here; :mod:`optimizer.dispatch` sets them free.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from optimizer.problem import Entry, Flags, Floats, Ints, Problem
from optimizer.sessions import Pattern, lawful, starts_of

FINES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Fines of the sweeps that may overbook, as multiples of the dearest slot's price."""

HARD_SWEEPS = 2


@dataclass(frozen=True)
class SlotPrices:
    """Money for one unit of power and for one GPU over each slot: by pool, the last power row for loads without one."""

    power: Floats
    gpus: Floats

    def of(self, e: Entry) -> tuple[Floats, Floats]:
        """Prices that one entry sees: of its power, and of the GPUs of one copy."""
        if e.pool is None:
            return self.power[-1], np.zeros(self.power.shape[1])
        return self.power[e.pool], self.gpus[e.pool] * e.gpus


@dataclass(frozen=True)
class Placed:
    """Where an entry runs and at which constant level."""

    on: Ints
    level: int


Kept = tuple[dict[str, "Placed"], Floats, Floats, Floats]


class Board:
    """What is in use and what there is, per slot."""

    def __init__(self, problem: Problem, it_limit: Floats) -> None:
        self.problem = problem
        pools = problem.pools
        self.idle = np.array([pool.idle for pool in pools])
        self.gpu_limit = np.array([pool.gpus for pool in pools], dtype=float).reshape(len(pools), problem.slots)
        self.gpus = np.zeros_like(self.gpu_limit)
        idle = self.idle[:, None] * self.gpu_limit
        self.it_limit, self.it = it_limit, idle.sum(axis=0)
        self.feed_limit = np.array([feed.limit for feed in problem.feeds]).reshape(-1, problem.slots)
        self.feeds = np.array([idle[list(f.pools)].sum(axis=0) for f in problem.feeds]).reshape(-1, problem.slots)
        self.fed_by = [[i for i, f in enumerate(problem.feeds) if k in f.pools] for k in range(len(pools))]

    def is_overbooked(self) -> bool:
        """Whether anything is used beyond its limit."""
        over = max(float((self.it - self.it_limit).max()), float((self.gpus - self.gpu_limit).max(initial=0.0)))
        return max(over, float((self.feeds - self.feed_limit).max(initial=0.0))) > 1e-6

    def added(self, e: Entry, power: Floats) -> Floats:
        """IT power that one copy adds: its own, less the idle draw of the GPUs that it takes."""
        return power - (self.idle[e.pool] * e.gpus if e.pool is not None else 0.0)

    def take(self, e: Entry, on: Ints, power: Floats, sign: int = 1) -> None:
        """Book (or with ``sign`` -1 free) what ``on`` copies drawing ``power`` in all need."""
        extra = sign * (power - (self.idle[e.pool] * e.gpus * on if e.pool is not None else 0.0))
        self.it += extra
        if e.pool is not None:
            self.gpus[e.pool] += sign * e.gpus * on
            for i in self.fed_by[e.pool]:
                self.feeds[i] += extra

    def room(self, e: Entry, power: Floats) -> Floats:
        """Copies that still fit in each slot at each level, ``[level, slot]``; 0 outside the window."""
        extra = np.maximum(self.added(e, power), 1e-12)[:, None]
        most = np.broadcast_to((self.it_limit - self.it) / extra, (len(power), self.problem.slots))
        if e.pool is not None:
            for i in self.fed_by[e.pool]:
                most = np.minimum(most, (self.feed_limit[i] - self.feeds[i]) / extra)
            if e.gpus:
                most = np.minimum(most, (self.gpu_limit[e.pool] - self.gpus[e.pool]) / e.gpus)
        open_ = np.zeros(self.problem.slots, dtype=bool)
        open_[e.first : e.last] = True
        room: Floats = np.where(open_, np.clip(np.floor(most + 1e-9), 0.0, e.count), 0.0)
        return room

    def overbooked(self, e: Entry, power: Floats) -> Floats:
        """Power's worth of overbooking that one more copy adds in each slot at each level, ``[level, slot]``."""
        extra = self.added(e, power)[:, None]
        over = np.maximum(0.0, self.it + extra - self.it_limit) - np.maximum(0.0, self.it - self.it_limit)
        if e.pool is not None:
            for i in self.fed_by[e.pool]:
                over = over + np.maximum(0.0, self.feeds[i] + extra - self.feed_limit[i])
            if e.gpus:
                short = np.maximum(0.0, self.gpus[e.pool] + e.gpus - self.gpu_limit[e.pool])
                over = over + np.minimum(1.0, short / e.gpus) * float(power.max())
        worth: Floats = over
        return worth


class Lister:
    """Sweeps of list scheduling over a problem's entries at given prices."""

    def __init__(self, problem: Problem, prices: SlotPrices, it_limit: Floats) -> None:
        self.problem, self.prices = problem, prices
        self.board = Board(problem, it_limit)
        self.placed: dict[str, Placed] = {}
        self.order = sorted((e for e in problem.entries if e.may_run), key=_order)
        self.dearest = float(max(prices.power.max(initial=0.0), 1e-9))

    def run(self, fines: tuple[float, ...], deadline: float) -> Pattern | None:
        """All sweeps; on-slots of every entry, within what the board holds.

        As many sweeps that overbook are left out as the monotonic clock asks for; None where it passes
        ``deadline`` before the last ones are through.
        """
        for fine in fines:
            begun = time.monotonic()
            self.sweep(self.order, fine)
            now = time.monotonic()
            if now + (HARD_SWEEPS + 1) * (now - begun) > deadline:
                break
        for _ in range(HARD_SWEEPS):
            if time.monotonic() > deadline:
                return None
            self.sweep(self.order, None)
        self.make_room()
        return self.pattern()

    def sweep(self, entries: list[Entry], fine: float | None) -> None:
        """Take each entry off the board and put it where it is cheapest now; no fine: only where it fits."""
        for e in entries:
            self.lift(e)
            scaled = None if fine is None else fine * self.dearest
            best = cheapest_place(self.problem, e, self.board, self.prices, scaled)
            if best is not None:
                self._put(e, best)

    def make_room(self) -> None:
        """Give each entry that found no place the one it wants most, and let those in its way look again.

        Kept only where less is left undone in money than before.
        """
        for e in sorted(self.order, key=lambda e: -self._undone(e)):
            if e.id in self.placed or self._undone(e) <= 0:
                continue
            before, kept = self.missing(), self.snapshot()
            wanted = cheapest_place(self.problem, e, self.board, self.prices, FINES[0] * self.dearest)
            if wanted is None:
                continue
            slots = wanted.on > 0
            in_the_way = [
                o for o in reversed(self.order) if o.id in self.placed and (self.placed[o.id].on[slots] > 0).any()
            ]
            lifted = []
            for o in sorted(in_the_way, key=self._undone):
                if (self.board.room(e, e.power)[wanted.level][slots] >= wanted.on[slots]).all():
                    break
                if not o.must_stay:
                    self.lift(o)
                    lifted.append(o)
            self._put(e, wanted)
            self.sweep([o for o in self.order if o in lifted], None)
            if self.missing() >= before or self.board.is_overbooked():
                self.restore(kept)

    def missing(self) -> float:
        """Money for due work of entries that have no place."""
        return sum(self._undone(e) for e in self.order if e.id not in self.placed)

    def _undone(self, e: Entry) -> float:
        return e.count * e.due_h * (e.unmet_cost if e.unmet_cost is not None else 1e9)

    def _put(self, e: Entry, place: Placed) -> None:
        self.placed[e.id] = place
        self.board.take(e, place.on, e.power[place.level] * place.on)

    def snapshot(self) -> Kept:
        """The board as it is, to come back to."""
        return dict(self.placed), self.board.it.copy(), self.board.gpus.copy(), self.board.feeds.copy()

    def restore(self, kept: Kept) -> None:
        """Back to a snapshot; it may be used once."""
        self.placed, self.board.it, self.board.gpus, self.board.feeds = kept

    def lift(self, e: Entry) -> None:
        """Take an entry off the board."""
        old = self.placed.pop(e.id, None)
        if old is not None:
            self.board.take(e, old.on, e.power[old.level] * old.on, -1)

    def pattern(self) -> dict[str, Ints]:
        """On-slots of every entry."""
        none = np.zeros(self.problem.slots, dtype=np.int64)
        return {e.id: self.placed[e.id].on if e.id in self.placed else none.copy() for e in self.problem.entries}


def _order(e: Entry) -> tuple[int, float]:
    """Running gangs that may not stop, then what must be done, then the biggest."""
    duty = 0 if e.must_stay else 1 if e.unmet_cost is None else 2
    return duty, -float(e.power.max()) * max(1, e.count) ** 0.5


def cheapest_place(problem: Problem, e: Entry, board: Board, prices: SlotPrices, fine: float | None) -> Placed | None:
    """Best place of one entry at a constant level; None where leaving it undone is cheaper."""
    undone = np.inf if e.unmet_cost is None or e.must_start else e.unmet_cost * e.count * e.due_h
    power_price, gpu_price = prices.of(e)
    cost = power_price * e.power[:, None] + gpu_price
    if e.late_cost:
        cost[:, max(0, e.deadline) :] += e.late_cost * problem.step_h * e.speed[:, None]
    room = board.room(e, e.power) if fine is None else np.broadcast_to(_window(problem, e), cost.shape)
    if fine is not None:
        cost = cost + fine * board.overbooked(e, e.power)
    best: tuple[float, Placed | None] = (undone, None)
    for level, least in _promising(problem, e, cost):
        if least >= best[0]:
            break
        for on in _places(problem, e, room[level], cost[level], level):
            total = float(on @ cost[level]) + _missed_cost(problem, e, on, level)
            if total < best[0]:
                best = total, Placed(on, level)
    return best[1]


def _promising(problem: Problem, e: Entry, cost: Floats) -> list[tuple[int, float]]:
    """Levels with the least that due work can cost at each (its cheapest slots, wherever they lie), cheapest first.

    Work beyond what is due can only lower that by its value.
    """
    gain = e.value * e.count * max(0.0, e.work_h - e.due_h)
    rising = np.sort(cost[:, e.first : e.last], axis=1).cumsum(axis=1)
    found = []
    for level in np.flatnonzero(e.speed > 0).tolist():
        slots = min(slots_needed(problem, e, level, e.due_h, 0), rising.shape[1]) if e.due_h > 0 else 0
        least = float(rising[level, slots - 1]) * e.count if slots else 0.0
        found.append((level, min(0.0, float(rising[level].min())) * e.count - gain if gain else least))
    return sorted(found, key=lambda item: item[1])


def _window(problem: Problem, e: Entry) -> Floats:
    window = np.zeros(problem.slots)
    window[e.first : e.last] = e.count
    return window


def _missed_cost(problem: Problem, e: Entry, on: Ints, level: int) -> float:
    """Starts, due work that this place leaves undone, and (negative) work beyond it."""
    starts, _ = starts_of(e, on)
    done = work_of(problem, e, on, level)
    missing = max(0.0, e.count * e.due_h - done)
    if missing > 1e-9 and e.unmet_cost is None:
        return np.inf
    beyond = max(0.0, min(done, e.count * e.work_h) - e.count * e.due_h)
    return e.start_cost * starts + (e.unmet_cost or 0.0) * missing - e.value * beyond


def work_of(problem: Problem, e: Entry, on: Ints, level: int) -> float:
    """Work done at one level in these slots, losses taken off."""
    _, resumed = starts_of(e, on)
    return problem.step_h * float(e.speed[level]) * float(on.sum()) - e.loss_h * resumed


def slots_needed(problem: Problem, e: Entry, level: int, work_h: float, starts: int = 1) -> int:
    """On-slots of one copy that do some work at a level after so many starts; at least one."""
    lost = e.loss_h * max(0, starts - (1 if e.state == "queued" else 0))
    return max(1, int(np.ceil((work_h + lost) / (problem.step_h * float(e.speed[level])) - 1e-9)))


def _places(problem: Problem, e: Entry, room: Floats, cost: Floats, level: int) -> Iterator[Ints]:
    """Candidate on-slots: one block (copies side by side where several fit), or the cheapest slots."""
    optional = e.value > 0 and e.work_h > e.due_h
    # work beyond what is due has a value: between none and all of it a few lengths are tried
    for work in np.linspace(e.due_h, e.work_h, 4).tolist() if optional else [e.due_h]:
        if work <= 0 and not e.must_start:
            continue
        if e.count > 1:
            yield from _copies(problem, e, room, cost, level, work)
            continue
        free = room >= 1
        found: list[Ints | None] = []
        if e.on_before and not e.pinned:
            found.append(_from_start(problem, e, free, slots_needed(problem, e, level, work, 0)))
        if not e.must_stay:
            found.append(_block(problem, e, free, cost, slots_needed(problem, e, level, work)))
            if e.preemptible:
                found.append(_scattered(problem, e, free, cost, level, work))
        for on in found:
            if on is not None and lawful(e, on, work_of(problem, e, on, level)):
                yield on


def _from_start(problem: Problem, e: Entry, free: Flags, length: int) -> Ints | None:
    """The running job goes on from slot 0 until its work is done or its window ends."""
    length = min(max(length, e.min_run - e.ran), e.last)
    if not free[:length].all() and not (e.must_stay and free[0]):
        return None
    if not free[:length].all():
        length = int(np.argmin(free[:length]))
    on = np.zeros(problem.slots, dtype=np.int64)
    on[:length] = 1
    return on


def _block(problem: Problem, e: Entry, free: Flags, cost: Floats, length: int) -> Ints | None:
    """Cheapest block of neighbouring free slots; shorter than wanted where the window is."""
    length = min(length, e.last - e.first)
    if length <= 0:
        return None
    taken = np.concatenate([[0], np.cumsum(~free)])
    total = np.concatenate([[0.0], np.cumsum(cost)])
    if e.pinned is None:
        starts = np.arange(e.first, e.last - length + 1)
    else:
        starts, length = np.array([e.pinned]), min(length, e.last - e.pinned)
    starts = starts[taken[starts + length] == taken[starts]]
    if len(starts) == 0:
        return None
    start = int(starts[np.argmin(total[starts + length] - total[starts])])
    on = np.zeros(problem.slots, dtype=np.int64)
    on[start : start + length] = 1
    return on


def _scattered(problem: Problem, e: Entry, free: Flags, cost: Floats, level: int, work_h: float) -> Ints | None:
    """The cheapest free slots, as many as the work and the losses between them ask for.

    A pause shorter than the minimum, or one that saves less than its restart costs, is filled.
    """
    if e.pinned is not None:
        return None
    order = np.argsort(np.where(free, cost, np.inf), kind="stable")[: int(free.sum())]
    gain = problem.step_h * float(e.speed[level])
    need = slots_needed(problem, e, level, work_h)
    for _ in range(8):
        if need > len(order):
            return None
        on = np.zeros(problem.slots, dtype=np.int64)
        on[order[:need]] = 1
        missing = work_h - work_of(problem, e, on, level)
        if missing <= 1e-9:
            return on
        need += max(1, int(np.ceil(missing / gain - 1e-9)))
    return None


def _copies(problem: Problem, e: Entry, room: Floats, cost: Floats, level: int, work_h: float) -> Iterator[Ints]:
    """Copies one after the other, each in its cheapest block; those that find none stay undone."""
    left = room.copy()
    on = np.zeros(problem.slots, dtype=np.int64)
    length = slots_needed(problem, e, level, work_h, 0 if e.on_before else 1)
    for _ in range(e.count):
        free = left >= 1
        place = _from_start(problem, e, free, length) if e.on_before else _block(problem, e, free, cost, length)
        if place is None:
            break
        on, left = on + place, left - place
    if on.any():
        yield on


def supported_it(problem: Problem, supply: Floats) -> Floats:
    """Largest IT power per slot whose heat, cooling and base load a supply can carry (bisection)."""
    low, high = np.zeros(problem.slots), np.maximum(supply - problem.base, 0.0) * problem.efficiency
    if problem.cooling is not None and problem.cooling.capacity is not None:
        high = np.minimum(high, problem.cooling.capacity * problem.efficiency)
    for _ in range(50):
        heat = high / problem.efficiency
        if (heat + problem.cooling_power(heat) + problem.base <= supply + 1e-12).all():
            return high
        middle = (low + high) / 2
        heat = middle / problem.efficiency
        fits = heat + problem.cooling_power(heat) + problem.base <= supply
        low = np.where(fits, middle, low)
        # a slot that carries all of its upper end keeps it
        whole = high / problem.efficiency
        high = np.where(fits | (whole + problem.cooling_power(whole) + problem.base <= supply), high, middle)
    return low
