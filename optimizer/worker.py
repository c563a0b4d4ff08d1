"""One solve from beginning to end: list scheduling at priced slots first, then HiGHS on the whole model.

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

from optimizer.direct import has_one_level, milp, suits_milp
from optimizer.document import dump_plan
from optimizer.extract import infeasible_plan
from optimizer.finds import Best, Clock, Find, Request
from optimizer.large.search import first_plan, safe, search
from optimizer.preflight import conflicts
from optimizer.problem import Problem, compile_problem
from optimizer.refusals import check_problem


def work(problem: Problem, request: Request, tell: Callable[[Find], None] = lambda _: None) -> Iterator[Find]:
    """Finds in the order in which they come; the last plan with the best bound is the answer.

    ``tell`` is called at once for what is found inside the solver, where a generator cannot yield; it may be called
    from two threads.
    """
    clock = Clock(request.time_limit_s)
    impossible = conflicts(problem)
    if impossible:
        yield Find(plan=infeasible_plan(problem, impossible, clock.elapsed))
        return
    best = Best(problem, request.gap, clock)
    direct = request.method == "direct" or (request.method == "auto" and suits_milp(problem))
    if direct and (request.method == "direct" or has_one_level(problem)):
        yield from first_plan(problem, best)
    else:
        yield from search(problem, request, clock, best, small=direct)
    if best.plan is None:
        yield from safe(problem, request, best)
    if not best.proven and (direct or best.plan is None):
        yield from milp(problem, request, clock, best, tell)
    if best.calm():
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
        line = json.dumps({"plan": plan, "bound": find.bound}) + "\n"
        with one_at_a_time:
            channel.write(line)
            channel.flush()

    request = Request(asked["gap"], asked["time_limit_s"], asked["threads"], asked["method"])
    # a solve ends with its process: sweeping up millions of model objects, now or at the end, is time lost
    gc.disable()
    for find in work(compile_problem(received), request, tell):
        tell(find)
    os._exit(0)


if __name__ == "__main__":
    main()
