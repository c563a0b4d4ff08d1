"""Ways to run a job: the rows written by hand, who goes to which pool, and gangs that change their size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from golden_rows import Golden, check
from small_day import TWO_LEVELS, at, bounds, compiled, day, job, planned, pool, ten

from optimizer.direct import needs_no_prices, only_milp, suits_milp
from optimizer.document import Plan
from optimizer.explain.seen import Seen
from optimizer.explain.way import in_the_way
from optimizer.ladder import descend
from optimizer.preflight import conflicts
from optimizer.problem import Problem
from optimizer.refusals import check_problem
from optimizer.verify import verify

SHED = pool(name="shed", gpus=4)
HALF = [{"power_mw": 0.4, "speed": 0.5}]
# running in the hall with four GPUs; two would do there, and after a pause four in the shed
ELASTIC = day(
    job("a", pool="hall", gpus=4, levels=TWO_LEVELS, state="running", preemptible=True, resize_loss_h=0.25)
    | {"alternatives": [{"gpus": 2, "levels": HALF}, {"pool": "shed", "ready": at(2)}]},
    schema_version="1.1",
    pools=[pool(), SHED],
)
SMALL = {"a": np.array([1, 1, 0, 0]), "a@hall/4": np.array([1, 0, 0, 0]), "a@hall/2": np.array([0, 1, 0, 0])}
TOLD = {"pattern": SMALL | {"a@shed/4": np.zeros(4, dtype=np.int64)}}
GOLDEN = [
    Golden("jobs.one_way_at_a_time[a,1]", ELASTIC, "ways.on_in[a@hall/4,1] + ways.on_in[a@hall/2,1] - on[a,1] = 0"),
    Golden(
        "jobs.one_way_at_a_time[a,3]",
        ELASTIC,
        "ways.on_in[a@hall/4,3] + ways.on_in[a@hall/2,3] + ways.on_in[a@shed/4,3] - on[a,3] = 0",
    ),
    Golden(
        "ways.session_stays_in_pool[a,1,2]",
        ELASTIC,
        "on_in[a@shed/4,2] + on_in[a@hall/4,1] + on_in[a@hall/2,1] <= 1",
    ),
    Golden(
        "ways.resized_when_ways_differ[a,0,1]",
        ELASTIC,
        "resized[a,1] - on_in[a@hall/4,1] - on_in[a@hall/2,0] >= -1",
    ),
    Golden("ways.resized_when_ways_differ[a,1,0]", ELASTIC, "resized[a,0] - on_in[a@hall/2,0] >= 0"),
    Golden(
        "ways.not_resized_otherwise[a,1,2]",
        ELASTIC,
        "resized[a,2] + on_in[a@hall/2,2] + on_in[a@hall/2,1] <= 2",
    ),
    Golden("ways.not_resized_otherwise[a,0,0]", ELASTIC, "resized[a,0] + on_in[a@hall/4,0] <= 1"),
    Golden("ways.resized_while_on[a,0]", ELASTIC, "resized[a,0] - on_in[a@hall/4,0] - on_in[a@hall/2,0] <= 0"),
    Golden("ways.resized_while_on_before[a,1]", ELASTIC, "resized[a,1] - on_in[a@hall/4,0] - on_in[a@hall/2,0] <= 0"),
    Golden(
        "jobs.levels_of_running[a@hall/4,1]",
        ELASTIC,
        "level[a@hall/4,1,0] + level[a@hall/4,1,1] - ways.on_in[a@hall/4,1] = 0",
    ),
    Golden("gpus.gpus_available[hall,1]", ELASTIC, "4 ways.on_in[a@hall/4,1] + 2 ways.on_in[a@hall/2,1] <= 8"),
    # an hour at the curve of four, an hour of two at half speed, a quarter lost between them
    Golden(
        "jobs.finish_due[a]",
        ELASTIC,
        "0.7 level[a@hall/4,0,0] + level[a@hall/4,0,1] + 0.5 ways.on_in[a@hall/2,1] >= 2.25",
        TOLD,
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_a_way_has_columns_from_when_it_is_ready() -> None:
    names = {name for name in bounds(ELASTIC) if name.startswith("ways.on_in[a@shed")}
    assert names == {"ways.on_in[a@shed/4,2]", "ways.on_in[a@shed/4,3]"}


Slots = list[tuple[int, str | None, int | None]]


def where(plan: Plan, name: str = "a") -> Slots:
    """Slot, pool and gang of every slot in which a job runs."""
    runs = next(entry.runs for entry in plan.jobs if entry.id == name)
    return [(t, run.pool, run.gpus) for run in runs for t in range(run.start.hour, run.end.hour)]


def test_a_job_goes_to_the_pool_that_has_room() -> None:
    # the hall is taken for two hours; in the shed four hours at 0.6 MW cost 60, waiting for the hall costs 70
    slow = {"pool": "shed", "gpus": 4, "levels": [{"power_mw": 0.6, "speed": 0.5}]}
    first = job("first", pool="hall", gpus=8, deadline=at(2))
    plan = planned(ten(first, job(pool="hall", gpus=8, alternatives=[slow]), pools=[pool(), SHED]))
    assert where(plan) == [(t, "shed", 4) for t in range(4)]
    assert plan.objective == pytest.approx(30.0 + 60.0)


HALVES = [pool(gpus=[8, 8, 0, 0, 0, 0, 0, 0, 0, 0]), pool(name="shed", gpus=[0, 0, 8, 8, 8, 8, 8, 8, 8, 8])]


def test_a_session_stays_in_its_pool() -> None:
    # the hall closes after two hours, when the shed opens: whoever goes over pauses for an hour
    moving = job(work_h=3.0, pool="hall", gpus=8, preemptible=True, alternatives=[{"pool": "shed"}])
    plan = planned(ten(moving, pools=HALVES))
    assert where(plan) == [(0, "hall", 8), (1, "hall", 8), (3, "shed", 8)]
    assert plan.objective == pytest.approx(10.0 + 20.0 + 40.0)


def test_a_job_that_may_not_pause_stays_where_it_begins() -> None:
    plan = planned(ten(job(work_h=3.0, pool="hall", gpus=8, alternatives=[{"pool": "shed"}]), pools=HALVES))
    assert where(plan) == [(2, "shed", 8), (3, "shed", 8), (4, "shed", 8)]


def test_a_running_job_goes_on_where_it_is() -> None:
    # the shed would do it with half the power, yet it runs in the hall and may not pause
    cheap = {"pool": "shed", "levels": [{"power_mw": 0.5, "speed": 1.0}]}
    running = job(work_h=2.0, pool="hall", gpus=4, state="running", alternatives=[cheap])
    assert where(planned(ten(running, pools=[pool(), SHED]))) == [(0, "hall", 4), (1, "hall", 4)]
    assert where(planned(ten(running | {"preemptible": True}, pools=[pool(), SHED]))) == [
        (1, "shed", 4),
        (2, "shed", 4),
    ]


def elastic(**more: Any) -> dict[str, Any]:
    """Two hours for eight GPUs, at half speed for four; beside it a job that needs four in two of the hours."""
    shrinks = job(pool="hall", gpus=8, preemptible=True, alternatives=[{"gpus": 4, "levels": HALF}], **more)
    return ten(shrinks, job("b", pool="hall", gpus=4, release=at(1), deadline=at(3)), pools=[pool()])


def test_a_gang_shrinks_to_make_room() -> None:
    plan = planned(elastic())
    assert where(plan) == [(0, "hall", 8), (1, "hall", 4), (2, "hall", 4)]
    assert plan.objective == pytest.approx(10.0 + 0.4 * (20.0 + 30.0) + 50.0)


def test_a_change_of_the_gang_costs_work() -> None:
    # a tenth lost in the change would have to be made up for: it pauses for an hour instead
    plan = planned(elastic(resize_loss_h=0.1))
    assert where(plan) == [(0, "hall", 8), (2, "hall", 4), (3, "hall", 4)]
    assert plan.jobs[0].work_done_h == pytest.approx(2.0)
    # where a pause costs more it changes, and loses the tenth
    plan = planned(elastic(work_h=2.4, resize_loss_h=0.1, restart_loss_h=1.0))
    assert where(plan) == [(0, "hall", 8), (1, "hall", 4), (2, "hall", 4), (3, "hall", 4)]
    assert plan.jobs[0].work_done_h == pytest.approx(1.0 + 1.5 - 0.1)


def test_a_way_is_not_taken_before_it_is_ready() -> None:
    late = {"pool": "shed", "ready": at(3)}
    pools = [pool(gpus=4), pool(name="shed")]
    plan = planned(ten(job(work_h=1.0, pool="hall", gpus=8, alternatives=[late]), pools=pools))
    assert where(plan) == [(3, "shed", 8)]


def test_a_gang_that_fits_in_none_of_its_pools_is_named() -> None:
    plan = planned(ten(job(pool="hall", gpus=9, alternatives=[{"pool": "shed", "gpus": 5}]), pools=[pool(), SHED]))
    assert plan.status == "infeasible"
    assert "9 GPUs at once, pool hall has at most 8 in its window, or 5 GPUs at once, pool shed" in plan.conflicts[0]
    assert not conflicts(compiled(ten(job(pool="hall", gpus=9, alternatives=[{"gpus": 4}]), pools=[pool()])))


MOROCCO, SPAIN = pool(jurisdiction="MA"), pool(name="shed", jurisdiction="ES")


def test_a_job_stays_where_its_residency_lets_it_be() -> None:
    # the shed would do it with half the power
    cheap = {"pool": "shed", "levels": [{"power_mw": 0.5, "speed": 1.0}]}
    free = job(pool="hall", gpus=4, alternatives=[cheap])
    assert {name for _, name, _ in where(planned(ten(free, pools=[MOROCCO, SPAIN])))} == {"shed"}
    bound = ten(free | {"residency": ["MA", "FR"]}, pools=[MOROCCO, SPAIN])
    assert {name for _, name, _ in where(planned(bound))} == {"hall"}
    # one way is no choice
    assert not compiled(bound).chooses


def test_a_job_leaves_a_pool_of_its_own_that_its_residency_forbids() -> None:
    late = {"pool": "shed", "ready": at(2)}
    plan = planned(ten(job(pool="hall", gpus=4, residency=["ES"], alternatives=[late]), pools=[MOROCCO, SPAIN]))
    assert where(plan) == [(2, "shed", 4), (3, "shed", 4)]


def test_a_pool_that_does_not_say_where_it_is_is_closed_to_residency() -> None:
    wish = job(pool="hall", gpus=4, residency=["MA"], unmet_cost_per_h=9.0)
    plan = planned(ten(wish, pools=[pool()]))
    assert where(plan) == []
    assert plan.objective == pytest.approx(18.0)


def test_a_job_that_must_run_and_may_be_nowhere_is_named() -> None:
    plan = planned(ten(job(pool="hall", gpus=4, residency=["FR"]), pools=[MOROCCO]))
    assert plan.status == "infeasible"
    assert "job a must run and its residency forbids each pool" in plan.conflicts[0]


def test_a_plan_without_a_solver_sends_jobs_where_there_is_room() -> None:
    # the hall is taken for four hours, and too small for the third at any time
    jobs = [
        job("first", 4.0, pool="hall", gpus=8, deadline=at(4)),
        job("a", pool="hall", gpus=4, alternatives=[{"pool": "shed"}], deadline=at(5)),
        job("b", 1.0, pool="hall", gpus=9, alternatives=[{"pool": "shed", "gpus": 2, "ready": at(1)}]),
    ]
    received = check_problem(ten(*jobs, pools=[pool(), SHED]))
    plans = list(descend(compiled(received.raw), None))
    assert (plans[0].rung, verify(received, plans[0])) == ("GREEDY", [])
    assert where(plans[0]) == [(0, "shed", 4), (1, "shed", 4)]
    assert where(plans[0], "b") == [(2, "shed", 2)]


def test_what_is_in_its_way_is_told_of_the_pool_that_it_goes_to() -> None:
    slow = {"pool": "shed", "gpus": 4, "levels": [{"power_mw": 0.6, "speed": 0.5}]}
    other = job("other", 1.0, pool="shed", gpus=4, deadline=at(1))
    raw = ten(job(pool="hall", gpus=8, alternatives=[slow]), other, pools=[pool(gpus=7), SHED])
    seen = Seen.of(check_problem(raw), planned(raw))
    assert where(seen.plan)[0] == (1, "shed", 4)
    told = in_the_way(seen, seen.entry("a"), np.array([1, 1, *[0] * 8]))
    assert [(s.key, s.facts["pool"], s.facts["holders_names"]) for s in told] == [
        ("in_the_way.gpus", "shed", ["other"])
    ]


def test_a_few_ways_are_for_the_whole_model_and_many_for_prices() -> None:
    def day_of(jobs: int) -> Problem:
        named = (job(f"j{k}", pool="hall", gpus=1, levels=TWO_LEVELS, alternatives=[{"gpus": 2}]) for k in range(jobs))
        return compiled(ten(*named, pools=[pool()]))

    assert not only_milp(day_of(1))
    assert needs_no_prices(day_of(1))
    # 50 jobs, 10 slots, 4 levels in 2 ways
    assert not needs_no_prices(day_of(50))
    assert suits_milp(day_of(50))
    assert not suits_milp(day_of(150))
