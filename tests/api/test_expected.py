"""What a round expects: learned where a model serves, by the highest step of the weather, and said which."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from weather_document import document

from api import expected as module
from api.expected import expected
from api.gathering import horizon_at
from api.knowledge import Knowledge
from ingest.errors import SourceUnavailable, StoreUnavailable
from ingest.points import Point, canonical, to_ns
from ingest.site_file import read_site, sample_path
from ingest.sources.outlook import kept_run
from ingest.sources.outlook.weather import weather_for
from ingest.stores.memory import MemoryStore
from models.errors import InvalidInput
from models.forecast.site import PV, WIND
from models.horizon import Horizon, parse_rfc3339
from models.site import WeatherSource

NOW = parse_rfc3339("2026-06-01T06:20:00Z")
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def site():
    found = read_site(sample_path("dakhla"))
    return found.model_copy(update={"planning": found.planning.model_copy(update={"horizon_h": 12.0})})


def asked(site, knowledge, now=NOW):
    return expected(site, horizon_at(site, now), now, None, knowledge)


@pytest.fixture
def silence(monkeypatch):
    """From when it is called, the weather's source gives no answer."""

    def begin():
        def silent(*_):
            raise SourceUnavailable("weather", "no answer in 10 s")

        monkeypatch.setattr(module, "weather_for", silent)

    return begin


def test_a_champion_gives_the_plan_its_quantiles_and_says_what_it_is_worth(site, trained_folder):
    knowledge = Knowledge(trained_folder, site.name)
    found = asked(site, knowledge)
    served = [name for name in (PV, WIND) if knowledge.shelf.card(name) is not None]
    assert served
    for name in served:
        told, band = found.told[name], found.bands[name]
        assert (told["kind"], told["step"], told["not_learned"]) == ("learned", "single run", None)
        assert found.forecast[name].p50.tolist() == pytest.approx(band["p50"], abs=1e-6)
        rising = np.array([band[level] for level in ("p05", "p10", "p30", "p50", "p70", "p90", "p95")])
        assert (np.diff(rising, axis=0) >= 0).all()
        assert "learned from" in found.forecast[name].method
        assert told["scores"]["days"] < 60
        assert not told["scores"]["proven"]
        assert [lead["from_h"] for lead in told["scores"]["by_lead"]] == [0, 6, 12, 24, 36]


def test_without_a_model_the_physics_serve_and_it_is_said(site, tmp_path):
    found = asked(site, Knowledge(tmp_path, site.name))
    assert {told["kind"] for told in found.told.values()} == {"physics"}
    assert found.told[PV]["not_learned"] == "no model is trained"
    assert found.bands[PV].keys() == {"p10", "p50", "p90"}
    assert found.told[PV]["scores"] is None


def test_a_model_that_has_fallen_back_leaves_its_place_and_comes_back(site, trained_folder, tmp_path):
    knowledge = Knowledge(trained_folder, site.name)
    name = next(name for name in (PV, WIND) if knowledge.shelf.card(name) is not None)
    digest = knowledge.shelf.card(name)["digest"]
    try:
        knowledge.shelf.note(name, digest, False, "persistence did better", 20)
        told = asked(site, knowledge).told[name]
        assert told["kind"] == "physics"
        assert told["not_learned"] == "the model has fallen back: persistence did better"
        knowledge.shelf.note(name, digest, True, "", 60)
        assert asked(site, knowledge).told[name]["scores"]["proven"], "the days since training count"
        (knowledge.shelf.folder / f"{name}.standing").write_bytes(b"\x00")
        told = asked(site, knowledge).told[name]
        assert told["kind"] == "physics", "a broken note stops no round"
        assert told["not_learned"].endswith("score anew")
    finally:
        (knowledge.shelf.folder / f"{name}.standing").unlink()


def test_a_silent_source_leaves_its_last_run_and_the_band_grows_with_its_age(site, tmp_path, silence):
    knowledge = Knowledge(tmp_path, site.name)
    before = asked(site, knowledge)
    silence()
    fresh = asked(site, knowledge)
    assert fresh.told[PV]["step"] == "single run", "six hours old is fresh"
    assert "no answer in 10 s" in fresh.told[PV]["reason"]
    assert fresh.bands[WIND]["p50"] == pytest.approx(before.bands[WIND]["p50"], abs=0.5)
    later = NOW + 13 * HOUR
    old = asked(site, knowledge, later)
    assert old.told[PV]["step"] == "last run"
    assert "older than 12 h" in old.told[PV]["reason"]
    assert old.note.issued_at == parse_rfc3339("2026-06-01T06:00:00Z")


def test_when_the_last_run_is_used_up_the_meters_give_the_usual(site, tmp_path, silence):
    store = MemoryStore()
    start = NOW.replace(minute=0) - 48 * HOUR
    for k in range(96):
        at = start + k * HOUR
        fields = (("pv_mw", 6.0 if 8 <= at.hour < 18 else 0.0), ("wind_mw", 3.0))
        store.write([Point("site", canonical({"site": site.name}), fields, to_ns(at))], at)
    knowledge = Knowledge(tmp_path, site.name, store)
    asked(site, knowledge)
    silence()
    found = asked(site, knowledge, NOW + 40 * HOUR)
    assert {told["step"] for told in found.told.values()} == {"climatology"}
    assert {told["kind"] for told in found.told.values()} == {"usual"}
    assert set(found.bands[WIND]["p50"]) == {3.0}
    assert found.forecast["dry_bulb_c"].values.tolist() == [site.design_dry_bulb_c] * 48
    with pytest.raises(InvalidInput, match="no meter of pv_available_mw"):
        asked(site, Knowledge(tmp_path, site.name), NOW + 40 * HOUR)


def test_without_a_place_to_keep_runs_a_silent_source_is_an_error(site, silence):
    silence()
    with pytest.raises(SourceUnavailable):
        asked(site, None)


def test_a_kept_run_comes_back_as_it_was_and_a_torn_one_is_said(site, tmp_path):
    run = replace(weather_for(site, horizon_at(site, NOW), NOW)[0], climate=None)
    kept_run.keep(tmp_path, run)
    (again,), refused = kept_run.kept(tmp_path)
    assert refused == []
    assert (again.start, again.step, again.source, again.synthetic) == (run.start, run.step, run.source, True)
    assert again.available_at == run.available_at
    assert all(np.array_equal(again[name], run[name], equal_nan=True) for name in run.columns)
    later = replace(run, source="another", start=run.start + 96 * HOUR, available_at=run.end + HOUR)
    kept_run.keep(tmp_path, later)
    assert [one.source for one in kept_run.kept(tmp_path)[0]] == ["another"], "what has ended goes"
    path = next(tmp_path.glob("*.json"))
    path.write_text(path.read_text()[:200])
    tables, refused = kept_run.kept(tmp_path)
    assert tables == []
    assert "cannot be read" in refused[0]


@pytest.fixture
def stored(site, tmp_path):
    """The site on stored documents: a forecast, an ensemble of a control run and two members, and a run of 00 UTC."""
    midnight = NOW.replace(hour=0, minute=0)
    (tmp_path / "runs").mkdir()
    for name, begun, parts in (
        ("forecast.json", midnight, ("",)),
        ("ensemble.json", midnight, ("", "_member01", "_member02")),
        ("runs/20260531T18.json", midnight - 6 * HOUR, ("",)),
    ):
        path = tmp_path / name
        path.write_text(json.dumps(document(begun, 96, parts)))
        os.utime(path, (NOW.timestamp() - 600,) * 2)
    named = {"kind": "open_meteo", "url": "forecast.json", "ensemble": "ensemble.json", "runs": "runs"}
    return site.model_copy(update={"weather": WeatherSource(**named)})


def test_the_ladder_goes_down_from_the_ensemble_to_a_run_that_is_old_and_says_so(stored, tmp_path):
    def step(now=NOW):
        found = expected(stored, horizon_at(stored, now), now, tmp_path, Knowledge(tmp_path / "data", stored.name))
        told = found.told[PV]
        return told["step"], told["reason"], found.note, float(found.forecast["dry_bulb_c"].values[0])

    by_ensemble = step()
    assert by_ensemble[0] == "ensemble"
    assert by_ensemble[3] == pytest.approx((20 + 20 + 21 + 22) / 4)  # forecast, control run, members
    (tmp_path / "ensemble.json").unlink()
    by_forecast = step()
    assert by_forecast[0] == "single run"
    assert "no ensemble: " in by_forecast[1]
    assert by_forecast[3] == pytest.approx(20)
    (tmp_path / "forecast.json").unlink()
    (tmp_path / "data" / "forecasts" / stored.name / "runs").rename(tmp_path / "away")  # nothing is kept either
    by_run = step()
    assert by_run[0] == "single run"  # of 18 UTC, known since 01 UTC
    assert by_run[2].method == "a stored single run; the forecast is silent"
    assert by_run[2].issued_at == NOW.replace(hour=1, minute=0)
    by_old = step(NOW + 9 * HOUR)
    assert by_old[0] == "last run"
    assert "older than 12 h" in by_old[1]
    (tmp_path / "runs" / "20260531T18.json").unlink()
    with pytest.raises(InvalidInput, match="no meter"):
        step()


def test_a_member_that_was_not_known_yet_is_not_looked_at(stored, tmp_path):
    os.utime(tmp_path / "ensemble.json", (NOW.timestamp() + 60,) * 2)
    found = expected(stored, horizon_at(stored, NOW), NOW, tmp_path, None)
    assert found.told[PV]["step"] == "single run"
    assert "was not known yet" in found.told[PV]["reason"]


def test_the_sites_thermometer_moves_both_bulbs_and_the_source_says_so(site, tmp_path, monkeypatch):
    store = MemoryStore()
    knowledge = Knowledge(tmp_path, site.name, store)
    for back in range(6, 0, -1):
        at = NOW.replace(hour=0, minute=0) - 24 * back * HOUR
        run = weather_for(site, Horizon(at, HOUR, 48), at)[0].on(Horizon(at, HOUR, 48))
        knowledge.keep(replace(run, available_at=at))
        for k in range(24):
            fields = (("dry_bulb_c", float(run["temp_air_c"][k]) + 2.0),)
            store.write([Point("site", canonical({"site": site.name}), fields, to_ns(at + k * HOUR))], at)

    def away(*_):
        raise StoreUnavailable("telemetry", "no answer")

    with monkeypatch.context() as outage:
        outage.setattr(store, "query", away)
        assert knowledge.air_error(NOW) is None, "not for the rest of the day"
    plain, found = asked(site, Knowledge(tmp_path / "none", site.name)), asked(site, knowledge)
    warmer = found.forecast["dry_bulb_c"].values - plain.forecast["dry_bulb_c"].values
    assert (warmer > 1.5).all()
    assert (warmer <= 2.0).all()
    wetter = found.forecast["wet_bulb_c"].values - plain.forecast["wet_bulb_c"].values
    assert (wetter > 0.2).all()
    assert (wetter < warmer).all()
    assert "144 hours of the site's meter" in found.note.method
