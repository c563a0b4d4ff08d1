"""Base load in a round: learned from its meter where that beats the site file, else the site file's shape, and why."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from api.expected_load import expected_load
from api.gathering import horizon_at
from api.knowledge import Knowledge
from api.schemas import ForecastView
from ingest.points import Point, canonical, to_ns
from ingest.site_file import read_site, sample_path
from ingest.stores.memory import MemoryStore
from models.forecast.quantiles import QuantileForecast
from models.forecast.reserve import fall_mw
from models.horizon import parse_rfc3339

NOW = parse_rfc3339("2026-06-01T06:20:00Z")
HOUR = timedelta(hours=1)
DAYS = 73


@pytest.fixture(scope="module")
def site():
    return read_site(sample_path("dakhla"))


def metered(site, tmp_path, values):
    """A store with hourly base load up to now."""
    store, first = MemoryStore(), NOW.replace(minute=0) - len(values) * HOUR
    tags = canonical({"site": site.name})
    for k, value in enumerate(values):
        at = first + k * HOUR
        store.write([Point("site", tags, (("base_load_mw", float(value)),), to_ns(at))], at)
    return Knowledge(tmp_path, site.name, store)


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


def test_nothing_metered_nothing_told(site):
    assert expected_load(site, horizon_at(site, NOW), NOW, None).told is None
