"""A record again, by the whole service: every value at its own instant, once, flags and plans anew, nothing granted."""

from __future__ import annotations

from datetime import timedelta

from running_service import running, small_site

from ingest.points import point, to_ns
from ingest.stores.embedded import EmbeddedStore
from models.horizon import parse_rfc3339, rfc3339

NOON = parse_rfc3339("2026-06-01T12:00:00Z")
HALF = timedelta(seconds=30)


def recorded(path):
    """Twenty minutes: an import that rises, a GPU of which one reading is in kW, and what a planner said then."""
    store = EmbeddedStore(path)
    for k in range(40):
        at = to_ns(NOON + k * HALF)
        gpu = {"site": "local", "node": "n1", "gpu": "a", "pool": "hall"}
        store.write(
            [
                point("site", {"site": "local"}, {"import_mw": k / 1000}, at),
                point("gpu", gpu, {"power_w": 0.5 if k == 20 else 500.0 + k}, at),
                point("plan", {"site": "local"}, {"import_mw": 9.0, "plan_id": "of then"}, at),
                point("quality", {**gpu, "metric": "gpu.power_w"}, {"flags": "range"}, at),
            ]
        )
    store.close()


def test_a_record_comes_again_at_its_own_instants_and_is_judged_and_planned_anew(tmp_path):
    recorded(tmp_path / "record" / "telemetry.db")
    span = f"start={rfc3339(NOON)}&end={rfc3339(NOON + 40 * HALF)}&step_s=30"
    options = ("--replay", str(tmp_path / "record"), "--now", rfc3339(NOON), "--speed", "240")
    with running(tmp_path / "service", *options, site=str(small_site(tmp_path))) as service:

        def came():
            answer = service.get(f"/api/v1/telemetry?metric=site.import_mw&tag=site=local&{span}")
            values = answer.json()["values"] if answer.status == 200 else []
            return values if values and values[-1] is not None else None

        values = service.wait_for(came, 60, "the record's last value")
        assert values == [k / 1000 for k in range(40)]  # none is left out, also of the time before all was up
        flagged = service.get(f"/api/v1/quarantine?since={rfc3339(NOON)}").json()["flagged"]
        assert [(one["time"], one["value"], one["flags"]) for one in flagged] == [
            (rfc3339(NOON + 20 * HALF), 0.5, ["unit_suspect"])
        ]
        plan = service.plan()
        assert plan["valid_from"] >= rfc3339(NOON)
        said = service.get(f"/api/v1/telemetry?metric=plan.import_mw&tag=site=local&{span}")
        assert said.status == 404 or 9.0 not in said.json()["values"]  # that plan is history
        assert {one["mode"] for one in service.get("/api/v1/modes").json()["modes"]} == {"shadow"}
