"""Better plans from a plan: take some gangs off the board, list them again, keep what is cheaper.

Which gangs: those whose place costs most above the least that pricing proves for them (their regret;
regrets sum to the gap) and those whose windows overlap with one of them. What a board costs is asked
of the energy model itself, whose program stays warm; the levels are those of the listing until a
plan is made of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from optimizer.energy_model import EnergyModel
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


class BoardCost:
    """What the energy of a board costs: the energy model with the loads of the board as its right-hand sides."""

    def __init__(self, energy: EnergyModel) -> None:
        self.energy = energy
        self._lp = HeldLp(energy.compiled, relaxed=True)
        self._rows = np.concatenate([energy.power_rows.ravel(), energy.gpu_rows.ravel()])
        self.columns: Floats = np.zeros(0)

    def of(self, listing: Listing) -> float:
        """Energy and jobs' own money; infinite where the loads cannot be supplied."""
        power, gpus = listing.loads()
        self._lp.move_rows(self._rows, np.concatenate([power.ravel(), gpus.ravel()]))
        columns = self._lp.solve()
        if columns is None:
            return np.inf
        self.columns = columns
        return self._lp.objective + float(listing.money.sum())


def improve(
    listing: Listing, cost: BoardCost, least: Floats, good_enough: float, deadline: float, seed: int = 1
) -> Iterator[float]:
    """Make a board cheaper until the monotonic clock passes ``deadline``; its cost after every step.

    Args:
        listing: the board, changed in place; it is always the cheapest so far.
        cost: asks what it costs.
        least: proven least cost of one copy, by kind.
        good_enough: cost at which to stop.
        deadline: instant of the monotonic clock.
        seed: of the random choices.
    """
    rng = np.random.default_rng(seed)
    window = listing.crowd.window[listing.line]
    best = cost.of(listing)
    columns = cost.columns
    tried = 0
    while time.monotonic() < deadline and best > good_enough:
        if tried % AFRESH == 0:
            listing.board.it_limit = cost.energy.supported_it(columns)
        tried += 1
        size = int(rng.integers(LEAST, max(LEAST + 1, min(MOST, len(window) // 3))))
        units = draw(listing.regret(least), window, rng, size)
        kept = listing.snapshot()
        listing.lift(units)
        bend = float(rng.choice(BENDS))
        if rng.random() < SOFT_SHARE:
            listing.sweep(bend, float(rng.choice([0.5, 2.0])), hard=False, order=rng.permutation(units))
        listing.sweep(bend, HARD_FINE, hard=True, order=rng.permutation(units))
        found = cost.of(listing)
        if found < best - 1e-7 * max(1.0, abs(best)):
            best, columns = found, cost.columns
            yield best
        else:
            listing.restore(kept)


def draw(regret: Floats, window: Ints, rng: np.random.Generator, size: int) -> Ints:
    """One gang, likelier where its regret is larger, and some whose windows overlap with its window."""
    mean = float(regret.mean())
    # the largest of log(u) / weight is a weighted sample without replacement (Efraimidis and Spirakis 2006)
    first = int(np.argmax(np.log(rng.random(len(regret))) / (regret + 1e-3 * mean + 1e-12)))
    overlap = np.minimum(window[:, 1], window[first, 1]) - np.maximum(window[:, 0], window[first, 0])
    weight = np.where(overlap > 0, regret + 0.3 * mean, 0.0) + 1e-12
    others = np.argsort(-np.log(rng.random(len(regret))) / weight)[: size - 1]
    return np.unique(np.append(others, first))
