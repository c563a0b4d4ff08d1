"""Rounds of pricing: slot prices that tell jobs when to run, and the bound that they prove.

Column generation with prices smoothed towards the best seen (Wentges 1997): prices of the
restricted master alone swing from slot to slot.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from optimizer.large.master import Master, Prices
from optimizer.large.pricing import Crowd
from optimizer.problem import Floats, Problem

SEEDS = (0.0, 0.3, 1.0, 3.0)
"""Shares of the import price at which schedules are made before the first master."""

SMOOTHING = 0.7
CLOSED = 1e-4
MOST_ROUNDS = 60


@dataclass(frozen=True)
class Round:
    """State after a round: best bound so far and its prices, the master's value, and its use of the batteries.

    ``power_price`` is by pool and slot, its last row for loads without a pool; ``gpu_price`` by pool.
    ``battery`` is discharge less charge per slot.
    """

    bound: float
    relaxed: float
    power_price: Floats
    gpu_price: Floats
    battery: Floats

    @property
    def spread(self) -> float:
        """Relative distance of the master's value and the bound: how far the prices are from their best."""
        return (self.relaxed - self.bound) / max(1.0, abs(self.relaxed))


def rounds(problem: Problem, deadline: float) -> Iterator[Round]:
    """Rounds until the bound closes or the monotonic clock passes ``deadline``."""
    crowd = Crowd(problem)
    if not crowd.entries:
        return
    master = Master(problem, crowd)
    best = master.prices(master.legal(_first_rows(problem, master)))
    best_bound = -np.inf
    for share in SEEDS:
        at = master.prices(share * best.rows)
        priced = crowd.price(at.power, at.gpus)
        master.add(priced)
        bound = master.bound(at, priced)
        if bound > best_bound:
            seed, best_bound = at, bound
    best = seed
    for _ in range(MOST_ROUNDS):
        solved = master.solve()
        if solved is None:
            return
        relaxed, here, columns = solved
        rows = SMOOTHING * best.rows + (1 - SMOOTHING) * here.rows
        at = master.prices(master.legal(rows))
        priced = crowd.price(at.power, at.gpus)
        bound = master.bound(at, priced)
        if bound > best_bound:
            best, best_bound = at, bound
        master.add(priced)
        found = _round(problem, master, best_bound, relaxed, best, columns)
        yield found
        if found.spread <= CLOSED or time.monotonic() > deadline:
            return


def _first_rows(problem: Problem, master: Master) -> Floats:
    """Row prices before anything is known: import at its price, wherever power is drawn."""
    rows = np.zeros(master.growing.first_mixing_row)
    buy = problem.step_h * np.maximum(problem.import_price + problem.carbon_cost, 0.0) / problem.efficiency
    for k in range(len(problem.pools)):
        rows[master.power_rows[k]] = buy
    rows[master.load_rows] = buy
    return rows


def _round(problem: Problem, master: Master, bound: float, relaxed: float, best: Prices, columns: Floats) -> Round:
    power = np.zeros((len(problem.pools) + 1, problem.slots))
    gpus = np.zeros((len(problem.pools), problem.slots))
    for k in range(len(problem.pools)):
        power[k], gpus[k] = best.rows[master.power_rows[k]], best.rows[master.gpu_rows[k]]
    power[-1] = best.rows[master.load_rows]
    battery = np.zeros(problem.slots)
    cells, column = master.model.battery, master.compiled.column
    for b in problem.batteries:
        for t in range(problem.slots):
            battery[t] += columns[column[id(cells.discharge[b.name, t])]]
            battery[t] -= columns[column[id(cells.charge[b.name, t])]]
    return Round(bound, relaxed, power, gpus, battery)
