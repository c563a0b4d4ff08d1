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

from optimizer.problem import Floats

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


class GrowingLp:
    """A compiled model without its integers, to which mixing rows and columns are added between solves."""

    def __init__(self, compiled: Compiled, mixing_rows: int, threads: int = 1) -> None:
        """Add ``mixing_rows`` empty rows that read "= 1"; their numbers follow the model's own."""
        self.first_mixing_row = compiled.lp.num_row_
        self._columns = compiled.lp.num_col_
        compiled.lp.integrality_ = []
        self._highs = quiet_highs()
        self._highs.setOptionValue("threads", threads)
        # new columns leave the last basis primal feasible
        self._highs.setOptionValue("simplex_strategy", 4)
        self._highs.passModel(compiled.lp)
        for _ in range(mixing_rows):
            self._highs.addRow(1.0, 1.0, 0, np.zeros(0, dtype=np.int32), np.zeros(0))

    def add_column(self, cost: float, entries: Mapping[int, float]) -> None:
        """Add a column of at least 0 with a cost and its entries by row."""
        rows = sorted(entries)
        values = np.array([entries[row] for row in rows])
        self._highs.addCol(cost, 0.0, highspy.kHighsInf, len(rows), np.array(rows, dtype=np.int32), values)

    def solve(self) -> tuple[float, Floats, Floats] | None:
        """Optimum, prices of the model's own rows, values of its own columns; None where HiGHS gives up."""
        self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        solution = self._highs.getSolution()
        prices = np.array(solution.row_dual)[: self.first_mixing_row]
        values = np.array(solution.col_value)[: self._columns]
        return float(self._highs.getInfo().objective_function_value), prices, values


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
        on_incumbent: called with (objective, bound, values, compiled) for every better solution.
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
            report(data.objective_function_value, data.mip_dual_bound, np.array(data.mip_solution), compiled)

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
