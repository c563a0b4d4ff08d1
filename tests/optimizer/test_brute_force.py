"""Random tiny days: the planner against the oracle that enumerates, and the referee against both.

``CHERGUI_SOAK`` multiplies the number of days.
"""

from __future__ import annotations

import os

import brute_force
import pytest
import random_asks
import random_days
from plan_here import plan_here

from optimizer.document import parse_plan
from optimizer.refusals import check_problem
from optimizer.verify import verify

NASTY = (
    47,  # the cheap slot lies before the one that an operator pinned
    59,  # a pinned start that list scheduling would rather not make
    101,  # list scheduling leaves out a job whose due work no price excuses
    198,  # HiGHS 1.16 hands a start solution back as the optimum when presolve has solved the day
)
SEEDS = (*range(20 * int(os.environ.get("CHERGUI_SOAK", "1"))), *NASTY)


@pytest.mark.parametrize("seed", SEEDS)
def test_planner_oracle_and_referee_agree(seed: int) -> None:
    raw = random_days.day(seed)
    answer = brute_force.solve(raw)
    plan = plan_here(check_problem(raw), gap=1e-9)
    if answer.objective is None:
        assert plan.status == "infeasible"
        assert plan.conflicts
        return
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(answer.objective, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("seed", range(1000, 1000 + 2 * len(SEEDS)))
def test_the_referee_passes_the_oracle_s_plans(seed: int) -> None:
    raw = random_days.day(seed)
    answer = brute_force.solve(raw)
    found = [] if answer.plan is None else verify(check_problem(raw), parse_plan(answer.plan), gap=1e-6)
    assert found == []


def test_most_random_days_have_a_plan() -> None:
    assert sum(brute_force.solve(random_days.day(seed)).plan is not None for seed in range(20)) >= 15


# ---- version 1.1: duties, machines and water on the same kind of days

ASKED = range(5000, 5000 + 8 * int(os.environ.get("CHERGUI_SOAK", "1")))


@pytest.mark.parametrize("seed", [9, *ASKED])  # 9: a set that has just started when the day begins
def test_they_agree_on_what_version_1_1_asks(seed: int) -> None:
    raw = random_asks.day(seed)
    received = check_problem(raw)
    answer = brute_force.solve(raw)
    plan = plan_here(received, gap=1e-9)
    if answer.plan is None:
        assert plan.status == "infeasible"
        assert plan.conflicts
        return
    assert verify(received, parse_plan(answer.plan), gap=1e-6) == []
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(answer.objective, rel=1e-5, abs=1e-5)


def test_one_random_day_in_thirty_has_each_thing_that_version_1_1_can_ask() -> None:
    days = [random_asks.day(seed) for seed in range(5000, 5200)]
    parts = ("events", "nominations", "reserve", "generators", "inference", "stability")
    grids = ("billing_interval_slots", "export_allowance_mwh", "carbon_budget_kg", "renewable_share", "outages")
    for part, count in (
        *((name, sum(name in day for day in days)) for name in parts),
        *((name, sum(name in day["grid"] for day in days)) for name in grids),
        ("after", sum(any(job.get("after") for job in day["jobs"]) for day in days)),
        ("surplus", sum(any(job.get("surplus") for job in day["jobs"]) for day in days)),
        ("lever", sum(any("lever" in pool for pool in day["pools"]) for day in days)),
        ("alternatives", sum(any(job.get("alternatives") for job in day["jobs"]) for day in days)),
        ("mass", sum("mass" in day.get("cooling", {}) for day in days)),
        ("water", sum("water_limits" in day.get("cooling", {}) for day in days)),
        ("reserve_mwh", sum(any("reserve_mwh" in b for b in day.get("batteries", [])) for day in days)),
    ):
        assert count >= len(days) / 30, part
