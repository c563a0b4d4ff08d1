"""What given starts come to in another course of sun, wind and load: everything but the starts is chosen anew.

One relaxed program for given on-slots, in which caps, batteries, cooling, generators, import and export are free. It
is built once and stays warm: a course moves its bounds. What no recourse can supply is left short at a price above
every other, so that each course has an answer. Each course is known from its first slot on, which flatters all
starts alike (two stages, not many; Birge & Louveaux 2011, ch. 2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.courses import Courses
from optimizer.build import build
from optimizer.problem import Problem
from optimizer.sessions import Pattern
from optimizer.solve import Compiled, HeldLp

DEARER = 2.0
"""How many times the dearest import a unit left short costs at least."""
SHORT_MWH = 1e-4
"""Energy left short below which a course counts as supplied."""


@dataclass(frozen=True, eq=False)
class Answer:
    """Cost of a course, money, and what is left short in it, MWh."""

    cost: float
    short_mwh: float


class Recourse:
    """The program of one pattern of on-slots for all ``courses``.

    Jobs that run on surplus alone are left out (they stop where there is none), and what a plan holds back against
    a fall is free to be used, because the fall is what a course may be.
    """

    def __init__(self, problem: Problem, pattern: Pattern, courses: Courses, threads: int = 1) -> None:
        self._problem, unit = problem, problem.unit_mw
        pv, wind, more = courses.pv_mw / unit, courses.wind_mw / unit, courses.more_load_mw / unit
        # bounds that depend on what there is must leave room for every course and for the plan's own
        widest = replace(
            unreserved(problem),
            pv=np.maximum(problem.pv, pv.max(axis=0)),
            wind=np.maximum(problem.wind, wind.max(axis=0)),
            base=problem.base + np.minimum(0.0, more.min(axis=0)),
        )
        self._offers = [(problem.pv, problem.wind, np.zeros(problem.slots)), *zip(pv, wind, more, strict=True)]
        self._model, _ = build(widest, pattern=_firm(problem, pattern))
        compiled = Compiled(self._model)
        row_of = {id(row): k for k, row in enumerate(compiled.rows)}
        slots = range(problem.slots)
        self._balance = np.array([row_of[id(self._model.balance.power[t])] for t in slots], dtype=np.int64)
        # what the row asks for at the problem's own load; a constant of the model may stand on that side too
        self._asked = np.array(compiled.lp.row_lower_)[self._balance] - widest.base + problem.base
        self._columns = [
            (used, np.array([compiled.column.get(id(used[t]), -1) for t in used], dtype=np.int64))
            for used in (self._model.supply.pv_used, self._model.supply.wind_used)
        ]
        self._lp = HeldLp(compiled, threads, relaxed=True)
        self._short_from = compiled.lp.num_col_
        self._lp.add_columns(
            np.full(problem.slots, problem.step_h * short_price(problem)),
            np.full(problem.slots, np.inf),
            np.arange(problem.slots + 1),
            self._balance,
            np.ones(problem.slots),
        )

    def answer(self, course: int | None, time_limit_s: float) -> Answer | None:
        """Best there is to do in a course; in what the problem itself counts on where None. None: not in the time."""
        pv, wind, more = self._offers[0 if course is None else 1 + course]
        for (used, columns), offered in zip(self._columns, (pv, wind), strict=True):
            self._lp.upper_bounds(columns, np.array([offered[t] for t in used]))
        self._lp.move_rows(self._balance, self._asked + more)
        values = self._lp.solve(time_limit_s)
        if values is None:
            return None
        short = values[self._short_from : self._short_from + self._problem.slots]
        mwh = float(short.sum()) * self._problem.step_h * self._problem.unit_mw
        return Answer(self._lp.objective, mwh if mwh > SHORT_MWH else 0.0)


def short_price(problem: Problem) -> float:
    """Money per unit and hour left short: the dearest work that a unit could have done, so that it goes last."""
    work = [e.unmet_cost / float(e.power[-1]) for e in problem.entries if e.unmet_cost and e.power[-1] > 0]
    bought = DEARER * float(np.max(problem.import_price + problem.carbon_cost, initial=0.0))
    return max([bought, *work, 1.0])


def unreserved(problem: Problem) -> Problem:
    """Without headroom against a fall, and without what batteries hold for it; a problem without headroom as it is."""
    if problem.headroom is None:
        return problem
    stores = tuple(
        b if b.reserve_cost is None else replace(b, reserve=np.zeros_like(b.reserve), reserve_cost=None)
        for b in problem.batteries
    )
    return replace(problem, headroom=None, batteries=stores)


def _firm(problem: Problem, pattern: Pattern) -> Pattern:
    """The on-slots without jobs that run on surplus alone."""
    off = {key for e in problem.entries if e.surplus for key in (e.id, *(way.key for way in e.ways))}
    return {key: np.zeros_like(on) if key in off else on for key, on in pattern.items()}
