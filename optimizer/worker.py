"""One solve from beginning to end: greedy first, then the MILP; every find is handed out as it comes.

Runs inside a process that may be killed at any moment (``python -m optimizer.worker`` reads a
request from standard input and writes one JSON line a find), so nothing that was found is lost.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo

from optimizer.build import build
from optimizer.diagnose import diagnose
from optimizer.dispatch import redispatch
from optimizer.document import Plan, dump_plan
from optimizer.extract import Rung, extract, infeasible_plan, with_bound
from optimizer.greedy import list_schedule, supported_it
from optimizer.preflight import conflicts
from optimizer.problem import Floats, Ints, Problem, compile_problem
from optimizer.refusals import check_problem
from optimizer.sessions import Pattern
from optimizer.solve import Compiled, Options, Outcome, solve

GREEDY_SHARE = 0.3
"""Share of the time limit that rounds of list scheduling may take; the first round always runs."""

GREEDY_ROUNDS = 4


@dataclass(frozen=True)
class Request:
    """How hard to try."""

    gap: float
    time_limit_s: float
    threads: int = 1
    previous: Plan | None = None


@dataclass(frozen=True)
class Find:
    """Something found: a plan, a better bound, or a sentence of what is being tried."""

    plan: Plan | None = None
    bound: float | None = None
    doing: str = ""


class _Clock:
    def __init__(self, limit_s: float) -> None:
        self.begun, self.limit_s = time.monotonic(), limit_s

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.begun

    @property
    def left(self) -> float:
        return self.limit_s - self.elapsed


def work(problem: Problem, request: Request, tell: Callable[[Find], None] = lambda _: None) -> Iterator[Find]:
    """Finds in the order in which they come; the last plan with the best bound is the answer.

    ``tell`` is called at once for incumbents inside the solver, where a generator cannot yield.
    """
    clock = _Clock(request.time_limit_s)
    impossible = conflicts(problem)
    if impossible:
        yield Find(plan=infeasible_plan(problem, impossible, clock.elapsed))
        return
    best: Plan | None = None
    pattern: Pattern | None = None
    for found in _greedy(problem, request, clock):
        if best is None or _better(found[0], best):
            best, pattern = found
            yield Find(plan=best)
    yield from _milp(problem, request, clock, best, pattern, tell)


def _better(a: Plan, b: Plan) -> bool:
    return a.objective is not None and (b.objective is None or a.objective < b.objective)


def _greedy(problem: Problem, request: Request, clock: _Clock) -> Iterator[tuple[Plan, Pattern]]:
    """Plans of list scheduling: first at the prices of a fluid day, then at those of its own plans."""
    options = Options(gap=1e-6, time_limit_s=max(1.0, request.time_limit_s / 2), threads=request.threads)
    price, supply = _fluid_day(problem, options)
    limits = [supported_it(problem, supply)]
    plain = problem.import_limit + problem.pv + problem.wind
    limits += [supported_it(problem, np.minimum(supply, plain * share)) for share in (1.0, 0.9, 0.75)]
    found = 0
    for limit in limits:
        for _ in range(GREEDY_ROUNDS):
            pattern = list_schedule(problem, price, limit, crowding=0.3)
            redone = redispatch(problem, pattern, options)
            if redone is None:
                break
            schedule, energy, prices = redone
            yield extract(problem, schedule, energy, "GREEDY", clock.elapsed), pattern
            found += 1
            if prices is None or clock.elapsed > GREEDY_SHARE * request.time_limit_s:
                return
            price = (price + np.maximum(prices, 0.0)) / 2
        if found:
            return
    yield from _safe(problem, options, clock)


def _safe(problem: Problem, options: Options, clock: _Clock) -> Iterator[tuple[Plan, Pattern]]:
    """No new starts: only gangs that may not stop go on."""
    pattern: dict[str, Ints] = {}
    for e in problem.entries:
        on = np.zeros(problem.slots, dtype=np.int64)
        if e.must_stay and e.may_run:
            needed = int(np.ceil(e.due_h / (problem.step_h * max(e.top_speed, 1e-9)) - 1e-9))
            on[: min(max(1, needed, e.min_run - e.ran), e.last)] = e.count
        pattern[e.id] = on
    redone = redispatch(problem, pattern, options)
    if redone is not None:
        yield extract(problem, redone[0], redone[1], "SAFE", clock.elapsed), pattern


def _fluid_day(problem: Problem, options: Options) -> tuple[Floats, Floats]:
    """Price of IT power and supply (battery counted as the fluid day uses it) per slot."""
    supply = problem.import_limit + problem.pv + problem.wind
    buy = np.maximum(problem.import_price + problem.carbon_cost, 0.0) * problem.step_h
    model, _ = build(problem, poured=True)
    outcome = solve(model, options)
    if outcome.duals is None:
        return buy, supply
    price = -outcome.price(model.gpus.it_power[t] for t in range(problem.slots))
    for b in problem.batteries:
        cells = model.battery
        net = [
            outcome.value(cells.discharge[b.name, t]) - outcome.value(cells.charge[b.name, t])
            for t in range(problem.slots)
        ]
        supply = supply + np.array(net)
    return np.maximum(price, 0.0), supply


def _milp(
    problem: Problem,
    request: Request,
    clock: _Clock,
    best: Plan | None,
    pattern: Pattern | None,
    tell: Callable[[Find], None],
) -> Iterator[Find]:
    """The whole model in HiGHS, relaxed first where that suffices, exact where burning energy may pay."""
    exact_jobs = False
    bound: float | None = None
    while clock.left > 0.2:
        outcome, model = _solve_model(problem, request, clock, pattern, tell, exact_jobs=exact_jobs)
        if outcome.status == "infeasible":
            if best is None:
                sentences = diagnose(problem, Options(gap=0.01, time_limit_s=max(2.0, clock.left)))
                yield Find(plan=infeasible_plan(problem, sentences, clock.elapsed))
                return
            raise RuntimeError("the solver calls infeasible what has a plan; the model and the referee disagree")
        if outcome.bound is not None and (bound is None or outcome.bound > bound):
            bound = outcome.bound
        if outcome.values is not None:
            on = pattern_of(problem, model, outcome)
            redone = redispatch(problem, on, Options(gap=request.gap, time_limit_s=max(2.0, clock.left)))
            if redone is not None:
                rung: Rung = "MILP" if outcome.status == "optimal" else "INCUMBENT"
                plan = extract(problem, redone[0], redone[1], rung, clock.elapsed)
                if best is None or _better(plan, best) or outcome.status == "optimal":
                    kept = best if best is not None and _better(best, plan) else plan
                    best, pattern = kept.model_copy(update={"rung": rung}), on
        if best is not None:
            best = with_bound(best, bound, request.gap).model_copy(update={"solve_seconds": clock.elapsed})
            yield Find(plan=best, bound=bound)
            if best.status == "optimal":
                return
        if exact_jobs or outcome.status != "optimal" or not problem.burning_may_pay:
            return
        exact_jobs = True


def _solve_model(
    problem: Problem,
    request: Request,
    clock: _Clock,
    pattern: Pattern | None,
    tell: Callable[[Find], None],
    *,
    exact_jobs: bool,
) -> tuple[Outcome, pyo.ConcreteModel]:
    exact = problem.burning_may_pay
    model, _ = build(problem, exact=exact, exact_jobs=exact_jobs)
    start = None
    if pattern is not None:
        start = {id(v): float(pattern[i][t]) for (i, t), v in model.jobs.on.items()}

    def incumbent(objective: float, bound: float, values: Floats, compiled: Compiled) -> None:
        del objective, values, compiled
        if np.isfinite(bound):
            tell(Find(bound=float(bound), doing="MILP"))

    options = Options(request.gap, max(0.2, clock.left * 0.95 - 0.2), request.threads)
    return solve(model, options, start=start, on_incumbent=incumbent), model


def pattern_of(problem: Problem, model: pyo.ConcreteModel, outcome: Outcome) -> dict[str, Ints]:
    """On-slots of every entry in a solution of the whole model."""
    pattern = {e.id: np.zeros(problem.slots, dtype=np.int64) for e in problem.entries}
    for (i, t), variable in model.jobs.on.items():
        pattern[i][t] = round(outcome.value(variable))
    return pattern


def main() -> None:
    """Read a request, write finds; standard output belongs to the protocol alone."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    asked: dict[str, Any] = json.load(sys.stdin)
    received = check_problem(asked["problem"])

    def tell(find: Find) -> None:
        plan = None if find.plan is None else dump_plan(find.plan)
        channel.write(json.dumps({"plan": plan, "bound": find.bound, "doing": find.doing}) + "\n")
        channel.flush()

    request = Request(asked["gap"], asked["time_limit_s"], asked["threads"])
    for find in work(compile_problem(received), request, tell):
        tell(find)


if __name__ == "__main__":
    main()
