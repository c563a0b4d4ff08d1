"""Plan against actual: what agents and meters told beside the plan that was in force."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from api.carried_out import compliance, in_force_at, job_rows
from api.store.agents import Achieved
from ingest.points import point, to_ns
from models.lease import Mode
from tests.api.conftest import START, House
from tests.api.test_agents import REPORT, gpu, report

STEP = timedelta(minutes=15)


def achieved(**changes: Any) -> Achieved:
    told: dict[str, Any] = {"start": START, "node": "hall-n1", "job": "llm-7", "reports": 2, "gpus": 2, "limits": 4}
    told |= {"requested_w": 2000.0, "enforced_w": 2000.0, "above": 0, "powers": 4, "power_w": 1900.0, "uncontrolled": 0}
    return Achieved(**{**told, **changes})


def test_a_job_on_two_nodes_is_one_row_with_means_over_its_gpus(edition: dict[str, Any]) -> None:
    plan = {**edition, "plan_id": "pln_1"}
    rows = job_rows([achieved(), achieved(node="hall-n2", power_w=1700.0)], lambda _: plan)
    assert len(rows) == 1
    row = rows[0]
    assert (row["nodes"], row["gpus"], row["readings"]) == (2, 4, 8)
    assert (row["planned_limit_w"], row["planned_power_mw"], row["enforced_w"]) == (500, 0.006, 500)
    assert row["power_w"] == (1900 + 1700) / 8
    assert row["gpu_power_mw"] == pytest.approx(450 * 4 / 1e6)
    assert row["kept"] is True


def test_a_cap_is_kept_only_under_the_plan_and_under_what_was_asked_for(edition: dict[str, Any]) -> None:
    plan = {**edition, "plan_id": "pln_1"}
    rows = job_rows(
        [
            achieved(),
            achieved(start=START + STEP, enforced_w=2080.0, requested_w=2080.0),
            achieved(start=START + 2 * STEP, above=1),
            achieved(start=START + 3 * STEP, limits=0, requested_w=0.0, enforced_w=0.0),
            achieved(start=START + 9 * STEP, job="stranger", enforced_w=1400.0, requested_w=1400.0),
            achieved(job=""),
        ],
        lambda _: plan,
    )
    by = {(row["start"][11:16], row["job"]): row["kept"] for row in rows}
    assert by == {
        ("06:00", "llm-7"): True,
        ("06:15", "llm-7"): False,  # 520 W where 500 W were planned
        ("06:30", "llm-7"): False,  # one reading above what was asked for
        ("06:45", "llm-7"): None,  # nobody told
        ("08:15", "stranger"): True,
        ("06:00", None): True,
    }
    assert compliance(rows) == {"job_slots": 4, "kept": 2, "kept_ratio": 0.5, "readings": 20, "above": 1}
    assert compliance([])["kept_ratio"] is None


def test_the_plan_of_a_slot_is_the_one_in_force_as_it_began() -> None:
    made = [(START - STEP, "a"), (START + timedelta(minutes=1), "b"), (START + STEP, "c")]
    at = in_force_at(made, lambda plan_id: {"plan_id": plan_id})
    assert [at(START + k * STEP) for k in (-2, 0, 1)] == [None, {"plan_id": "a"}, {"plan_id": "c"}]


def test_reports_are_asked_for_over_http(house: House, edition: dict[str, Any]) -> None:
    house.doors.plans.publish(edition, {})
    house.doors.plans.set_mode("hall", Mode.AUTO, None, "test")
    house.post(REPORT, report(gpu(0, "llm-7"), gpu(1)))
    span = "from=2026-11-25T06:01:00Z&to=2026-11-25T06:59:00Z"
    told = house.get(f"/api/v1/reports/jobs?{span}").json()
    assert (told["from"], told["to"]) == ("2026-11-25T06:00:00Z", "2026-11-25T07:00:00Z")
    assert [(row["job"], row["enforced_w"], row["power_w"]) for row in told["jobs"]] == [
        (None, 500, 480),
        ("llm-7", 500, 480),
    ]
    assert told["jobs"][1]["plan_id"] is None, "the plan came when the slot had begun"
    assert len(house.get(f"/api/v1/reports/jobs?{span}&job=llm-7").json()["jobs"]) == 1


def test_assets_are_measured_against_their_plan(house: House, edition: dict[str, Any]) -> None:
    house.doors.plans.publish(edition, {})
    doors = house.doors
    slot = START + STEP  # the first that begins under the plan
    points = [point("site", {"site": "local"}, {"import_mw": 0.03, "pv_mw": 0.05}, to_ns(slot + timedelta(minutes=5)))]
    doors.telemetry.write(points)
    told = house.get("/api/v1/reports/assets?from=2026-11-25T06:00:00Z&to=2026-11-25T06:45:00Z").json()
    rows = {(row["asset"], row["flow"]): row for row in told["assets"]}
    assert set(rows) == {("grid", "import"), ("grid", "export"), ("solar", "production")}
    grid = rows["grid", "import"]
    assert (grid["planned_mw"], grid["measured_mw"]) == ([None, 0.01, 0.02], [None, 0.03, None])
    assert (grid["planned_mwh"], grid["measured_mwh"], grid["mean_error_mw"]) == (0.0025, 0.0075, 0.02)
    assert rows["solar", "production"]["planned_mw"][1] == 0.06
    assert rows["grid", "export"]["measured_mwh"] is None


@pytest.mark.parametrize(
    "span",
    ["from=2026-11-25T06:00:00&to=2026-11-25T07:00:00Z", "from=2026-11-25T06:00:00Z&to=2026-11-25T05:00:00Z",
     "from=2026-11-25T06:00:00Z&to=2026-11-28T06:00:00Z"],
)  # fmt: skip
def test_a_range_that_is_none_is_refused_with_its_place(house: House, span: str) -> None:
    answer = house.get(f"/api/v1/reports/jobs?{span}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] in ("/query/from", "/query/to")
    assert json.loads(answer.content)["code"] == "InvalidInput"
