"""List scheduling: a plan within the first second, and the yardstick's placing of jobs.

Each job in turn takes the cheapest place that is still free: GPUs of its pool, room on its feeds,
and IT power that the slot's supply can carry. Prices of the slots come from a fluid day (jobs as
divisible energy) and, once a plan exists, from the plan itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optimizer.problem import Entry, Flags, Floats, Ints, Problem
from optimizer.sessions import Pattern

FAST = 1e-9


class Room:
    """What is still free in every slot: GPUs of each pool, power of each feed, IT power of the site."""

    def __init__(self, problem: Problem, it_limit: Floats) -> None:
        self.problem = problem
        self.gpus = np.array([pool.gpus for pool in problem.pools], dtype=float).reshape(
            len(problem.pools), problem.slots
        )
        idle = np.array([pool.idle for pool in problem.pools])
        self.it = it_limit - (idle @ self.gpus if len(idle) else 0.0)
        self.feeds = [f.limit - sum(idle[k] * self.gpus[k] for k in f.pools) for f in problem.feeds]
        self._fed = {k: [i for i, f in enumerate(problem.feeds) if k in f.pools] for k in range(len(problem.pools))}
        self._idle = idle

    def extra_power(self, e: Entry, power: float) -> float:
        """IT power that one copy adds: its own, less the idle draw of the GPUs that it takes."""
        return power - (self._idle[e.pool] * e.gpus if e.pool is not None else 0.0)

    def fits(self, e: Entry, power: float) -> Floats:
        """How many copies at a power still fit in each slot."""
        extra = self.extra_power(e, power)
        most = np.full(self.problem.slots, float(e.count))
        if extra > 0:
            most = np.minimum(most, np.floor(self.it / extra + 1e-9))
        if e.pool is not None:
            if e.gpus:
                most = np.minimum(most, np.floor(self.gpus[e.pool] / e.gpus + 1e-9))
            for i in self._fed[e.pool]:
                if extra > 0:
                    most = np.minimum(most, np.floor(self.feeds[i] / extra + 1e-9))
        inside = np.zeros(self.problem.slots)
        inside[e.first : e.last] = np.maximum(most[e.first : e.last], 0.0)
        return inside

    def take(self, e: Entry, on: Ints, power: float) -> None:
        """Occupy what ``on`` copies at a power of one need."""
        extra = self.extra_power(e, power) * on
        self.it -= extra
        if e.pool is not None:
            self.gpus[e.pool] -= e.gpus * on
            for i in self._fed[e.pool]:
                self.feeds[i] -= extra


@dataclass(frozen=True)
class Placed:
    """Where an entry runs and at which constant level."""

    on: Ints
    level: int


def list_schedule(problem: Problem, price: Floats, it_limit: Floats, crowding: float = 0.0) -> Pattern:
    """On-slots of every entry, biggest and dearest first, each at the cheapest place that is left.

    Args:
        problem: what to plan.
        price: money for one unit of IT power over each slot.
        it_limit: IT power that supply and cooling can carry in each slot.
        crowding: share by which a slot's price rises as it fills up, so that jobs do not herd.
    """
    room = Room(problem, it_limit)
    pattern: dict[str, Ints] = {e.id: np.zeros(problem.slots, dtype=np.int64) for e in problem.entries}
    whole = np.maximum(room.it, FAST)
    for e in sorted(problem.entries, key=_order):
        if not e.may_run:
            continue
        full = price * (1.0 + crowding * np.clip(1.0 - room.it / whole, 0.0, 1.0))
        best = cheapest_place(problem, e, room, full)
        if best is not None:
            pattern[e.id] = best.on
            room.take(e, best.on, float(e.power[best.level]))
    return pattern


def _order(e: Entry) -> tuple[int, float, float]:
    """Running gangs that may not stop, then what must be done, then by price of a unit left undone, big first."""
    duty = 0 if e.must_stay else 1 if e.unmet_cost is None else 2
    worth = (e.unmet_cost or 0.0) / max(float(e.power.max()), FAST)
    return duty, -round(np.log2(1.0 + worth), 1), -float(e.power.max()) * e.count


def cheapest_place(problem: Problem, e: Entry, room: Room, price: Floats) -> Placed | None:
    """Best place of one entry at a constant level; None where leaving it undone is cheaper."""
    wanted = e.count * e.due_h
    undone = np.inf if e.unmet_cost is None else e.unmet_cost * wanted
    if e.must_stay:
        undone = np.inf
    best: tuple[float, Placed] | None = None
    for level in range(len(e.power)):
        if e.speed[level] <= 0:
            continue
        fits = room.fits(e, float(e.power[level]))
        slot_cost = price * room.extra_power(e, float(e.power[level])) + _late_cost(problem, e, level)
        for place in _places(problem, e, fits, slot_cost, level):
            cost = float(place @ slot_cost) + _missed_cost(problem, e, place, level)
            if best is None or cost < best[0]:
                best = cost, Placed(place, level)
    if best is None or best[0] >= undone:
        return None
    return best[1]


def _late_cost(problem: Problem, e: Entry, level: int) -> Floats:
    cost = np.zeros(problem.slots)
    if e.late_cost:
        cost[max(0, e.deadline) :] = e.late_cost * float(e.speed[level]) * problem.step_h
    return cost


def _missed_cost(problem: Problem, e: Entry, on: Ints, level: int) -> float:
    """Starts, and due work that this place leaves undone."""
    rises = np.diff(on, prepend=e.on_before)
    starts = int(rises[rises > 0].sum())
    done = problem.step_h * float(e.speed[level]) * float(on.sum()) - e.loss_h * max(0, starts - e.free_starts)
    missing = max(0.0, e.count * e.due_h - done)
    if missing > 1e-9 and e.unmet_cost is None:
        return np.inf
    return e.start_cost * starts + (e.unmet_cost or 0.0) * missing


def slots_needed(problem: Problem, e: Entry, level: int, starts: int) -> int:
    """On-slots of one copy that do its due work at a level after so many starts."""
    lost = e.loss_h * max(0, starts - (1 if e.state == "queued" else 0))
    return int(np.ceil((e.due_h + lost) / (problem.step_h * float(e.speed[level])) - 1e-9))


def _places(problem: Problem, e: Entry, fits: Floats, cost: Floats, level: int) -> list[Ints]:
    """Candidate on-slots: one block (copies side by side where several fit), or the cheapest slots."""
    if e.count > 1:
        return _copies(problem, e, fits, cost, level)
    free = fits >= 1
    if e.state == "running":
        keep = _continued(problem, e, free, level)
        if e.must_stay:
            return [] if keep is None else [keep]
    else:
        keep = None
    found = [] if keep is None else [keep]
    length = max(1, slots_needed(problem, e, level, 1))
    block = _block(problem, e, free, cost, length)
    if block is not None and (e.state != "running" or e.preemptible):
        found.append(block)
    if e.preemptible and e.min_run == 1 and e.min_pause == 1 and e.max_pauses is None and e.pinned is None:
        found.extend(_scattered(problem, e, free, cost, level))
    return [on for on in found if _lawful(e, on)]


def _lawful(e: Entry, on: Ints) -> bool:
    """Whether a running job's stop in slot 0 is allowed by the rules of its pauses."""
    if e.state != "running" or on[0]:
        return True
    first = int(np.argmax(on > 0)) if on.any() else len(on)
    return first >= e.min_pause


def _continued(problem: Problem, e: Entry, free: Flags, level: int) -> Ints | None:
    """The running job goes on from slot 0 until its due work is done."""
    length = max(1, int(np.ceil(e.due_h / (problem.step_h * float(e.speed[level])) - 1e-9)))
    length = min(length, e.last)
    if not free[:length].all():
        return None
    on = np.zeros(problem.slots, dtype=np.int64)
    on[:length] = 1
    return on


def _block(problem: Problem, e: Entry, free: Flags, cost: Floats, length: int) -> Ints | None:
    """Cheapest block of neighbouring free slots; the horizon or the deadline may cut it short."""
    length = min(length, e.last - e.first)
    if length <= 0:
        return None
    taken = np.concatenate([[0], np.cumsum(~free)])
    total = np.concatenate([[0.0], np.cumsum(cost)])
    starts = np.arange(e.first, e.last - length + 1) if e.pinned is None else np.array([e.pinned])
    starts = starts[(starts >= e.first) & (starts + length <= e.last)]
    starts = starts[taken[starts + length] == taken[starts]]
    if len(starts) == 0:
        return None
    start = int(starts[np.argmin(total[starts + length] - total[starts])])
    on = np.zeros(problem.slots, dtype=np.int64)
    on[start : start + length] = 1
    return on


def _scattered(problem: Problem, e: Entry, free: Flags, cost: Floats, level: int) -> list[Ints]:
    """The cheapest free slots, as many as the work and the losses between them ask for."""
    order = [int(t) for t in np.argsort(cost, kind="stable") if free[t]]
    gain = problem.step_h * float(e.speed[level])
    need = max(1, slots_needed(problem, e, level, 1))
    for _ in range(12):
        if need > len(order):
            return []
        on = np.zeros(problem.slots, dtype=np.int64)
        on[order[:need]] = 1
        rises = np.diff(on, prepend=e.on_before)
        lost = e.loss_h * max(0, int((rises > 0).sum()) - e.free_starts)
        missing = e.due_h + lost - gain * need
        if missing <= 1e-9:
            return [on]
        need += int(np.ceil(missing / gain - 1e-9))
    return []


def _copies(problem: Problem, e: Entry, fits: Floats, cost: Floats, level: int) -> list[Ints]:
    """Copies one after the other, each in its cheapest block; those that find none stay undone."""
    left = fits.copy()
    on = np.zeros(problem.slots, dtype=np.int64)
    length = max(1, slots_needed(problem, e, level, 1))
    for _ in range(e.count):
        if e.state == "running":
            until = min(length, e.last)
            place = np.zeros(problem.slots, dtype=np.int64)
            place[:until] = 1
            if (left[:until] < 1).any():
                break
        else:
            found = _block(problem, e, left >= 1, cost, length)
            if found is None:
                break
            place = found
        on, left = on + place, left - place
    return [on] if on.any() else []


def supported_it(problem: Problem, supply: Floats) -> Floats:
    """Largest IT power per slot whose heat, cooling and base load a supply can carry (bisection)."""
    low, high = np.zeros(problem.slots), np.maximum(supply - problem.base, 0.0) * problem.efficiency
    if problem.cooling is not None and problem.cooling.capacity is not None:
        high = np.minimum(high, problem.cooling.capacity * problem.efficiency)
    drawn: Callable[[Floats], Floats] = lambda it: (  # noqa: E731
        it / problem.efficiency + problem.cooling_power(it / problem.efficiency) + problem.base
    )
    if (drawn(high) <= supply + 1e-12).all():
        return high
    for _ in range(50):
        middle = (low + high) / 2
        ok = drawn(middle) <= supply
        low, high = np.where(ok, middle, low), np.where(ok, high, middle)
    return low
