"""Starts weighed over courses: hand-solved days, the recourse beside a plan made anew, and what reaches the caller."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import made_site
import numpy as np
import pytest
from small_day import battery, day, job

from models.courses import Courses
from models.errors import InvalidInput
from optimizer.dispatch import redispatch
from optimizer.finds import Find, Request
from optimizer.first_come import in_order_of_release
from optimizer.hedge import hedged
from optimizer.problem import Problem, compile_problem
from optimizer.recourse import Recourse, short_price
from optimizer.refusals import check_problem
from optimizer.rolling import plan
from optimizer.site_limits import supported_it
from optimizer.solve import Options
from optimizer.verify import verify
from optimizer.weighed import Hedge
from optimizer.worker import work

NIGHT = [0.0] * 4
COUNTED_ON = [0.0, 1.0, 0.8, 0.0]
GUSTY = Courses(np.array([NIGHT, NIGHT]), np.array([[0.0, 2.0, 0.8, 0.0], [0.0, 0.0, 0.8, 0.0]]), origin="by hand")


def one_job(**more: Any) -> dict[str, Any]:
    """An hour at 1 MW any time, power bought at 100, an empty battery whose wear is 1 per MWh."""
    return day(
        job(work_h=1.0, due_h=1.0),
        prices=[100.0] * 4,
        series={"wind_available_mw": COUNTED_ON},
        batteries=[battery(soc_start_mwh=0.0, wear_cost_per_mwh=1.0)],
        **more,
    )


def chosen(raw: dict[str, Any], courses: Courses, risk: float = 0.0) -> tuple[Find, Hedge, list[int]]:
    """The last find, its hedge, and the slots in which job a runs; every plan on the way passes the referee."""
    received = check_problem(raw)
    finds = list(work(compile_problem(received), Request(1e-9, 60.0, courses=courses, risk=risk)))
    for find in finds:
        assert find.plan is None or verify(received, find.plan) == []
    last = finds[-1]
    assert last.plan is not None
    assert last.hedge is not None
    runs = [run for told in last.plan.jobs if told.id == "a" for run in told.runs]
    return last, last.hedge, [run.start.hour for run in runs]


def test_starts_that_are_cheapest_on_average_are_taken_and_not_those_of_the_cheapest_plan() -> None:
    # In slot 1 the wind counted on makes the hour free; it comes in one course and not in the other, which costs 100:
    # 50 on average. In slot 2 the wind of 0.8 is sure; 0.2 come from the battery (wear 0.2) or are bought for 20:
    # 0.2 as planned, 10.1 on average. In slot 3 all must come through the battery: 1 as planned; of the second
    # course's 0.8 there 0.8 x 0.9 x 0.8 = 0.576 come out, so 0.576 + 42.4: no start is as cheap as slot 2's.
    find, hedge, hours = chosen(one_job(), GUSTY)
    assert hours == [2]
    assert find.plan is not None
    assert find.plan.objective == pytest.approx(0.2)
    assert find.plan.rung == "LP"
    assert hedge.expected_cost == pytest.approx(10.1)
    assert (hedge.least_cost, hedge.most_cost) == (pytest.approx(0.2), pytest.approx(20.0))
    assert hedge.spread == pytest.approx(9.9)
    assert hedge.worst_cost == pytest.approx(20.0)
    assert (hedge.short_probability, hedge.short_mwh) == (0.0, 0.0)
    own = hedge.weighed[0]
    assert (own.name, own.cost) == ("plan", pytest.approx(0.0))
    assert own.expected_cost == pytest.approx(50.0)
    assert (hedge.courses, hedge.origin) == (2, "by hand")


def test_what_no_recourse_supplies_is_short_at_the_highest_price() -> None:
    # As above behind a line of 0.5. A start in slot 1 of the second course has 0.5 from the line, 0.36 from the battery
    # (0.5 x 0.9 x 0.8, bought in slot 0), and is short of 0.14, at twice the price of power since the hour has none of
    # its own: 50 + 50 + 0.36 + 28 = 128.36, half of it on average.
    raw = one_job(grid={"import_limit_mw": 0.5})
    assert short_price(compile_problem(check_problem(raw))) == pytest.approx(200.0)
    _, hedge, hours = chosen(raw, GUSTY)
    assert hours == [2]
    assert hedge.short_probability == 0.0
    own = hedge.weighed[0]
    assert own.expected_cost == pytest.approx(64.18)
    assert own.short_probability == 0.5


def test_with_the_one_course_that_is_counted_on_the_plan_is_the_one_without() -> None:
    raw = one_job()
    alone = list(work(compile_problem(check_problem(raw)), Request(1e-9, 60.0)))[-1]
    find, hedge, hours = chosen(raw, Courses(np.array([NIGHT]), np.array([COUNTED_ON])))
    assert hours == [1]
    assert hedge.chosen == "plan"
    assert hedge.expected_cost == pytest.approx(0.0)
    assert hedge.spread == 0.0
    assert find.plan is not None
    assert alone.plan is not None
    told = find.plan.model_dump(exclude={"solve_seconds"})
    assert told == alone.plan.model_dump(exclude={"solve_seconds"})


def test_the_worst_course_counts_more_the_more_it_is_feared() -> None:
    # The sure hour of slot 0 costs 22 to buy; slot 1 is free in four courses of five and costs 100 in one: 20 on
    # average, 100 at worst.
    raw = day(
        job(work_h=1.0, due_h=1.0),
        prices=[22.0, 100.0, 100.0, 100.0],
        series={"wind_available_mw": [0.0, 1.0, 0.0, 0.0]},
    )
    wind = np.tile([0.0, 1.0, 0.0, 0.0], (5, 1))
    wind[3, 1] = 0.0
    courses = Courses(np.zeros((5, 4)), wind)
    _, hedge, hours = chosen(raw, courses)
    assert hours == [1]
    assert hedge.value == pytest.approx(20.0)
    _, hedge, hours = chosen(raw, courses, risk=0.5)
    assert hours == [0]
    assert hedge.value == pytest.approx(22.0)


def test_more_load_is_part_of_a_course() -> None:
    # The line of 1.5 carries the job and half a megawatt of load; the second course asks for 0.4 more in slot 1.
    raw = day(
        job(work_h=1.0, due_h=1.0),
        prices=[18.0, 10.0, 30.0, 30.0],
        series={"base_load_mw": [0.5] * 4},
        grid={"import_limit_mw": 1.5},
    )
    more = np.zeros((2, 4))
    more[1, 1] = 0.4
    _, hedge, hours = chosen(raw, Courses(np.zeros((2, 4)), np.zeros((2, 4)), more))
    assert hours == [0], "8 dearer, but not short of 0.4 MWh at 60 in one course of two, which is 10 dearer than bought"
    assert hedge.weighed[0].short_probability == 0.5
    # 0.4 MWh more at 10 in one course of two
    assert hedge.expected_cost == pytest.approx(18.0 + 0.5 * (18.0 + 10.0 + 30.0 + 30.0) + 0.5 * 0.4 * 10.0)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_course_costs_what_a_plan_made_for_it_with_the_same_starts_costs(seed: int) -> None:
    before = compile_problem(check_problem(made_site.site(12, seed=seed)))
    pattern = in_order_of_release(
        before, 0.5 * supported_it(before, before.import_limit), {e.id: 0 for e in before.entries}
    )
    assert any(on.any() for on in pattern.values())
    rng, unit = np.random.default_rng(seed), before.unit_mw
    factors = rng.uniform(0.3, 1.5, (3, 2))
    more = rng.uniform(-0.05, 0.3, (3, before.slots))
    courses = Courses(np.outer(factors[:, 0], before.pv * unit), np.outer(factors[:, 1], before.wind * unit), more)
    recourse = Recourse(before, pattern, courses)
    options = Options(gap=1e-9, time_limit_s=30.0)
    own = recourse.answer(None, 30.0)
    assert own is not None
    assert own.cost == pytest.approx(_anew(before, pattern, options), rel=1e-6)
    for k in range(3):
        after = replace(
            before,
            pv=courses.pv_mw[k] / unit,
            wind=courses.wind_mw[k] / unit,
            base=before.base + courses.more_load_mw[k] / unit,
        )
        answer = recourse.answer(k, 30.0)
        assert answer is not None
        assert answer.short_mwh == 0.0
        assert answer.cost == pytest.approx(_anew(after, pattern, options), rel=1e-6)


def _anew(problem: Problem, pattern: Any, options: Options) -> float:
    found = redispatch(problem, pattern, options)
    assert found is not None
    return found.cost


def test_headroom_against_a_fall_is_free_to_be_used_when_it_comes() -> None:
    # 0.8 of headroom is asked for at 1000; the course is the fall itself, so that only the power bought for it counts.
    raw = one_job() | {"schema_version": "1.1", "reserve": {"drop_mw": 0.8, "cost_per_mwh": 1000.0}}
    problem = compile_problem(check_problem(raw))
    pattern = {"a": np.array([0, 1, 0, 0])}
    answer = Recourse(problem, pattern, GUSTY).answer(1, 10.0)
    assert answer is not None
    assert answer.cost == pytest.approx(100.0)


def test_without_a_plan_nothing_is_weighed() -> None:
    raw = day(job(work_h=4.0, due_h=4.0), grid={"import_limit_mw": 0.5})
    finds = list(hedged(compile_problem(check_problem(raw)), Request(1e-9, 10.0), GUSTY, work, lambda _: None))
    assert finds
    assert all(find.hedge is None for find in finds)


def test_the_child_hands_the_choice_over_whatever_it_costs_as_planned() -> None:
    told: list[Hedge] = []
    received = check_problem(one_job())
    found = plan(received, time_limit_s=10.0, courses=GUSTY, on_hedge=told.append)
    assert told[-1].expected_cost == pytest.approx(10.1)
    assert found.objective == pytest.approx(0.2)
    assert verify(received, found) == []


def test_courses_are_refused_that_cannot_be() -> None:
    for pv, wind in (([], []), ([[1.0]], [[1.0, 2.0]]), ([[-1.0]], [[0.0]]), ([[float("nan")]], [[0.0]])):
        with pytest.raises(InvalidInput):
            Courses(np.array(pv), np.array(wind))
    assert Courses.from_json(GUSTY.to_json()).to_json() == GUSTY.to_json()
