"""The yardstick by hand numbers: in the order of release, at once, at full power, the battery idle."""

from __future__ import annotations

from typing import Any

import pytest
from small_day import TWO_LEVELS, at, battery, day, job, on_slots, planned, pool

from optimizer.baselines import first_come_first_served, saving
from optimizer.document import Plan
from optimizer.refusals import check_problem
from optimizer.verify import verify

FALLING = [40.0, 30.0, 20.0, 10.0]


def yardstick(document: dict[str, Any]) -> Plan:
    """The yardstick's plan; the referee has passed it, and nothing is said to be proven."""
    received = check_problem(document)
    plan = first_come_first_served(received)
    assert plan is not None
    assert verify(received, plan) == []
    assert (plan.status, plan.bound, plan.gap) == ("feasible", None, None)
    return plan


def test_each_job_starts_as_soon_as_it_is_released_whatever_the_price() -> None:
    plan = yardstick(day(job("a", 1.0), job("b", 2.0, release=at(1)), prices=FALLING))
    assert (on_slots(plan, "a"), on_slots(plan, "b")) == ([0], [1, 2])
    assert plan.objective == pytest.approx(40 + 30 + 20)


def test_who_was_released_first_is_served_first() -> None:
    hall = {"pools": [pool()]}
    jobs = [job("late", 2.0, pool="hall", gpus=5, release=at(1)), job("early", 2.0, pool="hall", gpus=5)]
    plan = yardstick(day(*jobs, prices=FALLING, **hall))
    assert (on_slots(plan, "early"), on_slots(plan, "late")) == ([0, 1], [2, 3])


def test_among_equals_the_earlier_deadline_is_served_first() -> None:
    grid = {"import_limit_mw": 1.0}
    plan = yardstick(day(job("a", 2.0), job("b", 2.0, deadline=at(2)), grid=grid))
    assert (on_slots(plan, "b"), on_slots(plan, "a")) == ([0, 1], [2, 3])


def test_a_smaller_gang_slips_in_where_a_larger_one_must_wait() -> None:
    jobs = [
        job("big", 2.0, pool="hall", gpus=6),
        job("huge", 1.0, pool="hall", gpus=8, release=at(1)),
        job("small", 1.0, pool="hall", gpus=2, release=at(1)),
    ]
    plan = yardstick(day(*jobs, pools=[pool()]))
    assert (on_slots(plan, "big"), on_slots(plan, "huge"), on_slots(plan, "small")) == ([0, 1], [2], [1])


def test_every_job_runs_at_its_top_level() -> None:
    plan = yardstick(day(job("a", 0.7, levels=TWO_LEVELS)))
    assert [(run.power_mw, run.speed) for run in plan.jobs[0].runs] == [(1.0, 1.0)]
    assert plan.objective == pytest.approx(10)


def test_no_job_pauses() -> None:
    plan = yardstick(day(job("a", 3.0, preemptible=True), prices=[10.0, 90.0, 10.0, 10.0]))
    assert on_slots(plan) == [0, 1, 2]


def test_the_battery_stays_idle() -> None:
    plan = yardstick(day(series={"base_load_mw": [1.0] * 4}, batteries=[battery()]))
    assert plan.series is not None
    assert plan.series.soc_mwh["store"] == pytest.approx([1.0] * 4)
    assert plan.objective == pytest.approx(100)


def test_the_battery_moves_only_where_its_end_state_asks() -> None:
    plan = yardstick(day(batteries=[battery(soc_end_min_mwh=1.45)]))
    assert plan.series is not None
    assert plan.series.soc_mwh["store"][-1] == pytest.approx(1.45)
    assert plan.objective == pytest.approx(10 * 0.45 / 0.9)


def test_sun_and_wind_are_used_before_the_grid() -> None:
    series = {"pv_available_mw": [0.4] * 4, "wind_available_mw": [0.3] * 4}
    assert yardstick(day(job("a", 2.0), series=series)).objective == pytest.approx(0.3 * (10 + 20))


def test_cooling_and_idle_gpus_are_charged() -> None:
    cooling = {"tangents": [{"slope": 0.5, "intercept_mw": 0.0}]}
    hall = pool(idle_w_per_gpu=12500.0)
    plan = yardstick(day(job("a", 1.0, pool="hall", gpus=4), pools=[hall], cooling=cooling))
    # 1.05 in the first hour and eight idle GPUs after it, half as much again for cooling
    assert plan.objective == pytest.approx(1.5 * (10.5 + 0.1 * (20 + 30 + 40)))


def test_late_hours_are_charged() -> None:
    plan = yardstick(day(job("a", 2.0, deadline=at(1), late_cost_per_h=7.0)))
    assert (plan.jobs[0].late_h, plan.terms["late"]) == (1.0, 7.0)
    assert plan.objective == pytest.approx(10 + 20 + 7)


def test_unmet_hours_are_charged_and_what_fits_is_done() -> None:
    plan = yardstick(day(job("a", 2.0, release=at(1), deadline=at(2), unmet_cost_per_h=50.0)))
    assert on_slots(plan) == [1]
    assert (plan.jobs[0].unmet_h, plan.terms["unmet"]) == (1.0, 50.0)
    assert [gave.requirement for gave in plan.unmet] == ["job:a/due"]


def test_who_finds_no_place_is_left_undone() -> None:
    grid = {"import_limit_mw": 1.0}
    plan = yardstick(day(job("a", 4.0), job("b", 1.0, unmet_cost_per_h=50.0), grid=grid))
    assert on_slots(plan, "b") == []
    assert plan.objective == pytest.approx(100 + 50)


def test_only_due_work_is_done() -> None:
    plan = yardstick(day(job("a", 3.0, due_h=1.0, work_value_per_h=100.0, unmet_cost_per_h=200.0)))
    assert on_slots(plan) == [0]
    assert plan.objective == pytest.approx(10)


def test_a_pinned_job_starts_where_the_operator_said() -> None:
    plan = yardstick(
        day(job("a", 1.0, pinned_start=at(2)), job("b", 1.0, release=at(1)), grid={"import_limit_mw": 1.0})
    )
    assert (on_slots(plan, "a"), on_slots(plan, "b")) == ([2], [1])


def test_a_held_job_stays_off() -> None:
    plan = yardstick(day(job("a", 1.0, held=True, unmet_cost_per_h=5.0), job("b", 1.0)))
    assert (on_slots(plan, "a"), on_slots(plan, "b")) == ([], [0])
    assert plan.objective == pytest.approx(10 + 5)


def test_a_running_job_goes_on_before_anybody_starts() -> None:
    jobs = [job("a", 2.0), job("run", 2.0, state="running", preemptible=True, start_cost=9.0)]
    plan = yardstick(day(*jobs, grid={"import_limit_mw": 1.0}))
    assert (on_slots(plan, "run"), on_slots(plan, "a")) == ([0, 1], [2, 3])
    assert plan.terms["starts"] == 0


def test_a_paused_job_loses_work_when_it_resumes() -> None:
    plan = yardstick(day(job("a", 1.0, state="paused", restart_loss_h=1.0, start_cost=9.0)))
    assert on_slots(plan) == [0, 1]
    assert plan.objective == pytest.approx(10 + 20 + 9)


def test_copies_run_side_by_side_where_they_fit() -> None:
    plan = yardstick(day(job("c", 1.0, count=3), grid={"import_limit_mw": 2.0}))
    assert plan.series is not None
    assert plan.series.it_mw == pytest.approx([2, 1, 0, 0])


def test_a_job_whose_work_ends_may_run_for_less_than_its_minimum() -> None:
    assert on_slots(yardstick(day(job("a", 1.0, min_run_slots=3)))) == [0]


@pytest.mark.parametrize(
    ("more", "slots"),
    [
        pytest.param({}, [0, 1], id="queued"),
        pytest.param({"state": "running", "ran_slots": 1, "min_run_slots": 3}, [0, 1], id="running"),
    ],
)
def test_a_run_lasts_its_minimum_where_the_work_goes_on(more: dict[str, Any], slots: list[int]) -> None:
    one = job("a", 3.0, due_h=1.0, unmet_cost_per_h=50.0, min_run_slots=2, preemptible=True)
    assert on_slots(yardstick(day(one | more))) == slots


def test_a_feed_makes_the_second_job_wait() -> None:
    feeds = [{"name": "ups", "pools": ["hall"], "limit_mw": 1.5}]
    jobs = [job(name, 1.0, pool="hall", gpus=1) for name in "ab"]
    plan = yardstick(day(*jobs, pools=[pool()], feeds=feeds))
    assert plan.series is not None
    assert plan.series.it_mw == pytest.approx([1, 1, 0, 0])


def test_there_is_no_yardstick_where_this_order_leaves_hard_work_undone() -> None:
    document = day(job("a", 2.0), job("b", 2.0, release=at(1), deadline=at(3)), grid={"import_limit_mw": 1.0})
    assert first_come_first_served(check_problem(document)) is None
    assert planned(document | {"jobs": [document["jobs"][1], job("a", 1.0)]}).status == "optimal"


def test_the_saving_is_money_and_a_share_of_the_yardstick() -> None:
    document = day(job("a", 1.0), job("b", 1.0), prices=FALLING)
    assert saving(yardstick(document), planned(document)) == (pytest.approx(60), pytest.approx(0.75))


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(day(job("a", 4.0)), id="one job that fills the day"),
        pytest.param(day(series={"base_load_mw": [0.1, 0.2, 0.3, 0.7]}, prices=[0.1, 0.2, 0.3, 0.7]), id="no jobs"),
        pytest.param(day(job("a", 0.3 * 7), prices=[1 / 3] * 4), id="a flat price"),
        pytest.param(day(job("a", 2.0), prices=[0.0] * 4), id="everything free"),
        pytest.param(day(job("a", 2.0), series={"pv_available_mw": [1.0] * 4}), id="everything from the sun"),
        pytest.param(day(job("a", 1.0), batteries=[battery(soc_start_mwh=0.0)], prices=[1.1] * 4), id="empty battery"),
    ],
)
def test_a_null_day_saves_exactly_nothing(document: dict[str, Any]) -> None:
    assert saving(yardstick(document), planned(document)) == (0.0, 0.0)
