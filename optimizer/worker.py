"""One solve from beginning to end: the last starts re-dispatched, list scheduling at priced slots, then HiGHS.

Runs inside a process that may be killed at any moment (``python -m optimizer.worker`` reads a
request from standard input and writes one JSON line a find), so nothing that was found is lost.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from models.courses import Courses
from models.horizon import parse_rfc3339
from optimizer import late_imports  # noqa: F401 - before anything that brings Pyomo
from optimizer.direct import milp, needs_no_prices, only_milp, suits_milp
from optimizer.dispatch import redispatch
from optimizer.document import dump_plan, parse_plan
from optimizer.extract import infeasible_plan
from optimizer.finds import Best, Clock, Find, Request
from optimizer.hedge import hedged
from optimizer.kept_prices import KeptPrices
from optimizer.large.search import first_plan, safe, search
from optimizer.preflight import conflicts
from optimizer.problem import Problem, compile_problem
from optimizer.refusals import check_problem
from optimizer.replay import Previous, replayed
from optimizer.solve import Options
from optimizer.surplus import without


def work(problem: Problem, request: Request, tell: Callable[[Find], None] = lambda _: None) -> Iterator[Find]:
    """Finds in the order in which they come; the last plan with the best bound is the answer.

    Where the request names courses, the answer is the plan of the last find, with its ``hedge``, if that comes.
    ``tell`` is called at once for what is found inside the solver, where a generator cannot yield; it may be called
    from two threads.
    """
    if request.courses is not None:
        yield from hedged(problem, request, request.courses, work, tell)
        return
    clock = Clock(request.time_limit_s)
    impossible = conflicts(problem)
    if impossible:
        yield Find(plan=infeasible_plan(problem, impossible, clock.elapsed), certain=True)
        return
    best = Best(problem, request.gap, clock)
    if request.previous is not None:
        yield from last_starts(problem, request, clock, best)
    direct = request.method == "direct" or (request.method == "auto" and suits_milp(problem)) or only_milp(problem)
    if direct and (request.method == "direct" or needs_no_prices(problem)):
        yield from first_plan(problem, best)
    else:
        yield from search(problem, request, clock, best, small=direct)
    if best.plan is None:
        yield from safe(problem, request, best)
    if not best.proven and (direct or best.plan is None):
        yield from milp(problem, request, clock, best, tell)
    if best.calm() or best.told_less:
        yield best.find()


def last_starts(problem: Problem, request: Request, clock: Clock, best: Best) -> Iterator[Find]:
    """The plan before, with caps, battery, cooling and import planned anew: the first find, and a start for HiGHS."""
    assert request.previous is not None
    schedule = replayed(problem, request.previous)
    if schedule is None:
        return
    options = Options(gap=request.gap, time_limit_s=max(0.5, clock.left / 3))
    redone = redispatch(problem, schedule.pattern, options)
    if redone is None and problem.has_surplus_jobs:
        # who runs on surplus is stopped first
        schedule = without(problem, schedule)
        redone = redispatch(problem, schedule.pattern, options)
    if redone is not None and best.offer(redone, schedule.pattern, "LP"):
        yield best.find()


def main() -> None:
    """Read a request, write finds; standard output belongs to the protocol alone."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    asked: dict[str, Any] = json.load(sys.stdin)
    received = check_problem(asked["problem"])

    one_at_a_time = threading.Lock()

    def tell(find: Find) -> None:
        plan = None if find.plan is None else dump_plan(find.plan)
        prices = None if find.prices is None else find.prices.to_json()
        hedge = None if find.hedge is None else find.hedge.to_json()
        told = {"plan": plan, "bound": find.bound, "prices": prices, "certain": find.certain, "hedge": hedge}
        line = json.dumps(told) + "\n"
        with one_at_a_time:
            channel.write(line)
            channel.flush()

    before = asked.get("previous")
    previous = None
    if before is not None:
        prices = None if before["prices"] is None else KeptPrices.from_json(before["prices"])
        previous = Previous(parse_plan(before["plan"]), parse_rfc3339(before["start"]), prices)
    courses = None if asked.get("courses") is None else Courses.from_json(asked["courses"])
    how = asked["gap"], asked["time_limit_s"], asked["threads"], asked["method"]
    request = Request(*how, previous, courses, asked.get("risk", 0.0))
    # a solve ends with its process: sweeping up millions of model objects, now or at the end, is time lost
    gc.disable()
    for find in work(compile_problem(received), request, tell):
        tell(find)
    os._exit(0)


if __name__ == "__main__":
    main()
