"""A round of planning: one bad job costs the others nothing, and a plan is never dearer than the yardstick."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from api import planner
from api.desk import previous_of
from api.gathering import first_memory, horizon_at
from api.planner import Outcome, Task, cycle
from ingest.site_file import read_site, sample_path
from models.cooling import plant_power_mw
from models.errors import InvalidInput
from models.horizon import rfc3339
from models.jobs import TrainingJob
from models.site import Site
from optimizer.refusals import check_problem
from optimizer.verify import verify

NOW = datetime(2026, 11, 25, 6, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def site() -> Site:
    """The sample with a day of six hours, which is solved at once."""
    found = read_site(sample_path("local"))
    planning = found.planning.model_copy(update={"horizon_h": 6.0, "step_minutes": 30, "time_limit_s": 5.0})
    return found.model_copy(update={"planning": planning})


def job(name: str, **changes: Any) -> TrainingJob:
    body = {"id": name, "pool": "hall", "gpus": 32, "work_h": 1.0, "release": rfc3339(NOW), **changes}
    return TrainingJob.model_validate(body)


def planned(site: Site, *jobs: TrainingJob) -> Outcome:
    return cycle(Task(site, jobs, first_memory(site, horizon_at(site, NOW).start)), NOW)


def ids(outcome: Outcome) -> set[str]:
    return {row["id"] for row in outcome.edition["plan"]["jobs"]}


def test_an_edition_holds_what_was_known_and_passes_the_referee(site: Site) -> None:
    outcome = planned(site, job("a"), job("b", source="synthetic", priority="high"))
    edition = outcome.edition
    received = check_problem(edition["problem"])
    for name in ("plan", "baseline"):
        assert verify(received, planner.Plan.model_validate(edition[name])) == []
    assert edition["valid_from"] == "2026-11-25T06:00:00Z"
    assert edition["valid_until"] == "2026-11-25T12:00:00Z"
    saving = edition["saving"]
    assert saving["saving"] == pytest.approx(saving["baseline_cost"] - saving["cost"])
    assert saving["saving"] >= -1e-6 * abs(saving["baseline_cost"])
    assert saving["method"] == "first-come-first-served"
    assert edition["job_labels"]["b"] == {"priority": "high", "workload": "pretrain", "synthetic": True}
    told = {row["series"]: row for row in edition["sources"]}
    assert told["pv_available_mw"]["synthetic"]
    assert "wind_available_mw" not in told, "the site has none"
    assert "assumed" in told["import_price_per_mwh"]["source"]
    slots = edition["problem"]["horizon"]["slots"]
    for band in edition["bands"]["pv_available_mw"].values():
        assert len(band) == slots
    assert {len(values) for values in edition["temperatures"].values()} == {slots}
    assert edition["limits"]["hall_air_allowable_c"] >= edition["limits"]["hall_air_recommended_c"]
    assert outcome.set_aside == {}


def test_a_job_that_its_checks_refuse_is_set_aside_with_the_reason(site: Site) -> None:
    outcome = planned(site, job("good"), job("lost", pool="elsewhere"), job("huge", gpus=97))
    assert ids(outcome) == {"good"}
    assert set(outcome.set_aside) == {"lost", "huge"}
    assert "elsewhere" in outcome.set_aside["lost"]
    assert {row["id"] for row in outcome.edition["set_aside"]} == {"lost", "huge"}


def test_more_running_than_there_are_gpus_costs_the_last_said_only(site: Site) -> None:
    jobs = [job(name, gpus=48, state="running", preemptible=True) for name in ("a", "b", "c")]
    outcome = planned(site, *jobs)
    assert ids(outcome) == {"a", "b"}
    assert set(outcome.set_aside) == {"c"}


def test_orders_that_contradict_each_other_are_set_aside_and_the_day_is_planned(site: Site) -> None:
    at = rfc3339(NOW.replace(minute=0) + timedelta(hours=1))
    both = [job(name, gpus=96, pinned_start=at) for name in ("first", "second")]
    outcome = planned(site, job("good"), *both)
    assert outcome.edition["plan"]["status"] != "infeasible"
    assert ids(outcome) == {"good"}
    assert set(outcome.set_aside) == {"first", "second"}


def test_a_day_refused_for_no_job_is_refused(site: Site) -> None:
    wrong = first_memory(site, horizon_at(site, NOW).start)
    bad = planner.Memory(wrong.as_of, wrong.soc_mwh, -1.0)
    with pytest.raises(InvalidInput, match="peak_so_far_mw"):
        cycle(Task(site, [job("a")], bad), NOW)


def test_the_yardstick_is_published_where_the_solve_ended_above_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    real = planner.plan

    def poor(problem: Any, **kept: Any) -> Any:
        found = real(problem, **kept)
        shelf.append(found)
        dear = planner.baselines.first_come_first_served(problem)
        assert dear is not None
        monkeypatch.setattr(planner.baselines, "first_come_first_served", lambda _: found)
        return dear.model_copy(update={"bound": found.bound, "gap": 0.5})

    shelf: list[Any] = []
    monkeypatch.setattr(planner, "plan", poor)
    edition = planned(site, job("a", gpus=64), job("b", gpus=64)).edition
    assert edition["plan"]["objective"] == pytest.approx(shelf[0].objective)
    assert edition["saving"]["saving"] == 0.0


def test_the_plan_in_force_is_handed_to_the_next_round(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    edition = planned(site, job("a")).edition
    before = previous_of(edition)
    assert before is not None
    assert rfc3339(before.start) == edition["problem"]["horizon"]["start"]
    handed = []
    solve = planner.plan
    monkeypatch.setattr(planner, "plan", lambda problem, **how: handed.append(how["previous"]) or solve(problem, **how))
    memory = first_memory(site, horizon_at(site, NOW).start)
    cycle(Task(site, [job("a")], memory, previous=before), NOW)
    assert handed == [before]


def test_a_plan_that_is_none_or_cannot_be_read_is_not_handed_on() -> None:
    assert previous_of(None) is None
    assert previous_of({"plan": {"status": "infeasible"}}) is None
    assert previous_of({"plan": {"objective": 1.0, "rung": "of an older house"}}) is None


def test_headroom_is_asked_for_where_the_site_prices_it_as_large_as_its_forecast_is_unsure(site: Site) -> None:
    planning = site.planning.model_copy(update={"reserve_price_per_mwh": 300.0})
    edition = planned(site.model_copy(update={"planning": planning}), job("a")).edition
    assert "reserve" not in planned(site, job("a")).edition["problem"]
    band = edition["bands"]["pv_available_mw"]
    fall = [middle - low for middle, low in zip(band["p50"], band["p10"], strict=True)]
    assert edition["problem"]["reserve"]["drop_mw"] == pytest.approx(fall, abs=2e-6)
    assert max(fall) > 0
    received = check_problem(edition["problem"])
    assert verify(received, planner.Plan.model_validate(edition["plan"])) == []


def test_an_edition_says_what_its_curves_rest_on_and_how_far_the_pieces_of_the_cooling_err(site: Site) -> None:
    edition = planned(site, job("a")).edition
    rows = {(row["kind"], row["of"]): row for row in edition["curves"]}
    assert {curve.workload for curve in site.gpu("H100-SXM").curves} == {of for kind, of in rows if kind == "gpu"}
    (side,) = [row for row in edition["curves"] if row["kind"] == "cooling"]
    assert site.cooling is not None
    assert site.cooling.air is not None
    assert (side["name"], side["evidence"], side["source"]) == (
        "air",
        site.cooling.air.evidence,
        site.cooling.air.source,
    )
    # the pieces lie under the plant's own power everywhere, and somewhere by just that much
    temperatures = edition["temperatures"]
    heat = np.linspace(0.0, min(edition["problem"]["cooling"]["capacity_heat_mw"]), 2001)
    worst = 0.0
    for t, pair in enumerate(zip(temperatures["dry_bulb_c"], temperatures["wet_bulb_c"], strict=True)):
        pieces = edition["problem"]["cooling"]["tangents"]
        lines = [piece["slope"][t] * heat + piece["intercept_mw"][t] for piece in pieces]
        worst = max(worst, float((plant_power_mw(heat, *pair, site.cooling) - np.max(lines, axis=0)).max()))
    assert worst <= side["error_mw"] + 1e-6
    assert worst >= 0.8 * side["error_mw"]


def test_a_round_writes_the_plan_in_force_into_its_problem_where_the_site_freezes_a_window(site: Site) -> None:
    steady = {"frozen_minutes": 60.0, "moved_price_per_gpu_h": 1.0}
    frozen = site.model_copy(update={"planning": site.planning.model_copy(update=steady)})
    queue = [job("a", work_h=2.0), job("b", work_h=2.0)]
    first = planned(frozen, *queue).edition
    assert "stability" not in first["problem"]
    assert first["steadiness"]["moved_starts"] is None
    later = NOW + timedelta(minutes=30)
    memory = first_memory(frozen, horizon_at(frozen, later).start)
    again = cycle(Task(frozen, queue, memory, previous=previous_of(first)), later).edition
    start = horizon_at(frozen, later).start
    assert again["problem"]["stability"] == {
        "until": first["valid_until"],
        "frozen_until": rfc3339(start + timedelta(hours=1)),
    }
    assert [raw["published"]["moved_cost_per_h"] for raw in again["problem"]["jobs"]] == [32.0, 32.0]
    assert again["steadiness"]["set_point_changes_per_hour"] >= 0
    assert isinstance(again["steadiness"]["moved_starts"], int)
    # a saving counts no change, for the yardstick knows no plan in force
    told = again["saving"]
    change = again["plan"]["terms"].get("change", 0.0)
    assert told["cost"] == pytest.approx(again["plan"]["objective"] - change)
