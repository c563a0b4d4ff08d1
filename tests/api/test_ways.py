"""Jobs that can choose, from the site file and the door to a published plan, and what pullers and pages make of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.pages.tables import tables
from api.pages.view import plan_view
from api.pages.words import LANGUAGES, Words
from api.plan_store import InForce, Target
from api.simulation import orders_at
from api.store.jobs import JobStore
from api.wiring import desk_for, engine_of
from ingest.site_file import sample_path
from models.horizon import parse_rfc3339, rfc3339
from models.jobs import TrainingJob
from models.lease import Mode, Version
from optimizer.document import Plan
from optimizer.refusals import check_problem
from optimizer.verify import verify
from tests.api.conftest import START, House

RELEASE = rfc3339(START)
OFFERS = """
[planning]
horizon_h = 6.0
step_minutes = 30
time_limit_s = 6.0

[[pools]]
name = "annex"
gpu = "H100-SXM"
gpus = 16
default = { limit_w = 350 }

[storage]
gb_per_s = 1.0
over_cost_per_gb = 2.0

[[partners]]
name = "cloud"
gpu = "H100-SXM"
gpus = 64
price_per_gpu_h = 20.0
quota_gpu_h_per_month = 500.0
start_delay_minutes = 30
egress_cost_per_job = 50.0
jurisdiction = "FR"

[[tenants]]
name = "clinic"
residency = ["MA"]
"""


@pytest.fixture
def site_path(tmp_path: Path) -> Path:
    """The sample hall with an annex, storage, a partner and a tenant; six hours, no made-up jobs."""
    text = sample_path("local").read_text(encoding="utf-8")
    for before, after in (
        ('pools = ["hall"]\nseconds', 'pools = ["hall", "annex"]\nseconds'),
        ('pools = ["hall"]\nlimit_mw = 0.105', 'pools = ["hall", "annex"]\nlimit_mw = 0.12'),
        ('name = "local"', 'name = "local"\njurisdiction = "MA"'),
    ):
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    path = tmp_path / "site.toml"
    path.write_text(text.partition("[planning]")[0] + OFFERS, encoding="utf-8")
    return path


def job(name: str, **more: Any) -> str:
    return json.dumps({"id": name, "pool": "hall", "gpus": 16, "work_h": 1.0, "release": RELEASE, **more})


@pytest.fixture
def served(make_house: Callable[..., House], site_path: Path) -> House:
    """A service of that site."""
    return make_house(site_path=site_path)


def test_a_job_that_can_choose_is_taken_planned_published_and_verified(served: House) -> None:
    soon = rfc3339(START + timedelta(hours=4))
    whole = {"gpus": 96, "work_h": 6.0, "priority": "high", "state": "running"}
    asked = [
        job("all", **whole),
        job("moves", pools=["annex"], gpus_min=8, deadline=soon, checkpoint_gb=40.0, preemptible=True),
        job("goes", may_rent=True, residency=["FR"], deadline=soon, priority="high", tenant="lab"),
        job("sun", surplus=True, preemptible=True),
    ]
    for body in asked:
        answer = served.post("/api/v1/jobs", body)
        assert answer.status_code == 201, answer.text
    desk, *_ = desk_for(served.doors.settings)
    published = desk.round()
    assert published["set_aside"] == []
    received = check_problem(published["problem"])
    assert verify(received, Plan.model_validate(published["plan"])) == []
    document = published["problem"]
    assert document["storage"] == {"gb_per_s": 1.0, "over_cost_per_gb": 2.0}
    assert document["pools"][-1]["partner"] == {
        "price_per_gpu_h": 20.0,
        "quota_gpu_h": 500.0,
        "start_delay_slots": 1,
    }
    runs = {row["id"]: row["runs"] for row in published["plan"]["jobs"]}
    # the hall is full and may not be stopped: one goes next door, the other may be in France alone
    assert {run["pool"] for run in runs["moves"]} == {"annex"}
    assert {run["pool"] for run in runs["goes"]} == {"cloud"}
    assert parse_rfc3339(runs["goes"][0]["start"]) >= START + timedelta(minutes=30)
    told = served.get("/api/v1/jobs/goes").json()
    assert {run["pool"] for run in told["planned"]["runs"]} == {"cloud"}
    # the next round stands on the order that this one gave
    again = desk.round()
    (way,) = next(row for row in again["problem"]["jobs"] if row["id"] == "goes")["alternatives"]
    assert way["ready"] == rfc3339(START + timedelta(minutes=30))


def test_the_door_names_field_value_and_mend(served: House) -> None:
    def faults(body: str) -> dict[str, str]:
        answer = served.post("/api/v1/jobs", body)
        assert answer.status_code == 422
        return {fault["pointer"]: fault["message"] for fault in answer.json()["errors"]}

    assert "'attic' is no pool" in faults(job("a", pools=["annex", "attic"]))["/pools/1"]
    assert "may_rent" in faults(job("a", pools=["cloud"]))["/pools/0"]
    assert "nothing in common" in faults(job("a", residency=["FR"], tenant="clinic"))["/residency"]
    assert "write true" in faults(job("a", surplus=True))["/preemptible"]


@pytest.fixture
def chosen(edition: dict[str, Any]) -> dict[str, Any]:
    """The hand-made edition with a job that runs in the annex, then in the hall with half its gang, then rented."""
    times = [rfc3339(START + k * timedelta(minutes=15)) for k in range(5)]
    edition["problem"]["pools"] = [
        {"name": "hall", "gpus": 96},
        {"name": "annex", "gpus": 16},
        {"name": "cloud", "gpus": 64, "partner": {"price_per_gpu_h": [1.0, 1.0, 2.0, 2.0]}},
    ]
    away = {"pool": "cloud", "gpus": 8, "egress_cost": 50.0}
    edition["problem"]["jobs"] = [
        {"id": "llm-7", "pool": "hall", "gpus": 16, "alternatives": [away], "work_h": 1.0, "release": times[0]},
        {"id": "sun", "pool": "hall", "gpus": 8, "surplus": True, "work_h": 1.0, "release": times[0]},
        {"id": "big", "pool": "hall", "gpus": 88, "work_h": 1.0, "release": times[0]},
    ]
    places = [("annex", 16, 500.0), ("hall", 8, 700.0), ("cloud", 8, None)]
    runs = [
        {"start": times[k], "end": times[k + 1], "power_mw": 0.006, "speed": 0.5, "limit_w": w, "pool": p, "gpus": g}
        for k, (p, g, w) in enumerate(places)
    ]
    plain = {"start": times[0], "end": times[1], "power_mw": 0.06, "speed": 1.0, "limit_w": 700.0}
    done = {"work_done_h": 0.4, "late_h": 0.0, "unmet_h": 0.0}
    edition["plan"]["jobs"] = [
        {"id": "llm-7", "runs": runs, **done},
        {"id": "sun", "runs": [], **done},
        {"id": "big", "runs": [plain], **done},
    ]
    edition["job_labels"] = {"llm-7": {"pool": "hall", "gpus": 16, "priority": "normal", "workload": "pretrain"}}
    return edition


def test_caps_are_served_by_the_pool_in_which_a_run_stands(served: House, chosen: dict[str, Any]) -> None:
    assert served.post("/api/v1/jobs", job("llm-7", pools=["annex"])).status_code == 201
    served.doors.plans.publish(chosen, {})
    served.doors.planner.give()
    for name in ("hall", "annex"):
        served.doors.plans.set_mode(name, Mode.AUTO, None, "test")
    at = [run["start"] for run in chosen["plan"]["jobs"][0]["runs"]]
    in_annex = {"start": at[0], "end": at[1], "limit_w": 500.0, "count": 1}
    in_hall = {"start": at[1], "end": at[2], "limit_w": 700.0, "count": 1}

    def told(path: str) -> Any:
        return served.get(f"/api/v1/caps/{path}").json()

    annex = told("pools/annex")["jobs"]
    assert annex == [{"job": "llm-7", "gpus": 16, "periods": [in_annex]}]
    assert next(row for row in told("pools/hall")["jobs"] if row["job"] == "llm-7") == {
        "job": "llm-7",
        "gpus": 8,
        "periods": [in_hall],
    }
    whole = told("jobs/llm-7")
    # its own pool is the hall; nothing of what runs at the partner
    assert whole["periods"] == [in_annex | {"pool": "annex"}, in_hall | {"gpus": 8}]
    assert whole["gpus"] == 16
    served.doors.plans.set_mode("annex", Mode.SHADOW, None, "test")
    assert told("jobs/llm-7")["periods"] == [in_hall], "a pool that does not follow the plan gives no limit"


def test_a_simulated_site_runs_jobs_where_the_plan_has_them(served: House, chosen: dict[str, Any]) -> None:
    modes = {name: Target(name, Mode.AUTO) for name in ("hall", "annex")}
    held = InForce(Version(1, 1), "p", None, modes)

    def at(minutes: int) -> list[tuple[str, str, int]]:
        orders = orders_at(served.doors.site, chosen, held, START + timedelta(minutes=minutes))
        return [(one.id, one.pool, one.gpus) for one in orders.jobs]

    assert at(5) == [("llm-7", "annex", 16), ("big", "hall", 88)]
    assert at(20) == [("llm-7", "hall", 8)]
    assert at(35) == [], "what runs at a partner draws nothing here"


def test_the_page_says_where_and_why_in_both_languages(chosen: dict[str, Any]) -> None:
    chosen |= {"plan_id": "pln_1", "plan_version": {"epoch": 1, "seq": 1}, "created_at": chosen["valid_from"]}
    view = plan_view(chosen)
    first = next(row for row in view["jobs"] if row["id"] == "llm-7")
    assert (first["pools"], first["gpus"]) == (["annex", "hall", "cloud"], 16)
    assert [note["key"] for note in first["places"]] == ["rented", "moved_no_room", "gang"]
    # 8 GPUs for a quarter of an hour at 2, and 50 for the way there; the hall had 8 of its 96 beside the big job
    assert first["places"][0] == {"key": "rented", "pool": "cloud", "gpu_h": 2.0, "money": 54.0}
    assert first["places"][1]["free_gpus"] == 8
    assert first["places"][2]["gangs"] == [16, 8]
    for language in LANGUAGES:
        table = tables(view, Words(language))["gantt"]
        column = table.columns.index(Words(language).t("column.place"))
        rows = {row[0]: str(row[column]) for row in table.rows}
        assert "cloud" in rows["llm-7"]
        assert "54" in rows["llm-7"]
        assert "urplus" in rows["sun"]
        assert rows["big"] == "None"


def test_where_a_job_runs_is_kept_and_jobs_of_before_stay_the_same_text(served: House) -> None:
    store: JobStore = served.doors.jobs
    plain = TrainingJob.model_validate(json.loads(job("plain")))
    assert store.put(plain, "test") == "created"
    engine = engine_of(served.doors.settings)
    with engine.connect() as connection:
        text = str(connection.exec_driver_sql("select document from jobs where id = 'plain'").scalar())
    assert "pools" not in json.loads(text)
    assert store.put(plain, "test") == "unchanged"
    there = json.loads(job("there", pools=["annex"], state="running", running_pool="annex"))
    assert store.put(TrainingJob.model_validate(there), "test") == "created"
    assert store.get("there").progress.way == ("annex", 16)
    told = served.get("/api/v1/jobs/there").json()["progress"]
    assert (told["pool"], told["gpus"]) == ("annex", 16)


def test_check_tells_what_jobs_may_choose_from(site_path: Path) -> None:
    told = CliRunner().invoke(app, ["check", str(site_path)])
    assert told.exit_code == 0, told.output
    output = " ".join(told.output.split())
    assert "partner cloud: 64 x H100-SXM at 20 MAD a GPU-hour, 500 GPU-hours a month, after 30 min; FR" in output
    assert "tenant clinic: in MA alone" in output
    assert "storage: 1 GB/s of checkpoints" in output
