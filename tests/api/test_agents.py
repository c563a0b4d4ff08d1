"""Agents report: who has which GPU, what is enforced, what jobs achieved; and a change reaches those who wait."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from api.store.engine import reading
from models.lease import Mode
from tests.api.conftest import START, House

NODE = "/api/v1/caps/nodes/hall-n1"
REPORT = "/api/v1/agents/hall-n1/report"


@pytest.fixture
def planned(house: House, edition: dict[str, Any]) -> House:
    house.doors.plans.publish(edition, {})
    house.doors.planner.give()
    house.doors.plans.set_mode("hall", Mode.AUTO, None, "test")
    return house


def gpu(index: int, *jobs: str, **more: Any) -> dict[str, Any]:
    limits = {"requested_w": 500.0, "applied_w": 500.0, "enforced_w": 500.0, "power_w": 480.0}
    return {"index": index, "uuid": f"GPU-{index}", "jobs": list(jobs), **limits, **more}


def report(*gpus: dict[str, Any], **changes: Any) -> str:
    told = {"schema_version": "1.0", "node": "hall-n1", "state": "CONTROLLED", "lease_remaining_s": 800.0}
    told |= {"plan_version": {"epoch": 1, "seq": 2}, "placement": True, "gpus": list(gpus)}
    return json.dumps(told | changes)


def test_a_node_gets_its_jobs_schedule_where_its_agent_says_who_has_which_gpu(planned: House) -> None:
    before = planned.get(NODE)
    assert (before.json()["placement"], before.json()["reason"]) == ("unknown", "NO_PLACEMENT")
    answer = planned.post(REPORT, report(gpu(0, "llm-7"), gpu(1), gpu(2, "stranger"), gpu(3, "llm-7", "other")))
    assert answer.status_code == 204
    after = planned.get(NODE, **{"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200, "placement changes what the node gets, so a 304 would lie"
    body = after.json()
    assert (body["source"], body["reason"], body["placement"]) == ("plan", None, "agent")
    rows = body["gpus"]
    assert (rows[0]["job"], [p["limit_w"] for p in rows[0]["periods"]]) == ("llm-7", [500, 700])
    assert rows[0]["limit_w"] == 350, "outside its windows a job gets the default"
    assert (rows[1]["job"], rows[1]["limit_w"], rows[1]["periods"]) == (None, 200, []), "a free GPU rests"
    assert (rows[2]["limit_w"], rows[2]["periods"]) == (350, []), "a job that no plan names gets the default"
    assert (rows[3]["limit_w"], rows[3]["periods"]) == (350, []), "no grant for a GPU that is shared"
    assert (rows[7]["job"], rows[7]["limit_w"]) == (None, 350), "of this GPU nobody spoke"
    planned.post(REPORT, report(gpu(0, "llm-7"), gpu(1), gpu(2, "stranger"), gpu(3, "llm-7", "other")))
    assert planned.get(NODE, **{"If-None-Match": after.headers["ETag"]}).status_code == 304, "the same again"
    planned.doors.plans.set_mode("hall", Mode.SHADOW, None, "test")
    rows = planned.get(NODE).json()["gpus"]
    assert [(row["limit_w"], row["periods"]) for row in rows] == [(350, [])] * 8, "in shadow the default, free or not"


def test_an_agent_that_knows_no_placement_places_nothing(planned: House) -> None:
    planned.post(REPORT, report(gpu(0), gpu(1), placement=False))
    body = planned.get(NODE).json()
    assert (body["placement"], body["gpus"][0]["limit_w"]) == ("unknown", 350), "not the limit of a free GPU"


def test_a_report_is_a_sign_of_life_and_is_kept_with_an_audit_row_for_each_change(planned: House) -> None:
    client_time = (START + timedelta(seconds=300)).isoformat()
    told = report(gpu(0, "llm-7", enforced_w=520.0), gpu(1, lost="gone"), client_time=client_time)
    for _ in range(3):
        planned.post(REPORT, told)
    listed = planned.get("/api/v1/agents").json()
    row = listed["agents"][0]
    assert (row["node"], row["state"], row["behind"], row["silent"]) == ("hall-n1", "CONTROLLED", True, False)
    assert (row["gpus"], row["gpus_lost"], row["gpus_above"]) == (2, 1, 1)
    assert listed["counts"] == {"CONTROLLED": 1}
    assert planned.get("/api/v1/agents/hall-n1").json()["report"]["gpus"][0]["enforced_w"] == 520
    with reading(planned.doors.plans._engine) as connection:
        actions = connection.execute(text("SELECT action FROM audit WHERE object = 'hall-n1'")).scalars().all()
    assert actions == ["placement.set"], "one for the change, none for the repeats"


def test_every_fault_of_a_report_is_named(planned: House) -> None:
    wrong = planned.post(REPORT, report(gpu(8), gpu(1, requested_w=-1.0), node="hall-n2", state="FINE"))
    assert wrong.status_code == 422
    assert [row["pointer"] for row in wrong.json()["errors"]] == ["/gpus/1/requested_w", "/state"]
    wrong = planned.post(REPORT, report(gpu(8), node="hall-n2"))
    assert [row["pointer"] for row in wrong.json()["errors"]] == ["/node", "/gpus/0/index"]
    assert planned.post(REPORT, report(gpu(0), gpu(0))).status_code == 422
    assert planned.post(REPORT, '{"gpus": [NaN]}').status_code == 422
    assert planned.post("/api/v1/agents/hall-n99/report", report()).status_code == 404
    assert planned.post(REPORT, report(), scope="read").status_code == 403
    assert planned.get("/api/v1/agents/hall-n1").status_code == 404, "nothing of it was kept"


def test_a_slots_account_sums_what_reports_told(planned: House) -> None:
    planned.post(REPORT, report(gpu(0, "llm-7"), gpu(1, "llm-7", power_w=400.0, enforced_w=450.0), gpu(2)))
    planned.post(REPORT, report(gpu(0, "llm-7", enforced_w=510.0), gpu(2), state="STALE"))
    rows = planned.doors.agents.achieved(START, START + timedelta(hours=1))
    found = next(row for row in rows if row.job == "llm-7")
    assert (found.start, found.node, found.reports, found.gpus) == (START, "hall-n1", 2, 2)
    assert (found.limits, found.requested_w, found.enforced_w, found.above) == (3, 1500, 1460, 1)
    assert (found.powers, found.power_w, found.uncontrolled) == (3, 480 + 400 + 480, 1)
    assert next(row for row in rows if row.job == "").powers == 2


def test_who_waits_is_told_at_once_and_who_has_nothing_to_wait_for_does_not(planned: House) -> None:
    etag = planned.get(NODE).headers["ETag"]
    began = time.monotonic()
    assert planned.get(NODE, Prefer="wait=20").status_code == 200, "without a condition there is nothing to wait for"
    assert time.monotonic() - began < 2
    threading.Timer(0.5, lambda: planned.doors.plans.set_mode("hall", Mode.FAILSAFE, None, "test")).start()
    answer = planned.get(NODE, **{"If-None-Match": etag, "Prefer": "respond-async, wait=20"})
    took = time.monotonic() - began
    assert (answer.status_code, answer.json()["reason"]) == (200, "FAILSAFE")
    assert 0.4 < took < 5


def test_nobody_waits_longer_than_a_poll(planned: House) -> None:
    planned.doors.plans.set_mode("hall", Mode.AUTO, 6.0, "test")
    etag = planned.get(NODE).headers["ETag"]
    began = time.monotonic()
    answer = planned.get(NODE, **{"If-None-Match": etag, "Prefer": "wait=20"})
    took = time.monotonic() - began
    assert answer.status_code == 304
    assert int(answer.headers["Chergui-Lease-Ttl"]) <= 6
    assert 0.4 < took < 3, "a lease of 6 s is polled every half second"
