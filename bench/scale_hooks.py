"""Where the measuring meets what is measured: first plan, re-plan, re-dispatch, the whole model in HiGHS.

A means that is not built raises :class:`NotBuilt`, and its row says so.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import highspy
import numpy as np

from optimizer.aggregate import merged
from optimizer.build import build
from optimizer.dispatch import redispatch, settled
from optimizer.document import Plan, ReceivedProblem
from optimizer.energy_model import EnergyModel
from optimizer.kept_prices import KeptPrices
from optimizer.problem import Problem, compile_problem
from optimizer.refusals import horizon_of
from optimizer.replay import Previous
from optimizer.rolling import Progress, plan
from optimizer.solve import Compiled, Options, quiet_highs
from optimizer.starts_given import Warm, levels_of

Told = Callable[[Progress], None]


class NotBuilt(Exception):
    """The optimizer has no such means yet; the message says which."""


def first_plan(problem: ReceivedProblem, *, gap: float, time_limit_s: float, on_progress: Told) -> tuple[Plan, Any]:
    """The plan of one run, and what it leaves behind for the next one (None: nothing)."""
    prices: list[KeptPrices] = []
    found = plan(
        problem, gap=gap, time_limit_s=time_limit_s, threads=1, on_progress=on_progress, on_prices=prices.append
    )
    return found, Previous(found, problem.document.horizon.start, prices[-1] if prices else None)


def replan(problem: ReceivedProblem, memory: Any, *, gap: float, time_limit_s: float, on_progress: Told) -> Plan:
    """The plan of a problem one slot later, begun from the plan and the prices of the run before it."""
    return plan(problem, gap=gap, time_limit_s=time_limit_s, threads=1, previous=memory, on_progress=on_progress)


def redispatch_cold(problem: ReceivedProblem, found: Plan) -> tuple[float, float, Warm | None]:
    """Levels and energy for the starts of a plan, from nothing: seconds, cost, and a warm solver to change (or None).

    The seconds leave out reading and checking the document.
    """
    compiled = compile_problem(problem)
    pattern = pattern_of(problem, found, compiled)
    options = Options(gap=1e-6, time_limit_s=120.0)
    warm: Warm | None = None
    began = time.perf_counter()
    if compiled.burning_may_pay:
        redone = redispatch(compiled, pattern, options)
    else:
        warm = levels_of(EnergyModel(compiled), pattern)
        schedule = warm.solve(options.time_limit_s)
        redone = None if schedule is None else settled(compiled, schedule, options)
    took = time.perf_counter() - began
    if redone is None:
        raise RuntimeError("the plan's own starts have no dispatch")
    return took, redone.cost, warm


def redispatch_warm(warm: Warm | None, moved: ReceivedProblem) -> tuple[float, float]:
    """Seconds and cost of the same starts after PV and wind moved, on the model that is in memory, changed in place.

    Raises:
        NotBuilt: there is no such model.
    """
    if warm is None:
        raise NotBuilt("where burning energy may pay, re-dispatch needs binaries and builds its model anew")
    compiled = compile_problem(moved)
    began = time.perf_counter()
    warm.forecast(compiled.pv, compiled.wind)
    schedule = warm.solve(120.0)
    redone = None if schedule is None else settled(compiled, schedule, Options(gap=1e-6, time_limit_s=120.0))
    took = time.perf_counter() - began
    if redone is None:
        raise RuntimeError("the plan's own starts have no dispatch under the moved supply")
    return took, redone.cost


def pattern_of(problem: ReceivedProblem, found: Plan, compiled: Problem) -> dict[str, Any]:
    """Copies of each entry that are on, per slot, as a plan's runs tell them."""
    horizon = horizon_of(problem.document)
    pattern = {e.id: np.zeros(compiled.slots, dtype=np.int64) for e in compiled.entries}
    for job in found.jobs:
        for run in job.runs:
            pattern[job.id][horizon.border(run.start) : horizon.border(run.end)] += run.count
    return pattern


def build_share(problem: ReceivedProblem, gap: float, limit_s: float = 60.0, repeats: int = 3) -> dict[str, Any]:
    """Median seconds of Pyomo's build, its transfer to HiGHS, and HiGHS' own solve of the whole model, which is relaxed
    where burning energy may pay: it is solved first, and nearly always the last.

    ``closed`` tells whether HiGHS reached the gap every time: else its seconds are but the limit, and one try
    is enough.
    """
    compiled = merged(compile_problem(problem)).problem
    seconds: dict[str, list[float]] = {"build_s": [], "transfer_s": [], "solve_s": []}
    closed = True
    for _ in range(repeats):
        marks = [time.perf_counter()]
        model, _ = build(compiled)
        marks.append(time.perf_counter())
        form = Compiled(model)
        highs = quiet_highs()
        for name, value in {"threads": 1, "mip_rel_gap": gap, "time_limit": limit_s}.items():
            highs.setOptionValue(name, value)
        highs.passModel(form.lp)
        marks.append(time.perf_counter())
        highs.run()
        marks.append(time.perf_counter())
        for name, took in zip(seconds, np.diff(marks), strict=True):
            seconds[name].append(float(took))
        closed = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        if not closed:
            break
    return {"closed": closed, **{name: statistics.median(values) for name, values in seconds.items()}}
