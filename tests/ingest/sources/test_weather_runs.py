"""An ensemble and stored single runs of a site, each as of an instant."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from odd_server import Said, odd_server
from weather_document import document

from ingest.errors import SourceUnavailable
from ingest.site_file import read_site, sample_path
from ingest.sources.outlook.weather_runs import members_for, run_for
from models.errors import InvalidInput
from models.horizon import Horizon
from models.site import WeatherSource

MEMBERS = ("_member01", "_member02")
HOUR = timedelta(hours=1)


START = datetime(2026, 6, 1, tzinfo=UTC)
NOW = START + 9 * HOUR
HORIZON = Horizon(NOW, timedelta(minutes=15), 24)


def site(**named):
    weather = WeatherSource(kind="open_meteo", url="forecast.json", **named)
    return read_site(sample_path("dakhla")).model_copy(update={"weather": weather})


def test_members_of_a_stored_ensemble_are_known_since_the_file_came(tmp_path):
    path = tmp_path / "ensemble.json"
    path.write_text(json.dumps(document(START, parts=("", *MEMBERS))))
    os.utime(path, (NOW.timestamp() - 60,) * 2)
    tables = members_for(site(ensemble="ensemble.json"), HORIZON, NOW, tmp_path)
    assert [table["temp_air_c"][0] for table in tables] == [20.0, 21.0, 22.0]
    assert {table.available_at for table in tables} == {NOW - timedelta(seconds=60)}
    assert members_for(site(), HORIZON, NOW, tmp_path) == []
    with pytest.raises(InvalidInput, match="check the path"):
        members_for(site(ensemble="gone.json"), HORIZON, NOW, tmp_path)


def test_an_ensemble_that_is_asked_is_asked_for_its_model_and_known_since(tmp_path):
    with odd_server(**{"/v1/ensemble": Said(json.dumps(document(START, parts=("", *MEMBERS))))}) as server:
        named = site(ensemble=f"{server.url}/v1/ensemble", ensemble_model="gfs_seamless")
        tables = members_for(named, HORIZON, NOW)
        assert "models=gfs_seamless" in server.queries[-1]
    assert {table.available_at for table in tables} == {NOW}
    with pytest.raises(SourceUnavailable, match="v1/ensemble"):
        members_for(named, HORIZON, NOW)


def test_the_newest_run_that_was_known_then_and_reaches_far_enough_is_taken(tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    for day, hour, reach in ((31, 12, 48), (31, 18, 48), (1, 0, 48), (1, 2, 6)):
        begun = datetime(2026, 5 if day == 31 else 6, day, hour, tzinfo=UTC)
        (runs / f"{begun:%Y%m%dT%H}.json").write_text(json.dumps(document(begun, reach)))
    named = site(runs="runs", run_delay_h=7.0)

    def taken(now):
        found = run_for(named, Horizon(now, timedelta(minutes=15), 24), now, tmp_path)
        return None if found is None else (found.source.rpartition("run of ")[2], found.available_at)

    assert taken(NOW) == ("2026-06-01T00:00:00Z", START + 7 * HOUR)  # that of 02 ends before the horizon does
    assert taken(START + 6 * HOUR) == ("2026-05-31T18:00:00Z", START + HOUR)  # that of 00 was not known yet
    assert taken(START - 6 * HOUR) is None
    assert run_for(site(), HORIZON, NOW, tmp_path) is None
    (runs / "newest.json").write_text("{}")
    with pytest.raises(InvalidInput, match=r"20260601T00\.json"):
        taken(NOW)


def test_what_only_open_meteo_reads_is_refused_elsewhere():
    with pytest.raises(ValueError, match="only kind open_meteo reads it"):
        WeatherSource(kind="synthetic", ensemble="e.json")
