"""Rounds of pricing: slot prices that tell jobs when to run, and the bound that they prove.

Column generation with prices smoothed towards the best seen (Wentges 1997): prices of the
restricted master alone swing from slot to slot.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.energy_model import EnergyModel, SlotPrices
from optimizer.large.crowd import Crowd
from optimizer.large.master import Master
from optimizer.large.pricing import price
from optimizer.problem import Floats

SEEDS = (0.0, 0.3, 1.0, 3.0)
"""Shares of the import price at which schedules are made before the first master."""

SEED_TRIES = 6
"""Prices of work that are tried for a seed, whose schedules matter and whose bound does not."""

SMOOTHING, SMOOTHING_FAR, NEAR = 0.7, 0.3, 0.02
"""Weight of the best prices so far near the end and before it, and the relative distance that parts the two."""

CLOSED = 1e-4
MOST_ROUNDS = 80


@dataclass(frozen=True)
class Round:
    """State after a round: best bound so far with its prices, the master's value and its energy columns.

    ``rows`` are the prices of all rows of the energy model, ``theta`` each kind's price of work.
    """

    bound: float
    relaxed: float
    rows: Floats
    prices: SlotPrices
    theta: Floats
    columns: Floats

    @property
    def spread(self) -> float:
        """Relative distance of the master's value and the bound: how far the prices are from their best."""
        return (self.relaxed - self.bound) / max(1.0, abs(self.relaxed))


def rounds(
    energy: EnergyModel, crowd: Crowd, deadline: float, seeds: Sequence[Floats] = (), theta: Floats | None = None
) -> Iterator[Round]:
    """Rounds until the bound closes or the monotonic clock passes ``deadline``.

    ``seeds`` are row prices to begin with, best guess first (those of an earlier plan); without any, shares
    of the import price are tried.
    """
    if not crowd.kinds:
        return
    master = Master(energy, crowd)
    first = _first_rows(energy)
    if theta is None:
        theta = crowd.first_theta(float(np.abs(first).max()))
    if not seeds:
        seeds = [share * first for share in SEEDS]
    best, best_bound = first, -np.inf
    for rows in seeds:
        legal = energy.legal(rows)
        priced = price(crowd, energy.slot_prices(legal), theta, tries=SEED_TRIES)
        master.add(priced)
        bound = energy.bound(legal, float(priced.least.sum()))
        if bound > best_bound:
            best, best_bound = legal, bound
    for _ in range(MOST_ROUNDS):
        solved = master.solve()
        if solved is None:
            return
        relaxed, here, columns = solved
        spread = (relaxed - best_bound) / max(1.0, abs(relaxed))
        keep = SMOOTHING if spread < NEAR else SMOOTHING_FAR
        at = energy.legal(keep * best + (1 - keep) * here)
        priced = price(crowd, energy.slot_prices(at), theta)
        bound = energy.bound(at, float(priced.least.sum()))
        if bound > best_bound:
            best, best_bound = at, bound
        master.add(priced)
        found = Round(best_bound, relaxed, best, energy.slot_prices(best), theta.copy(), columns)
        yield found
        if found.spread <= CLOSED or time.monotonic() > deadline:
            return


def _first_rows(energy: EnergyModel) -> Floats:
    """Row prices before anything is known: import at its price, wherever power is drawn."""
    problem = energy.problem
    rows = np.zeros(energy.compiled.lp.num_row_)
    rows[energy.power_rows] = (
        problem.step_h * np.maximum(problem.import_price + problem.carbon_cost, 0) / problem.efficiency
    )
    return rows
