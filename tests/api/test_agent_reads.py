"""What the service says is what the agent understands: bodies of real routes, read by the agent's own reader."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from agent.orders import read_orders
from models.lease import Mode, Version
from tests.api.conftest import House

JOB = {"id": "llm-7", "pool": "hall", "gpus": 8, "work_h": 2.0, "release": "2026-11-25T06:00:00Z"}
AT_SIX = datetime(2026, 11, 25, 6, tzinfo=UTC).timestamp()


def test_an_agent_reads_the_caps_of_its_node_and_of_its_pool(house: House, edition: dict[str, Any]) -> None:
    house.post("/api/v1/jobs", json.dumps(JOB))
    for mode in (None, Mode.AUTO):
        if mode is not None:
            house.doors.plans.publish(edition, {})
            house.doors.planner.give()
            house.doors.plans.set_mode("hall", mode, None, "test")
        for path, asked in (("nodes/hall-n1", {"node": "hall-n1"}), ("pools/hall", {"pool": "hall"})):
            answer = house.get(f"/api/v1/caps/{path}")
            orders = read_orders(answer.content, gpus=8, **asked)  # type: ignore[arg-type]
            assert orders.version == Version.parse(answer.headers["Chergui-Plan-Version"])
            assert orders.default.limit_w == 350
            assert not orders.calls_for_default_set or mode is None
    moment = (AT_SIX + 60, AT_SIX + 62)
    assert orders.planned_w(0, "GPU-00", ["llm-7"], moment) == 500
    assert orders.planned_w(0, "GPU-00", [], moment) == 200


def test_a_token_comes_back_and_a_strange_one_does_not(house: House) -> None:
    token = "0123456789abcdef0123456789abcdef"
    assert house.get("/api/v1/caps/nodes/hall-n1", **{"Chergui-Rejoin": token}).headers["Chergui-Rejoin"] == token
    for strange in ("short", "x" * 65, "a b c d e f g h"):
        answer = house.get("/api/v1/caps/nodes/hall-n1", **{"Chergui-Rejoin": strange})
        assert "Chergui-Rejoin" not in answer.headers
    assert "Chergui-Rejoin" not in house.get("/api/v1/caps/nodes/hall-n1").headers
