"""Days on which jobs have several ways, planned at prices in one way each: a plan of the whole day, and no bound."""

from __future__ import annotations

from typing import Any

from small_day import TWO_LEVELS, at, compiled, job, pool, ten

from optimizer.finds import Best, Clock, Request
from optimizer.large.search import first_plan
from optimizer.one_way import in_one_way_each, prices_help
from optimizer.refusals import check_problem
from optimizer.verify import verify

SHED = {"pool": "shed", "levels": [{"power_mw": 0.7, "speed": 0.5}]}


def full(prices: list[float]) -> dict[str, Any]:
    """The hall is taken for four hours; a job of two hours could go to the shed."""
    first = job("first", 4.0, pool="hall", gpus=8, deadline=at(4))
    return ten(first, job(pool="hall", gpus=8, levels=TWO_LEVELS, alternatives=[SHED]), prices=prices, pools=POOLS)


POOLS = [pool(), pool(name="shed")]


def test_what_was_placed_is_planned_at_prices_in_its_way() -> None:
    # placed early at 50 and more, in the shed; in the same way the last hours cost 1
    received = check_problem(full([50.0] * 6 + [1.0] * 4))
    problem = compiled(received.raw)
    request, clock = Request(1e-9, 60.0), Clock(60.0)
    best = Best(problem, 1e-9, clock)
    list(first_plan(problem, best))
    assert best.plan is not None
    assert best.plan.objective is not None
    before = best.plan.objective
    found = [find.plan for find in in_one_way_each(problem, request, clock, best)]
    assert len(found) == 1
    assert found[0] is not None
    assert found[0].objective is not None
    assert found[0].objective < before - 10.0
    assert verify(received, found[0]) == []
    assert {run.pool for run in found[0].jobs[1].runs} == {"shed"}
    # what prices prove of the day in these ways is nothing about the day
    assert best.bound is None


def test_a_way_brings_its_own_levers_along() -> None:
    # the hall runs at one clock, the shed at two power levels that have none
    clocked = [{"power_mw": 1.0, "speed": 1.0, "clock_mhz": 1901.0}]
    slow = {
        "pool": "shed",
        "levels": [
            {"power_mw": 0.3, "speed": 0.4, "limit_w": 300.0},
            {"power_mw": 0.7, "speed": 0.5, "limit_w": 700.0},
        ],
    }
    first = job("first", 4.0, pool="hall", gpus=8, deadline=at(4), levels=clocked)
    second = job(pool="hall", gpus=8, levels=clocked, alternatives=[slow])
    pools = [pool(lever="clock"), pool(name="shed")]
    received = check_problem(ten(first, second, prices=[50.0] * 6 + [1.0] * 4, pools=pools))
    problem = compiled(received.raw)
    request, clock = Request(1e-9, 60.0), Clock(60.0)
    best = Best(problem, 1e-9, clock)
    list(first_plan(problem, best))
    (found,) = [find.plan for find in in_one_way_each(problem, request, clock, best)]
    assert found is not None
    assert verify(received, found) == []
    assert {(run.pool, run.limit_w, run.clock_mhz) for run in found.jobs[1].runs} == {("shed", 700.0, None)}


def test_a_few_columns_are_for_the_whole_model_alone() -> None:
    raw = full([50.0] * 10)
    assert not prices_help(compiled(raw))
    many = [job(f"j{k}", pool="hall", gpus=1, levels=TWO_LEVELS, alternatives=[SHED]) for k in range(50)]
    assert prices_help(compiled(raw | {"jobs": many}))
    surplus = {"surplus": True, "preemptible": True, "due_h": 0.0}
    assert not prices_help(compiled(raw | {"jobs": [*many, job("s", **surplus)]}))
    assert not prices_help(compiled(raw | {"jobs": [one | {"alternatives": []} for one in many]}))
