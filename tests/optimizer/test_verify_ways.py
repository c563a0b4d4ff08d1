"""The referee on ways to run: what a plan says about pools and gangs, and sessions that move or change."""

from __future__ import annotations

import copy
from typing import Any

import brute_force
import pytest
from small_day import at, day, job, pool

from optimizer.document import digest, parse_plan
from optimizer.refusals import check_problem
from optimizer.verify import verify

HALF = [{"power_mw": 0.4, "speed": 0.5}]
# four hours at 10, 20, 30, 40: on in the first two, with four GPUs of the hall
RAW = day(
    job("a", pool="hall", gpus=4, resize_loss_h=0.25, alternatives=[{"pool": "shed"}, {"gpus": 2, "levels": HALF}]),
    schema_version="1.1",
    pools=[pool(), pool(name="shed")],
)


def oracle(raw: dict[str, Any]) -> dict[str, Any]:
    plan = brute_force.solve(raw).plan
    assert plan is not None
    return plan


def rules(raw: dict[str, Any], plan: dict[str, Any]) -> set[str]:
    plan = {**plan, "problem_digest": digest(raw)}
    return {violation.rule for violation in verify(check_problem(raw), parse_plan(plan), gap=1e-9)}


def told(number: int, **change: Any) -> dict[str, Any]:
    """The best plan of the day with one run's words changed."""
    plan = copy.deepcopy(oracle(RAW))
    plan["jobs"][0]["runs"][number] |= change
    return plan


def test_the_best_plan_is_clean_and_says_where_it_runs() -> None:
    plan = oracle(RAW)
    assert rules(RAW, plan) == set()
    assert [(run["pool"], run["gpus"]) for run in plan["jobs"][0]["runs"]] == [("hall", 4), ("hall", 4)]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"pool": "shed"}, "job.move"),
        ({"pool": None, "gpus": None}, "run.way"),
        ({"gpus": 8}, "run.way"),
        ({"pool": "barn"}, "run.way"),
        ({"gpus": 2}, "run.power"),
    ],
)
def test_a_lie_about_the_way_is_named(change: dict[str, Any], rule: str) -> None:
    assert rule in rules(RAW, told(1, **change))


def test_a_change_of_the_gang_that_is_not_counted_is_named() -> None:
    plan = told(1, gpus=2, power_mw=0.4, speed=0.5)
    plan["jobs"][0]["work_done_h"] = 1.5
    assert "job.work_done_h" in rules(RAW, plan)


def test_a_session_that_goes_on_from_before_the_day_stays_where_it_is() -> None:
    running = copy.deepcopy(RAW)
    running["jobs"][0]["state"] = "running"
    plan = oracle(running)
    assert rules(running, plan) == set()
    for run in plan["jobs"][0]["runs"]:
        run["pool"] = "shed"
    assert rules(running, plan) == {"job.move"}


def test_without_a_choice_a_run_need_not_say_where_it_is() -> None:
    raw = day(job("a", pool="hall", gpus=4), schema_version="1.1", pools=[pool()])
    plan = oracle(raw)
    assert "pool" not in plan["jobs"][0]["runs"][0]
    assert rules(raw, plan) == set()
    plan["jobs"][0]["runs"][0]["gpus"] = 2
    assert rules(raw, plan) == {"run.way"}


def test_gpus_of_a_way_count_in_its_pool() -> None:
    raw = RAW | {"pools": [pool(gpus=4), pool(name="shed")]}
    plan = oracle(raw)
    assert "pool.gpus" not in rules(raw, plan)
    assert "pool.gpus" in rules(RAW | {"pools": [pool(gpus=3), pool(name="shed")]}, plan)


def test_a_way_that_is_not_ready_is_named() -> None:
    raw = copy.deepcopy(RAW)
    raw["pools"][0]["gpus"] = 1
    raw["jobs"][0]["alternatives"] = [{"pool": "shed"}]
    plan = oracle(raw)
    raw["jobs"][0]["alternatives"][0]["ready"] = at(2)
    assert rules(raw, plan) == {"job.ready"}
