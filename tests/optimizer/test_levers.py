"""What slows a pool's GPUs down: power limits, clock limits where those do not bind, or nothing."""

from __future__ import annotations

import copy
from typing import Any

import brute_force
import pytest
from small_day import at, day, job, planned, pool, ten

from models.errors import InvalidInput
from optimizer.document import digest, parse_plan
from optimizer.refusals import check_problem
from optimizer.verify import verify

CLOCKED = [
    {"power_mw": 0.5, "speed": 0.7, "clock_mhz": 1200.0},
    {"power_mw": 1.0, "speed": 1.0, "clock_mhz": 1901.0},
]
# 1.7 h of work in two hours: one in each hour at full speed and at the lower level, or both between them
BY_CLOCK = job("a", 1.7, pool="hall", gpus=4, levels=CLOCKED, deadline=at(2))


def test_a_plan_says_the_clock_that_yields_its_power() -> None:
    # the second hour is dearer, so that the first one does what it can
    plan = planned(ten(BY_CLOCK, pools=[pool(lever="clock")]))
    assert [(run.power_mw, run.clock_mhz, run.limit_w) for run in plan.jobs[0].runs] == [
        (pytest.approx(1.0), 1901.0, None),
        (pytest.approx(0.5), 1200.0, None),
    ]


def test_between_two_levels_the_clock_is_rounded_down() -> None:
    # a limit of 0.75 MW holds it half way: 1550.5 MHz
    feed = {"name": "ups", "pools": ["hall"], "limit_mw": 0.75}
    plan = planned(ten(BY_CLOCK, pools=[pool(lever="clock")], feeds=[feed]))
    assert [run.clock_mhz for run in plan.jobs[0].runs] == [1550.0]


def test_a_pool_without_a_lever_runs_at_its_one_level() -> None:
    plan = planned(ten(job(pool="hall", gpus=4), pools=[pool(lever="none")]))
    assert {(run.power_mw, run.limit_w, run.clock_mhz) for run in plan.jobs[0].runs} == {(1.0, None, None)}


LIMITED = [{"power_mw": 1.0, "speed": 1.0, "limit_w": 700.0}]
FALLING = [CLOCKED[0], CLOCKED[1] | {"clock_mhz": 900.0}]
BAD: list[tuple[str, list[dict[str, Any]], str, str]] = [
    ("none", [{"power_mw": 0.5, "speed": 0.7}, {"power_mw": 1.0, "speed": 1.0}], "", "no_lever"),
    ("none", LIMITED, "/0/limit_w", "other_lever"),
    ("clock", LIMITED, "/0/limit_w", "other_lever"),
    ("clock", [{"power_mw": 1.0, "speed": 1.0}], "/0/clock_mhz", "missing"),
    ("clock", FALLING, "/1/clock_mhz", "unsorted"),
    ("power", CLOCKED, "/0/clock_mhz", "other_lever"),
    ("none", CLOCKED[1:], "/0/clock_mhz", "other_lever"),
]


@pytest.mark.parametrize(("lever", "levels", "place", "code"), BAD)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_levels_that_their_pool_cannot_yield_are_refused(
    lever: str, levels: list[dict[str, Any]], place: str, code: str, elsewhere: bool
) -> None:
    slowed = pool(name="slow", lever=lever)
    mine = job("a", pool="slow", gpus=4, levels=levels)
    if elsewhere:
        mine = job("a", pool="hall", gpus=4, alternatives=[{"pool": "slow", "levels": levels}])
    raw = day(mine, schema_version="1.1", pools=[pool(), slowed])
    with pytest.raises(InvalidInput) as refused:
        check_problem(raw)
    at_levels = "/jobs/0/alternatives/0/levels" if elsewhere else "/jobs/0/levels"
    assert (at_levels + place, code) in {(fault.pointer, fault.code) for fault in refused.value.faults}


@pytest.mark.parametrize("clock", [None, 1700.0, 1903.0])
def test_the_referee_knows_the_clock(clock: float | None) -> None:
    raw = day(BY_CLOCK, schema_version="1.1", pools=[pool(lever="clock")])
    plan = brute_force.solve(raw).plan
    assert plan is not None
    plan["problem_digest"] = digest(raw)
    assert verify(check_problem(raw), parse_plan(plan), gap=1e-9) == []
    told = copy.deepcopy(plan)
    told["jobs"][0]["runs"][0]["clock_mhz"] = clock
    assert {v.rule for v in verify(check_problem(raw), parse_plan(told), gap=1e-9)} == {"run.clock_mhz"}
