"""Flagged values are seen over HTTP and on the command line, with what they were and why they were flagged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from api.cli import app
from ingest.quarantine import quarantined
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
    [row], total = quarantined(house.doors.intake.store, NOW, NOW + timedelta(hours=1))
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
