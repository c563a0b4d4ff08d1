"""List scheduling at slot prices: each gang in turn goes where it is cheapest, given where the others are.

At the best prices many places cost a job the same, so prices alone would herd them. Here power gets
dearer beyond the profile that the master came to and cheaper below it, and so do scarce feeds and
GPUs; in the first sweeps limits may be overrun at a fine (hard from the start, the first jobs take
what later ones need), in the last ones they hold.
"""

from __future__ import annotations

import numpy as np

from optimizer.board import Board
from optimizer.energy_model import EnergyModel, SlotPrices
from optimizer.large.crowd import Crowd
from optimizer.large.kernels import BIG, STAYS, UNMET, sweep
from optimizer.large.prices import Round
from optimizer.problem import Flags, Floats, Ints
from optimizer.schedule import RESTING, Group, Schedule, curve_speed

TRIES = 5
"""Prices of work that are tried for one gang in one sweep."""

LEAST_FINE, MOST_SWEEPS = 0.05, 40
"""Fine of the first sweep that may overrun, as a multiple of the dearest slot's price, and how many there may be.

It begins far below the price itself: a fine that ends all overruns at once leaves the jobs wherever they were.
"""

BRISK, PATIENT = 1.6, 1.2
"""Growth of the fine from sweep to sweep: for a plan soon, and for a good one."""

HARD_FINE = 10.0
SLACK = 1e-9

HARD_SWEEPS = 3

Kept = tuple[Floats | Flags | Ints, ...]


class Listing:
    """Where every gang runs. A unit is some copies of one kind that run alike; its ``line`` is the way that it goes."""

    def __init__(self, energy: EnergyModel, crowd: Crowd, last: Round, margin: float = 1.0) -> None:
        """Begin with an empty board.

        Args:
            energy: the energy model.
            crowd: the kinds.
            last: prices, and the mix of schedules whose power the board should come to.
            margin: share of the IT power that the site can carry.
        """
        problem = self.problem = crowd.problem
        prices, theta = last.prices, last.theta
        self.crowd, self.prices = crowd, prices
        self.board = Board(problem, margin * energy.supported_it(last.columns))
        self.target, self.feed_target = energy.it_of(last.columns), energy.feeds_of(last.columns)
        self.gpu_target = energy.gpus_of(last.columns)
        self.scarcity = tuple(price.mean(axis=1) for price in energy.scarcity(last.rows))
        self.kind, self.copies, self.owner = _units(crowd)
        line = self.line = crowd.begin[self.kind]
        self.theta = theta[self.kind]
        self.on = np.zeros((len(line), problem.slots), dtype=bool)
        self.drawn = np.zeros((len(line), problem.slots))
        self.money = np.zeros(len(line))
        dearest = float(max(prices.power.max(initial=0.0), 1e-9))
        self.power_fine = dearest
        per_gpu = crowd.power.max(axis=1) / np.maximum(crowd.gpus, 1.0)
        self.gpu_fine = dearest * float(per_gpu.max(initial=0.0))
        self.order = self._order()

    def _order(self) -> Ints:
        """Running gangs that may not stop, then what must be done, then the biggest."""
        crowd = self.crowd
        size = crowd.power.max(axis=1)[self.line] * self.copies
        must = crowd.job[self.line, UNMET] >= BIG
        stays = crowd.flag[self.line, STAYS] == 1
        return np.lexsort((-size, ~must, ~stays)).astype(np.int64)

    def sweep(self, bend: float, fine: float, *, hard: bool, order: Ints | None = None) -> int:
        """List the units anew, one after the other; how many moved.

        Args:
            bend: how much dearer power gets when it is beyond the target by the mean of the targets, as a
                multiple of the dearest price.
            fine: price of what overruns a limit, as a multiple of the dearest price.
            hard: nothing overruns a limit any more.
            order: the units; default: all.
        """
        curve = np.full(self.problem.slots, bend * self.power_fine / max(1e-9, float(self.target.mean())))
        feed_curve, gpu_curve = (
            bend * price / np.maximum(1e-9, target.mean(axis=1))
            for price, target in zip(self.scarcity, (self.feed_target, self.gpu_target), strict=True)
        )
        curves = curve, feed_curve, gpu_curve
        return self._sweep(self.order if order is None else order, self.prices, curves, fine, hard=hard)

    def settle(self, units: Ints, prices: SlotPrices) -> int:
        """Units choose anew, one after the other, at prices that hold for the board as it is; how many moved.

        At the master's prices what is scarce costs something in a hole of the board too. Here it is free, up to its
        limit, so that holes are filled; a few units at a time, or all of them will run after the same slots.
        """
        board = self.board
        straight = np.zeros(self.problem.slots), np.zeros(len(board.feeds)), np.zeros(len(board.gpus))
        return self._sweep(units, prices, straight, HARD_FINE, hard=True)

    def _sweep(
        self, order: Ints, prices: SlotPrices, curves: tuple[Floats, Floats, Floats], fine: float, *, hard: bool
    ) -> int:
        board, (curve, feed_curve, gpu_curve) = self.board, curves
        return int(
            sweep(
                *self.crowd.arrays,
                self.crowd.kind,
                order,
                self.line,
                self.copies,
                self.theta,
                prices.power,
                prices.gpus,
                board.idle,
                board.ours,
                board.it,
                board.it_limit,
                self.target,
                curve,
                board.gpus,
                board.gpu_limit,
                board.feeds,
                board.feed_limit,
                board.fed,
                self.feed_target,
                feed_curve,
                self.gpu_target,
                gpu_curve,
                fine * self.power_fine,
                fine * self.gpu_fine,
                hard,
                TRIES,
                self.on,
                self.drawn,
                self.money,
            )
        )

    def run(self, bend: float, growth: float = PATIENT) -> None:
        """All sweeps from an empty board: soft ones at a growing fine until nothing overruns, then hard ones."""
        fine = LEAST_FINE
        for _ in range(MOST_SWEEPS):
            self.sweep(bend, fine, hard=False)
            if not self.board.is_overbooked():
                break
            fine *= growth
        self.make_hard(bend)

    def make_hard(self, bend: float) -> None:
        """Sweeps after which no limit is overrun; what must be done comes before all the rest."""
        if self.board.is_overbooked():
            crowded = self._on_crowded_slots()
            self.lift(crowded)
            self.sweep(bend, HARD_FINE, hard=True, order=self.order[np.isin(self.order, crowded)])
        self.sweep(bend, HARD_FINE, hard=True)
        must = (self.crowd.job[self.line, UNMET] >= BIG) | (self.crowd.flag[self.line, STAYS] == 1)
        left_out = must & ~self.on.any(axis=1)
        if left_out.any() or self.board.is_overbooked():
            # make room where something is left out; everywhere, where that is not the trouble
            row = self.crowd.row[self.line]
            near = np.isin(row, row[left_out]) if left_out.any() else np.ones(len(row), dtype=bool)
            order = self.order[near[self.order]]
            self.lift(order)
            self.sweep(bend, HARD_FINE, hard=True, order=order[must[order]])
            self.sweep(bend, HARD_FINE, hard=True, order=order[~must[order]])
        for _ in range(HARD_SWEEPS):
            self.sweep(bend, HARD_FINE, hard=True)

    def _on_crowded_slots(self) -> Ints:
        """Units that hold something of which more is held than there is."""
        board, pools = self.board, len(self.problem.pools)
        full = np.zeros((pools + 1, self.problem.slots), dtype=bool)
        full[:pools] = board.gpus > board.gpu_limit + SLACK
        for f, pools_fed in enumerate(board.fed):
            full[:pools][pools_fed] |= board.feeds[f] > board.feed_limit[f] + SLACK
        full |= board.it > board.it_limit + SLACK
        return np.flatnonzero((self.on & full[self.crowd.row[self.line]]).any(axis=1))

    def lift(self, units: Ints) -> None:
        """Take some units off the board."""
        for u in units.tolist():
            e = self.crowd.ways[self.line[u]]
            copies = self.copies[u] * self.on[u].astype(np.int64)
            self.board.take(e, copies, copies * self.drawn[u], -1)
            self.on[u], self.drawn[u] = False, 0.0

    def put(self, unit: int, line: int, on: Flags, drawn: Floats, money: float) -> None:
        """Put a unit that is off the board on it: way, on-slots, power of one copy, own money of all its copies."""
        self.line[unit] = line
        e, m = self.crowd.ways[self.line[unit]], int(self.copies[unit])
        self.on[unit], self.drawn[unit], self.money[unit] = on, drawn, money
        self.board.take(e, m * on.astype(np.int64), m * drawn)

    def loads(self) -> tuple[Floats, Floats]:
        """Power by pool (the last line: loads without one) and GPUs by pool, per slot."""
        crowd = self.crowd
        row = crowd.row[self.line]
        power = np.zeros((len(self.problem.pools) + 1, self.problem.slots))
        np.add.at(power, row, self.copies[:, None] * self.drawn)
        return power, self.board.gpus

    def snapshot(self) -> Kept:
        """The board as it is, to come back to."""
        return tuple(a.copy() for a in self._changing())

    def restore(self, kept: Kept) -> None:
        """Back to a snapshot."""
        for mine, old in zip(self._changing(), kept, strict=True):
            mine[...] = old

    def _changing(self) -> Kept:
        board = self.board
        return board.it, board.gpus, board.feeds, self.on, self.drawn, self.money, self.theta, self.line

    def regret(self, least: Floats) -> Floats:
        """What each unit costs at the slots' prices above the ``least`` proven for its kind; they sum to the gap."""
        row = self.crowd.row[self.line]
        held = self.prices.gpus[row] * self.crowd.gpus[self.line][:, None]
        paid = (self.prices.power[row] * self.drawn).sum(axis=1) + (held * self.on).sum(axis=1)
        above: Floats = np.maximum(0.0, self.copies * (paid - least[self.kind]) + self.money)
        return above

    def schedule(self) -> Schedule:
        """The schedule as it stands on the board, at the levels chosen there."""
        slots = self.problem.slots
        groups: dict[str, list[list[Group]]] = {e.id: [RESTING] * slots for e in self.problem.entries}
        for u, name in enumerate(self.owner):
            e, copies = self.crowd.ways[self.line[u]], int(self.copies[u])
            for t in np.flatnonzero(self.on[u]).tolist():
                power = float(self.drawn[u, t])
                groups[name][t] = [*groups[name][t], (copies, power, curve_speed(e, power))]
        return Schedule(self.pattern(), groups)

    def pattern(self) -> dict[str, Ints]:
        """On-slots of every entry of the problem, and of every way of those that have several."""
        names = [name for e in self.problem.entries for name in (e.id, *(way.key for way in e.ways))]
        found = {name: np.zeros(self.problem.slots, dtype=np.int64) for name in names}
        for u, name in enumerate(self.owner):
            found[name] += int(self.copies[u]) * self.on[u]
            e = self.crowd.ways[self.line[u]]
            for way in self.crowd.kinds[self.kind[u]].ways:
                if (way.pool, way.gpus) == (e.pool, e.gpus):
                    found[way.key] += self.on[u]
        return found


def _units(crowd: Crowd) -> tuple[Ints, Ints, list[str]]:
    """Kind, copies and entry of every unit; many copies of one entry are halved down to single ones.

    Who runs on surplus alone is no unit: where that is, is known once all the others have their place.
    """
    kind: list[int] = []
    copies: list[int] = []
    owner: list[str] = []
    for j, alike in enumerate(crowd.members):
        for e in alike if not alike[0].surplus else []:
            left = e.count
            while left > 0:
                take = (left + 1) // 2
                kind.append(j)
                copies.append(take)
                owner.append(e.id)
                left -= take
    return np.array(kind, dtype=np.int64), np.array(copies, dtype=np.int64), owner
