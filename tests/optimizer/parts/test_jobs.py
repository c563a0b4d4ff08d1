"""Jobs: their rows written by hand, and schedules whose answer is known on paper."""

from __future__ import annotations

from typing import Any

import brute_force
import numpy as np
import pytest
from golden_rows import Golden, check
from small_day import ONE_LEVEL, THREE_LEVELS, TWO_LEVELS, at, bounds, cost, day, job, on_slots, planned, rows

PRICED = {"unmet_cost_per_h": 50.0}
# a: on for two slots already when the day begins; may pause once, and owes 1.5 of its 2 h
RUNNING = day(
    job("a", levels=TWO_LEVELS, due_h=1.5, work_value_per_h=2.0, state="running", ran_slots=2, preemptible=True)
    | PRICED
    | {"restart_loss_h": 0.25, "min_run_slots": 2, "min_pause_slots": 2, "max_pauses": 1}
)
# q: queued, three levels; s: running and not to be stopped; p: pinned to slot 2 of its window [1, 4)
OTHERS = day(
    job("q", levels=THREE_LEVELS, preemptible=True, restart_loss_h=0.5, start_cost=3.0),
    job("s", work_h=1.0, state="running", late_cost_per_h=7.0, deadline=at(1)),
    job("p", work_h=1.0, release=at(1), pinned_start=at(2)),
)
COPIES = day(job("c", count=3, gpus=0, work_h=1.0, levels=TWO_LEVELS, preemptible=True, restart_loss_h=0.25))
# a run that is too short yet may not stop: three slots, one of them before the day
SHORT = day(job("r", work_h=3.0, state="running", ran_slots=1, min_run_slots=3, preemptible=True))
TOLD = {"pattern": {"q": np.array([1, 0, 1, 0])}}
ENDS = day(job("e", work_h=1.0, min_run_slots=3, restart_loss_h=0.5, state="paused", preemptible=True) | PRICED)
# w: two jobs told twice that may not pause, the slot beyond their work open to them; v: two that may, one of its hours
# wished only
ALIKE = day(
    *(job(name, 2.0, start_cost=3.0) for name in ("w", "w2")),
    *(job(name, 3.0, due_h=2.0, preemptible=True) for name in ("v", "v2")),
    prices=[10.0, -20.0, 30.0, 40.0],
)
ONCE = {"alike": True}

GOLDEN = [
    Golden("jobs.start_when_on_rises[a,0]", RUNNING, "start[a,0] - on[a,0] >= -1"),
    Golden("jobs.start_when_on_rises[a,2]", RUNNING, "start[a,2] - on[a,2] + on[a,1] >= 0"),
    Golden("jobs.start_when_on_rises[q,0]", OTHERS, "start[q,0] - on[q,0] >= 0"),
    Golden("jobs.start_when_on_rises[p,1]", OTHERS, "start[p,1] - on[p,1] >= 0"),
    Golden("jobs.start_when_on_rises[c,1]", COPIES, "start[c,1] - on[c,1] + on[c,0] >= 0"),
    Golden("jobs.resumed_starts[a]", RUNNING, "resumed[a] - start[a,0] - start[a,1] - start[a,2] - start[a,3] >= 0"),
    Golden("jobs.resumed_starts[q]", OTHERS, "resumed[q] - start[q,0] - start[q,1] - start[q,2] - start[q,3] >= -1"),
    Golden("jobs.resumed_starts[c]", COPIES, "resumed[c] - start[c,0] - start[c,1] - start[c,2] - start[c,3] >= -3"),
    Golden("jobs.one_session[p]", OTHERS, "start[p,1] + start[p,2] + start[p,3] <= 1"),
    Golden("jobs.one_session[s]", OTHERS, "start[s,0] + start[s,1] + start[s,2] + start[s,3] <= 0"),
    Golden(
        "jobs.whole_runs[w,1]", ALIKE, "begin[w,0,2] + begin[w,1,2] + begin[w,0,3] + begin[w,1,3] - on[w,1] = 0", ONCE
    ),
    Golden("jobs.whole_runs[w,3]", ALIKE, "begin[w,2,2] + begin[w,1,3] - on[w,3] = 0", ONCE),
    Golden(
        "jobs.each_runs_once[w]",
        ALIKE,
        "begin[w,0,2] + begin[w,1,2] + begin[w,2,2] + begin[w,0,3] + begin[w,1,3] = 2",
        ONCE,
    ),
    Golden("jobs.at_least_its_share[v]", ALIKE, "0.5 on[v,0] + 0.5 on[v,1] + 0.5 on[v,2] + 0.5 on[v,3] >= 2", ONCE),
    Golden("jobs.at_most_its_share[v]", ALIKE, "0.5 on[v,0] + 0.5 on[v,1] + 0.5 on[v,2] + 0.5 on[v,3] <= 4", ONCE),
    Golden("jobs.no_start_unless_rising[a,1]", RUNNING, "start[a,1] - rising[a,1] <= 0", {"exact": True}),
    Golden("jobs.no_start_unless_rising[c,1]", COPIES, "start[c,1] - 3 rising[c,1] <= 0", {"exact": True}),
    Golden("jobs.start_is_the_rise[a,0]", RUNNING, "start[a,0] - on[a,0] + 2 rising[a,0] <= 1", {"exact": True}),
    Golden(
        "jobs.start_is_the_rise[c,2]", COPIES, "start[c,2] - on[c,2] + on[c,1] + 6 rising[c,2] <= 6", {"exact": True}
    ),
    Golden("jobs.none_resumed_unless[a]", RUNNING, "resumed[a] - 4 resumes[a] <= 0", {"exact": True}),
    Golden(
        "jobs.resumed_is_the_rest[q]",
        OTHERS,
        "resumed[q] - start[q,0] - start[q,1] - start[q,2] - start[q,3] + 2 resumes[q] <= 1",
        {"exact": True},
    ),
    Golden(
        "jobs.each_in_one_segment[q,1]",
        OTHERS,
        "in_segment[q,1,0] + in_segment[q,1,1] - on[q,1] = 0",
        {"exact": True},
    ),
    Golden("jobs.filled_within_segment[q,1,0]", OTHERS, "filled[q,1,0] - in_segment[q,1,0] <= 0", {"exact": True}),
    Golden("jobs.levels_of_running[q,3]", OTHERS, "level[q,3,0] + level[q,3,1] + level[q,3,2] - on[q,3] = 0"),
    Golden("jobs.levels_of_running[c,0]", COPIES, "level[c,0,0] + level[c,0,1] - on[c,0] = 0"),
    Golden(
        "jobs.finish_due[a]",
        RUNNING,
        "0.7 level[a,0,0] + level[a,0,1] + 0.7 level[a,1,0] + level[a,1,1] + 0.7 level[a,2,0] + level[a,2,1]"
        " + 0.7 level[a,3,0] + level[a,3,1] - 0.25 resumed[a] + unmet[a] >= 1.5",
    ),
    Golden("jobs.finish_due[s]", OTHERS, "on[s,0] + on[s,1] + on[s,2] + on[s,3] >= 1"),
    Golden("jobs.finish_due[s]", OTHERS, "on[s,0] + on[s,1] + on[s,2] + on[s,3] + unmet[s] >= 1", {"elastic": True}),
    # three segments' ends: 0.5, 0.7, 1.0; slots 0 and 2 are given and cost one restart of half an hour
    Golden(
        "jobs.finish_due[q]",
        OTHERS,
        "0.5 level[q,0,0] + 0.7 level[q,0,1] + level[q,0,2]"
        " + 0.5 level[q,2,0] + 0.7 level[q,2,1] + level[q,2,2] >= 2.5",
        TOLD,
    ),
    Golden(
        "jobs.finish_due[q]",
        OTHERS,
        "0.5 in_segment[q,0,0] + 0.2 filled[q,0,0] + 0.7 in_segment[q,0,1] + 0.3 filled[q,0,1]"
        " + 0.5 in_segment[q,2,0] + 0.2 filled[q,2,0] + 0.7 in_segment[q,2,1] + 0.3 filled[q,2,1] >= 2.5",
        TOLD | {"exact": True},
    ),
    Golden(
        "jobs.finish_due[c]",
        COPIES,
        "0.7 level[c,0,0] + level[c,0,1] + 0.7 level[c,1,0] + level[c,1,1] + 0.7 level[c,2,0] + level[c,2,1]"
        " + 0.7 level[c,3,0] + level[c,3,1] - 0.25 resumed[c] >= 3",
    ),
    Golden("jobs.off_when_done[p]", OTHERS, "on[p,1] + on[p,2] + on[p,3] <= 2"),
    Golden(
        "jobs.off_when_done[c]",
        COPIES,
        "0.7 level[c,0,0] + level[c,0,1] + 0.7 level[c,1,0] + level[c,1,1] + 0.7 level[c,2,0] + level[c,2,1]"
        " + 0.7 level[c,3,0] + level[c,3,1] - 0.25 resumed[c] <= 6",
    ),
    Golden(
        "jobs.work_beyond_due[a]",
        RUNNING,
        "0.7 level[a,0,0] + level[a,0,1] + 0.7 level[a,1,0] + level[a,1,1] + 0.7 level[a,2,0] + level[a,2,1]"
        " + 0.7 level[a,3,0] + level[a,3,1] - 0.25 resumed[a] + unmet[a] - beyond_due[a] >= 1.5",
    ),
    Golden("jobs.session_lasts[1]", RUNNING, "start[a,0] - on[a,1] - ended[a,1] <= 0"),
    Golden("jobs.session_lasts[3]", RUNNING, "start[a,2] - on[a,3] - ended[a,3] <= 0"),
    Golden("jobs.session_lasts[2]", SHORT, "on[r,1] + ended[r,1] >= 1"),
    Golden("jobs.off_after_end[2]", RUNNING, "on[a,2] + ended[a,1] + ended[a,2] <= 1"),
    # at most four restarts could cost an hour, and none of it counts once the job is said to have ended
    Golden(
        "jobs.ended_with_work_done[a]",
        RUNNING,
        "0.7 level[a,0,0] + level[a,0,1] + 0.7 level[a,1,0] + level[a,1,1] + 0.7 level[a,2,0] + level[a,2,1]"
        " + 0.7 level[a,3,0] + level[a,3,1] - 0.25 resumed[a] - 3 ended[a,1] - 3 ended[a,2] - 3 ended[a,3] >= -1",
    ),
    Golden(
        "jobs.ended_with_work_done[e]", ENDS, "on[e,0] + on[e,1] >= 1.5", {"pattern": {"e": np.array([1, 1, 0, 0])}}
    ),
    Golden("jobs.pause_lasts[a,0]", RUNNING, "start[a,0] <= 0"),
    Golden("jobs.pause_lasts[a,2]", RUNNING, "start[a,1] + start[a,2] + on[a,0] <= 1"),
    Golden("jobs.pauses_allowed[a]", RUNNING, "start[a,0] + start[a,1] + start[a,2] + start[a,3] <= 1"),
    Golden("jobs.not_before_pinned[p,1]", OTHERS, "on[p,1] = 0"),
    Golden("jobs.start_as_pinned[p]", OTHERS, "on[p,2] = 1"),
    Golden("jobs.running_stays_on[s]", OTHERS, "on[s,0] = 1"),
    Golden("jobs.running_stays_on[r]", SHORT, "on[r,0] = 1"),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_columns_exist_only_inside_the_window() -> None:
    names = bounds(day(job("a", work_h=1.0, release=at(1), deadline=at(3))))
    assert {name for name in names if name.startswith("jobs.on")} == {"jobs.on[a,1]", "jobs.on[a,2]"}


def test_a_window_stays_open_after_a_deadline_that_has_a_price() -> None:
    names = bounds(day(job("a", work_h=1.0, deadline=at(3), late_cost_per_h=1.0)))
    assert "jobs.on[a,3]" in names


def test_given_slots_leave_no_session_rows_and_no_whole_numbers() -> None:
    found = rows(OTHERS, pattern={"q": np.array([0, 1, 1, 0])})
    assert not [name for name in found if name.startswith("jobs.start_when_on_rises[q")]
    limits = bounds(OTHERS, pattern={"q": np.array([0, 1, 1, 0])})
    assert limits["jobs.on[q,1]"] == (1, 1)
    assert "jobs.on[q,0]" not in limits


def test_given_slots_pay_for_their_starts() -> None:
    _, constant = cost(OTHERS, pattern={"q": np.array([1, 0, 1, 0])})
    assert constant == pytest.approx(2 * 3.0)


# ---- schedules with literal answers; hours cost 10, 20, 30, 40 unless said otherwise


@pytest.mark.parametrize(
    ("prices", "more", "slots", "money"),
    [
        pytest.param([10, 40, 20, 30], {}, [0, 1], 50, id="one block without permission to pause"),
        pytest.param([10, 40, 20, 30], {"preemptible": True}, [0, 2], 30, id="the two cheapest hours with it"),
        pytest.param([10, 40, 20, 30], {"preemptible": True, "start_cost": 25.0}, [0, 1], 75, id="a start costs more"),
        pytest.param([10, 40, 20, 30], {"preemptible": True, "max_pauses": 0}, [0, 1], 50, id="no pause is allowed"),
        pytest.param(
            [10, 40, 20, 30], {"preemptible": True, "restart_loss_h": 1.0}, [0, 1], 50, id="a restart loses an hour"
        ),
        pytest.param([10, 20, 10, 5], {"preemptible": True, "min_pause_slots": 2}, [0, 3], 15, id="a long pause"),
        pytest.param([5, 20, 6, 20], {"preemptible": True, "min_pause_slots": 2}, [0, 1], 25, id="a pause too short"),
        pytest.param([8, 5, 9, 7], {"preemptible": True, "min_run_slots": 2}, [0, 1], 13, id="a run too short"),
        pytest.param([9, 9, 9, 5], {"preemptible": True, "min_run_slots": 2}, [2, 3], 14, id="the day cuts a run"),
        pytest.param([1, 9, 9, 9], {"release": at(1)}, [1, 2], 18, id="not before its release"),
        pytest.param([9, 9, 1, 1], {"deadline": at(2)}, [0, 1], 18, id="not after its deadline"),
        pytest.param([9, 9, 1, 1], {"deadline": at(2), "late_cost_per_h": 5.0}, [2, 3], 12, id="late for a price"),
        pytest.param([9, 9, 1, 1], {"deadline": at(2), "late_cost_per_h": 9.0}, [0, 1], 18, id="late too dear"),
        pytest.param([9, 9, 1, 1], {"pinned_start": at(1)}, [1, 2], 10, id="an operator's start"),
        pytest.param([9, 9, 1, 1], {"state": "running"}, [0, 1], 18, id="a running gang goes on"),
        pytest.param([9, 9, 1, 1], {"state": "running", "preemptible": True}, [2, 3], 2, id="a running gang pauses"),
        pytest.param(
            [9, 9, 1, 1],
            {"state": "running", "preemptible": True, "ran_slots": 1, "min_run_slots": 2},
            [0, 3],
            10,
            id="a running gang pauses after its minimum run",
        ),
        pytest.param(
            [9, 9, 1, 1], {"state": "paused", "preemptible": True, "restart_loss_h": 1.0}, [1, 2, 3], 11, id="resumed"
        ),
        pytest.param([9, 9, 1, 1], {"work_h": 0.0}, [], 0, id="no work left"),
        pytest.param([9, 9, 7, 7], {"unmet_cost_per_h": 6.0}, [], 12, id="undone is cheaper"),
        pytest.param([9, 9, 5, 7], {"unmet_cost_per_h": 6.0}, [2], 11, id="half undone is cheapest"),
        pytest.param([9, 3, 4, 9], {"due_h": 1.0, "work_value_per_h": 5.0}, [1, 2], 2, id="work beyond due pays"),
        pytest.param([9, 3, 6, 9], {"due_h": 1.0, "work_value_per_h": 5.0}, [1], 3, id="work beyond due does not pay"),
    ],
)
def test_runs_where_paper_says(prices: list[float], more: dict[str, Any], slots: list[int], money: float) -> None:
    plan = planned(day(job("a") | more, prices=[float(price) for price in prices]))
    assert plan.status == "optimal"
    assert on_slots(plan) == slots
    assert plan.objective == pytest.approx(money, abs=1e-6)


def test_a_curve_is_used_between_its_levels() -> None:
    # 1.7 h in two hours: one at the top; the other at 0.7 costs half a megawatt
    plan = planned(day(job("a", work_h=1.7, levels=TWO_LEVELS, deadline=at(2)), prices=[10, 30, 0, 0]))
    assert [(run.power_mw, run.speed) for run in plan.jobs[0].runs] == [
        (pytest.approx(1.0), pytest.approx(1.0)),
        (pytest.approx(0.5), pytest.approx(0.7)),
    ]
    assert plan.objective == pytest.approx(10 + 15)
    # 1.85 h: half way up the second hour's segment
    plan = planned(day(job("a", work_h=1.85, levels=TWO_LEVELS, deadline=at(2)), prices=[10, 30, 0, 0]))
    assert plan.jobs[0].runs[1].power_mw == pytest.approx(0.75)
    assert plan.objective == pytest.approx(10 + 22.5)


def test_a_level_of_nothing_makes_a_load_continuous() -> None:
    levels = [{"power_mw": 0.0, "speed": 0.0}, *ONE_LEVEL]
    plan = planned(day(job("a", work_h=1.25, levels=levels, preemptible=True), prices=[10, 40, 20, 30]))
    assert plan.objective == pytest.approx(10 + 0.25 * 20)


def test_copies_run_side_by_side_and_each_owes_its_work() -> None:
    plan = planned(day(job("c", work_h=1.0, count=3), grid={"import_limit_mw": 2.0}))
    assert plan.series is not None
    assert plan.series.it_mw == pytest.approx([2, 1, 0, 0])
    assert plan.jobs[0].work_done_h == pytest.approx(3.0)


@pytest.mark.parametrize(("preemptible", "money", "it_mw"), [(True, 120.0, [2, 2, 2, 0]), (False, 130.0, [2, 2, 1, 1])])
def test_jobs_told_thrice_each_get_their_share(preemptible: bool, money: float, it_mw: list[float]) -> None:
    alike = [job(name, 2.0, preemptible=preemptible) for name in "abc"]
    plan = planned(day(*alike, grid={"import_limit_mw": 2.0}))
    assert plan.objective == pytest.approx(money)
    assert plan.series is not None
    assert plan.series.it_mw == pytest.approx(it_mw)
    assert [done.work_done_h for done in plan.jobs] == pytest.approx([2.0] * 3)


def test_a_held_job_does_not_run() -> None:
    plan = planned(day(job("a", held=True, unmet_cost_per_h=4.0)))
    assert plan.jobs[0].runs == []
    assert plan.objective == pytest.approx(8.0)
    assert [(gave.requirement, gave.amount) for gave in plan.unmet] == [("job:a/due", pytest.approx(2.0))]


@pytest.mark.parametrize("levels", [ONE_LEVEL, THREE_LEVELS], ids=["one level", "a curve"])
@pytest.mark.parametrize("state", ["queued", "paused"])
def test_work_is_not_burnt_where_import_is_paid_for(levels: list[dict[str, float]], state: str) -> None:
    # a feigned restart, or a point under the curve, would draw paid power for longer; every pattern is enumerated
    more = {"preemptible": True, "restart_loss_h": 0.5, "state": state, "levels": levels}
    document = day(job("a", 1.25) | more, prices=[-10.0, -30.0, -10.0, -20.0])
    assert planned(document).objective == pytest.approx(brute_force.solve(document).objective)
