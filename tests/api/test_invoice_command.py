"""``chergui invoice`` from a meter's record and from telemetry, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from api.cli import app
from ingest.points import point, to_ns
from ingest.site_file import sample_path
from ingest.stores.embedded import EmbeddedStore
from models.horizon import rfc3339

# November 2026 at Casablanca is on UTC, by the decree of September 2026.
START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
STARTS = [START + k * QUARTER for k in range((END - START) // QUARTER)]


def asked(*words):
    return CliRunner().invoke(app, ["invoice", "local", "2026-11", *map(str, words)])


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "meter.csv"
    path.write_text("time,import_mw\n" + "".join(f"{rfc3339(at)},0.1\n" for at in STARTS))
    return path


def test_a_months_invoice_of_the_sample_site_by_hand(record):
    # 30 days at 0.1 MW: off-peak 9 h x 30 x 0.1 = 27 MWh x 740 = 19,980; shoulder 10 h: 30 x 1,010 = 30,300;
    # peak 5 h: 15 x 1,410 = 21,150; demand 0.1 MW x 42,000 = 4,200; together 75,630.
    result = asked("--meter", record)
    assert result.exit_code == 0, result.output
    for words in (
        ("off-peak", "27.000", "19,980.00"),
        ("shoulder", "30,300.00"),
        ("peak", "21,150.00"),
        ("demand", "4,200.00"),
    ):
        assert any(all(word in line for word in words) for line in result.output.splitlines()), words
    assert result.output.splitlines()[-1].split() == ["net", "75,630.00"]
    assert "local, 2026-11-01 00:00 to 2026-12-01 00:00 UTC, MAD" in result.output


def test_telemetry_gives_the_same(tmp_path):
    store = EmbeddedStore(tmp_path / "telemetry.db")
    store.write([point("site", {"site": "local"}, {"import_mw": 0.1}, to_ns(at)) for at in STARTS])
    store.close()
    result = asked("--data-dir", tmp_path)
    assert result.output.splitlines()[-1].split() == ["net", "75,630.00"]


def test_holes_unknown_months_and_columns_are_named(record, tmp_path):
    lines = record.read_text().splitlines()
    record.write_text("\n".join([*lines[:5], lines[5].rpartition(",")[0] + ",", *lines[6:]]))
    result = asked("--meter", record)
    assert result.exit_code == 2
    assert "2026-11-01T01:00:00Z" in result.output
    assert "no month" in CliRunner().invoke(app, ["invoice", "local", "november"]).output
    record.write_text("time,power_kw\n2026-11-01T00:00:00Z,1\n")
    assert "there is no column 'import_mw'; there are time, power_kw" in asked("--meter", record).output
    assert "there is no telemetry" in asked("--data-dir", tmp_path / "none").output
    assert sample_path("local").is_file()
