"""The simulated weather: repeatable, true to its hours, and disturbed as the scenario says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.site_file import read_site, sample_path
from ingest.sources.outlook.weather import actual_weather
from models.errors import InvalidInput
from models.horizon import Horizon, use_packaged_time_zones
from models.plant.nature import nature
from models.plant.scenarios import CALM, SCENARIOS, Event

use_packaged_time_zones()
SITE = read_site(sample_path("dakhla"))
DAWN = datetime(2026, 6, 1, 6, tzinfo=UTC)
WEATHER = actual_weather(SITE, Horizon(DAWN + timedelta(hours=1), timedelta(hours=1), 12))


def day(scenario=CALM, seed=1):
    return nature(SITE, WEATHER, SCENARIOS[scenario], DAWN, seed)


def test_the_same_seed_gives_the_same_day_and_another_another():
    first, again, other = day(), day(), day(seed=2)
    assert np.array_equal(first.pv_mw, again.pv_mw)
    assert np.array_equal(first.wind_mw, again.wind_mw)
    assert not np.array_equal(first.wind_mw, other.wind_mw)


def test_between_two_slots_weather_runs_straight_and_outside_it_is_refused():
    found = day()
    middle = found.start + timedelta(minutes=5)
    assert found.at(middle).dry_bulb_c == pytest.approx((found.dry_bulb_c[0] + found.dry_bulb_c[1]) / 2)
    with pytest.raises(InvalidInput, match="ask another day"):
        found.at(found.end)


@pytest.mark.parametrize(
    ("scenario", "pv", "wind", "warmer"),
    [
        ("sandstorm", (0.0, 0.6), None, 0.0),
        ("forecast-bust", (0.0, 0.6), (0.0, 0.6), 0.0),
        ("heatwave", (0.9, 1.0), (0.0, 0.9), 12.0),
        ("grid-trip", (1.0, 1.0), (1.0, 1.0), 0.0),
        ("chiller-loss", (1.0, 1.0), (1.0, 1.0), 0.0),
    ],
)
def test_scenarios_disturb_the_weather_as_they_say(scenario, pv, wind, warmer):
    usual, found = day(), day(scenario)
    hours = slice(60, 72)  # five hours after the begin
    assert found.dry_bulb_c[hours] - usual.dry_bulb_c[hours] == pytest.approx(np.full(12, warmer), abs=0.01)
    assert pv[0] <= found.pv_mw[hours].sum() / usual.pv_mw[hours].sum() <= pv[1]
    if wind:
        assert wind[0] <= found.wind_mw[hours].sum() / usual.wind_mw[hours].sum() <= wind[1]


def test_dust_stays_on_the_modules_after_the_storm():
    storm = SCENARIOS["sandstorm"]
    assert storm.sky(0.5).dust_loss == 0.0
    assert storm.sky(20.0).dust_loss == pytest.approx(0.12)
    assert storm.sky(20.0).beam_share == 1.0


def test_an_event_comes_holds_and_goes():
    event = Event(1.0, 2.0, 0.5)
    assert [event.weight(h) for h in (0.9, 1.25, 1.5, 3.5, 3.75, 4.0)] == [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    assert [Event(1.0, 0.25).weight(h) for h in (0.99, 1.0, 1.2, 1.25)] == [0.0, 1.0, 1.0, 0.0]


def test_the_grid_trips_and_comes_back_by_halves():
    trip = SCENARIOS["grid-trip"]
    assert [trip.works(h).grid_share for h in (0.5, 1.1, 1.5, 2.5)] == [1.0, 0.0, 0.5, 1.0]
    assert SCENARIOS["chiller-loss"].works(2.0).cooling_share == pytest.approx(0.2)
