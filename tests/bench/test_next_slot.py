"""One slot later: what a followed plan leaves to do, by hand on a small day, and again a problem with a plan."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from plan_here import plan_here

from bench.next_slot import one_slot_later
from optimizer.document import Plan, parse_plan
from optimizer.refusals import check_problem

LEVELS = [{"limit_w": 300, "power_mw": 0.5, "speed": 0.6}, {"limit_w": 700, "power_mw": 1.0, "speed": 1.0}]


def at(slot: int) -> str:
    return f"2026-06-01T{slot // 4:02d}:{slot % 4 * 15:02d}:00Z"


def job(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "pool": "p",
        "gpus": 4,
        "work_h": 1.0,
        "levels": LEVELS,
        "release": at(0),
        "deadline": at(12),
        "unmet_cost_per_h": 100.0,
        **fields,
    }


DAY: dict[str, Any] = {
    "schema_version": "1.0",
    "name": "day",
    "site": {"name": "here", "timezone": "UTC", "currency": "EUR"},
    "horizon": {"start": at(0), "step_minutes": 15, "slots": 12},
    "series": {
        "pv_available_mw": [float(k) for k in range(12)],
        "import_price_per_mwh": [50.0 + k for k in range(12)],
    },
    "grid": {"import_limit_mw": [20.0 + k for k in range(12)], "peak_so_far_mw": 1.0, "demand_charge_per_mw": 10.0},
    "batteries": [
        {
            "name": "b",
            "power_mw": 1.0,
            "energy_mwh": 2.0,
            "charge_efficiency": 0.9,
            "discharge_efficiency": 0.9,
            "soc_start_mwh": 1.0,
        }
    ],
    "cooling": {"tangents": [{"slope": 0.1, "intercept_mw": [k / 100 for k in range(12)]}]},
    "pools": [{"name": "p", "gpu": "x", "gpus": 40}],
    "jobs": [
        job("goes-on", restart_loss_h=0.1, due_h=0.5),
        job("resumes", state="paused", preemptible=True, restart_loss_h=0.1),
        job("paused-now", state="running", ran_slots=3, preemptible=True),
        job("runs-on", state="running", ran_slots=3),
        job("finished", work_h=0.25),
        job("waits"),
        job("past", deadline=at(1)),
        job("stopped", work_h=2.0),
    ],
}


def run(first: int, last: int, *, speed: float = 1.0) -> dict[str, Any]:
    power = {1.0: 1.0, 0.6: 0.5}[speed]
    return {"start": at(first), "end": at(last), "power_mw": power, "speed": speed}


def followed() -> Plan:
    """A plan made by hand for these jobs (only what is read of it matters)."""
    runs = {
        "goes-on": [run(0, 1, speed=0.6), run(1, 5)],
        "resumes": [run(0, 4)],
        "paused-now": [run(4, 8)],
        "runs-on": [run(0, 4)],
        "finished": [run(0, 1)],
        "waits": [run(3, 7)],
        "past": [],
        "stopped": [run(0, 1)],
    }
    rows = ("export_mw", "pv_used_mw", "wind_used_mw", "it_mw", "heat_mw", "cooling_mw", "base_load_mw")
    return parse_plan(
        {
            "schema_version": "1.0",
            "name": "day",
            "problem_digest": "",
            "status": "feasible",
            "rung": "GREEDY",
            "solve_seconds": 1.0,
            "series": {
                **{row: [0.0] * 12 for row in rows},
                "import_mw": [4.5] + [0.0] * 11,
                "soc_mwh": {"b": [1.25] + [0.0] * 11},
            },
            "jobs": [{"id": name, "runs": told, "work_done_h": 0.0} for name, told in runs.items()],
        }
    )


@pytest.fixture
def later() -> dict[str, Any]:
    before = copy.deepcopy(DAY)
    found = one_slot_later(check_problem(DAY), followed())
    assert before == DAY
    return found


def jobs_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {told["id"]: told for told in document["jobs"]}


def test_what_is_finished_past_or_stopped_is_gone(later: dict[str, Any]) -> None:
    assert list(jobs_of(later)) == ["goes-on", "resumes", "paused-now", "runs-on", "waits"]


def test_work_of_the_slot_is_taken_off_and_losses_are_added(later: dict[str, Any]) -> None:
    jobs = jobs_of(later)
    # a quarter of an hour at speed 0.6; the first session of a queued job loses nothing
    assert jobs["goes-on"]["work_h"] == pytest.approx(0.85)
    assert jobs["goes-on"]["due_h"] == pytest.approx(0.35)
    assert (jobs["goes-on"]["state"], jobs["goes-on"]["ran_slots"]) == ("running", 1)
    # a quarter of an hour at full speed less the 0.1 h that resuming loses
    assert jobs["resumes"]["work_h"] == pytest.approx(0.85)
    assert (jobs["resumes"]["state"], jobs["resumes"]["ran_slots"]) == ("running", 1)
    assert jobs["runs-on"]["work_h"] == pytest.approx(0.75)
    assert (jobs["runs-on"]["state"], jobs["runs-on"]["ran_slots"]) == ("running", 4)


def test_a_running_job_that_was_off_is_paused_and_a_waiting_one_unchanged(later: dict[str, Any]) -> None:
    jobs = jobs_of(later)
    assert jobs["paused-now"] == {**job("paused-now", ran_slots=3, preemptible=True), "state": "paused"}
    assert jobs["waits"] == job("waits")


def test_rows_move_on_and_the_site_stands_where_the_plan_left_it(later: dict[str, Any]) -> None:
    assert later["horizon"] == {"start": at(1), "step_minutes": 15, "slots": 12}
    assert later["series"]["pv_available_mw"] == [*map(float, range(1, 12)), 0.0]
    assert later["grid"]["import_limit_mw"][0] == 21.0
    assert later["cooling"]["tangents"][0]["intercept_mw"][:2] == [0.01, 0.02]
    assert later["grid"]["peak_so_far_mw"] == 4.5
    assert later["batteries"][0]["soc_start_mwh"] == 1.25


def test_a_real_plan_can_be_followed_slot_by_slot() -> None:
    # the last three are there by hand only: one is past at once, one is to be finished, one stopped
    raw = {**copy.deepcopy(DAY), "jobs": DAY["jobs"][:6]}
    for _ in range(2):
        problem = check_problem(raw)
        found = plan_here(problem, gap=0.01, time_limit_s=5.0)  # each plan on the way passes the referee
        raw = one_slot_later(problem, found)
    assert raw["horizon"]["start"] == at(2)
    check_problem(raw)


def test_an_infeasible_plan_and_a_crowd_are_refused() -> None:
    problem = check_problem(DAY)
    with pytest.raises(ValueError, match="only a plan with series"):
        one_slot_later(problem, followed().model_copy(update={"series": None}))
    crowd = check_problem({**DAY, "jobs": [job("many", count=2)]})
    with pytest.raises(ValueError, match="many has count 2"):
        one_slot_later(crowd, followed())
