"""Load targets: answered before they are accepted, in the next plan, on record afterwards."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api import solve_child
from api.event_record import record
from api.events import GridEvent, event_of, impossible, least_wanted, slots_of, with_events
from api.following import horizon_of
from api.gathering import first_memory, horizon_at
from api.planner import Task, cycle
from api.solving import Solver
from ingest.points import point, to_ns
from ingest.site_file import read_site, sample_path
from models.errors import InvalidInput
from models.horizon import Horizon, rfc3339
from models.jobs import TrainingJob
from models.site import Site
from tests.api.conftest import START, House

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
STEP, MINUTE = timedelta(minutes=15), timedelta(minutes=1)


def event(**changes: Any) -> GridEvent:
    raw = {"id": "cut-1", "start": NOON.isoformat(), "end": (NOON + timedelta(hours=1)).isoformat()}
    return event_of({**raw, "most_import_mw": 0.05, **changes}, NOON - timedelta(days=1))


def test_an_event_covers_every_slot_that_it_touches() -> None:
    horizon = Horizon(NOON - timedelta(hours=1), STEP, 12)
    assert slots_of(event(), horizon) == range(4, 8)
    moved = event(start="2026-11-25T12:01:00Z", end="2026-11-25T13:01:00Z")
    assert slots_of(moved, horizon) == range(4, 9), "begun and ended slots belong to it"
    assert not slots_of(event(start="2026-11-24T12:00:00Z", end="2026-11-25T11:00:00Z"), horizon)
    assert slots_of(event(end="2026-11-26T12:00:00Z"), horizon) == range(4, 12)


def test_limits_of_several_events_and_of_the_site_are_the_least_of_them() -> None:
    horizon = Horizon(NOON, STEP, 8)
    document = {"grid": {"import_limit_mw": 0.12, "export_limit_mw": 0.0}, "jobs": []}
    tighter = event(id="cut-2", start="2026-11-25T12:30:00Z", end="2026-11-25T13:30:00Z", most_import_mw=0.03)
    weak = event(id="cut-3", most_import_mw=5.0)
    limited = with_events(document, [event(), tighter, weak], horizon)
    assert limited["grid"]["import_limit_mw"] == [0.05, 0.05, 0.03, 0.03, 0.03, 0.03, 0.12, 0.12]
    assert document["grid"]["import_limit_mw"] == 0.12, "the day itself is left alone"
    assert with_events(document, [], horizon) == document


def test_a_plan_aims_below_an_event_by_its_margin_and_the_record_judges_the_event_itself() -> None:
    horizon = Horizon(NOON, STEP, 4)
    document = {"grid": {"import_limit_mw": 0.12}, "jobs": []}
    asked = event(margin_ratio=0.1)
    assert with_events(document, [asked], horizon)["grid"]["import_limit_mw"] == pytest.approx([0.045] * 4)
    over = record(asked, NOON + STEP * 4, STEP, meter_of(today=0.048, usual=0.1, days=5), [], None)
    assert over["kept"] is True, "what was promised was kept"
    with pytest.raises(InvalidInput, match="margin_ratio"):
        event(margin_ratio=0.6)


def test_a_priced_event_becomes_the_contracts_own_on_slot_borders() -> None:
    horizon = Horizon(NOON, STEP, 8)
    document = {"schema_version": "1.0", "grid": {"import_limit_mw": 0.12}, "jobs": []}
    asked = event(
        id="paid", kind="priced", cost_per_mwh=900.0, start="2026-11-25T11:00:00Z", end="2026-11-25T12:20:00Z"
    )
    found = with_events(document, [asked], horizon)
    assert found["grid"] == document["grid"], "nothing is forbidden"
    span = {"start": "2026-11-25T12:00:00Z", "end": "2026-11-25T12:30:00Z"}
    assert found["events"] == [{"id": "paid", **span, "most_import_mw": 0.05, "cost_per_mwh": 900.0}]
    assert found["schema_version"] == "1.1"
    assert with_events(found, [asked], horizon) == found, "twice is once"


def test_the_event_of_the_highest_number_gives_way_first() -> None:
    assert least_wanted([event(id="a", priority=0), event(id="b", priority=3)]).id == "b"  # type: ignore[union-attr]
    assert least_wanted([]) is None


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"end": NOON.isoformat()}, "/end"),
        ({"end": "2026-12-25T12:00:00Z"}, "/end"),
        ({"start": "2026-11-20T12:00:00Z", "end": "2026-11-21T12:00:00Z"}, "/end"),
        ({"start": "2026-11-25T12:00:00"}, "/start"),
        ({"most_import_mw": -1.0}, "/most_import_mw"),
        ({"most_import_mw": "1 MW"}, "/most_import_mw"),
        ({"limit": 1}, "/limit"),
        ({"priority": 10}, "/priority"),
        ({"kind": "priced"}, "/cost_per_mwh"),
        ({"cost_per_mwh": 100.0}, "/cost_per_mwh"),
    ],
)
def test_a_wrong_event_is_refused_with_its_place(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        event(**changes)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


# The record.


def meter_of(*, today: float, usual: float, days: int, gap: int | None = None) -> Any:
    """The meter of a site that drew ``usual`` on the days before and ``today`` in the event."""

    def meter(start: datetime, end: datetime) -> list[float]:
        count = (end - start) // STEP
        back = (NOON.date() - start.date()).days
        values = [today if back == 0 else usual if back <= days else math.nan] * count
        if gap is not None and back == 0:
            values[gap] = math.nan
        return values

    return meter


def test_a_record_is_metered_against_the_same_hours_of_the_days_before() -> None:
    found = record(event(), NOON + timedelta(hours=2), STEP, meter_of(today=0.04, usual=0.1, days=12), [], None)
    assert (found["kept"], found["highest_mw"], found["slots_counted"]) == (True, 0.04, 4)
    assert found["reduced_mwh"] == pytest.approx((0.1 - 0.04) * 1.0), "four quarter hours"
    assert found["method"] == "mean of the meter at the same time on 10 preceding days without an event"
    assert found["slots"][0] == {
        "start": "2026-11-25T12:00:00Z",
        "limit_mw": 0.05,
        "metered_mw": 0.04,
        "baseline_mw": 0.1,
        "kept": True,
    }


def test_days_with_an_event_are_no_baseline_and_a_gap_is_no_verdict() -> None:
    days = [NOON - timedelta(days=back) for back in (1, 3)]
    others = [GridEvent(id=f"e{k}", start=at, end=at + STEP, most_import_mw=0.05) for k, at in enumerate(days)]
    found = record(event(), NOON + STEP * 4, STEP, meter_of(today=0.04, usual=0.1, days=5, gap=2), others, None)
    assert "3 preceding days" in found["method"]
    assert found["kept"] is None, "nobody saw the third quarter hour"
    assert [slot["kept"] for slot in found["slots"]] == [True, True, None, True]
    over = record(event(), NOON + STEP * 4, STEP, meter_of(today=0.06, usual=0.1, days=5, gap=2), others, None)
    assert over["kept"] is False, "what was seen was over"


def test_without_three_days_of_meter_the_plan_before_the_event_is_the_baseline() -> None:
    plan = {
        "plan_id": "pln_1",
        "valid_from": "2026-11-25T11:45:00Z",
        "plan": {"series": {"import_mw": [9.0, 0.2, 0.3]}},
    }
    found = record(event(), NOON + STEP * 3, STEP, meter_of(today=0.05, usual=0.1, days=2), [], plan)
    assert [slot["baseline_mw"] for slot in found["slots"]] == [0.2, 0.3, None]
    assert found["reduced_mwh"] == pytest.approx((0.15 + 0.25) / 4)
    assert found["method"].startswith("import of the plan pln_1")
    nothing = record(event(), NOON, STEP, meter_of(today=0.05, usual=0.1, days=2), [], plan)
    assert (nothing["slots"], nothing["kept"]) == ([], None), "nothing of it is over"


# In the plan.


@pytest.fixture(scope="module")
def site() -> Site:
    """The sample with a day of 16 hours in half hours, which is solved at once."""
    found = read_site(sample_path("local"))
    planning = found.planning.model_copy(
        update={"horizon_h": 16.0, "step_minutes": 30, "time_limit_s": 20.0, "gap": 0.2}
    )
    return found.model_copy(update={"planning": planning})


def planned(site: Site, jobs: list[TrainingJob], *events: GridEvent) -> dict[str, Any]:
    now = START + timedelta(minutes=5)
    memory = first_memory(site, horizon_at(site, now).start)
    return cycle(Task(site, jobs, memory, events=events), now).edition


@pytest.fixture(scope="module")
def free(site: Site) -> dict[str, Any]:
    """The day of one job that must run after sunset, without an event."""
    return planned(site, [evening_job()])


def evening_job() -> TrainingJob:
    return job("a", gpus=64, work_h=2.0, release="2026-11-25T18:00:00Z", deadline="2026-11-25T22:00:00Z")


def job(name: str, **changes: Any) -> TrainingJob:
    body = {"id": name, "pool": "hall", "gpus": 32, "work_h": 1.0, "release": rfc3339(START), **changes}
    return TrainingJob.model_validate(body)


def test_the_next_plan_keeps_an_event_and_says_so(site: Site, free: dict[str, Any]) -> None:
    horizon = horizon_of(free)
    drawn = free["plan"]["series"]["import_mw"]
    busiest = max(range(horizon.slots), key=drawn.__getitem__)
    most = round((min(drawn[24:]) + drawn[busiest]) / 2, 6)
    at = horizon.at(busiest)
    asked = event(start=at.isoformat(), end=(at + 2 * STEP).isoformat(), most_import_mw=most)
    assert drawn[busiest] > most, "without the event more is drawn"
    held = planned(site, [evening_job()], asked)
    assert held["events"] == [{"id": "cut-1", "kept": True, "reason": None}]
    imports = held["plan"]["series"]["import_mw"]
    assert all(imports[k] <= most + 1e-6 for k in slots_of(asked, horizon))
    assert held["plan"]["objective"] >= free["plan"]["objective"] - abs(free["plan"]["objective"]) * 0.02


def test_a_price_that_is_high_enough_moves_the_evening(site: Site, free: dict[str, Any]) -> None:
    drawn, horizon = free["plan"]["series"]["import_mw"], horizon_of(free)
    busiest = max(range(horizon.slots), key=drawn.__getitem__)
    most = round((min(drawn[24:]) + drawn[busiest]) / 2, 6)
    window = {"start": horizon.at(busiest).isoformat(), "end": horizon.at(busiest + 1).isoformat()}
    asked = event(id="paid", kind="priced", cost_per_mwh=1e5, most_import_mw=most, **window)
    held = planned(site, [evening_job()], asked)
    assert held["plan"]["series"]["import_mw"][busiest] <= most + 1e-6
    assert held["events"] == [{"id": "paid", "kept": True, "reason": None}]


def test_an_event_that_no_plan_keeps_costs_the_day_nothing_but_itself(site: Site) -> None:
    night = START.replace(hour=20)
    none = event(id="dark", start=night.isoformat(), end=(night + STEP).isoformat(), most_import_mw=0.0, priority=5)
    asked = event(id="fine", start=night.isoformat(), end=(night + STEP).isoformat(), most_import_mw=0.11)
    found = planned(site, [job("a")], asked, none)
    assert found["plan"]["status"] != "infeasible"
    kept = {row["id"]: row["kept"] for row in found["events"]}
    assert kept == {"fine": True, "dark": False}, "a base load at night cannot be switched off"
    assert next(row["reason"] for row in found["events"] if row["id"] == "dark")


# At the door.


async def solved_here(_: Solver, __: str, body: bytes, limit_s: float, ___: Any) -> dict[str, Any]:
    """As the child does it, without starting one."""
    return solve_child._answer(body, limit_s)


def test_an_event_goes_from_answer_to_record(
    house: House, free: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Solver, "_in_turn", solved_here)
    first = house.doors.plans.publish(free, {})
    night = START.replace(hour=20)
    body = {"id": "cut-1", "start": night.isoformat(), "end": (night + STEP).isoformat(), "most_import_mw": 0.0}
    dark = house.post("/api/v1/events", json.dumps(body))
    assert (dark.status_code, dark.json()["code"], dark.json()["answer"]["feasible"]) == (
        409,
        "EventNotFeasible",
        False,
    )
    assert dark.json()["answer"]["conflicts"]
    asked = house.post("/api/v1/events?dry_run=true", json.dumps(body))
    assert (asked.status_code, asked.json()["result"], asked.json()["answer"]["feasible"]) == (200, "answered", False)
    assert house.get("/api/v1/events").json()["events"] == [], "answered is not accepted"
    body["most_import_mw"] = 0.12
    easy = house.post("/api/v1/events?dry_run=true", json.dumps(body)).json()["answer"]
    assert (easy["feasible"], easy["method"], easy["cost_change"]) == (True, "plan in force", 0.0)
    assert easy["planned_peak_mw"] > 0.06, "the job runs then"
    body["most_import_mw"] = 0.06
    wanted, _ = house.doors.plans.wanted()
    taken = house.post("/api/v1/events?time_limit_s=60", json.dumps(body))
    assert taken.status_code == 201, taken.text
    assert taken.json()["answer"]["method"] == "solve"
    assert taken.json()["answer"]["planned_peak_mw"] <= 0.06 + 1e-6
    assert house.doors.plans.wanted()[0] == wanted + 1, "it sets off a new plan"
    assert house.post("/api/v1/events", json.dumps(body)).json()["result"] == "unchanged"
    assert house.post("/api/v1/events", json.dumps(body | {"priority": 2})).json()["code"] == "EventKnown"
    assert [one.id for one in house.doors.events.in_force(START)] == ["cut-1"]
    view = house.get("/api/v1/events/cut-1").json()
    assert (view["status"], view["record"]["kept"], view["planned"]) == ("accepted", None, None)
    assert house.doors.events.get("cut-1").baseline_plan_id == first["plan_id"]
    answer = house.client.delete("/api/v1/events/cut-1", headers={"Authorization": f"Bearer {house.keys['write']}"})
    assert answer.status_code == 204
    assert house.doors.events.in_force(START) == []
    assert house.get("/api/v1/events/cut-1").json()["status"] == "withdrawn"


def test_beyond_the_plan_the_default_set_answers_or_nobody_does(house: House) -> None:
    day = START + timedelta(days=9)
    body = {"id": "far", "start": day.isoformat(), "end": (day + STEP).isoformat(), "most_import_mw": 0.001}
    unknown = house.post("/api/v1/events", json.dumps(body))
    assert (unknown.status_code, unknown.json()["code"]) == (409, "EventNotKnown")
    assert house.post("/api/v1/events?unknown=true", json.dumps(body)).status_code == 201
    easy = house.post("/api/v1/events", json.dumps(body | {"id": "easy", "most_import_mw": 0.12}))
    assert (easy.status_code, easy.json()["answer"]["method"]) == (201, "default set")


def test_the_record_reads_the_meter(house: House) -> None:
    start = START - timedelta(hours=2)
    doors = house.doors
    asked = GridEvent(id="past", start=start, end=start + 2 * STEP, most_import_mw=0.05)
    doors.events.accept(asked, {"feasible": True, "method": "solve"}, None, "test")
    points = [
        point("site", {"site": "local"}, {"import_mw": 0.04 + 0.02 * k}, to_ns(start + k * STEP + minute * MINUTE))
        for k in range(2)
        for minute in (1, 6, 11)
    ]
    doors.telemetry.write(points)
    found = house.get("/api/v1/events/past").json()["record"]
    assert [(slot["metered_mw"], slot["kept"]) for slot in found["slots"]] == [(0.04, True), (0.06, False)]
    assert found["kept"] is False
    assert found["method"].startswith("none")


def test_the_bound_counts_what_cannot_be_switched_off_and_everything_that_could_help() -> None:
    horizon = Horizon(NOON, STEP, 4)
    document = {
        "series": {"base_load_mw": [0.2] * 4, "pv_available_mw": [0.3, 0.1, 0.0, 0.0]},
        "pools": [{"name": "a", "gpus": 100, "idle_w_per_gpu": 1000.0}],
        "jobs": [{"pool": "a", "gpus": 10, "levels": [{"power_mw": 0.008}, {"power_mw": 0.02}]}],
        "batteries": [{"name": "b", "power_mw": 0.05}],
        "distribution_efficiency": 0.8,
    }
    # slot 2: 0.2 base + 100 x 800 W / 0.8 = 0.3, less 0.05 of battery: 0.25 MW
    assert impossible(document, event(most_import_mw=0.25), horizon) is None
    assert "at 2026-11-25T12:30:00Z" in (impossible(document, event(most_import_mw=0.24), horizon) or "")
    assert impossible(document, event(most_import_mw=0.16, end="2026-11-25T12:30:00Z"), horizon) is None
    made = document | {"generators": [{"name": "g", "power_mw": [0.1, 0.1, 0.1, 0.02]}]}
    assert "at 2026-11-25T12:45:00Z" in (impossible(made, event(most_import_mw=0.2), horizon) or "")
    assert impossible(made, event(most_import_mw=0.23), horizon) is None


def test_the_bound_is_held_against_what_a_plan_aims_at() -> None:
    document = {"series": {"base_load_mw": [0.2] * 4}}
    horizon = Horizon(NOON, STEP, 4)
    assert impossible(document, event(most_import_mw=0.21), horizon) is None
    asked = event(most_import_mw=0.21, margin_ratio=0.1)
    assert "above the 0.189 MW asked for less its margin" in (impossible(document, asked, horizon) or "")
