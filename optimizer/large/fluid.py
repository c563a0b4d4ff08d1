"""First prices: jobs as a fluid that fills its windows, solved once with the energy system.

Jobs of one pool whose windows are alike become one mass that may run at any share of its size in
every slot. Starts, gangs and blocks are forgotten, so nothing here is a bound; but where power and
GPUs are short, and how short, is nearly what it is for the jobs themselves, and pricing that starts
from these prices needs a fraction of its rounds.
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
        mine = np.flatnonzero(mass_of == m)
        line = int(crowd.row[mine[0]])
        most = crowd.levels[mine] - 1
        size = crowd.times[mine] * crowd.power[mine, most]
        picks = np.rint(np.linspace(0, 1, POINTS)[:, None] * most).astype(np.int64)
        power = (crowd.times[mine] * crowd.power[mine, picks]).sum(axis=1)
        work = (size * crowd.gain[mine, picks]).sum(axis=1)
        gpus = float((crowd.times * crowd.gpus)[mine].sum())
        due, beyond = size * crowd.job[mine, k.DUE], size * (crowd.job[mine, k.WORK] - crowd.job[mine, k.DUE])
        draws = crowd.power[mine, most]
        owed = row(float(due.sum()))
        for price, hours in _steps(np.minimum(crowd.job[mine, k.UNMET] / draws, dear), due):
            column(price, hours, [(owed, 1.0)])
        for price, hours in _steps(crowd.job[mine, k.VALUE] / draws, beyond):
            column(-price, hours, [(owed, -1.0)])
        total = max(float(size.sum()), 1e-12)
        for t in range(problem.slots):
            here = (crowd.window[mine, 0] <= t) & (t < crowd.window[mine, 1])
            open_share = float(size[here].sum()) / total
            if open_share <= 0.0:
                continue
            # a row that lets no more than the open share run: written as "at least minus it"
            within = row(-open_share)
            late = np.where(t >= crowd.late_from[mine], crowd.late[mine], 0.0) * crowd.times[mine]
            for p in range(POINTS):
                entries = [(int(energy.power_rows[line, t]), -float(power[p])), (owed, float(work[p])), (within, -1.0)]
                if line < len(energy.gpu_rows) and gpus > 0:
                    entries.append((int(energy.gpu_rows[line, t]), -gpus))
                column(float((late * crowd.gain[mine, picks[p]]).sum()), open_share, entries)
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
    """Mass of every kind: by its pool, and there by like beginning and like end of its window."""
    traits = np.zeros((len(crowd.kinds), 3), dtype=np.int64)
    traits[:, 0] = crowd.row
    for row in np.unique(crowd.row):
        mine = np.flatnonzero(crowd.row == row)
        parts = max(1, round(np.sqrt(MASSES * len(mine) / len(crowd.kinds))))
        # late is as good as closed
        ends = crowd.window[mine, 0], np.minimum(crowd.window[mine, 1], crowd.late_from[mine])
        for trait, values in zip((1, 2), ends, strict=True):
            # equal crowds, in which equal values stay together
            edges = np.quantile(values, np.linspace(0, 1, parts + 1)[1:-1])
            traits[mine, trait] = np.searchsorted(edges, values, side="right")
    return np.asarray(np.unique(traits, axis=0, return_inverse=True)[1], dtype=np.int64).ravel()
