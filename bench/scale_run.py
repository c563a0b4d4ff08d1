"""One case of the table, measured in a process of its own: a request on standard input, a result on standard output.

The clock starts before the document is checked and runs until the referee has passed a find; the solver's own
process starts inside that time. Both processes stay on one core.
"""

from __future__ import annotations

import copy
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench import scale_hooks
from bench.next_slot import one_slot_later
from models.errors import CherguiError
from optimizer.document import Plan, ReceivedProblem
from optimizer.refusals import check_problem
from optimizer.rolling import Progress
from optimizer.verify import verify

Json = dict[str, Any]
RATIO_GAP = 0.005
"""Gap at which a re-plan with memory is compared with one without."""


class Trace:
    """What was known when: seconds, objective, bound and gap after every find."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.rows: list[list[float | None]] = []

    def __call__(self, progress: Progress) -> None:
        """Take down a find, by our own clock."""
        elapsed = round(time.monotonic() - self.begun, 3)
        self.rows.append([elapsed, progress.objective, progress.bound, progress.gap])


def main() -> int:
    """Measure what the request asks for."""
    asked: Json = json.load(sys.stdin)
    if asked["core"] is not None:
        os.sched_setaffinity(0, {asked["core"]})
    kinds = {"plan": _plan, "simple": _simple, "build": _build}
    load = os.getloadavg()[0]
    result = kinds[asked["kind"]](asked)
    json.dump({"load": load, **result}, sys.stdout)
    return 0


def _plan(asked: Json) -> Json:
    trace = Trace()
    try:
        problem = check_problem(asked["document"])
        found, memory = scale_hooks.first_plan(
            problem, gap=asked["gap"], time_limit_s=asked["limit_s"], on_progress=trace
        )
    except CherguiError as error:
        return {"trace": trace.rows, "error": str(error), **_memory()}
    result = _told(problem, found, trace) | _memory()
    if asked.get("replan_s") and found.series is not None:
        result["replan"] = _replan(problem, found, memory, asked)
    if asked.get("redispatch") and found.series is not None:
        result["redispatch"] = _redispatch(problem, found)
    return result


def _told(problem: ReceivedProblem, found: Plan, trace: Trace) -> Json:
    return {
        "trace": trace.rows,
        "seconds": round(time.monotonic() - trace.begun, 3),
        "status": found.status,
        "rung": found.rung,
        "objective": found.objective,
        "bound": found.bound,
        "gap": found.gap,
        "violations": [violation.sentence for violation in verify(problem, found)],
    }


def _memory() -> Json:
    """Peak resident MB of the solver's process and of the referee's (this one) so far."""
    return {
        "solver_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "referee_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _replan(problem: ReceivedProblem, found: Plan, memory: Any, asked: Json) -> Json:
    """The day one slot later, from the memory of the first run, and once more from nothing for comparison."""
    later = one_slot_later(problem, found)
    warm, cold = Trace(), None
    try:
        checked = check_problem(later)
        again = scale_hooks.replan(checked, memory, gap=asked["gap"], time_limit_s=asked["replan_s"], on_progress=warm)
        told = _told(checked, again, warm)
        cold = Trace()
        scale_hooks.first_plan(check_problem(later), gap=RATIO_GAP, time_limit_s=asked["limit_s"], on_progress=cold)
    except scale_hooks.NotBuilt as error:
        return {"not_built": str(error)}
    except CherguiError as error:
        return {"trace": warm.rows, "error": str(error)}
    return {**told, "cold_trace": cold.rows}


def _redispatch(problem: ReceivedProblem, found: Plan) -> Json:
    cold_s, cost, warm = scale_hooks.redispatch_cold(problem, found)
    result: Json = {"cold_s": cold_s, "cold_cost": cost}
    moved = check_problem(moved_supply(problem.raw))
    try:
        result["warm_s"], result["warm_cost"] = scale_hooks.redispatch_warm(warm, moved)
    except scale_hooks.NotBuilt as error:
        return {**result, "not_built": str(error)}
    _, result["moved_cost"], _ = scale_hooks.redispatch_cold(moved, found)
    return result


def moved_supply(raw: Json, seed: int = 1) -> Json:
    """The same document with every PV and wind value moved by up to 5 %, as a newer forecast would."""
    rng = np.random.default_rng(seed)
    moved = copy.deepcopy(raw)
    for name in ("pv_available_mw", "wind_available_mw"):
        values = np.array(moved["series"][name])
        moved["series"][name] = [float(v) for v in values * rng.uniform(0.95, 1.05, len(values))]
    return moved


def _simple(asked: Json) -> Json:
    """Seconds of the whole ``chergui solve`` process on a simple day, and its cost."""
    with tempfile.TemporaryDirectory() as folder:
        problem, plan = Path(folder) / "problem.json", Path(folder) / "plan.json"
        problem.write_text(json.dumps(asked["document"]), encoding="utf-8")
        command = [str(Path(sys.executable).parent / "chergui"), "solve", str(problem), "-o", str(plan)]
        command += ["--gap", str(asked["gap"]), "--time-limit", str(asked["limit_s"]), "--threads", "1"]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took = time.perf_counter() - began
        if done.returncode:
            return {"error": done.stderr.strip().splitlines()[-1]}
        found = json.loads(plan.read_text(encoding="utf-8"))
    return {"seconds": took, "solve_seconds": found["solve_seconds"], "objective": found["objective"]}


def _build(asked: Json) -> Json:
    return scale_hooks.build_share(check_problem(asked["document"]), asked["gap"])


if __name__ == "__main__":
    sys.exit(main())
