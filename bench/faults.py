"""Days planned one after the other while the solver is broken on purpose: which rung each plan stands on.

    python -m bench.faults --cycles 200

Every cycle moves the horizon by one slot, carries what the last plan did (work, stock, peak), and breaks the true
worker in one of the ways of ``FAULTS`` at a HiGHS run drawn by chance. Every plan is judged by the referee again here.
"""

from __future__ import annotations

import argparse
import copy
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from models.horizon import rfc3339
from optimizer import rolling
from optimizer.document import Plan
from optimizer.refusals import check_problem
from optimizer.replay import Previous
from optimizer.verify import verify

SLOTS, STEP = 24, timedelta(minutes=30)
START = datetime(2026, 6, 1, tzinfo=UTC)

FAULTS = {
    "none": "",
    "hang": "time.sleep(600)",
    "stubborn hang": "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n            while True: time.sleep(1)",
    "kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "crash": "os.kill(os.getpid(), signal.SIGSEGV)",
    "out of memory": "hoard = bytearray(16 << 30)",
    "NaN": "spoil = lambda values: np.full_like(values, np.nan)",
    "lie": "spoil = lambda values: values * 0.97",
    "noise": "spoil = lambda values: values + rng.normal(0.0, 0.1, len(values))",
    "claims infeasible": "claim = highspy.HighsModelStatus.kInfeasible",
    "claims optimal": "claim, spoil = highspy.HighsModelStatus.kOptimal, np.zeros_like",
}
"""What happens at the chosen run of HiGHS, in the words of the child's script."""

HEALTHY = (0, 1, 2, 4, 8, 20, 60)
"""Runs of HiGHS that go well before the fault."""

SCRIPT = """#!{python}
import os, signal, sys, time
import highspy
import numpy as np
from optimizer import worker

rng, count, spoil, claim = np.random.default_rng({seed}), 0, None, None
run, solution, status = highspy.Highs.run, highspy.Highs.getSolution, highspy.Highs.getModelStatus

class Spoilt:
    def __init__(self, true):
        self.row_dual, self.col_dual = np.array(true.row_dual), np.array(true.col_dual)
        self.col_value = spoil(np.array(true.col_value, dtype=float))

def broken(self):
    global count, spoil, claim
    count += 1
    if count > {healthy}:
            {fault}
    return run(self)

highspy.Highs.run = broken
highspy.Highs.getSolution = lambda self: solution(self) if spoil is None else Spoilt(solution(self))
highspy.Highs.getModelStatus = lambda self: status(self) if claim is None else claim
worker.main()
"""


@dataclass(frozen=True)
class Cycle:
    """One cycle: the fault, the rung of the plan or None where there was none, what was wrong, and its seconds."""

    fault: str
    rung: str | None
    wrong: list[str]
    seconds: float


def first_day(seed: int) -> dict[str, Any]:
    """Twelve hours of a made-up hall: six gangs, a battery, sun, cooling, a tight grid; every wish has a price."""
    dice = random.Random(seed)
    hours = [slot * STEP / timedelta(hours=1) for slot in range(SLOTS)]
    return {
        "schema_version": "1.0",
        "name": f"broken-{seed}",
        "site": {"name": "made-up", "currency": "EUR"},
        "horizon": {"start": rfc3339(START), "step_minutes": 30, "slots": SLOTS},
        "series": {
            "pv_available_mw": [round(max(0.0, 3.0 - abs(hour - 6.0)), 3) for hour in hours],
            "base_load_mw": [0.2] * SLOTS,
            "import_price_per_mwh": [round(dice.uniform(40.0, 120.0), 1) for _ in hours],
            "carbon_kg_per_mwh": [400.0] * SLOTS,
        },
        "grid": {"import_limit_mw": 4.0, "demand_charge_per_mw": 20.0, "carbon_price_per_kg": 0.02},
        "batteries": [
            {
                "name": "store",
                "power_mw": 0.5,
                "energy_mwh": 1.0,
                "charge_efficiency": 0.95,
                "discharge_efficiency": 0.95,
                "soc_start_mwh": 0.5,
                "soc_end_min_mwh": 0.3,
            }
        ],
        "cooling": {"tangents": [{"slope": 0.1, "intercept_mw": 0.02}, {"slope": 0.25, "intercept_mw": -0.3}]},
        "pools": [{"name": "hall", "gpu": "made-up", "gpus": 64, "idle_w_per_gpu": 1000.0}],
        "jobs": [_job(dice, number, START) for number in range(6)],
    }


def _job(dice: random.Random, number: int, now: datetime) -> dict[str, Any]:
    top, work = round(dice.uniform(0.4, 1.2), 2), dice.choice([1.0, 1.5, 2.0, 3.0, 5.0])
    levels = [
        {"power_mw": round(0.6 * top, 3), "speed": 0.75, "limit_w": 400.0},
        {"power_mw": top, "speed": 1.0, "limit_w": 700.0},
    ]
    return {
        "id": f"job-{number}",
        "pool": "hall",
        "gpus": dice.choice([8, 16, 24]),
        "work_h": work,
        "levels": levels if dice.random() < 0.7 else levels[1:],
        "release": rfc3339(now),
        "deadline": rfc3339(now + dice.randint(4, 30) * STEP),
        "late_cost_per_h": 50.0,
        "unmet_cost_per_h": dice.choice([200.0, 400.0]),
        "preemptible": dice.random() < 0.5,
        "restart_loss_h": 0.1,
        "min_run_slots": dice.choice([1, 1, 3]),
    }


def next_day(raw: dict[str, Any], plan: Plan, dice: random.Random) -> dict[str, Any]:
    """The document one slot later: forecast redrawn a little, and everything as the plan's first slot left it."""
    after, h = copy.deepcopy(raw), STEP / timedelta(hours=1)
    now = START + STEP * (_age(raw) + 1)
    after["horizon"]["start"] = rfc3339(now)
    for name, values in after["series"].items():
        after["series"][name] = [*values[1:], values[0]]
    after["series"]["pv_available_mw"] = [
        round(v * dice.uniform(0.9, 1.1), 4) for v in after["series"]["pv_available_mw"]
    ]
    assert plan.series is not None
    for battery in after["batteries"]:
        battery["soc_start_mwh"] = min(max(plan.series.soc_mwh[battery["name"]][0], 0.0), battery["energy_mwh"])
    after["grid"]["peak_so_far_mw"] = max(raw["grid"].get("peak_so_far_mw", 0.0), plan.series.import_mw[0])
    runs = {job.id: job.runs for job in plan.jobs}
    jobs = []
    for job in after["jobs"]:
        mine = [run for run in runs[job["id"]] if run.start < now and run.end > now - STEP]
        was = job.get("state", "queued")
        if mine:
            lost = job["restart_loss_h"] if was == "paused" else 0.0
            job["work_h"] = max(0.0, job["work_h"] - h * sum(run.speed for run in mine) + lost)
            job["state"], job["ran_slots"] = "running", job.get("ran_slots", 0) + 1
        elif was != "queued":
            job["state"] = "paused"
            job.pop("ran_slots", None)
        if job["work_h"] > 1e-6:
            jobs.append(job)
    while len(jobs) < 6:
        number = max((int(job["id"].split("-")[1]) for job in jobs), default=0) + 1 + _age(raw) * 10
        jobs.append(_job(dice, number, now))
    return {**after, "jobs": jobs}


def _age(raw: dict[str, Any]) -> int:
    return round((datetime.fromisoformat(raw["horizon"]["start"]) - START) / STEP)


@contextmanager
def broken_solver(fault: str, healthy: int, seed: int, folder: Path) -> Iterator[None]:
    """Have :func:`optimizer.rolling.plan` use the true worker, whose HiGHS breaks after ``healthy`` runs."""
    script = folder / "child"
    words = FAULTS[fault] or "pass"
    script.write_text(SCRIPT.format(python=sys.executable, seed=seed, healthy=healthy, fault=words))
    script.chmod(0o700)
    with patch.object(sys, "executable", str(script)), patch.object(rolling, "GRACE_S", 0.3):
        yield


def cycles(number: int, seed: int = 1, *, limit_s: float = 2.0, start_up_s: float = 4.0) -> Iterator[Cycle]:
    """So many cycles of one site, each with a fault drawn by chance."""
    dice = random.Random(seed)
    raw, previous = first_day(seed), None
    with tempfile.TemporaryDirectory() as folder, patch.object(rolling, "START_UP_S", start_up_s):
        for _ in range(number):
            fault = dice.choice(list(FAULTS))
            received, begun = check_problem(raw), time.monotonic()
            try:
                with broken_solver(fault, dice.choice(HEALTHY), dice.randrange(1 << 30), Path(folder)):
                    plan = rolling.plan(received, time_limit_s=limit_s, previous=previous)
            except Exception as error:
                yield Cycle(fault, None, [f"{type(error).__name__}: {error}"], time.monotonic() - begun)
                return
            wrong = [violation.sentence for violation in verify(received, plan)]
            if plan.objective is None:
                wrong.append("it says that there is no plan")
            yield Cycle(fault, plan.rung, wrong, time.monotonic() - begun)
            if wrong:
                return
            previous = Previous(plan, received.document.horizon.start)
            raw = next_day(raw, plan, dice)


def histogram(done: list[Cycle]) -> str:
    """Plans by rung, in all and by fault."""
    rungs = ("MILP", "INCUMBENT", "LP", "GREEDY", "LAST", "SAFE")
    lines = ["fault               " + "".join(f"{rung:>10}" for rung in rungs)]
    for fault in (*FAULTS, "all"):
        counts = Counter(c.rung for c in done if fault in (c.fault, "all"))
        lines.append(f"{fault:<20}" + "".join(f"{counts[rung] or '':>10}" for rung in rungs))
    verified = sum(c.rung is not None and not c.wrong for c in done)
    slowest = max((c.seconds for c in done), default=0.0)
    return "\n".join(
        [*lines, f"{verified} of {len(done)} cycles ended in a verified plan; the slowest took {slowest:.1f} s"]
    )


def main() -> None:
    """Print the histogram; exit 1 where a cycle had no verified plan."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    done = list(cycles(asked.cycles, asked.seed))
    print(histogram(done))
    for cycle in done:
        if cycle.wrong:
            print(f"{cycle.fault}: {cycle.wrong}")
    sys.exit(any(cycle.wrong for cycle in done))


if __name__ == "__main__":
    main()
