"""The state of a site's PV in the service: from its meter and archived runs, in forecasts and models."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from made_past import SMALL

from api.expected import expected
from api.forecasting import past_of, trained
from api.gathering import horizon_at
from api.knowledge import Knowledge
from api.plant_states import in_known_states, pv_state
from api.schemas import ForecastView
from ingest.points import Point, canonical, to_ns
from ingest.site_file import read_site, sample_path
from ingest.sources.outlook.forecast_history import synthetic_past
from ingest.stores.memory import MemoryStore
from models.forecast.plants import sun_history
from models.forecast.site import PV
from models.horizon import parse_rfc3339

NOW = parse_rfc3339("2026-06-01T06:20:00Z")
DAYS = 30
LEFT = 0.7


@pytest.fixture(scope="module")
def site():
    found = read_site(sample_path("dakhla"))
    return found.model_copy(update={"planning": found.planning.model_copy(update={"horizon_h": 12.0}), "wind": ()})


@pytest.fixture(scope="module")
def made(site):
    return synthetic_past(site, NOW, DAYS)


def kept(site, made, folder, left=LEFT):
    """What a service has whose plant gives that share of its physics."""
    store = MemoryStore()
    knowledge = Knowledge(folder, site.name, store)
    for run in made.runs:
        knowledge.keep(run)
    actual = made.actual[PV]
    points = [
        Point("site", canonical({"site": site.name}), (("pv_mw", float(left * mw)),), to_ns(at))
        for at, mw in zip(actual.starts(), actual.values, strict=True)
    ]
    store.write(points, NOW)
    return knowledge


@pytest.fixture(scope="module")
def dusty(site, made, tmp_path_factory):
    return kept(site, made, tmp_path_factory.mktemp("dusty"))


def test_a_round_expects_what_the_dusty_plant_gives_and_shows_why(site, dusty, tmp_path):
    horizon = horizon_at(site, NOW)
    plain = expected(site, horizon, NOW, None, Knowledge(tmp_path, site.name))
    found = expected(site, horizon, NOW, None, dusty)
    noon = np.array(plain.bands[PV]["p50"]) > 3.0
    assert noon.any()
    ratio = np.array(found.bands[PV]["p50"])[noon] / np.array(plain.bands[PV]["p50"])[noon]
    assert ratio == pytest.approx(LEFT, abs=0.1)
    told = found.told[PV]["state"]
    assert told["used"]
    assert told["level"] == pytest.approx(LEFT, abs=0.06)
    assert told["as_of"] <= "2026-06-01T06"
    assert "the physics alone with" in told["why"]
    assert ForecastView(**found.told[PV]).state.days > 15
    assert plain.told[PV]["state"] is None


def test_a_clean_plant_and_an_old_state_leave_the_physics_alone(site, made, dusty, tmp_path):
    clean = pv_state(site, NOW, kept(site, made, tmp_path, left=1.0))
    assert clean.state is None
    assert not clean.told["used"]
    later = pv_state(site, NOW + timedelta(days=25), dusty)
    assert later.state is None
    assert later.told["why"] == "the last day that told is too long ago"


def test_a_meter_that_shows_more_than_the_plant_has_stops_no_round(site, made, tmp_path):
    found = pv_state(site, NOW, kept(site, made, tmp_path, left=1000.0))
    assert found.state is None
    assert "check its unit" in found.told["why"]


def test_a_model_learns_the_clean_plant_and_is_taken_in_its_state(site, made, tmp_path, monkeypatch):
    monkeypatch.setattr("models.forecast.learned.SERVICE", SMALL)
    knowledge = kept(site, made, tmp_path)
    real = site.model_copy(
        update={"weather": site.weather.model_copy(update={"kind": "open_meteo", "url": "http://127.0.0.1:9"})}
    )
    past = past_of(real, NOW, DAYS, None, None, knowledge)
    (found,) = trained(real, past, NOW, knowledge.shelf)
    assert found.quantity == PV
    assert found.model.by_state
    if not found.verdict.promoted:
        knowledge.shelf.put(found.model, found.report)
    assert knowledge.shelf.card(PV)["by_state"] is True
    assert knowledge.shelf.model(PV)[0].by_state
    served = expected(site, horizon_at(site, NOW), NOW, None, knowledge)
    assert served.told[PV]["kind"] == "learned"
    noon = np.array(served.bands[PV]["p50"]).max()
    assert noon < 0.8 * sum(field.inverter_ac_mw for field in site.solar), "a clean plant gives nine tenths of them"


def test_whether_a_state_serves_in_training_is_not_judged_by_what_came_later(site, made):
    """Clean for the first half of the past, 0.7 of it after: training as of the middle knows no state yet."""
    actual, middle = made.actual[PV], made.issues[DAYS // 2]
    later = np.array([start >= middle for start in actual.starts()])
    lost = actual.with_values(np.where(later, LEFT, 1.0) * actual.values)
    history = sun_history(site, made.runs, made.issues, lost, None)
    assert in_known_states(history, site, made, NOW).state is not None
    assert in_known_states(history, site, made, middle).state is None
