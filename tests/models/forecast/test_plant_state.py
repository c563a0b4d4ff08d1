"""Slow states of a PV plant: soiling after Kimber, cleanings, units that are out, haze."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pvlib.soiling import kimber

from ingest.site_file import read_site, sample_path
from ingest.sources.outlook.forecast_history import synthetic_past
from models.errors import InvalidInput
from models.forecast.plants import in_states, sun_history
from models.forecast.site import PV, capacity_mw, forecast_site, pv_mw
from models.forecast.state_fit import Days, judged_state, state_at, telling_days
from models.horizon import Horizon, parse_rfc3339

BEGIN = date(2026, 3, 1)
FIRST = (BEGIN - date(1970, 1, 1)).days
HOUR = timedelta(hours=1)


def days_of(log_ratio, there=None, forecast=None):
    """A day a value from 1 March 2026 on, all of them known at their end; forecasts: of cloudless skies, all right."""
    number = FIRST + np.arange(len(log_ratio))
    known = (number + 1).astype("datetime64[D]").astype("datetime64[us]")
    kept = np.ones(len(number), bool) if there is None else there
    ratio, told = (
        np.asarray(values, float)[kept] for values in (log_ratio, log_ratio if forecast is None else forecast)
    )
    return Days(number[kept], ratio, told, known[kept], timedelta(0))


def after(days):
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=days)


def luck(n, size=0.015, seed=1):
    return size * np.random.default_rng(seed).standard_normal(n)


def soiled(n, rate=0.003, washed=()):
    """Logarithm of what Kimber's model leaves, washed on given days; from a clean start."""
    dry = pd.Series(0.0, index=pd.date_range(BEGIN, periods=n))
    dates = [BEGIN + timedelta(days=k) for k in washed]
    return np.log1p(-kimber(dry, soiling_loss_rate=rate, manual_wash_dates=dates or None).to_numpy())


def test_dust_that_grows_for_weeks_is_soiling_and_is_carried_on():
    state = state_at(days_of(soiled(60) + luck(60)), after(60))
    assert state.rate_per_day == pytest.approx(0.003, abs=0.0006)
    assert state.soiling == pytest.approx(0.003 * 59, abs=0.035)
    assert state.level == pytest.approx(1 - 0.003 * 59, abs=0.015)
    assert (state.working, state.cleaned, state.lost) == (1.0, None, None)
    two_days_on = state.cells([after(60), after(62)])
    assert two_days_on[1] / two_days_on[0] == pytest.approx(1 - 2 * state.rate_per_day, abs=0.012)


@pytest.mark.parametrize("seed", range(5))
def test_dust_that_has_begun_three_weeks_ago_is_followed(seed):
    """Two months clean, then 0.3 % a day, with the noise of real days."""
    y = np.concatenate([np.zeros(60), soiled(21, 0.003)]) + luck(81, 0.03, seed)
    state = state_at(days_of(y), after(81))
    assert state.level == pytest.approx(1 - 0.003 * 20, abs=0.03)


def test_a_cleaning_is_seen_with_its_day_and_the_plant_is_clean_again():
    state = state_at(days_of(soiled(70, washed=[60]) + luck(70)), after(70))
    assert state.cleaned == BEGIN + timedelta(days=60)
    assert state.soiling == pytest.approx(0.003 * 9, abs=0.015)
    assert state.level == pytest.approx(1 - 0.003 * 9, abs=0.02)


def test_units_that_are_out_are_a_loss_at_once_and_their_return_ends_it():
    y = luck(50)
    y[30:] += np.log(0.75)
    out = state_at(days_of(y[:40]), after(40))
    assert out.lost == BEGIN + timedelta(days=30)
    assert out.working == pytest.approx(0.75, abs=0.02)
    assert out.level == pytest.approx(0.75, abs=0.02)
    assert out.cells([after(40)])[0] == pytest.approx(1.0, abs=0.03), "the cells that work are clean"
    y[42:] -= np.log(0.75)
    back = state_at(days_of(y), after(50))
    assert (back.lost, back.working) == (None, 1.0)
    assert back.level == pytest.approx(1.0, abs=0.02)
    assert back.cleaned is None, "a return is no cleaning"


def test_a_storm_of_dust_is_lost_at_once_and_a_cleaning_takes_it_and_the_rest_away():
    y = soiled(60, washed=[50])
    y[35:50] += np.log(0.9)
    y += luck(60)
    dusty = state_at(days_of(y[:48]), after(48))
    assert dusty.lost == BEGIN + timedelta(days=35)
    assert dusty.level == pytest.approx(0.9 * (1 - 0.003 * 47), abs=0.03)
    clean = state_at(days_of(y), after(60))
    assert clean.cleaned == BEGIN + timedelta(days=50)
    assert (clean.lost, clean.working) == (None, 1.0)


def test_a_plant_that_has_grown_is_judged_by_what_came_since():
    """Half the capacity that the site file has now, until day 30."""
    y = luck(45)
    y[:30] += np.log(0.5)
    state = state_at(days_of(y), after(45))
    assert state.level == pytest.approx(1.0, abs=0.02)
    assert state.working == 1.0


def test_haze_lasts_as_long_as_such_days_did_and_fades():
    rng, air = np.random.default_rng(4), np.zeros(80)
    for k in range(1, 80):
        air[k] = 0.7 * air[k - 1] + 0.02 * rng.standard_normal()
    air[79] = -0.08
    state = state_at(days_of(air), after(80))
    assert 0.4 < state.air_keeps <= 0.8
    assert state.air == pytest.approx(-0.08, abs=0.03)
    first, later = state.cells([after(80), after(85)])
    assert first < later, "what is in the air goes by itself"


def test_few_days_tell_nothing_and_old_ones_are_not_fresh():
    assert state_at(days_of(luck(9)), after(9)) is None
    state = state_at(days_of(luck(20)), after(20))
    assert state.as_of == after(20)
    assert state.fresh(after(40))
    assert not state.fresh(after(42))
    assert state.spread_at(after(35)) > 2 * state.spread_at(after(20))


@given(st.integers(15, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_what_was_not_known_moves_no_state(now, seed):
    rng = np.random.default_rng(seed)
    y = soiled(70) + luck(70, seed=seed)
    shuffled = y.copy()
    shuffled[now:] = rng.uniform(-2, 0.1, 70 - now)
    assert state_at(days_of(y), after(now)) == state_at(days_of(shuffled), after(now))


@given(st.floats(0.4, 1.1), st.floats(0.0, 0.006), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_no_state_leaves_what_no_plant_has(level, rate, seed):
    rng = np.random.default_rng(seed)
    y = np.log(level) + soiled(50, rate) + 0.1 * rng.standard_normal(50)
    state = state_at(days_of(y, rng.random(50) < 0.8), after(50))
    left = state.cells([after(50 + d) for d in range(10)]) * state.working
    assert (left > 0).all()
    assert (left < 1.5).all()
    assert 0 < state.working <= 1
    assert 0 <= state.soiling <= 0.3


def test_a_state_serves_where_it_foretells_better_and_luck_alone_does_not():
    assert judged_state(days_of(soiled(60, 0.004) + luck(60)), after(60)).serves
    assert not judged_state(days_of(luck(60)), after(60)).serves
    assert not judged_state(days_of(luck(12)), after(12)).serves


def test_a_weather_model_with_another_cloudless_sky_makes_no_state_serve():
    """The meter shows a tenth less than the physics know, and so did every run: on top of the runs nothing is lost."""
    y = np.log(0.9) + luck(60)
    assert judged_state(days_of(y), after(60)).serves
    assert not judged_state(days_of(y, forecast=luck(60, seed=2)), after(60)).serves


NOW = parse_rfc3339("2026-06-01T06:20:00Z")


@pytest.fixture(scope="module")
def site():
    return read_site(sample_path("dakhla"))


@pytest.fixture(scope="module")
def past(site):
    """Forty runs of a day."""
    made = synthetic_past(site, NOW, 40)
    return replace(made, runs=[run.on(Horizon(run.start, HOUR, 24)) for run in made.runs])


@pytest.fixture(scope="module")
def dirty(site, past):
    """A plant that gives 85 % of its physics."""
    actual = past.actual[PV]
    return sun_history(site, past.runs, past.issues, actual.with_values(0.85 * actual.values), None)


def test_a_history_tells_what_the_plant_lost(dirty):
    days = telling_days(dirty, NOW)
    state = state_at(days, NOW)
    assert len(days) > 20
    assert state.level == pytest.approx(0.85, abs=0.05)
    assert judged_state(days, NOW).serves


def test_clouds_that_no_forecast_had_are_no_state_of_the_plant(dirty):
    """On two days of five clouds pass that the run did not know of, and take a different part of each hour."""
    rng = np.random.default_rng(3)
    day = np.arange(len(dirty.rows)) // 24
    cloudy = rng.random(day[-1] + 1) < 0.4
    left = np.where(cloudy[day], rng.uniform(0.2, 1.0, len(day)), 1.0)
    days = telling_days(replace(dirty, actual_mw=dirty.actual_mw * left), NOW)
    state, clean = state_at(days, NOW), state_at(telling_days(dirty, NOW), NOW)
    assert len(days) >= 10
    assert (state.working, state.lost) == (1.0, None)
    assert state.level == pytest.approx(clean.level, abs=0.02)
    assert np.mean(np.abs(days.ratio - np.log(0.85)) < 0.03) > 0.8


def test_a_history_without_a_telling_hour_has_no_day(dirty):
    none = telling_days(replace(dirty, actual_mw=np.full(len(dirty.rows), np.nan)), NOW)
    assert len(none) == 0
    assert state_at(none, NOW) is None
    assert not judged_state(none, NOW).serves


def test_hours_between_passing_clouds_tell_nothing_and_a_steady_loss_tells(dirty):
    """Power beside a cloudless sky's moves by more than a tenth from an hour to the next, or not at all."""
    hour = np.arange(len(dirty.rows)) % 24
    clouds, loss = np.where(hour % 2, 0.8, 1.0), np.full(len(hour), 0.8)
    assert len(telling_days(replace(dirty, actual_mw=dirty.actual_mw * clouds), NOW)) == 0
    lost = telling_days(replace(dirty, actual_mw=dirty.actual_mw * loss), NOW)
    whole = telling_days(dirty, NOW)
    assert lost.number.tolist() == whole.number.tolist()
    assert lost.ratio == pytest.approx(whole.ratio + np.log(0.8))


@pytest.mark.parametrize("fault", ["curtailed", "stuck", "nothing for a month", "missing"])
def test_hours_that_say_nothing_of_the_plant_move_no_state(dirty, fault):
    """From day 10 to 37 the meter says something else; the state is that of the other days."""
    day = np.arange(len(dirty.rows)) // 24
    there = (day >= 10) & (day < 37)
    mw = {"curtailed": 0.3 * dirty.actual_mw, "stuck": 3.21, "nothing for a month": 0.0, "missing": np.nan}[fault]
    odd = replace(dirty, actual_mw=np.where(there, mw, dirty.actual_mw), limited=there & (fault == "curtailed"))
    days = telling_days(odd, NOW)
    begin, touched = int(dirty.rows.starts[0].astype("datetime64[D]").astype(int)), set(range(10, 37))
    told, wanted = set(days.number - begin), set(telling_days(dirty, NOW).number - begin)
    assert told & touched <= {10, 36}, "the border of a stuck stretch may be of either side"
    assert told - touched == wanted - touched
    assert told - touched


def test_a_meter_in_another_unit_is_refused_by_name(dirty):
    with pytest.raises(InvalidInput, match="check its unit"):
        replace(dirty, actual_mw=1000.0 * dirty.actual_mw)


def test_inverters_that_clip_hide_dust_and_not_units_that_are_out(site, past):
    field = replace_solar(site, peak=3.0)
    run = past.runs[-1]
    clean = pv_mw(field, run)
    state = state_at(days_of(np.log(0.9) + luck(40)), after(40))
    dusty = replace(state, as_of=run.start, air=0.0)
    out = replace(dusty, working=dusty.level)
    noon = clean > 0.999 * sum(one.inverter_ac_mw for one in field)
    assert noon.any()
    assert pv_mw(field, run, dusty)[noon] == pytest.approx(clean[noon], rel=1e-3)
    assert pv_mw(field, run, out)[noon] == pytest.approx(dusty.level * clean[noon], rel=1e-3)


def replace_solar(site, peak):
    return [one.model_copy(update={"peak_dc_mw": peak * one.inverter_ac_mw}) for one in site.solar]


def test_the_physics_forecast_follows_the_state_and_its_doubt_widens_the_band(site, past):
    run = past.runs[-1]
    state = replace(state_at(days_of(np.log(0.8) + luck(40)), after(40)), as_of=run.start, air=0.0)
    horizon = Horizon(run.start, timedelta(minutes=15), 96)
    plain = forecast_site(site, horizon, run, run.start)[PV]
    found = forecast_site(site, horizon, run, run.start, state=state)[PV]
    day = plain.p50 > 0.5
    assert found.p50[day] / plain.p50[day] == pytest.approx(0.8, abs=0.06)
    assert (found.p10 <= found.p50).all()
    assert (found.p90 <= capacity_mw(site)[PV]).all()
    assert "in the plant's state" in found.method
    doubtful = forecast_site(site, horizon, run, run.start, state=replace(state, spread=0.2))[PV]
    assert (doubtful.p90 - doubtful.p10)[day].sum() > 1.05 * (found.p90 - found.p10)[day].sum()


def test_a_history_in_states_teaches_the_clean_plant(site, past, dirty):
    days = telling_days(dirty, NOW)
    states = [state_at(days, issue) for issue in past.issues]
    assert states[0] is None
    told = in_states(dirty, site, past.runs, states)
    late = (told.state < 1.0) & (told.share > 0.2)
    assert np.median(told.state[late]) == pytest.approx(0.88, abs=0.06)
    whole = late & (told.clean_share < 1.0)
    assert (told.clean_share * told.state)[whole] == pytest.approx(told.share[whole])
    assert (told.state[: len(past.runs[0])] == 1.0).all()
    assert told.physics_share[late] == pytest.approx((told.physics_mw * told.state / told.capacity_mw)[late])
