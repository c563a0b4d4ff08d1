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
from optimizer.large.fluid import first_rows
from optimizer.large.master import Master
from optimizer.large.pricing import price
from optimizer.problem import Floats

SEEDS = (1.0, 0.9, 1.1)
"""Shares of the first prices at which schedules are made before the first master."""

HOLD = 0.2
"""Share of the mean price by which the master may leave the best prices, while it knows few schedules."""

SEED_TRIES = 6
"""Prices of work that are tried for a seed, whose schedules matter and whose bound does not."""

LEAST_KEPT, MOST_KEPT, BOLDER, MEEKER = 0.3, 0.9, 0.1, 0.2
"""Weight of the best prices so far against the master's: less by a step after every success, more after a failure."""

NEAR = 0.003
"""Relative distance of master and bound at which the prices are let go."""

CLOSED = 1e-4
PATIENCE, STALLED = 4, 2e-5
"""Rounds after which the bound must have gained at least so much of itself."""

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
    first = seeds[0] if seeds else first_rows(energy, crowd)
    if first is None:
        first = _import_price(energy)
    if theta is None:
        theta = crowd.first_theta(float(np.abs(first[energy.power_rows]).max()))
    best, best_bound = first, -np.inf
    for rows in seeds or [share * first for share in SEEDS]:
        legal = energy.legal(rows)
        priced = price(crowd, energy.slot_prices(legal), theta, tries=SEED_TRIES)
        master.add(priced)
        bound = energy.bound(legal, float(priced.least.sum()))
        if bound > best_bound:
            best, best_bound = legal, bound
    history: list[float] = []
    held, keep = True, LEAST_KEPT
    for _ in range(MOST_ROUNDS):
        if held:
            master.hold(best, HOLD)
        solved = master.solve()
        if solved is None:
            return
        relaxed, here, columns = solved
        spread = (relaxed - best_bound) / max(1.0, abs(relaxed))
        if held and spread < NEAR:
            held = False
            master.release()
            continue
        at = energy.legal(keep * best + (1 - keep) * here)
        priced = price(crowd, energy.slot_prices(at), theta)
        bound = energy.bound(at, float(priced.least.sum()))
        if bound > best_bound:
            best, best_bound = at, bound
            keep = max(LEAST_KEPT, keep - BOLDER)
        else:
            keep = min(MOST_KEPT, keep + MEEKER)
        master.add(priced)
        history.append(best_bound)
        found = Round(best_bound, relaxed, best, energy.slot_prices(best), theta.copy(), columns)
        yield found
        if found.spread <= CLOSED or time.monotonic() > deadline:
            return
        if not held and len(history) > PATIENCE and best_bound - history[-PATIENCE] < STALLED * abs(best_bound):
            # what is left between the two is the distance of jobs' bounds and schedules
            return


def _import_price(energy: EnergyModel) -> Floats:
    """Row prices before anything is known: import at its price, wherever power is drawn."""
    problem = energy.problem
    rows = np.zeros(energy.compiled.lp.num_row_)
    rows[energy.power_rows] = (
        problem.step_h * np.maximum(problem.import_price + problem.carbon_cost, 0) / problem.efficiency
    )
    return rows
