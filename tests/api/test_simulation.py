"""The simulated site obeys the plan as its modes say, and the service's clock runs as fast as it is told."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.clock import ShiftedClock
from api.commands.service import ScenarioName
from api.desk import time_limit_s
from api.plan_store import InForce, Target
from api.settings import Settings
from api.simulation import orders_at, replayed_sources, simulated_sources
from ingest.points import point, to_ns
from ingest.site_file import read_site, sample_path
from ingest.stores.embedded import EmbeddedStore
from models.lease import Mode, Version
from models.plant.scenarios import SCENARIOS

SITE = read_site(sample_path("local"))
SIX = datetime(2026, 11, 25, 6, tzinfo=UTC)


def held(**modes):
    return InForce(Version(1, 1), "p", None, {name: Target(name, mode) for name, mode in modes.items()})


@pytest.fixture
def labelled(edition):
    edition["job_labels"] = {"llm-7": {"workload": "finetune"}}
    return edition


def test_a_pool_in_auto_obeys_the_plans_caps(labelled):
    orders = orders_at(SITE, labelled, held(hall=Mode.AUTO), SIX + timedelta(minutes=35))
    assert [(o.id, o.pool, o.gpus, o.workload, o.limit_w) for o in orders.jobs] == [
        ("llm-7", "hall", 8, "finetune", 700)
    ]
    orders = orders_at(SITE, labelled, held(hall=Mode.AUTO), SIX + timedelta(minutes=5))
    assert orders.jobs[0].limit_w == 500


def test_shadow_runs_uncapped_and_failsafe_under_the_default(labelled):
    at = SIX + timedelta(minutes=5)
    assert orders_at(SITE, labelled, held(), at).jobs[0].limit_w == SITE.gpu("H100-SXM").max_limit_w
    assert orders_at(SITE, labelled, held(hall=Mode.FAILSAFE), at).jobs[0].limit_w == SITE.pools[0].default.limit_w


def test_curtailment_is_ordered_only_where_the_plan_leaves_something(labelled):
    first = orders_at(SITE, labelled, held(), SIX)
    second = orders_at(SITE, labelled, held(), SIX + timedelta(minutes=15))
    assert (first.pv_most_mw, second.pv_most_mw) == (None, 0.06)  # 0.1 of 0.1 used, then 0.06 of 0.1


@pytest.mark.parametrize("minutes", [-1, 60])
def test_outside_a_plan_nothing_is_ordered(labelled, minutes):
    assert orders_at(SITE, labelled, held(), SIX + timedelta(minutes=minutes)).jobs == ()
    assert orders_at(SITE, None, held(), SIX).jobs == ()


def test_a_simulations_clock_runs_faster_from_its_origin():
    origin = datetime.now(UTC)
    clock = ShiftedClock(timedelta(days=3), speed=60.0, origin=origin - timedelta(seconds=10))
    shown = clock.now() - origin - timedelta(days=3)
    assert timedelta(seconds=590) <= shown <= timedelta(seconds=590 + 61 * 5)
    plain = ShiftedClock(timedelta(days=3))
    assert abs(plain.now() - datetime.now(UTC) - timedelta(days=3)) < timedelta(seconds=1)


def test_a_simulation_has_a_folder_and_a_begin_of_its_own():
    settings = Settings(Path("/s.toml"), Path("/d"), shift_s=3600.0).simulating("sandstorm", 60.0, SIX)
    assert settings.data_dir == Path("/d/simulated/20261125T060000-sandstorm")
    assert settings.began == SIX + timedelta(hours=1)
    assert Settings.from_json(settings.to_json()) == settings


def test_its_planner_leaves_half_of_a_round_for_the_rest():
    planning = SITE.planning
    assert time_limit_s(planning, 1.0) == planning.time_limit_s
    assert time_limit_s(planning, 60.0) == 7.5  # a round of 15 min takes 15 s
    assert time_limit_s(planning, 240.0) == 2.0


def test_only_the_simulation_is_asked(make_house):
    house = make_house(scenario="heatwave", speed=60.0)
    doors = house.doors
    sources = simulated_sources(doors.settings, doors.site, doors.plans, doors.clock)
    assert [(source.name, source.period_s) for source in sources] == [("plant", 1.0)]
    with pytest.raises(ValueError, match="no scenario"):
        simulated_sources(make_house().doors.settings, doors.site, doors.plans, doors.clock)


def test_the_command_knows_every_scenario_and_refuses_half_a_wish(tmp_path):
    assert [one.value for one in ScenarioName] == list(SCENARIOS)
    result = CliRunner().invoke(app, ["run", "--speed", "60", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "add --simulate" in result.output
    for words, said in (
        (["--scenario", "heatwave"], "add --simulate"),
        (["--simulate", "--replay", str(tmp_path)], "at once"),
        (["--replay", str(tmp_path)], "there is no telemetry in"),
    ):
        result = CliRunner().invoke(app, ["run", *words, "--data-dir", str(tmp_path)])
        assert (result.exit_code, said in result.output) == (1, True)
    (tmp_path / "telemetry.db").touch()
    result = CliRunner().invoke(app, ["run", "--replay", str(tmp_path), "--data-dir", str(tmp_path)])
    assert "add --now" in result.output


def test_a_replay_reads_the_record_from_where_the_clock_began(make_house, tmp_path):
    record = tmp_path / "record"
    store = EmbeddedStore(record / "telemetry.db")
    house = make_house(replay=str(record), speed=60.0, origin_s=time.time())
    now = house.doors.clock.now()
    for minutes in (-5, 5):
        at = to_ns(now + timedelta(minutes=minutes))
        store.write([point("site", {"site": "local"}, {"import_mw": 0.1 * minutes + 1}, at)])
    store.close()
    [replay] = replayed_sources(house.doors.settings)
    assert [dict(p.fields) for p in replay.poll(now + timedelta(minutes=9))] == [{"import_mw": 1.5}]
    replay.close()
