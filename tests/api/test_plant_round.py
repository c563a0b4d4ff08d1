"""Rounds of a service whose site has a whole plant: published, verified, and the next round goes on from there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import plant_site
import pytest

from api.caps import Standing, pool_caps, setpoint
from api.pages.charts import specs
from api.pages.charts.plant import PLANT
from api.pages.tables import tables
from api.pages.view import plan_view
from api.pages.words import LANGUAGES, words
from api.settings import Settings
from api.store.jobs import JobStore, Progress
from api.store.migrate import upgrade
from api.wiring import desk_for, engine_of
from api.write_back import as_points
from ingest.points import Point, from_ns
from models.horizon import parse_rfc3339, use_packaged_time_zones
from models.jobs import TrainingJob
from models.lease import Mode, Version
from optimizer.document import parse_plan
from optimizer.refusals import check_problem
from optimizer.verify import verify

use_packaged_time_zones()
NOW = datetime(2026, 11, 25, 6, 5, tzinfo=UTC)
SITE = plant_site.site()
JOB = TrainingJob.model_validate(
    {"id": "llm-7", "pool": "hall", "gpus": 32, "work_h": 2.5, "release": "2026-11-25T06:00:00Z"}
)


def told(folder: Path, at: datetime) -> dict[str, Any]:
    """A round of a service that has just been started, at an instant."""
    settings = Settings(folder / "site.toml", folder, shift_s=(at - datetime.now(UTC)).total_seconds())
    settings.run_dir.mkdir(exist_ok=True)
    upgrade(engine_of(settings))
    desk, plans, _, clock = desk_for(settings)
    JobStore(engine_of(settings), clock).add_new([(JOB, Progress(JOB.work_h, "queued", 0))])
    published = desk.round()
    return {**published, "memory": plans.memory()}


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two rounds an hour and a half apart, the service restarted between them."""
    folder = tmp_path_factory.mktemp("plant")
    (folder / "site.toml").write_text(plant_site.text(), encoding="utf-8")
    return told(folder, NOW), told(folder, NOW + timedelta(minutes=90))


def test_both_plans_are_published_and_hold(rounds: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for edition, how in zip(rounds, ("as the site file assumes", r"as planned (89|90) min ago"), strict=True):
        received = check_problem(edition["problem"])
        assert verify(received, parse_plan(edition["plan"])) == []
        series = edition["plan"]["series"]
        assert set(series["mass_c"]) == {"hall", "loop"}
        assert set(series["unit_heat_mw"]) == {"chiller-a", "chiller-b", "roof-cooler"}
        assert len(series["tank_mwh"]) == len(series["nodes_on"]["hall"]) == 8
        assert re.search(f"cold in the tank {how}", edition["state"]["source"])
        assert "exports of the year" in edition["state"]["source"]


def test_the_second_round_goes_on_from_the_first(rounds: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = rounds
    before, problem = first["plan"]["series"], second["problem"]
    assert [m["start_c"] for m in problem["cooling"]["masses"]] == pytest.approx(
        [before["mass_c"]["hall"][2], before["mass_c"]["loop"][2]]
    )
    assert problem["cooling"]["tank"]["start_mwh"] == pytest.approx(before["tank_mwh"][2])
    running = sum(job["gpus"] for job in problem["jobs"] if job["state"] == "running")
    assert problem["pools"][0]["nodes"]["on_before"] == max(before["nodes_on"]["hall"][2], -(-running // 8))
    exported = 7.0 + 0.5 * sum(before["export_mw"][:3])
    assert problem["grid"]["exported_so_far_mwh"] == pytest.approx(exported)
    assert len(second["memory"]["exports"]["planned_mwh"]) == 3
    assert first["problem"]["grid"]["exported_so_far_mwh"] == 7.0


def test_the_page_draws_what_the_plant_does_in_both_languages(rounds: tuple[dict[str, Any], dict[str, Any]]) -> None:
    view = plan_view(rounds[1])
    for language in LANGUAGES:
        drawn, found = specs(view, language), tables(view, words(language))
        assert {"nodes", "units", "tank", "temperatures"} <= set(drawn)
        # no generator on this site: neither chart nor table
        assert set(PLANT) & set(drawn) == set(PLANT) & set(found) == {"nodes", "units", "tank"}
        assert set(rounds[1]["charts"]["tank"]["svg"]) == set(LANGUAGES)
        for name in ("nodes", "units", "tank"):
            assert words(language).has(f"chart.{name}.note")
    series = rounds[1]["plan"]["series"]
    english = tables(view, words("en"))
    assert [row[1] for row in english["tank"].rows] == series["tank_mwh"]
    assert [row[1] for row in english["nodes"].rows] == series["nodes_on"]["hall"]
    assert [row[-2:] for row in english["temperatures"].rows] == [
        list(pair) for pair in zip(series["mass_c"]["hall"], series["mass_c"]["loop"], strict=True)
    ]
    assert english["temperatures"].columns[-2:] == ["Mass hall (°C)", "Mass loop (°C)"]


def test_machines_read_nodes_and_units(rounds: tuple[dict[str, Any], dict[str, Any]]) -> None:
    edition = rounds[1]
    standing = Standing(Mode.AUTO, Version(1, 1), 900.0, 900, edition, None)
    series = edition["plan"]["series"]
    pool = pool_caps(SITE, SITE.pools[0], standing)
    assert at_each_slot(edition, pool["nodes"], "on") == series["nodes_on"]["hall"]
    body = setpoint(SITE, "chiller-a", standing)
    assert (body["kind"], body["default"]) == ("cooling_unit", {"heat_mw": None})
    assert at_each_slot(edition, body["periods"], "heat_mw") == pytest.approx(
        series["unit_heat_mw"]["chiller-a"], abs=1e-6
    )
    # shadow: nothing is asked of anybody
    shadow = Standing(Mode.SHADOW, Version(1, 1), 900.0, 900, edition, "SHADOW")
    assert pool_caps(SITE, SITE.pools[0], shadow)["nodes"] == []
    assert setpoint(SITE, "chiller-a", shadow)["periods"] == []


def test_a_generator_s_set_point_says_whether_it_runs() -> None:
    site = plant_site.site(generators=[{"name": "set", "power_mw": 0.1, "min_power_mw": 0.04}])
    horizon = {"start": "2026-11-25T06:00:00Z", "step_minutes": 30, "slots": 3}
    made = {"generator_on": {"set": [0, 1, 1]}, "generator_mw": {"set": [0.0, 0.05, 0.05]}}
    edition = {
        "plan_id": "p",
        "valid_until": "2026-11-25T07:30:00Z",
        "problem": {"horizon": horizon},
        "plan": {"rung": "MILP", "series": made},
    }
    body = setpoint(site, "set", Standing(Mode.AUTO, Version(1, 1), 900.0, 900, edition, None))
    assert body["kind"] == "generator"
    assert [(p["start"], p["on"], p["power_mw"]) for p in body["periods"]] == [
        ("2026-11-25T06:00:00Z", False, 0.0),
        ("2026-11-25T06:30:00Z", True, 0.05),
    ]
    assert body["default"] == {"on": False, "power_mw": 0.0}


def at_each_slot(edition: dict[str, Any], periods: list[dict[str, Any]], key: str) -> list[Any]:
    start = parse_rfc3339(edition["problem"]["horizon"]["start"])
    instants = [start + k * timedelta(minutes=30) for k in range(edition["problem"]["horizon"]["slots"])]
    return [
        next(p[key] for p in periods if parse_rfc3339(p["start"]) <= at < parse_rfc3339(p["end"])) for at in instants
    ]


def test_what_is_reached_at_the_end_of_a_slot_is_written_back_at_that_instant(
    rounds: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    edition = rounds[0]
    start = parse_rfc3339(edition["problem"]["horizon"]["start"])
    told_at: dict[tuple[str, str], Any] = {}
    for one in as_points(edition):
        told_at |= {(field, f"{where(one)}{from_ns(one.time_ns):%H:%M}"): value for field, value in one.fields}
    series = edition["plan"]["series"]
    first, end = f"{start:%H:%M}", f"{start + timedelta(minutes=30):%H:%M}"
    assert told_at["tank_mwh", end] == series["tank_mwh"][0]
    assert told_at["mass_c", f"hall {end}"] == series["mass_c"]["hall"][0]
    assert ("tank_mwh", first) not in told_at
    assert told_at["nodes_on", f"hall {first}"] == series["nodes_on"]["hall"][0]
    assert told_at["unit_heat_mw", f"chiller-a {first}"] == series["unit_heat_mw"]["chiller-a"][0]


def where(one: Point) -> str:
    asset = dict(one.tags).get("asset")
    return "" if asset is None else f"{asset} "
