"""Better plans from a plan: some gangs choose anew, and what is cheaper is kept.

Two ways lead on. Some gangs are taken off the board and listed again: those whose place costs most above the
least that pricing proves for them (their regret; regrets sum to the gap) and those whose windows overlap with one
of them. Or gangs of one pool choose anew where they stand, at the prices of the board as it is. The way that
gained more in its time is gone more often. What a board costs is asked of the energy model itself, whose program
stays warm; the levels are those of the listing until a plan is made of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from optimizer.energy_model import EnergyModel, SlotPrices
from optimizer.large.listing import HARD_FINE, Listing
from optimizer.problem import Floats, Ints
from optimizer.solve import HeldLp

LEAST, MOST = 3, 40
"""Gangs that are taken off the board at once."""

BENDS = (0.0, 0.05, 0.2, 1.0)
SOFT_SHARE = 0.7
"""Share of the tries that may overrun limits on their way."""

AFRESH = 20
"""Tries after which the IT power that the batteries allow is read anew."""

TOGETHER, PARTS = 200, 8
"""Units of a pool that choose anew where they stand before the board's prices are read again: at most so many, and a
part of all. More of them would run after the same slots."""

ENOUGH = 2e-5
"""Relative gain of a round of all units below which no further one is made."""

MEMORY, LEAST_SHARE = 0.95, 0.1
"""Weight of what a way gained before against its last try, and the least share of the tries of each."""


class BoardCost:
    """What the energy of a board costs: the energy model with the loads of the board as its right-hand sides."""

    def __init__(self, energy: EnergyModel) -> None:
        self.energy = energy
        self._lp = HeldLp(energy.compiled, relaxed=True)
        self._rows = np.concatenate([energy.power_rows.ravel(), energy.gpu_rows.ravel()])
        self.columns: Floats = np.zeros(0)

    def prices(self) -> SlotPrices:
        """Slot prices of the last board: what more power would cost there; what is not used up is free."""
        return self.energy.slot_prices(self.energy.legal(self._lp.row_prices()))

    def of(self, listing: Listing) -> float:
        """Energy and jobs' own money; infinite where the loads cannot be supplied."""
        power, gpus = listing.loads()
        self._lp.move_rows(self._rows, np.concatenate([power.ravel(), gpus.ravel()]))
        columns = self._lp.solve()
        if columns is None:
            return np.inf
        self.columns = columns
        return self._lp.objective + float(listing.money.sum())


def settle(listing: Listing, cost: BoardCost, deadline: float) -> float:
    """Let all units choose anew where they stand, round after round, while that pays; what the board costs then.

    ``deadline``: instant of the monotonic clock.
    """
    rng = np.random.default_rng(3)
    best = cost.of(listing)
    if not np.isfinite(best):
        return best
    prices, columns = cost.prices(), cost.columns
    listing.board.it_limit = cost.energy.supported_it(columns)
    before = np.inf
    while best < before - ENOUGH * abs(best):
        before = best
        for units in _parts(listing, rng):
            if time.monotonic() > deadline:
                return best
            kept = listing.snapshot()
            listing.settle(units, prices)
            found = cost.of(listing)
            if found < best:
                best, prices = found, cost.prices()
            else:
                listing.restore(kept)
    return best


def _parts(listing: Listing, rng: np.random.Generator) -> list[Ints]:
    """All units, in random parts of one pool each."""
    row = listing.crowd.row[listing.line]
    mixed = rng.permutation(len(row))
    parts: list[Ints] = []
    for one in np.unique(row):
        mine = mixed[row[mixed] == one]
        size = _together(len(mine))
        parts += [mine[k : k + size] for k in range(0, len(mine), size)]
    return [parts[k] for k in rng.permutation(len(parts))]


def _together(units: int) -> int:
    return max(1, min(TOGETHER, units // PARTS))


def improve(
    listing: Listing, cost: BoardCost, least: Floats, good_enough: float, deadline: float, seed: int = 1
) -> Iterator[float]:
    """Make a board cheaper until the monotonic clock passes ``deadline``; its cost after every step.

    Args:
        listing: the board, changed in place; it is always the cheapest so far.
        cost: asks what it costs.
        least: proven least cost of one copy, by kind of job.
        good_enough: cost at which to stop.
        deadline: instant of the monotonic clock.
        seed: of the random choices.
    """
    rng = np.random.default_rng(seed)
    units = len(listing.line)

    def list_again() -> None:
        size = int(rng.integers(LEAST, max(LEAST + 1, min(MOST, units // 3))))
        some = draw(listing.regret(least), listing.crowd.window[listing.line], rng, size)
        listing.lift(some)
        bend = float(rng.choice(BENDS))
        if rng.random() < SOFT_SHARE:
            listing.sweep(bend, float(rng.choice([0.5, 2.0])), hard=False, order=rng.permutation(some))
        listing.sweep(bend, HARD_FINE, hard=True, order=rng.permutation(some))

    def choose_anew() -> None:
        row = listing.crowd.row[listing.line]
        mine = np.flatnonzero(row == row[rng.integers(units)])
        listing.settle(rng.choice(mine, _together(len(mine)), replace=False), prices)

    ways = list_again, choose_anew
    gained, took = np.zeros(len(ways)), np.full(len(ways), 1e-3)
    best = cost.of(listing)
    columns, prices = cost.columns, cost.prices()
    tried = 0
    while time.monotonic() < deadline and best > good_enough:
        if tried % AFRESH == 0:
            listing.board.it_limit = cost.energy.supported_it(columns)
        tried += 1
        rate = gained / took
        share = np.maximum(rate, LEAST_SHARE * rate.sum() + 1e-12)
        way = int(rng.choice(len(ways), p=share / share.sum()))
        begun, kept = time.monotonic(), listing.snapshot()
        ways[way]()
        found = cost.of(listing)
        better = found < best - 1e-7 * max(1.0, abs(best))
        gained[way] = MEMORY * gained[way] + (best - found if better else 0.0)
        if better:
            best, columns, prices = found, cost.columns, cost.prices()
        else:
            listing.restore(kept)
        took[way] = MEMORY * took[way] + time.monotonic() - begun
        if better:
            yield best


def draw(regret: Floats, window: Ints, rng: np.random.Generator, size: int) -> Ints:
    """One gang, likelier where its regret is larger, and some whose windows overlap with its window."""
    mean = float(regret.mean())
    # the largest of log(u) / weight is a weighted sample without replacement (Efraimidis and Spirakis 2006)
    first = int(np.argmax(np.log(rng.random(len(regret))) / (regret + 1e-3 * mean + 1e-12)))
    overlap = np.minimum(window[:, 1], window[first, 1]) - np.maximum(window[:, 0], window[first, 0])
    weight = np.where(overlap > 0, regret + 0.3 * mean, 0.0) + 1e-12
    others = np.argsort(-np.log(rng.random(len(regret))) / weight)[: size - 1]
    return np.unique(np.append(others, first))
