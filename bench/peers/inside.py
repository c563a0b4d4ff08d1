"""Where the seconds of our own solve go: the worker's finds in this process, with a watch on its stages.

Nothing in :mod:`optimizer` knows of this: the functions that build a Pyomo model, compile it for HiGHS
and run HiGHS are wrapped by name, wherever a module holds them, for the length of one solve.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from optimizer.document import Plan, ReceivedProblem

STAGES = ("import", "build", "transfer", "highs", "rest")
"""Imports of the child; Pyomo models; standard form and its way into HiGHS; HiGHS; all else of the solve."""


class Watch:
    """Seconds per stage, of the thread that made it; a stage that calls itself again counts once.

    What another thread does while HiGHS runs is thereby in HiGHS' seconds, which it lengthens on one core.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self.seconds: dict[str, float] = {}
        self._running: set[str] = set()

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose seconds count as the stage's."""

        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if stage in self._running or threading.get_ident() != self._thread:
                return function(*args, **kwargs)
            self._running.add(stage)
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self._running.discard(stage)
                self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began

        return watched


@contextlib.contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Wrap the stages; everything is as before afterwards."""
    import highspy

    from optimizer import build, solve

    held: list[tuple[Any, str, Any]] = []

    def replace(owner: Any, name: str, new: Any) -> None:
        held.append((owner, name, getattr(owner, name)))
        setattr(owner, name, new)

    plain = build.build
    built = watch.timed("build", plain)
    for module in [m for name, m in sys.modules.items() if name.startswith("optimizer.")]:
        for name, value in list(vars(module).items()):
            if value is plain:
                replace(module, name, built)
    replace(solve.Compiled, "__init__", watch.timed("transfer", solve.Compiled.__init__))
    replace(highspy.Highs, "passModel", watch.timed("transfer", highspy.Highs.passModel))
    replace(highspy.Highs, "run", watch.timed("highs", highspy.Highs.run))
    try:
        yield
    finally:
        for owner, name, old in reversed(held):
            setattr(owner, name, old)


def solve_inside(received: ReceivedProblem, gap: float, limit_s: float, threads: int) -> tuple[Plan, dict[str, float]]:
    """The cheapest plan of the worker and the seconds of every stage in :data:`STAGES`.

    The referee does not judge here, since it does so outside the worker.
    """
    began = time.perf_counter()
    from optimizer.finds import Request
    from optimizer.problem import compile_problem
    from optimizer.worker import work

    watch = Watch()
    watch.seconds["import"] = time.perf_counter() - began
    began = time.perf_counter()
    best: Plan | None = None
    with watching(watch):
        for find in work(compile_problem(received), Request(gap, limit_s, threads)):
            if find.plan is not None and (best is None or _cost(find.plan) <= _cost(best)):
                best = find.plan
    whole = time.perf_counter() - began
    assert best is not None, "the worker found no plan"
    split = {stage: watch.seconds.get(stage, 0.0) for stage in STAGES[:-1]}
    split["rest"] = whole - sum(split[stage] for stage in ("build", "transfer", "highs"))
    return best, {stage: round(seconds, 4) for stage, seconds in split.items()}


def _cost(plan: Plan) -> float:
    return float("inf") if plan.objective is None else plan.objective
