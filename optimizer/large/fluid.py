"""First prices: jobs as a fluid that fills its windows, solved once with the energy system.

Jobs that may go to the same pools and whose windows are alike become one mass that may run at any share of
its size in every slot, spread over these pools. Starts, gangs and blocks are forgotten, so nothing here is a
bound; but where power and GPUs are short, and how short, is nearly what it is for the jobs themselves, and
pricing that starts from these prices needs a fraction of its rounds.
"""

from __future__ import annotations

import numpy as np

from optimizer.energy_model import EnergyModel
from optimizer.large import kernels as k
from optimizer.large.crowd import Crowd
from optimizer.problem import Floats, Ints
from optimizer.solve import HeldLp

MASSES = 128
"""Masses that jobs are melted into, about; enough to tell short slots from others, few to solve."""

POINTS = 6
"""Levels that a mass may run at, of those that its jobs have."""


STEPS = 6
"""Prices of work undone, and of work beyond what is due, that a mass keeps apart."""


def first_rows(energy: EnergyModel, crowd: Crowd) -> Floats | None:
    """Prices of all rows of the energy model for melted jobs; None where the solver gives up."""
    problem = energy.problem
    lp = HeldLp(energy.compiled, relaxed=True)
    low: list[float] = []
    cost: list[float] = []
    upper: list[float] = []
    lengths: list[int] = []
    rows: list[int] = []
    values: list[float] = []

    def row(at_least: float) -> int:
        low.append(at_least)
        return lp.own_rows + len(low) - 1

    def column(price: float, most: float, entries: list[tuple[int, float]]) -> None:
        cost.append(price)
        upper.append(most)
        lengths.append(len(entries))
        for at, value in entries:
            rows.append(at)
            values.append(value)

    dear = 20.0 * (1.0 + float(np.abs(problem.import_price + problem.carbon_cost).max()))
    mass_of = masses(crowd)
    for m in range(int(mass_of.max(initial=-1)) + 1):
        kinds = np.flatnonzero(mass_of == m)
        times, mine = crowd.times[kinds], crowd.begin[kinds]
        draws = crowd.power[mine, crowd.levels[mine] - 1]
        size = times * draws
        due, beyond = size * crowd.job[mine, k.DUE], size * (crowd.job[mine, k.WORK] - crowd.job[mine, k.DUE])
        owed = row(float(due.sum()))
        for price, hours in _steps(np.minimum(crowd.job[mine, k.UNMET] / draws, dear), due):
            column(price, hours, [(owed, 1.0)])
        for price, hours in _steps(crowd.job[mine, k.VALUE] / draws, beyond):
            column(-price, hours, [(owed, -1.0)])
        total = max(float(size.sum()), 1e-12)
        within: dict[int, int] = {}
        for way in range(int(crowd.begin[kinds[0] + 1] - crowd.begin[kinds[0]])):
            at = mine + way
            line = int(crowd.row[at[0]])
            most = crowd.levels[at] - 1
            picks = np.rint(np.linspace(0, 1, POINTS)[:, None] * most).astype(np.int64)
            power = (times * crowd.power[at, picks]).sum(axis=1)
            work = (size * crowd.gain[at, picks]).sum(axis=1)
            gpus = float((times * crowd.gpus[at]).sum())
            for t in range(problem.slots):
                here = (crowd.window[at, 0] <= t) & (t < crowd.window[at, 1])
                open_share = float(size[here].sum()) / total
                if open_share <= 0.0:
                    continue
                if t not in within:
                    # a row that lets no more than the open share run: written as "at least minus it"
                    within[t] = row(-open_share)
                late = np.where(t >= crowd.late_from[at], crowd.late[at], 0.0) * times
                for p in range(POINTS):
                    entries = [
                        (int(energy.power_rows[line, t]), -float(power[p])),
                        (owed, float(work[p])),
                        (within[t], -1.0),
                    ]
                    if line < len(energy.gpu_rows) and gpus > 0:
                        entries.append((int(energy.gpu_rows[line, t]), -gpus))
                    column(float((late * crowd.gain[at, picks[p]]).sum()), open_share, entries)
    lp.add_rows(np.array(low), np.full(len(low), np.inf))
    begin = np.concatenate([[0], np.cumsum(lengths)])
    lp.add_columns(np.array(cost), np.array(upper), begin, np.array(rows), np.array(values))
    prices = lp.inner_prices()
    return None if prices is None else energy.legal(prices[: lp.own_rows])


def _steps(price: Floats, amount: Floats) -> list[tuple[float, float]]:
    """Amounts with their mean prices, melted into few steps of like price."""
    order = np.argsort(price, kind="stable")
    found = []
    for some in np.array_split(order[amount[order] > 0], STEPS):
        if len(some):
            whole = float(amount[some].sum())
            found.append((float(price[some] @ amount[some]) / whole, whole))
    return found


def masses(crowd: Crowd) -> Ints:
    """Mass of every kind: by the pools that it may go to, and there by like beginning and like end of its window."""
    traits = np.zeros((len(crowd.kinds), 3), dtype=np.int64)
    first, choice = crowd.begin[:-1], crowd.choice
    traits[:, 0] = choice
    for row in np.unique(choice):
        mine = np.flatnonzero(choice == row)
        parts = max(1, round(np.sqrt(MASSES * len(mine) / len(crowd.kinds))))
        # late is as good as closed
        ends = crowd.window[first[mine], 0], np.minimum(crowd.window[first[mine], 1], crowd.late_from[first[mine]])
        for trait, values in zip((1, 2), ends, strict=True):
            # equal crowds, in which equal values stay together
            edges = np.quantile(values, np.linspace(0, 1, parts + 1)[1:-1])
            traits[mine, trait] = np.searchsorted(edges, values, side="right")
    return np.asarray(np.unique(traits, axis=0, return_inverse=True)[1], dtype=np.int64).ravel()
