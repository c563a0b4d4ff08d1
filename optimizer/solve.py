"""Pyomo model in, HiGHS outcome out: the only file that knows the solver's words.

The model is compiled once to its standard form and handed to HiGHS as a matrix. Statuses are mapped
once; incumbents are reported while HiGHS runs.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import highspy
import numpy as np
import pyomo.environ as pyo
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from optimizer.problem import Floats, Ints

Status = Literal["optimal", "feasible", "infeasible", "nothing"]
"""``nothing``: neither a solution nor a proof that there is none."""


@dataclass(frozen=True)
class Options:
    """How hard to try: relative gap wanted, wall-clock seconds, threads, and the tolerance of rows."""

    gap: float = 1e-3
    time_limit_s: float = 60.0
    threads: int = 1
    tolerance: float = 1e-8


class Compiled:
    """A Pyomo model as HiGHS sees it: columns, rows and the way back to Pyomo's variables."""

    def __init__(self, model: pyo.ConcreteModel) -> None:
        form = LinearStandardFormCompiler().write(model, mixed_form=True)
        self.columns: list[Any] = list(form.columns)
        self.column = {id(variable): k for k, variable in enumerate(self.columns)}
        self.rows: list[Any] = [row.constraint for row in form.rows]
        infinity = highspy.kHighsInf
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.columns), len(form.rows)
        # without a cost anywhere Pyomo still writes one objective row
        lp.col_cost_ = np.asarray(form.c.todense(), dtype=float).reshape(-1) if form.c.shape[0] else np.zeros(0)
        lp.offset_ = float(form.c_offset[0]) if len(form.c_offset) else 0.0
        lp.col_lower_ = np.array([-infinity if v.lb is None else v.lb for v in self.columns], dtype=float)
        lp.col_upper_ = np.array([infinity if v.ub is None else v.ub for v in self.columns], dtype=float)
        sense = np.array([row.bound_type for row in form.rows])
        lp.row_lower_ = np.where(sense <= 0, form.rhs, -infinity)
        lp.row_upper_ = np.where(sense >= 0, form.rhs, infinity)
        matrix = form.A.tocsc()
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
        self.whole = np.array([v.is_integer() or v.is_binary() for v in self.columns], dtype=bool)
        if self.whole.any():
            kinds = highspy.HighsVarType
            lp.integrality_ = [kinds.kInteger if whole else kinds.kContinuous for whole in self.whole]
        self.lp = lp


@dataclass(frozen=True)
class Outcome:
    """What a solve found. ``bound`` is a proven lower bound, None where nothing is proven."""

    status: Status
    objective: float | None
    bound: float | None
    values: Floats | None
    compiled: Compiled

    def value(self, variable: Any) -> float:
        """Value of a variable of the model; one that no row and no cost names has none and counts as its bound."""
        assert self.values is not None
        k = self.compiled.column.get(id(variable))
        return float(variable.lb or 0.0) if k is None else float(self.values[k])


def quiet_highs() -> highspy.Highs:
    """A HiGHS instance; its constructor's banner goes nowhere, since standard output is ours to promise."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        highs = highspy.Highs()
        highs.silent()
        ctypes.CDLL(None).fflush(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
    return highs


DUAL, PRIMAL = 1, 4
"""HiGHS' numbers of its simplex strategies."""

MOST_ITERATIONS = 3_000
"""Of the primal simplex after some columns were added, which takes hundreds; beyond it the dual takes over."""


class HeldLp:
    """A compiled model that stays in HiGHS: rows and columns are added, bounds moved, and it goes on from its basis."""

    def __init__(
        self, compiled: Compiled, threads: int = 1, *, relaxed: bool = False, primal: bool = False, gap: float = 1e-4
    ) -> None:
        """Hand the model over; ``relaxed`` leaves its integers out, ``primal``: columns come between the solves.

        ``gap`` is the relative one wanted where integers stay.
        """
        self.own_columns, self.own_rows = compiled.lp.num_col_, compiled.lp.num_row_
        self._primal, self._warm = primal, False
        self._highs = quiet_highs()
        self._highs.setOptionValue("threads", threads)
        self._highs.setOptionValue("mip_rel_gap", gap)
        self._highs.passModel(compiled.lp)
        if relaxed and compiled.whole.any():
            where = np.flatnonzero(compiled.whole).astype(np.int32)
            continuous = np.full(len(where), highspy.HighsVarType.kContinuous)
            self._highs.changeColsIntegrality(len(where), where, continuous)

    def add_rows(self, low: Floats, high: Floats) -> None:
        """Add rows without entries; columns to come may name them."""
        if len(low):
            nothing = np.zeros(0, dtype=np.int32)
            starts = np.zeros(len(low), dtype=np.int32)
            self._highs.addRows(len(low), low, high, 0, starts, nothing, np.zeros(0))

    def add_columns(self, cost: Floats, upper: Floats, begin: Ints, rows: Ints, values: Floats) -> None:
        """Add columns of at least 0: costs, upper bounds, and their entries one column after the other."""
        count = len(cost)
        starts, at = begin[:-1].astype(np.int32), rows.astype(np.int32)
        self._highs.addCols(count, cost, np.zeros(count), upper, len(at), starts, at, values)

    def trade(self, rows: Ints, price: Floats) -> None:
        """Let some equations take any value, at a price for each unit: one more column a row, in both directions."""
        count = len(rows)
        free = np.full(count, highspy.kHighsInf)
        at = np.arange(count + 1, dtype=np.int32)
        self._highs.addCols(count, price, -free, free, count, at[:-1], rows.astype(np.int32), np.ones(count))

    def move_rows(self, rows: Ints, value: Floats) -> None:
        """Set the value that some equations have to take."""
        for row, v in zip(rows.tolist(), value.tolist(), strict=True):
            self._highs.changeRowBounds(row, v, v)

    def costs(self, columns: Ints, cost: Floats) -> None:
        """Set the costs of some columns."""
        self._highs.changeColsCost(len(columns), columns.astype(np.int32), cost)

    def row_bounds(self, row: int, low: float, high: float) -> None:
        """Set the limits of one row."""
        self._highs.changeRowBounds(row, low, high)

    def upper_bounds(self, columns: Ints, upper: Floats) -> None:
        """Set the upper bounds of some columns; those with a negative number are in no row and are left."""
        for column, bound in zip(columns.tolist(), upper.tolist(), strict=True):
            if column >= 0:
                self._highs.changeColBounds(column, 0.0, bound)

    def inner_prices(self) -> Floats | None:
        """Prices of all rows from an interior point, without a vertex; None where it does not get there.

        For large programs that are solved once and of which only prices matter: the time is a matter of size alone.
        """
        self._highs.setOptionValue("solver", "ipm")
        self._highs.setOptionValue("run_crossover", "off")
        self._highs.run()
        words = highspy.HighsModelStatus
        if self._highs.getModelStatus() not in (words.kOptimal, words.kUnknown):
            return None
        prices = np.array(self._highs.getSolution().row_dual)
        return prices if np.isfinite(prices).all() else None

    def solve(self, time_limit_s: float = highspy.kHighsInf) -> Floats | None:
        """Values of all columns at the optimum; None where there is none, or none in the time."""
        words = highspy.HighsModelStatus
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + time_limit_s)
        status = words.kNotset
        if self._primal and self._warm:
            # new columns leave the last basis primal feasible; yet the primal simplex may go round in circles
            self._highs.setOptionValue("simplex_strategy", PRIMAL)
            self._highs.setOptionValue("simplex_iteration_limit", MOST_ITERATIONS)
            self._highs.run()
            status = self._highs.getModelStatus()
            self._highs.setOptionValue("simplex_iteration_limit", highspy.kHighsIInf)
        if status != words.kOptimal:
            self._highs.setOptionValue("simplex_strategy", DUAL)
            self._highs.run()
            status = self._highs.getModelStatus()
        if status in (words.kSolveError, words.kUnknown):
            # its last basis may be a dead end
            self._highs.clearSolver()
            self._highs.run()
            status = self._highs.getModelStatus()
        self._warm = status == words.kOptimal
        return np.array(self._highs.getSolution().col_value) if self._warm else None

    def whole(self, columns: Ints, start: Floats, time_limit_s: float, gap: float) -> tuple[Floats, bool] | None:
        """Values of all columns with some of them whole, from a solution to begin with; and whether that is proven.

        None where nothing was found in the time. The columns stay whole.
        """
        where = columns.astype(np.int32)
        self._highs.changeColsIntegrality(len(where), where, np.full(len(where), highspy.HighsVarType.kInteger))
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + time_limit_s)
        self._highs.setOptionValue("mip_rel_gap", gap)
        self._highs.setOptionValue("simplex_strategy", DUAL)
        self._highs.setSolution(len(start), np.arange(len(start), dtype=np.int32), start)
        self._highs.run()
        if self._highs.getInfo().primal_solution_status != int(highspy.SolutionStatus.kSolutionStatusFeasible):
            return None
        proven = self._highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        return np.array(self._highs.getSolution().col_value), proven

    @property
    def objective(self) -> float:
        """Optimum of the last solve."""
        return float(self._highs.getInfo().objective_function_value)

    def row_prices(self) -> Floats:
        """Prices of the model's own rows at the last optimum (a model without integers)."""
        return np.array(self._highs.getSolution().row_dual)[: self.own_rows]


def solve(
    model: pyo.ConcreteModel,
    options: Options,
    *,
    start: Mapping[int, float] | None = None,
    on_incumbent: Callable[[float, float, Floats, Compiled], None] | None = None,
) -> Outcome:
    """Minimize a model.

    Args:
        model: a Pyomo model with linear rows.
        options: gap, time, threads, tolerance.
        start: value of some columns, by ``id`` of the Pyomo variable; HiGHS completes the rest.
        on_incumbent: called with (objective, bound, values, compiled) for every better solution; the bound is minus
            infinity where there was a start, because HiGHS completes it by a program of its own, in which these columns
            are fixed, and tells that program's solutions and bounds by the same call.
    """
    compiled = Compiled(model)
    highs = quiet_highs()
    highs.passModel(compiled.lp)
    settings: dict[str, Any] = {
        "threads": options.threads,
        "time_limit": max(0.05, options.time_limit_s),
        "mip_rel_gap": options.gap,
        "mip_abs_gap": options.gap,
        "mip_feasibility_tolerance": max(options.tolerance, 1e-9),
        "primal_feasibility_tolerance": options.tolerance,
        "dual_feasibility_tolerance": options.tolerance,
    }
    for name, value in settings.items():
        if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise ValueError(f"HiGHS refused option {name} = {value!r}")
    if start and compiled.whole.any():
        known = [(k, start[id(v)]) for k, v in enumerate(compiled.columns) if id(v) in start]
        highs.setSolution(len(known), np.array([k for k, _ in known], dtype=np.int32), np.array([x for _, x in known]))
    if on_incumbent is not None:
        report = on_incumbent

        def improving(event: Any) -> None:
            data = event.data_out
            bound = -math.inf if start else data.mip_dual_bound
            report(data.objective_function_value, bound, np.array(data.mip_solution), compiled)

        highs.cbMipImprovingSolution.subscribe(improving)
    highs.run()
    outcome = _outcome(highs, compiled)
    if start and not _true(outcome):
        # HiGHS 1.16 may report an optimum and hand back the start solution; without presolve it does not
        highs.setOptionValue("presolve", "off")
        highs.clearSolver()
        highs.run()
        outcome = _outcome(highs, compiled)
    return outcome


def _true(outcome: Outcome) -> bool:
    """Whether the values handed back cost what the solver says."""
    if outcome.values is None or outcome.objective is None:
        return True
    lp = outcome.compiled.lp
    cost = float(np.array(lp.col_cost_) @ outcome.values) + lp.offset_
    return abs(cost - outcome.objective) <= 1e-6 * max(1.0, abs(cost))


def _outcome(highs: highspy.Highs, compiled: Compiled) -> Outcome:
    words = highspy.HighsModelStatus
    status, info = highs.getModelStatus(), highs.getInfo()
    mixed = bool(compiled.whole.any())
    # an empty model is solved before HiGHS starts
    found = info.primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible)
    if status == words.kModelEmpty:
        return Outcome("optimal", compiled.lp.offset_, compiled.lp.offset_, np.zeros(0), compiled)
    if status == words.kInfeasible:
        return Outcome("infeasible", None, None, None, compiled)
    if not found or status in (words.kUnbounded, words.kUnboundedOrInfeasible):
        bound = float(info.mip_dual_bound) if mixed and math.isfinite(info.mip_dual_bound) else None
        return Outcome("nothing", None, bound, None, compiled)
    values = np.array(highs.getSolution().col_value)
    objective = float(info.objective_function_value)
    if mixed:
        bound = float(info.mip_dual_bound) if math.isfinite(info.mip_dual_bound) else None
    else:
        bound = objective if status == words.kOptimal else None
    return Outcome("optimal" if status == words.kOptimal else "feasible", objective, bound, values, compiled)
