"""The whole model in HiGHS: exact, and the method of choice while it is small or its jobs have one level."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyomo.environ as pyo

from optimizer.aggregate import Merged, merged
from optimizer.beside import beside
from optimizer.build import build
from optimizer.diagnose import diagnose
from optimizer.dispatch import redispatch
from optimizer.extract import Rung, infeasible_plan
from optimizer.finds import Best, Clock, Find, Request
from optimizer.problem import Entry, Floats, Ints, Problem
from optimizer.solve import Compiled, Options, Outcome, solve
from optimizer.storage import with_checkpoints

MOST_COLUMNS = 60_000
MOST_LEVEL_COLUMNS = 5_000
"""Free levels are what chokes a general MILP: a hundred such jobs have no plan after a minute."""

FEW = 50
"""Jobs of one level up to which HiGHS closes the day sooner than prices and HiGHS together."""

FEW_COLUMNS = 1_000
"""On-slots and levels in all ways, up to which the same holds where jobs have several ways or run on surplus alone."""

BETTER = 1e-6
"""Relative saving from which a solution inside HiGHS is worth a plan of its own before HiGHS ends."""


def suits_milp(problem: Problem) -> bool:
    """Whether the general solver is worth its time on this problem, identical jobs told once."""
    windows = [(e.last - e.first, _columns(e)) for e in merged(problem).problem.entries if e.may_run]
    levels = sum(slots * count for slots, count in windows if count > 1)
    return levels <= MOST_LEVEL_COLUMNS and sum(2 * slots for slots, _ in windows) + levels <= MOST_COLUMNS


def _columns(e: Entry) -> int:
    """Levels in all ways, which are what a slot has to choose among."""
    return sum(len(way.power) for way in e.options)


def only_milp(problem: Problem) -> bool:
    """Whether a job waits for others, may run with a partner or writes checkpoints to a storage that takes no more than
    so many at once: slot prices know none of it."""
    return problem.rents or any(e.after for e in problem.entries) or any(with_checkpoints(problem))


def needs_no_prices(problem: Problem) -> bool:
    """Whether prices have nothing to give: jobs are few and none has a level to choose; or some have several ways or
    run on surplus alone, and all columns together are few. There the general solver alone is the quickest."""
    able = [e for e in problem.entries if e.may_run]
    if problem.chooses or problem.has_surplus_jobs:
        return sum((e.last - e.first) * _columns(e) for e in able) <= FEW_COLUMNS
    return len(able) <= FEW and all(len(e.power) == 1 for e in able)


def milp(problem: Problem, request: Request, clock: Clock, best: Best, tell: Callable[[Find], None]) -> Iterator[Find]:
    """Solve the whole model: relaxed first where that suffices, exact where burning energy or work may pay."""
    # what each step forbids by binaries: nothing, burning energy, and burning work as well
    steps = [(False, False)]
    if problem.burning_may_pay:
        steps += [(True, False), (True, True)]
    elif problem.feigning_may_pay:
        steps += [(False, True)]
    kinds = merged(problem)
    for exact, exact_jobs in steps:
        if clock.left <= 0.2:
            return
        outcome, model = _solve(problem, kinds, request, clock, best, tell, exact=exact, exact_jobs=exact_jobs)
        if outcome.status == "infeasible":
            if best.plan is None:
                sentences = diagnose(problem, Options(gap=0.01, time_limit_s=max(2.0, clock.left)))
                yield Find(plan=infeasible_plan(problem, sentences, clock.elapsed))
                return
            raise RuntimeError("the solver calls infeasible what has a plan: the model and the dispatch disagree")
        best.prove(outcome.bound)
        if outcome.values is not None:
            pattern = pattern_of(kinds, model, outcome)
            redone = redispatch(problem, pattern, Options(gap=request.gap, time_limit_s=max(2.0, clock.left)))
            rung: Rung = "MILP" if outcome.status == "optimal" else "INCUMBENT"
            taken = redone is not None and best.offer(redone, pattern, rung)
            yield best.find(rung if taken or rung == "MILP" else None)
        if best.proven or outcome.status != "optimal":
            return


def _solve(
    problem: Problem,
    kinds: Merged,
    request: Request,
    clock: Clock,
    best: Best,
    tell: Callable[[Find], None],
    *,
    exact: bool,
    exact_jobs: bool,
) -> tuple[Outcome, pyo.ConcreteModel]:
    model, _ = build(kinds.problem, exact=exact, exact_jobs=exact_jobs)
    start = None
    if best.pattern is not None:
        together = kinds.together(best.pattern)
        start = {id(v): float(together[i][t]) for (i, t), v in model.jobs.on.items()}
        begun = {i: kinds.begun(best.pattern, i) for i in {i for i, _, _ in model.jobs.begin}}
        start |= {id(v): float(begun[i].get((t, n), 0)) for (i, t, n), v in model.jobs.begin.items()}
    best_known = None if best.plan is None else best.plan.objective

    def planned(solution: Outcome) -> None:
        """Beside HiGHS: the solution as a plan, told at once, so that it outlives this process."""
        pattern = pattern_of(kinds, model, solution)
        redone = redispatch(problem, pattern, Options(gap=request.gap, time_limit_s=max(2.0, clock.left)))
        if redone is not None and best.offer(redone, pattern, "INCUMBENT"):
            best.prove(solution.bound)
            tell(best.find())

    options = Options(request.gap, max(0.2, clock.left * 0.95 - 0.2), request.threads)
    with beside(planned) as plan_beside:

        def incumbent(objective: float, bound: float, values: Floats, compiled: Compiled) -> None:
            proven = float(bound) if np.isfinite(bound) else None
            if proven is not None:
                tell(Find(bound=proven))
            if best_known is None or objective < best_known - BETTER * max(1.0, abs(best_known)):
                plan_beside(Outcome("feasible", objective, proven, values, compiled))

        return solve(model, options, start=start, on_incumbent=incumbent), model


def pattern_of(kinds: Merged, model: pyo.ConcreteModel, outcome: Outcome) -> dict[str, Ints]:
    """On-slots of every entry in a solution of the whole model."""
    counts = {e.id: np.zeros(kinds.problem.slots, dtype=np.int64) for e in kinds.problem.entries}
    for (i, t), variable in model.jobs.on.items():
        counts[i][t] = round(outcome.value(variable))
    begun: dict[str, dict[tuple[int, int], int]] = {}
    for (i, t, n), variable in model.jobs.begin.items():
        begun.setdefault(i, {})[t, n] = round(outcome.value(variable))
    ways = {way.key: np.zeros(kinds.problem.slots, dtype=np.int64) for e in kinds.problem.entries for way in e.ways}
    for (key, t), variable in model.ways.on_in.items():
        ways[key][t] = round(outcome.value(variable))
    return kinds.apart(counts, begun) | ways
