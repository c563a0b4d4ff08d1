"""The energy side with all jobs as what they draw and hold: one Pyomo model, compiled once for a problem.

Schedules enter its power and GPU rows from outside: as columns (:mod:`optimizer.large`), or as the
levels of given on-slots (:mod:`optimizer.levels`). There is no second, hand-kept energy model.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csc_matrix

from optimizer.build import build
from optimizer.problem import Entry, Floats, Ints, Problem
from optimizer.site_limits import supported_it
from optimizer.solve import Compiled, HeldLp


@dataclass(frozen=True)
class SlotPrices:
    """Money for one unit of power and for one GPU over each slot, ``[pool, slot]``; last line: loads without a pool."""

    power: Floats
    gpus: Floats


class EnergyModel:
    """The priced model, compiled: which of its rows take power and GPUs of schedules, and its bounds."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.model, _ = build(problem, priced=True)
        self._bound_everything()
        self.compiled = Compiled(self.model)
        self.row_of = {id(c): k for k, c in enumerate(self.compiled.rows)}
        block, slots, pools = self.model.crowd, range(problem.slots), range(len(problem.pools))
        at = self.row_of
        powers = [[at[id(block.power_of_columns[k, t])] for t in slots] for k in pools]
        self.power_rows = np.array([*powers, [at[id(block.load_of_columns[t])] for t in slots]], dtype=np.int64)
        self.gpu_rows = np.array(
            [[at[id(block.gpus_of_columns[k, t])] for t in slots] for k in pools], dtype=np.int64
        ).reshape(len(problem.pools), problem.slots)
        feed = self.model.gpus.feed_limit
        self.feed_rows = np.array(
            [[at[id(feed[f.name, t])] if (f.name, t) in feed else -1 for t in slots] for f in problem.feeds],
            dtype=np.int64,
        ).reshape(len(problem.feeds), problem.slots)
        free = self.model.gpus.gpus_available
        self.pool_rows = np.array(
            [[at[id(free[q.name, t])] if (q.name, t) in free else -1 for t in slots] for q in problem.pools],
            dtype=np.int64,
        ).reshape(len(problem.pools), problem.slots)
        lp = self.compiled.lp
        matrix = lp.a_matrix_
        self.matrix = csc_matrix(
            (np.array(matrix.value_), np.array(matrix.index_), np.array(matrix.start_)), (lp.num_row_, lp.num_col_)
        )
        self.cost, self.offset = np.array(lp.col_cost_), float(lp.offset_)
        self.lower, self.upper = np.array(lp.col_lower_), np.array(lp.col_upper_)
        self.row_lower, self.row_upper = np.array(lp.row_lower_), np.array(lp.row_upper_)

    def among(self, entries: tuple[Entry, ...]) -> EnergyModel:
        """The same model for the problem with other entries that draw and hold no more: each in one of its ways."""
        other = copy.copy(self)
        other.problem = replace(self.problem, entries=entries)
        return other

    def columns_of(self, variables: list[object]) -> list[int]:
        """Numbers of the columns of some Pyomo variables; -1 where no row and no cost names one."""
        return [self.compiled.column.get(id(v), -1) for v in variables]

    def it_of(self, columns: Floats) -> Floats:
        """IT power of a solution, per slot."""
        return columns[self.columns_of(list(self.model.gpus.it.values()))]

    def feeds_of(self, columns: Floats) -> Floats:
        """Power on every feed of a solution, ``[feed, slot]``."""
        p, drawn = self.problem, self.model.gpus.pool_power
        pools = [columns[self.columns_of([drawn[pool.name, t] for t in range(p.slots)])] for pool in p.pools]
        return np.array([sum(pools[k] for k in f.pools) for f in p.feeds]).reshape(len(p.feeds), p.slots)

    def nodes_of(self, columns: Floats) -> dict[str, Ints]:
        """Nodes on in a solution whose integers are whole, by pool whose nodes may be off."""
        p, on = self.problem, self.model.nodes.on
        switched = [pool.name for pool in p.pools if pool.nodes is not None]
        at = {name: self.columns_of([on[name, t] for t in range(p.slots)]) for name in switched}
        return {name: np.rint(columns[where]).astype(np.int64) for name, where in at.items()}

    def gpus_of(self, columns: Floats) -> Floats:
        """GPUs in use in every pool of a solution, ``[pool, slot]``."""
        p, used = self.problem, self.model.crowd.gpus
        pools = [columns[self.columns_of([used[k, t] for t in range(p.slots)])] for k in range(len(p.pools))]
        return np.array(pools).reshape(len(p.pools), p.slots)

    def scarcity(self, rows: Floats) -> tuple[Floats, Floats]:
        """What one unit more of every feed, and one GPU more of every pool, would save over each slot."""

        def saved(at: Ints) -> Floats:
            return np.where(at >= 0, np.maximum(0.0, -rows[at]), 0.0)

        return saved(self.feed_rows), saved(self.pool_rows)

    def supported_it(self, columns: Floats) -> Floats:
        """Largest IT power per slot that the site can carry with its batteries run as in a solution."""
        p, cells = self.problem, self.model.battery
        supply = p.import_limit + p.pv + p.wind
        for b in p.batteries:
            for t in range(p.slots):
                out, into = self.columns_of([cells.discharge[b.name, t], cells.charge[b.name, t]])
                supply[t] += columns[out] - columns[into]
        return supported_it(p, supply)

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

    def offer(self, lp: HeldLp, pv: Floats, wind: Floats) -> None:
        """Change what sun and wind offer, in the problem's unit, one value a slot, here and in a program."""
        supply = self.model.supply
        for variables, offered in ((supply.pv_used, pv), (supply.wind_used, wind)):
            columns = np.array(self.columns_of([variables[t] for t in variables]))
            most = np.array([offered[t] for t in variables])
            self.upper[columns[columns >= 0]] = most[columns >= 0]
            lp.upper_bounds(columns, most)

    def completed(self, prices: SlotPrices) -> Floats | None:
        """Best row prices of all with these for power and GPUs; None where the solver gives up.

        Jobs sell power and GPUs at these prices, without limit but each variable's own.
        """
        lp = HeldLp(self.compiled, relaxed=True)
        rows = np.concatenate([self.power_rows.ravel(), self.gpu_rows.ravel()])
        value = np.concatenate([prices.power.ravel(), prices.gpus[: len(self.gpu_rows)].ravel()])
        lp.trade(rows, value)
        if lp.solve() is None:
            return None
        found = lp.row_prices()
        found[rows] = value
        return self.legal(found)

    def import_prices(self) -> Floats:
        """Row prices before anything is known: import at its price, wherever power is drawn."""
        p = self.problem
        rows = np.zeros(self.compiled.lp.num_row_)
        rows[self.power_rows] = p.step_h * np.maximum(p.import_price + p.carbon_cost, 0) / p.efficiency
        return rows

    def legal(self, rows: Floats) -> Floats:
        """Row prices with the signs that one-sided rows allow."""
        down = np.where(np.isfinite(self.row_lower), rows, np.minimum(rows, 0.0))
        up: Floats = np.where(np.isfinite(self.row_upper), down, np.maximum(down, 0.0))
        return up

    def slot_prices(self, rows: Floats) -> SlotPrices:
        """What row prices mean for jobs."""
        return SlotPrices(rows[self.power_rows], np.vstack([rows[self.gpu_rows], np.zeros((1, self.problem.slots))]))

    def bound(self, rows: Floats, least: float) -> float:
        """Proven lower bound of the whole problem at any row prices, given what all jobs cost at ``least``.

        Every row's price pays its limit, every energy column its best end, every job its least cost
        (Lagrangian relaxation of all rows).
        """
        limit = np.where(rows > 0, self.row_lower, self.row_upper)
        if not np.isfinite(limit[rows != 0]).all():
            return -np.inf
        paid = float(rows[rows != 0] @ limit[rows != 0])
        reduced = self.cost - self.matrix.T @ rows
        end = np.where(reduced > 0, self.lower, self.upper)
        matters = np.abs(reduced) > 0
        if not np.isfinite(end[matters]).all():
            return -np.inf
        return self.offset + paid + float(reduced[matters] @ end[matters]) + least
