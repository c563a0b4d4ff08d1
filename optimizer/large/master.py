"""The energy model with schedules as columns: prices of every slot out, and a bound at any prices.

The Pyomo model is compiled once; each round's schedules enter the compiled matrix, summed over
groups of jobs, with one row a group that mixes its columns to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_matrix  # type: ignore[import-untyped]

from optimizer.build import build
from optimizer.large.pricing import Crowd, Priced
from optimizer.problem import Floats, Ints, Problem
from optimizer.solve import Compiled, GrowingLp

MOST_GROUPS = 64


@dataclass(frozen=True)
class Prices:
    """Row prices of the energy model, and what they mean: money for a unit of power or a GPU over a slot."""

    rows: Floats
    power: Floats
    gpus: Floats


class Master:
    """The restricted master: energy rows, and one column a round for each group of jobs."""

    def __init__(self, problem: Problem, crowd: Crowd) -> None:
        self.problem, self.crowd = problem, crowd
        self.model, _ = build(problem, priced=True)
        self._bound_everything()
        self.compiled = Compiled(self.model)
        self.groups = _groups(crowd)
        rows = {id(c): k for k, c in enumerate(self.compiled.rows)}
        block, slots, pools = self.model.crowd, range(problem.slots), range(len(problem.pools))
        self.power_rows = np.array([[rows[id(block.power_of_columns[k, t])] for t in slots] for k in pools])
        self.gpu_rows = np.array([[rows[id(block.gpus_of_columns[k, t])] for t in slots] for k in pools])
        self.load_rows = np.array([rows[id(block.load_of_columns[t])] for t in slots])
        lp = self.compiled.lp
        shape = (lp.num_row_, lp.num_col_)
        matrix = self.compiled.lp.a_matrix_
        self.matrix = csc_matrix((np.array(matrix.value_), np.array(matrix.index_), np.array(matrix.start_)), shape)
        self.cost, self.offset = np.array(lp.col_cost_), float(lp.offset_)
        self.lower, self.upper = np.array(lp.col_lower_), np.array(lp.col_upper_)
        self.row_lower, self.row_upper = np.array(lp.row_lower_), np.array(lp.row_upper_)
        self.count = int(self.groups.max(initial=-1)) + 1
        self.growing = GrowingLp(self.compiled, self.count)
        # a group may stay idle: at the price of its work left undone, or at one that no schedule has
        idle = crowd.idle_cost(float(np.abs(problem.import_price + problem.carbon_cost).max()))
        for g in range(self.count):
            self.growing.add_column(float(idle[self.groups == g].sum()), {self._mixing_row(g): 1.0})

    def _mixing_row(self, group: int) -> int:
        return self.growing.first_mixing_row + group

    def _bound_everything(self) -> None:
        """Give every variable a bound that no plan exceeds, so that any prices prove something."""
        p, m = self.problem, self.model
        it = np.zeros(p.slots)
        for k, pool in enumerate(p.pools):
            for t in range(p.slots):
                most = (m.crowd.power[k, t].ub or 0.0) + pool.idle * float(pool.gpus[t])
                m.gpus.pool_power[pool.name, t].setub(most)
                it[t] += most
        for t in range(p.slots):
            it[t] += m.crowd.load[t].ub or 0.0
            m.gpus.it[t].setlb(0.0)
            m.gpus.it[t].setub(float(it[t]))
        if p.cooling is not None:
            most_cooling = np.maximum(p.cooling_power(it / p.efficiency), p.cooling_power(np.zeros(p.slots)))
            for t in range(p.slots):
                m.cooling.power[t].setub(float(most_cooling[t]))

    def add(self, priced: Priced) -> None:
        """Add one column a group: the sum of its jobs' schedules."""
        problem, crowd = self.problem, self.crowd
        pools = len(problem.pools)
        for g in range(self.count):
            mine = np.flatnonzero(self.groups == g)
            values: dict[int, float] = {}
            for k in (*range(pools), None):
                here = mine[[crowd.entries[j].pool == k for j in mine]]
                if len(here) == 0:
                    continue
                power = priced.power[here].sum(axis=0)
                rows = self.load_rows if k is None else self.power_rows[k]
                values.update(zip(rows[power > 0].tolist(), (-power[power > 0]).tolist(), strict=True))
                if k is not None:
                    gpus = (priced.on[here] * crowd.gpus[here, None]).sum(axis=0)
                    values.update(zip(self.gpu_rows[k][gpus > 0].tolist(), (-gpus[gpus > 0]).tolist(), strict=True))
            values[self._mixing_row(g)] = 1.0
            self.growing.add_column(float(priced.cost[mine].sum()), values)

    def solve(self) -> tuple[float, Prices, Floats] | None:
        """Optimum of the restricted master, its prices, and its energy columns; None where HiGHS gives up."""
        solved = self.growing.solve()
        if solved is None:
            return None
        objective, rows, columns = solved
        return objective, self.prices(rows), columns

    def prices(self, rows: Floats) -> Prices:
        """What row prices mean for every job: power and GPUs, ``[job, slot]``."""
        jobs = len(self.crowd.entries)
        power, gpus = np.zeros((jobs, self.problem.slots)), np.zeros((jobs, self.problem.slots))
        for j, e in enumerate(self.crowd.entries):
            power[j] = rows[self.load_rows if e.pool is None else self.power_rows[e.pool]]
            if e.pool is not None:
                gpus[j] = rows[self.gpu_rows[e.pool]]
        return Prices(rows, power, gpus)

    def bound(self, prices: Prices, priced: Priced) -> float:
        """Proven lower bound of the whole problem at any row prices.

        Every row's price pays its limit, every energy column its best end, every job its least cost
        (Lagrangian relaxation of all rows).
        """
        y = prices.rows
        limit = np.where(y > 0, self.row_lower, self.row_upper)
        if not np.isfinite(limit[y != 0]).all():
            return -np.inf
        rows = float(y[y != 0] @ limit[y != 0])
        reduced = self.cost - self.matrix.T @ y
        end = np.where(reduced > 0, self.lower, self.upper)
        matters = np.abs(reduced) > 0
        if not np.isfinite(end[matters]).all():
            return -np.inf
        return self.offset + rows + float(reduced[matters] @ end[matters]) + float(priced.least.sum())

    def legal(self, rows: Floats) -> Floats:
        """Row prices with the signs that one-sided rows allow."""
        down = np.where(np.isfinite(self.row_lower), rows, np.minimum(rows, 0.0))
        up: Floats = np.where(np.isfinite(self.row_upper), down, np.maximum(down, 0.0))
        return up


def _groups(crowd: Crowd) -> Ints:
    """Group of every job: by itself while there are few, else with those of its pool and like window."""
    jobs = len(crowd.entries)
    if jobs <= MOST_GROUPS:
        return np.arange(jobs)
    pools = sorted({-1 if e.pool is None else e.pool for e in crowd.entries})
    each = max(1, MOST_GROUPS // len(pools))
    group = np.zeros(jobs, dtype=np.int64)
    for k, pool in enumerate(pools):
        mine = np.array([j for j, e in enumerate(crowd.entries) if (-1 if e.pool is None else e.pool) == pool])
        middle = np.array([crowd.entries[j].first + crowd.entries[j].last for j in mine])
        rank = np.argsort(np.argsort(middle, kind="stable"), kind="stable")
        group[mine] = k * each + rank * each // len(mine)
    _, dense = np.unique(group, return_inverse=True)
    return np.asarray(dense, dtype=np.int64)
