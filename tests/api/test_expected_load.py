"""Loads in a round: learned from their meters where that beats what would hold else, and why they are not."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from api.expected_load import BASE, COOLING, IT, expected_loads, load_names, with_cooling
from api.gathering import horizon_at
from api.knowledge import Knowledge
from api.schemas import ForecastView
from ingest.points import Point, canonical, to_ns
from ingest.site_file import read_site, sample_path
from ingest.stores.memory import MemoryStore
from models.cooling import Tangents, plant_power_mw, tangents
from models.forecast.quantiles import QuantileForecast
from models.forecast.reserve import fall_mw
from models.horizon import parse_rfc3339
from models.series import Series
from models.site import Site

NOW = parse_rfc3339("2026-06-01T06:20:00Z")
HOUR = timedelta(hours=1)
DAYS = 73
pytestmark = pytest.mark.usefixtures("few_trees")


@pytest.fixture(scope="module")
def site():
    return read_site(sample_path("dakhla"))


def written(store, values, measurement, field, **tags):
    """Hourly values up to now."""
    first = NOW.replace(minute=0) - len(values) * HOUR
    for k, value in enumerate(values):
        at = first + k * HOUR
        store.write([Point(measurement, canonical(tags), ((field, float(value)),), to_ns(at))], at)


def metered(site, tmp_path, values, field="base_load_mw"):
    """A store with hourly load up to now."""
    store = MemoryStore()
    written(store, values, "site", field, site=site.name)
    return Knowledge(tmp_path, site.name, store)


def expected_load(site, horizon, now, knowledge):
    return expected_loads(site, horizon, now, knowledge).by_name[BASE]


def busy_days(days=DAYS):
    """More on working days than on others, which the site file does not know, and some luck."""
    hours = np.arange(days * 24)
    busy = (hours // 24) % 7 < 5
    return (
        2.0
        + 0.8 * busy
        + 0.3 * np.sin(hours / 24 * 2 * np.pi)
        + 0.05 * np.random.default_rng(3).normal(size=len(hours))
    )


def test_a_load_that_its_meter_knows_better_than_the_site_file_is_learned(site, tmp_path):
    values = busy_days()
    horizon = horizon_at(site, NOW)
    found = expected_load(site, horizon, NOW, metered(site, tmp_path, values))
    assert found.told["kind"] == "learned", found.told
    assert found.told["scores"]["skill"] > 0.2
    assert not found.told["scores"]["proven"]
    assert len(found.mw) == horizon.slots
    # the same hours a week before, less luck
    week_ago = np.repeat(values[-7 * 24 :], 4)[1 : 1 + horizon.slots]
    assert np.abs(np.array(found.mw) - week_ago).mean() < 0.2
    assert (found.rise_mw >= 0).all()
    assert found.rise_mw.max() > 0
    none = np.zeros(horizon.slots)
    calm = QuantileForecast(horizon, none, none, none, 0.0, NOW, "none")
    assert fall_mw([calm], found.rise_mw).tolist() == pytest.approx(found.rise_mw.tolist())


def test_a_young_meter_gives_the_usual_of_its_hours_where_that_beats_the_site_file(site, tmp_path):
    """A month is too short to learn from; working days and others differ, which the site file does not know."""
    values = busy_days(30)
    horizon = horizon_at(site, NOW)
    found = expected_load(site, horizon, NOW, metered(site, tmp_path, values))
    assert found.told["kind"] == "usual", found.told
    assert found.told["not_learned"] == "too many hours of its meter are missing to judge a forecast"
    week_ago = np.repeat(values[-7 * 24 :], 4)[1 : 1 + horizon.slots]
    assert np.abs(np.array(found.mw) - week_ago).mean() < 0.3
    assert (found.rise_mw > 0).any()
    levels = np.array([found.bands[name] for name in ("p05", "p10", "p30", "p50", "p70", "p90", "p95")])
    assert (np.diff(levels, axis=0) >= 0).all()
    assert ForecastView(**found.told).kind == "usual"


def test_a_load_that_the_site_file_knows_as_well_stays_the_files(site, tmp_path):
    luck = np.random.default_rng(1).normal(size=DAYS * 24)
    usual = np.array(site.base_load_mw(horizon_of_the_past(site)))
    found = expected_load(site, horizon_at(site, NOW), NOW, metered(site, tmp_path, usual + 1e-4 * luck))
    assert found.mw is None
    assert found.told["not_learned"] == "over 14 days the site file did better"
    assert found.told["kind"] == "file"
    assert found.told["reason"] == "over 14 days the site file did better than the usual"
    assert not found.rise_mw.any()


def horizon_of_the_past(site):
    from models.horizon import Horizon

    return Horizon(NOW.replace(minute=0) - DAYS * 24 * HOUR, HOUR, DAYS * 24)


@pytest.mark.parametrize("days", [0, 20])
def test_without_enough_of_a_meter_the_site_file_serves(site, tmp_path, days):
    found = expected_load(site, horizon_at(site, NOW), NOW, metered(site, tmp_path, busy_days()[: days * 24]))
    assert found.mw is None
    assert (found.told is None) == (days == 0)


def test_a_meter_that_tells_kilowatts_is_not_planned_on(site, tmp_path):
    found = expected_load(site, horizon_at(site, NOW), NOW, metered(site, tmp_path, 1000 * busy_days()))
    assert found.mw is None
    assert found.told["kind"] == "file"
    assert "MW where the site file says" in found.told["reason"]
    assert "check its unit" in found.told["reason"]


def test_nothing_metered_nothing_told(site):
    assert expected_load(site, horizon_at(site, NOW), NOW, None).told is None


@pytest.fixture(scope="module")
def with_chat(site):
    chat = {"name": "chat", "mean_mw": 1.0, "min_share": 0.5, "below_nominal_cost_per_mwh": 900.0}
    raw = site.model_dump(mode="json", exclude_unset=True) | {"services": [chat]}
    return site.model_copy(update={"services": Site.model_validate(raw).services})


def test_hours_in_which_a_plan_held_a_service_back_do_not_tell_what_it_asks_for(with_chat, tmp_path):
    """On two of three days a plan gave half from 06 to 12 UTC: three in four hours are known, and only those count."""
    store, hours = MemoryStore(), np.arange(DAYS * 24)  # the first is an hour from 06 to 07
    asked = busy_days()
    held = (hours % 24 < 6) & (hours // 24 % 3 < 2)  # of the last two days the first is free
    chat = {"site": with_chat.name, "asset": "chat"}
    written(store, np.where(held, asked / 2, asked), "service", "power_mw", **chat)
    horizon = horizon_at(with_chat, NOW)
    blind = expected_loads(with_chat, horizon, NOW, Knowledge(tmp_path, with_chat.name, store))
    written(store, np.where(held, 0.5, 1.0), "plan", "inference_mw", **chat)
    written(store, np.ones(len(hours)), "plan", "inference_asked_mw", **chat)
    seen = expected_loads(with_chat, horizon, NOW, Knowledge(tmp_path, with_chat.name, store))
    morning = [k for k, start in enumerate(horizon.starts()) if 7 <= start.hour < 12]
    usually = asked[(hours % 24 >= 1) & (hours % 24 < 6)].mean()
    low, true = (np.array(found.services_mw["chat"])[morning].mean() for found in (blind, seen))
    assert low < 0.8 * usually
    assert true == pytest.approx(usually, rel=0.15)
    assert seen.told["inference_mw/chat"]["kind"] == "learned"
    assert "6 of the newest 48 hours of its meter are missing" in seen.told["inference_mw/chat"]["reason"]
    assert seen.rise_mw.max() > 0
    assert "inference_mw/chat" in load_names(with_chat)


def test_a_service_without_a_meter_stays_the_site_files(with_chat):
    found = expected_loads(with_chat, horizon_at(with_chat, NOW), NOW, None)
    assert found.services_mw == {}
    assert found.told == {}


def test_it_load_is_told_beside_its_cooling_and_not_planned_on(site, tmp_path):
    values = 4.0 * busy_days()
    horizon = horizon_at(site, NOW)
    loads = expected_loads(site, horizon, NOW, metered(site, tmp_path, values, "it_mw"))
    assert loads.told[IT]["kind"] == "learned"
    assert loads.told[IT]["scores"]["beside"] == "48 h persistence"
    assert loads.base_mw is None
    assert not loads.rise_mw.any(), "what plans decide sizes no reserve"
    dry, wet = [30.0] * horizon.slots, [20.0] * horizon.slots
    both = with_cooling(loads, site, (dry, wet), None)
    for level in ("p05", "p50", "p95"):
        heat = np.array(both.bands[IT][level]) / site.distribution_efficiency
        there = plant_power_mw(heat, dry, wet, site.cooling)
        told = np.array(both.bands[COOLING][level])
        assert (told <= there + 1e-6).all(), "pieces lie below the physics"
        np.testing.assert_allclose(told, there, atol=float(tangents(site.cooling, dry, wet).error_mw.max()) + 1e-6)
    twice = Tangents(np.full((1, horizon.slots), 2.0), np.zeros((1, horizon.slots)), np.full(horizon.slots, 99.0), dry)
    learned = with_cooling(loads, site, (dry, wet), twice)
    expected = 2.0 * np.array(loads.bands[IT]["p50"]) / site.distribution_efficiency
    np.testing.assert_allclose(learned.bands[COOLING]["p50"], expected, atol=2e-6)
    assert "learned COP" in learned.told[COOLING]["reason"]
    for told in both.told.values():
        ForecastView(**told)


def test_it_load_that_nothing_foretells_better_than_its_last_days_is_not_told(site, tmp_path):
    steps = np.repeat(np.random.default_rng(5).uniform(2, 9, 12), 7 * 24)[: DAYS * 24]
    steps = np.concatenate([steps, np.full(DAYS * 24 - len(steps), 4.0)])
    loads = expected_loads(site, horizon_at(site, NOW), NOW, metered(site, tmp_path, steps, "it_mw"))
    assert IT not in loads.told
    assert with_cooling(loads, site, ([], []), None) is loads


def test_a_past_that_was_read_stands_in_for_meters_and_nothing_after_now_is_seen(site, tmp_path):
    values = busy_days(DAYS + 5)
    start = NOW.replace(minute=0) - DAYS * 24 * HOUR
    horizon = horizon_at(site, NOW)
    changed = np.where(np.arange(len(values)) >= DAYS * 24, 99.0, values)
    one, two = (
        expected_loads(site, horizon, NOW, Knowledge(tmp_path, site.name), {BASE: Series(start, HOUR, past, "MW")})
        for past in (values, changed)
    )
    assert one.told[BASE]["kind"] == "learned"
    assert one.base_mw == two.base_mw
