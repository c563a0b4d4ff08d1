"""Caps and set-points: lease, version, default set, and an ETag that never lies."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from api.app import bare_app, openapi
from api.plan_store import PlanStore
from api.store.engine import StateUnavailable
from models.lease import Mode
from tests.api.conftest import House

JOB = {"id": "llm-7", "pool": "hall", "gpus": 8, "work_h": 2.0, "release": "2026-11-25T06:00:00Z"}
PULLS = ("/api/v1/caps/pools/hall", "/api/v1/caps/jobs/llm-7", "/api/v1/caps/nodes/hall-n1", "/api/v1/setpoints/roof")


@pytest.fixture
def planned(house: House, edition: dict[str, Any]) -> House:
    house.post("/api/v1/jobs", json.dumps(JOB))
    house.doors.plans.publish(edition, {})
    house.doors.planner.give()
    return house


def test_a_new_site_serves_the_default_set_in_shadow(planned: House) -> None:
    for path in PULLS:
        answer = planned.get(path)
        body = answer.json()
        assert (answer.status_code, body["mode"], body["source"], body["reason"]) == (
            200,
            "shadow",
            "default",
            "SHADOW",
        )
        assert body["plan_id"].startswith("pln_")
        assert not body.get("periods")
        assert not body.get("jobs")
    pool = planned.get(PULLS[0]).json()
    assert pool["default"] == {
        "limit_w": 350.0,
        "idle_limit_w": 200.0,
        "admit_starts": False,
        "suspend_order": ["low", "normal", "high"],
        "nodes_may_switch_off": True,
    }
    assert planned.get(PULLS[2]).json()["gpus"][0] == {
        "index": 0,
        "job": None,
        "limit_w": 350.0,
        "periods": [],
    }
    assert len(planned.get(PULLS[2]).json()["gpus"]) == 8
    assert planned.get(PULLS[3]).json()["default"] == {"limit_mw": 0.05}, "what the grid takes with no load at all"


def test_a_granted_pool_gets_the_plan_and_a_304_renews_its_lease(planned: House) -> None:
    planned.doors.plans.set_mode("hall", Mode.AUTO, None, "test")
    first = planned.get(PULLS[0])
    body = first.json()
    assert (body["mode"], body["source"], body["reason"], body["rung"]) == ("auto", "plan", None, "MILP")
    assert body["jobs"] == [
        {
            "job": "llm-7",
            "gpus": 8,
            "periods": [
                {"start": "2026-11-25T06:00:00Z", "end": "2026-11-25T06:30:00Z", "limit_w": 500, "count": 1},
                {"start": "2026-11-25T06:30:00Z", "end": "2026-11-25T07:00:00Z", "limit_w": 700, "count": 1},
            ],
        }
    ]
    version = body["plan_version"]
    assert first.headers["ETag"] == f'W/"{version["epoch"]}.{version["seq"]}"'
    assert first.headers["Chergui-Plan-Version"] == f"{version['epoch']}.{version['seq']}"
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["Chergui-Server-Time"].startswith("2026-11-25T06:0")
    assert 890 <= int(first.headers["Chergui-Lease-Ttl"]) <= 900
    again = planned.get(PULLS[0], **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert 890 <= int(again.headers["Chergui-Lease-Ttl"]) <= 900
    assert again.headers["ETag"] == first.headers["ETag"]
    for tag in ('"9.9"', 'W/"0.0", "x"'):
        assert planned.get(PULLS[0], **{"If-None-Match": tag}).status_code == 200
    for tag in ("*", f'"x", {first.headers["ETag"]}', first.headers["ETag"].removeprefix("W/")):
        assert planned.get(PULLS[0], **{"If-None-Match": tag}).status_code == 304
    assert planned.get(PULLS[0]).content == first.content, "no time in the body"
    assert planned.get(PULLS[1]).json()["periods"] == body["jobs"][0]["periods"]
    assert planned.get(PULLS[2]).json()["reason"] == "NO_PLACEMENT"


def test_the_tag_changes_with_plan_mode_and_lease(make_house: Callable[..., House], edition: dict[str, Any]) -> None:
    house = make_house(lease_s=1.0)
    seen: list[str] = []

    def pull(expected: str) -> Any:
        answer = house.get(PULLS[0], **({"If-None-Match": seen[-1]} if seen else {}))
        assert answer.status_code == 200, "something changed, so a 304 would lie"
        seen.append(answer.headers["ETag"])
        assert answer.json()["source"] == expected
        return answer

    assert pull("default").json()["plan_id"] is None
    house.doors.plans.publish(edition, {})
    pull("default")
    house.doors.plans.set_mode("hall", Mode.AUTO, None, "test")
    assert pull("default").json()["reason"] == "LEASE_OVER", "the planner never gave a sign of life"
    house.doors.planner.give()
    pull("plan")
    time.sleep(1.05)
    lapsed = pull("default")
    assert (lapsed.json()["reason"], lapsed.headers["Chergui-Lease-Ttl"]) == ("LEASE_OVER", "0")
    assert house.get(PULLS[0], **{"If-None-Match": seen[-1]}).status_code == 304
    house.doors.planner.give()
    pull("plan")
    house.doors.plans.publish({**edition, "valid_until": "2026-11-25T06:00:30Z"}, {})
    house.doors.planner.give()
    assert pull("default").json()["reason"] == "PLAN_OVER"
    house.doors.plans.set_mode("hall", Mode.FAILSAFE, None, "test")
    assert pull("default").json()["reason"] == "FAILSAFE"
    assert len(set(seen)) == len(seen)


def test_a_lapse_that_cannot_be_written_still_serves_the_default_without_a_tag(
    planned: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned.doors.plans.set_mode("hall", Mode.AUTO, 1.0, "test")
    held = planned.get(PULLS[0]).headers["ETag"]

    def full(*_: Any) -> None:
        raise StateUnavailable(planned.doors.settings.state_path, "disk full")

    monkeypatch.setattr(PlanStore, "set_lapsed", full)
    time.sleep(1.05)
    answer = planned.get(PULLS[0], **{"If-None-Match": held})
    assert (answer.status_code, answer.json()["source"]) == (200, "default")
    assert "ETag" not in answer.headers


def test_setpoints_limit_only_where_the_plan_curtails(planned: House) -> None:
    for name in ("roof", "grid"):
        planned.doors.plans.set_mode(name, Mode.AUTO, None, "test")
    roof = planned.get("/api/v1/setpoints/roof").json()
    assert [(p["start"][11:16], p["end"][11:16], p["limit_mw"]) for p in roof["periods"]] == [
        ("06:00", "06:15", None),
        ("06:15", "06:30", 0.06),
        ("06:30", "07:00", None),
    ]
    grid = planned.get("/api/v1/setpoints/grid").json()
    assert [(p["end"][11:16], p["import_mw"]) for p in grid["periods"]] == [("06:30", 0.01), ("07:00", 0.02)]
    assert grid["default"] == {"import_limit_mw": 0.12, "export_limit_mw": 0.0}


@pytest.mark.parametrize(
    "path",
    [
        "caps/pools/no",
        "caps/jobs/no",
        "caps/nodes/hall-n0",
        "caps/nodes/hall-n13",
        "caps/nodes/hall",
        "caps/nodes/other-n1",
        "setpoints/no",
        "setpoints/hall",
        "plans/no",
        "jobs/no",
    ],
)
def test_what_does_not_exist_is_named(house: House, path: str) -> None:
    answer = house.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound")
    assert path.split("/")[-1] in answer.json()["detail"]


def test_every_node_of_the_pool_is_there(house: House) -> None:
    assert house.get("/api/v1/caps/nodes/hall-n12").status_code == 200
    assert house.get("/api/v1/caps/nodes/hall-n03").json()["node"] == "hall-n03"


def test_plans_are_served_whole_without_drawings(planned: House, edition: dict[str, Any]) -> None:
    current = planned.get("/api/v1/plans/current")
    body = current.json()
    assert body["plan"] == edition["plan"]
    assert "charts" not in body
    one = planned.get(f"/api/v1/plans/{body['plan_id']}")
    assert one.json() == body
    assert planned.get("/api/v1/plans/current", **{"If-None-Match": current.headers["ETag"]}).status_code == 304


def test_modes_are_set_over_http_by_admins_only(planned: House) -> None:
    body = json.dumps({"mode": "auto", "lease_s": 5})
    url = "/api/v1/modes/hall"

    def put(path: str, text: str, scope: str) -> Any:
        headers = {"Authorization": f"Bearer {planned.keys[scope]}"}
        return planned.client.put(path, content=text, headers=headers)

    assert put(url, body, "write").status_code == 403
    assert put(url, body, "admin").json() == {"target": "hall", "mode": "auto", "lease_s": 5.0}
    assert put("/api/v1/modes/nothing", body, "admin").status_code == 404
    wrong = put(url, '{"mode": "hold", "lease_s": 0, "x": 1}', "admin")
    assert wrong.status_code == 422
    assert [row["pointer"] for row in wrong.json()["errors"]] == ["/lease_s", "/mode", "/x"]
    modes = {row["target"]: row["mode"] for row in planned.get("/api/v1/modes").json()["modes"]}
    assert modes == {"hall": "auto", "roof": "shadow", "grid": "shadow"}


def test_every_header_that_the_reference_promises_is_sent(planned: House) -> None:
    paths = openapi(bare_app())["paths"]
    for path in (*PULLS, "/api/v1/plans/current"):
        told = next(get for name, get in paths.items() if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", name), path))[
            "get"
        ]["responses"]["200"]["headers"]
        answer = planned.get(path, **{"Chergui-Rejoin": "a-fresh-token"})
        assert set(told) <= {name for name in told if name in answer.headers}, path
    assert "Chergui-Lease-Ttl" not in planned.get("/api/v1/plans/current").headers, "a plan is no lease"
