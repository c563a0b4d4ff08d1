"""Pools and feeds: their rows written by hand, and schedules whose answer is known on paper."""

from __future__ import annotations

import pytest
from golden_rows import Golden, check
from small_day import TWO_LEVELS, at, day, job, on_slots, planned, pool, rows

# 12.5 kW for an idle GPU: 0.05 MW less for the four that a runs on
HALL = day(
    job("a", pool="hall", gpus=4, levels=TWO_LEVELS),
    job("load", work_h=1.0),
    pools=[pool(gpus=[8, 8, 6, 8], idle_w_per_gpu=12500.0), pool(name="annex", gpus=2)],
    feeds=[{"name": "ups", "pools": ["hall", "annex"], "limit_mw": [1.2, 1.2, 1.0, 1.2]}],
    distribution_efficiency=0.8,
)
GOLDEN = [
    Golden("gpus.gpus_available[hall,0]", HALL, "4 jobs.on[a,0] <= 8"),
    Golden("gpus.gpus_available[hall,2]", HALL, "4 jobs.on[a,2] <= 6"),
    Golden("gpus.gpus_available[hall,2]", HALL, "4 jobs.on[a,2] - over_pool[hall,2] <= 6", {"elastic": True}),
    Golden("gpus.gpus_available[hall,2]", HALL, "crowd.gpus[0,2] <= 6", {"priced": True}),
    Golden(
        "gpus.power_of_pool[hall,0]",
        HALL,
        "0.5 jobs.level[a,0,0] + jobs.level[a,0,1] - 0.05 jobs.on[a,0] - pool_power[hall,0] = -0.1",
    ),
    Golden(
        "gpus.power_of_pool[hall,2]",
        HALL,
        "0.5 jobs.in_segment[a,2,0] + 0.5 jobs.filled[a,2,0] - 0.05 jobs.on[a,2] - pool_power[hall,2] = -0.075",
        {"exact": True},
    ),
    Golden("gpus.power_of_pool[annex,1]", HALL, "pool_power[annex,1] = 0"),
    Golden(
        "gpus.power_of_pool[hall,1]",
        HALL,
        "crowd.power[0,1] - 0.0125 crowd.gpus[0,1] - pool_power[hall,1] = -0.1",
        {"priced": True},
    ),
    Golden("gpus.feed_limit[ups,2]", HALL, "pool_power[hall,2] + pool_power[annex,2] <= 1"),
    Golden(
        "gpus.feed_limit[ups,2]",
        HALL,
        "pool_power[hall,2] + pool_power[annex,2] - over_feed[ups,2] <= 1",
        {"elastic": True},
    ),
    Golden("gpus.it_power[3]", HALL, "jobs.on[load,3] + pool_power[hall,3] + pool_power[annex,3] - it[3] = 0"),
    Golden(
        "gpus.it_power[3]",
        HALL,
        "crowd.load[3] + pool_power[hall,3] + pool_power[annex,3] - it[3] = 0",
        {"priced": True},
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_a_pool_that_nobody_wants_has_no_row_for_its_gpus() -> None:
    assert not [name for name in rows(HALL) if name.startswith("gpus.gpus_available[annex")]


def test_gangs_that_do_not_fit_together_run_one_after_the_other() -> None:
    plan = planned(day(*(job(name, 1.0, pool="hall", gpus=5) for name in "ab"), pools=[pool()]))
    assert on_slots(plan, "a") + on_slots(plan, "b") in ([0, 1], [1, 0])
    assert plan.objective == pytest.approx(10 + 20)


def test_maintenance_leaves_no_place() -> None:
    plan = planned(day(job("a", 2.0, pool="hall", gpus=8), pools=[pool(gpus=[8, 4, 8, 8])]))
    assert on_slots(plan) == [2, 3]


def test_idle_gpus_draw_and_busy_ones_do_not_draw_twice() -> None:
    plan = planned(day(job("a", 1.0, pool="hall", gpus=4), pools=[pool(idle_w_per_gpu=12500.0)]))
    assert plan.series is not None
    assert plan.series.it_mw == pytest.approx([1.05, 0.1, 0.1, 0.1])
    assert plan.objective == pytest.approx(10.5 + 2 + 3 + 4)


def test_a_feed_counts_the_idle_draw() -> None:
    feeds = [{"name": "ups", "pools": ["hall"], "limit_mw": [1.0, 1.0, 1.05, 1.0]}]
    plan = planned(day(job("a", 1.0, pool="hall", gpus=4), pools=[pool(idle_w_per_gpu=12500.0)], feeds=feeds))
    assert on_slots(plan) == [2]


def test_a_feed_slows_a_job_down() -> None:
    feeds = [{"name": "ups", "pools": ["hall"], "limit_mw": 0.75}]
    plan = planned(
        day(job("a", 1.7, pool="hall", gpus=4, levels=TWO_LEVELS, deadline=at(2)), pools=[pool()], feeds=feeds)
    )
    assert plan.series is not None
    assert plan.series.it_mw == pytest.approx([0.75, 0.75, 0, 0])


def test_the_gang_that_is_too_wide_is_named() -> None:
    plan = planned(day(job("a", 1.0, pool="hall", gpus=9), pools=[pool()]))
    assert plan.status == "infeasible"
    assert "job a needs 9 GPUs at once, pool hall has at most 8" in plan.conflicts[0]
