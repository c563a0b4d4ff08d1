"""First come, first served: what a site does without us; the yardstick of every saving.

Jobs in the order of their release, each at the earliest slot where GPUs, feeds and grid allow, at
its top level, without pause, the battery idle, the same due work; late and unmet hours are charged
at the same prices.
"""

from __future__ import annotations

import time

import numpy as np

from optimizer.dispatch import at_levels
from optimizer.document import Plan, ReceivedProblem
from optimizer.extract import extract
from optimizer.first_come import in_order_of_release
from optimizer.problem import compile_problem
from optimizer.site_limits import supported_it
from optimizer.solve import Options
from optimizer.verify import verify

METHOD = "first-come-first-served"


def first_come_first_served(received: ReceivedProblem) -> Plan | None:
    """The yardstick's plan, passed by the referee; None where this order leaves hard work undone.

    The battery stays idle; only where its end state demands charging may it move.
    """
    begun = time.monotonic()
    problem = compile_problem(received)
    levels = {e.id: int(np.argmax(e.speed)) for e in problem.entries}
    limit = supported_it(problem, problem.import_limit + problem.pv + problem.wind)
    pattern = in_order_of_release(problem, limit, levels)
    options = Options(gap=1e-6, time_limit_s=10.0)
    for idle in (True, False):
        found = at_levels(problem, pattern, levels, options, battery_idle=idle)
        if found is not None:
            plan = extract(problem, found.schedule, found.energy, "GREEDY", time.monotonic() - begun)
            return None if verify(received, plan) else plan
    return None


def saving(baseline: Plan, plan: Plan) -> tuple[float, float]:
    """Money saved against the yardstick, and its share of the yardstick's cost (0 where that is 0).

    Differences below a billionth of the cost are the last digits of two sums over the same hours and count as 0.
    """
    assert baseline.objective is not None
    assert plan.objective is not None
    saved = baseline.objective - plan.objective
    if abs(saved) <= 1e-9 * max(1.0, abs(baseline.objective)):
        return 0.0, 0.0
    return saved, saved / abs(baseline.objective) if baseline.objective else 0.0
