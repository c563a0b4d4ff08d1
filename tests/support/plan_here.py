"""The planner's work in this process, without the killable child that costs seconds to start."""

from __future__ import annotations

from optimizer.document import Plan, ReceivedProblem
from optimizer.problem import compile_problem
from optimizer.verify import verify
from optimizer.worker import Request, work


def plan_here(received: ReceivedProblem, *, gap: float = 1e-9, time_limit_s: float = 60.0) -> Plan:
    """What ``optimizer.rolling.plan`` returns; every plan on the way must pass the referee too."""
    best: Plan | None = None
    for find in work(compile_problem(received), Request(gap, time_limit_s)):
        plan = find.plan
        if plan is None:
            continue
        broken = verify(received, plan, gap)
        assert not broken, (plan.rung, [violation.sentence for violation in broken])
        if best is None or best.objective is None or plan.objective is None or plan.objective <= best.objective:
            best = plan
    assert best is not None, "no plan at all"
    return best
