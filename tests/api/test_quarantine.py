"""Flagged values are seen over HTTP and on the command line, with what they were and why they were flagged."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from api.cli import app
from api.store.audit import first_broken
from api.store.engine import reading
from api.store.tables import audit
from api.wiring import engine_of
from ingest.coverage import coverage
from ingest.quarantine import Which, bad_at, quarantined
from ingest.site_file import sample_path
from models.horizon import rfc3339

NOW = datetime(2026, 11, 25, 6, 4, tzinfo=UTC)
T0 = int(NOW.timestamp())


@pytest.fixture
def flagged(house):
    lines = [
        f"gpu,site=local,node=n1,gpu=a power_w=431 {T0}",
        f"gpu,site=local,node=n1,gpu=a power_w=0.431 {T0 + 10}",
        f"gpu,site=local,node=n1,gpu=a temperature_c=400 {T0 + 20}",
        f"gpu,site=local,node=n1,gpu=a energy_j=100 {T0}",
        f"gpu,site=local,node=n1,gpu=a energy_j=3 {T0 + 30}",
    ]
    for line in lines:
        assert house.post("/api/v2/write?precision=s", line).status_code == 204
    return house


def test_flagged_values_come_newest_first_with_reasons_and_stay_raw(flagged):
    told = flagged.get("/api/v1/quarantine").json()
    assert told["total"] == 3
    assert [(row["metric"], row["flags"], row["state"], row["value"]) for row in told["flagged"]] == [
        ("gpu.energy_j", ["counter_reset"], "OK", 3.0),
        ("gpu.temperature_c", ["range"], "BAD", 400.0),
        ("gpu.power_w", ["unit_suspect"], "BAD", 0.431),
    ]
    last = told["flagged"][-1]
    assert last["tags"] == {"gpu": "a", "node": "n1", "site": "local"}
    assert last["time"] == rfc3339(NOW + timedelta(seconds=10))
    assert "Fahrenheit" in last["reasons"][0]


def test_the_list_is_narrowed_by_metric_word_state_and_time(flagged):
    def metrics(query):
        return [row["metric"] for row in flagged.get(f"/api/v1/quarantine?{query}").json()["flagged"]]

    assert metrics("metric=gpu.power_w") == ["gpu.power_w"]
    assert metrics("flag=range") == ["gpu.temperature_c"]
    assert metrics("bad_only=true") == ["gpu.temperature_c", "gpu.power_w"]
    assert metrics("limit=1") == ["gpu.energy_j"]
    assert metrics(f"until={rfc3339(NOW + timedelta(seconds=15))}") == ["gpu.power_w"]
    assert metrics(f"since={rfc3339(NOW + timedelta(hours=1))}") == []


def test_questions_that_mean_nothing_are_refused(flagged):
    answer = flagged.get("/api/v1/quarantine?flag=odd")
    assert answer.status_code == 422
    assert "known: nan_inf, range" in answer.text
    assert flagged.get("/api/v1/quarantine?since=yesterday").status_code == 422
    assert flagged.client.get("/api/v1/quarantine").status_code == 401


def test_a_number_that_is_none_is_shown_by_its_text(house):
    from ingest.points import point, to_ns

    house.doors.intake.accept([point("gpu", {"gpu": "a"}, {"power_w": float("nan")}, to_ns(NOW))])
    [row], total = quarantined(house.doors.intake.store, Which(NOW, NOW + timedelta(hours=1)))
    assert (total, row.value, row.raw, row.state) == (1, None, "nan", "MISSING")


def test_the_command_lists_a_data_folder(flagged):
    folder = str(flagged.doors.settings.data_dir)
    wide = ["--until", rfc3339(NOW + timedelta(hours=1)), "--data-dir", folder]
    result = CliRunner().invoke(app, ["quarantine", *wide, "--bad-only"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert "gpu.temperature_c = 400.0 degC  (gpu=a node=n1 site=local)  range: outside" in lines[0]
    assert lines[-1].startswith("2 flagged value(s)")
    shown = CliRunner().invoke(app, ["quarantine", *wide, "--limit", "1"])
    assert shown.output.splitlines()[-1].endswith("the newest 1 shown")


def test_the_command_says_where_there_is_nothing(tmp_path):
    result = CliRunner().invoke(app, ["quarantine", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "there is no telemetry" in result.output
    assert CliRunner().invoke(app, ["quarantine", "--flag", "odd"]).exit_code == 2


def test_what_is_released_counts_as_good_and_stays_as_it_came(flagged):
    store = flagged.doors.telemetry
    span = (NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    assert list(bad_at(store, "gpu.power_w", {"gpu": "a"}, *span).values()) == ["unit_suspect"]
    where = "/api/v1/quarantine/releases?metric=gpu.power_w&tag=gpu=a&flag=unit_suspect&why=meter+checked"
    assert flagged.post(where, "", scope="admin").json() == {"released": 1}
    assert flagged.post(where, "", scope="admin").json() == {"released": 0}  # who was first stays on record
    assert bad_at(store, "gpu.power_w", {"gpu": "a"}, *span) == {}
    [row] = flagged.get("/api/v1/quarantine?metric=gpu.power_w").json()["flagged"]
    assert (row["value"], row["flags"], row["state"]) == (0.431, ["unit_suspect"], "BAD")
    admin = flagged.keys["admin"].split("_")[1]
    assert (row["released"]["by"], row["released"]["why"]) == (admin, "meter checked")
    assert row["released"]["at"].startswith("2026-11-25T06:05")
    bad = flagged.get("/api/v1/quarantine?bad_only=true").json()["flagged"]
    assert [one["metric"] for one in bad] == ["gpu.temperature_c"]


def test_a_release_is_on_the_audit_trail(flagged):
    where = "/api/v1/quarantine/releases?metric=gpu.temperature_c&why=a+heater+stood+beside+it"
    assert flagged.post(where, "", scope="admin").status_code == 200
    with reading(engine_of(flagged.doors.settings)) as connection:
        row = connection.execute(select(audit).order_by(audit.c.id.desc())).mappings().first()
        assert first_broken(connection) is None
    assert (row["action"], row["object"]) == ("quarantine.release", "gpu.temperature_c")
    assert json.loads(row["detail"])["why"] == "a heater stood beside it"


@pytest.mark.parametrize(
    ("query", "scope", "status"),
    [
        ("metric=gpu.power_w&why=because", "write", 403),  # pushing telemetry is not judging it
        ("metric=gpu.power_w", "admin", 422),
        ("why=because", "admin", 422),
        ("metric=gpu.power_w&why=a%0Aline", "admin", 422),
        ("metric=pdu.power_mw&why=because", "admin", 404),
        ("metric=gpu.power_w&why=because&tag=gpu", "admin", 422),
    ],
)
def test_a_release_that_names_nothing_or_comes_from_nobody_is_refused(flagged, query, scope, status):
    assert flagged.post(f"/api/v1/quarantine/releases?{query}", "", scope=scope).status_code == status


def test_a_sensor_that_is_released_carries_plans_again(flagged):
    line = f"chiller,site=local,asset=c1 supply_c=91 {T0 + 60}"
    assert flagged.post("/api/v2/write?precision=s", line).status_code == 204
    doors, now = flagged.doors, NOW + timedelta(seconds=90)
    assert not coverage(doors.telemetry, doors.site, now).enough
    flagged.post("/api/v1/quarantine/releases?metric=chiller.supply_c&why=tested+by+hand", "", scope="admin")
    assert coverage(doors.telemetry, doors.site, now).enough


def test_the_command_releases_what_it_lists(flagged):
    folder = str(flagged.doors.settings.data_dir)
    wide = ["--until", rfc3339(NOW + timedelta(hours=1)), "--data-dir", folder]
    release = [*wide, "--metric", "gpu.power_w", "--tag", "gpu=a", "--release"]
    result = CliRunner().invoke(app, ["quarantine", *release])
    assert (result.exit_code, "--release needs" in result.output) == (2, True)
    result = CliRunner().invoke(app, ["quarantine", *release, "--why", "meter checked"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "1 value(s) released"
    assert "released by cli" in lines[1]
    assert lines[1].endswith(": meter checked")
    result = CliRunner().invoke(app, ["quarantine", *wide, "--tag", "gpu"])
    assert "KEY=VALUE" in result.output
    result = CliRunner().invoke(app, ["quarantine", *wide, "--bad-only"])
    assert result.output.splitlines()[-1].startswith("1 flagged value(s)")


def test_the_command_reads_the_influxdb_that_the_site_names(tmp_path):
    site = tmp_path / "site.toml"
    site.write_text(
        sample_path("local").read_text() + '\n[telemetry.influxdb]\nurl = "http://127.0.0.1:9"\nbucket = "t"\n'
    )
    result = CliRunner().invoke(app, ["quarantine", "--site", str(site), "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "127.0.0.1:9" in result.output
    assert not (tmp_path / "telemetry.db").exists()
