"""What one unit more would cost or save, with all starts as they are: local prices from a linear program.

On-slots are fixed, integers fixed at their optimum and relaxed, and the rest solved again: only then has a solver
prices to give. A price is kept where a unit more and a unit less cost the same; elsewhere it depends on the direction
(the program is degenerate there) and none is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo

from optimizer.build import build
from optimizer.explain.binding import Binding
from optimizer.explain.seen import Seen
from optimizer.problem import Floats, Problem
from optimizer.sessions import Pattern
from optimizer.solve import Compiled, HeldLp, Options, solve

NUDGE = 1e-3
"""Power by which a slot is nudged, in the problem's unit (about the largest single load): a thousandth of it."""

AGREE = 1e-4
"""Relative difference within which two prices are one."""

ROW = "balance.power[{}]"


@dataclass(frozen=True)
class SlotPrice:
    """Money per MWh for a little more and a little less load in a slot; the solver's own price between them."""

    slot: int
    dual: float
    more: float | None
    less: float | None

    @property
    def price(self) -> float | None:
        """The price where it is one; None where it depends on the direction, or one side has no room."""
        if self.more is None or self.less is None:
            return None
        near = AGREE * max(1.0, abs(self.dual))
        return self.dual if abs(self.more - self.dual) <= near and abs(self.less - self.dual) <= near else None


def slot_prices(seen: Seen, slots: list[int] | None = None) -> list[SlotPrice]:
    """Local price of electricity in some slots (default: all); empty where the program has no optimum to start from.

    Both finite differences of every slot are taken (two warm solves), so each price that is kept is cross-checked.
    """
    problem = seen.problem
    held = held_program(problem, seen.pattern)
    if held is None:
        return []
    rows, duals, per_mwh = held.rows(), held.lp.row_prices(), 1.0 / (problem.step_h * problem.unit_mw)
    found = []
    for t in range(problem.slots) if slots is None else slots:
        row = rows[ROW.format(t)]
        more, less = held.row_nudged(row, 1.0), held.row_nudged(row, -1.0)
        found.append(
            SlotPrice(
                t,
                float(duals[row]) * per_mwh,
                None if more is None else more * per_mwh,
                None if less is None else -less * per_mwh,
            )
        )
    return found


def limit_values(seen: Seen, tight: list[Binding]) -> dict[tuple[str, str, int], float]:
    """Money saved per MWh by a little more of a limit on import or a feed, by row, name and slot.

    Only where a little less costs the same: elsewhere the value depends on the direction and is not told.
    """
    problem = seen.problem
    held = held_program(problem, seen.pattern)
    if held is None:
        return {}
    rows, per_mwh = held.rows(), 1.0 / (problem.step_h * problem.unit_mw)
    found = {}
    for b in tight:
        if b.row == "grid.import_limit":
            column = held.compiled.column[id(held.model.grid.import_[b.slot])]
            more, less = held.column_nudged(column, 1.0), held.column_nudged(column, -1.0)
        elif b.row == "feed.limit":
            row = rows[f"gpus.feed_limit[{b.name},{b.slot}]"]
            more, less = held.row_nudged(row, 1.0), held.row_nudged(row, -1.0)
        else:
            continue
        if more is not None and less is not None and abs(more + less) <= AGREE * max(1.0, abs(more)):
            found[b.row, b.name, b.slot] = -more * per_mwh
    return found


@dataclass(frozen=True)
class Held:
    """The program in HiGHS at its optimum, and what was compiled; nudges leave it as it was."""

    model: pyo.ConcreteModel
    compiled: Compiled
    lp: HeldLp
    cost: float

    def rows(self) -> dict[str, int]:
        """Number of every row by its name."""
        return {str(row.name): k for k, row in enumerate(self.compiled.rows)}

    def row_nudged(self, row: int, sign: float) -> float | None:
        """Change of the cost per unit when a row's limits move up (or down, with its sign); None: no room."""
        low, high = float(self.compiled.lp.row_lower_[row]), float(self.compiled.lp.row_upper_[row])
        self.lp.row_bounds(row, low + sign * NUDGE, high + sign * NUDGE)
        change = self._change()
        self.lp.row_bounds(row, low, high)
        return change

    def column_nudged(self, column: int, sign: float) -> float | None:
        """The same for the upper bound of a column of at least 0."""
        upper = float(self.compiled.lp.col_upper_[column])
        self.lp.upper_bounds(np.array([column]), np.array([upper + sign * NUDGE]))
        change = self._change()
        self.lp.upper_bounds(np.array([column]), np.array([upper]))
        return change

    def _change(self) -> float | None:
        return None if self.lp.solve() is None else (self.lp.objective - self.cost) / NUDGE


def held_program(problem: Problem, pattern: Pattern) -> Held | None:
    """The whole model with on-slots fixed and integers fixed at their optimum, solved; None where it has no optimum."""
    model, _ = build(problem, exact=problem.burning_may_pay, pattern=pattern)
    compiled = Compiled(model)
    if compiled.whole.any():
        outcome = solve(model, Options(gap=1e-9, time_limit_s=20.0))
        if outcome.values is None:
            return None
        fixed = np.round(outcome.values[compiled.whole])
        lower, upper = _array(compiled.lp.col_lower_), _array(compiled.lp.col_upper_)
        lower[compiled.whole] = upper[compiled.whole] = fixed
        compiled.lp.col_lower_, compiled.lp.col_upper_ = lower, upper
    lp = HeldLp(compiled, relaxed=True)
    return None if lp.solve() is None else Held(model, compiled, lp, lp.objective)


def _array(values: object) -> Floats:
    return np.array(values, dtype=float)
