"""Random tiny days: the planner against the oracle that enumerates, and the referee against both.

``CHERGUI_SOAK`` multiplies the number of days.
"""

from __future__ import annotations

import os

import brute_force
import pytest
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
