"""From weather at hand to a fan: the steps down, hours to quarter hours, and what a fan refuses to be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidInput
from models.forecast.fan import Fan, averaged
from models.forecast.ladder import rung
from models.forecast.refine import by_shape, straight
from models.forecast.serving import usual
from models.forecast.site import PV, WIND
from models.horizon import Horizon
from models.series import Series
from models.sky import Place, clear_sky
from models.weather import WeatherTable

NOW = datetime(2026, 6, 1, 9, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
HORIZON = Horizon(datetime(2026, 6, 1, 9, 30, tzinfo=UTC), timedelta(minutes=15), 16)
DAKHLA = Place(23.7, -15.93, 12.0)
LEVELS = np.array([0.1, 0.5, 0.9])


def table(source="ECMWF", age_h=3.0, hours=24):
    columns = {
        "ghi_w_m2": 500.0,
        "dni_w_m2": 400.0,
        "dhi_w_m2": 100.0,
        "temp_air_c": 25.0,
        "relative_humidity_pct": 50.0,
        "wind_speed_m_s": 8.0,
    }
    start = datetime(2026, 6, 1, 6, tzinfo=UTC)
    filled = {name: np.full(hours, value) for name, value in columns.items()}
    return WeatherTable(DAKHLA, start, HOUR, filled, source=source, available_at=NOW - age_h * HOUR)


def test_two_fresh_models_are_an_ensemble_one_is_a_single_run():
    found = rung([table(), table("GFS")], HORIZON, NOW)
    assert (found.step, len(found.tables), found.reason) == ("ensemble", 2, "")
    found = rung([table()], HORIZON, NOW)
    assert found.step == "single run"
    assert rung([table(), table(age_h=1.0)], HORIZON, NOW).step == "single run"  # two runs of one model are one model


def test_an_old_run_serves_when_nothing_fresh_came_and_says_its_age():
    found = rung([table(age_h=30.0), table(age_h=20.0)], HORIZON, NOW, failed="the service gave no answer")
    assert found.step == "last run"
    assert found.tables[0].available_at == NOW - 20 * HOUR
    assert "no answer" in found.reason
    assert "2026-05-31T13:20:00Z, older than 12 h" in found.reason


def test_what_was_not_known_yet_or_has_holes_is_not_used_and_said():
    late = table("late", age_h=-1.0)
    unsaid = replace(table("unsaid"), available_at=None)
    short = table("short", hours=4)
    found = rung([late, unsaid, short], HORIZON, NOW)
    assert (found.step, found.tables) == ("climatology", ())
    for word in ("late was not known yet", "unsaid does not say", "short: it covers"):
        assert word in found.reason


def test_a_forecast_issued_late_rests_on_what_was_known_when_it_was_issued():
    """Issued now for a horizon long begun: the run that came in between counts, one of tomorrow does not."""
    found = rung([table("old", 30.0), table("new", 1.0), table("tomorrow", -24.0)], HORIZON, NOW)
    assert [t.source for t in found.tables] == ["new"]


def fan(values, **changes):
    said = {"capacity_mw": 10.0, "available_at": NOW, "step": "single run", "method": "by hand"} | changes
    return Fan(Horizon(NOW, HOUR, 2), LEVELS, np.array(values), **said)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([[2.0, 2.0], [1.0, 1.0], [3.0, 3.0]], "crossing"),
        ([[-1.0, 2.0], [1.0, 3.0], [3.0, 3.0]], "outside"),
        ([[1.0, 2.0], [1.0, 3.0], [3.0, 11.0]], "outside"),
        ([[1.0, np.nan], [1.0, 3.0], [3.0, 4.0]], "missing"),
        ([[1.0], [1.0], [3.0]], "length"),
    ],
)
def test_a_fan_that_makes_no_sense_cannot_be_made(values, code):
    with pytest.raises(InvalidInput) as error:
        fan(values)
    assert {fault.code for fault in error.value.faults} == {code}


def test_an_ensemble_is_the_mean_of_its_quantiles_and_names_its_models():
    one = fan([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]], source="ECMWF")
    two = fan([[3.0, 2.0], [4.0, 3.0], [5.0, 8.0]], source="GFS")
    both = averaged([one, two], "ensemble")
    assert both.values.tolist() == [[2.0, 2.0], [3.0, 3.0], [4.0, 6.0]]
    assert both.source == "ECMWF, GFS"
    band = both.band()
    assert band.p90.tolist() == [4.0, 6.0]
    assert band.method.endswith("ensemble")
    with pytest.raises(InvalidInput, match=r"no level 0\.3"):
        both.at(0.3)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_quarter_hours_keep_every_mean_stay_within_and_never_cross(pairs, seed):
    rng = np.random.default_rng(seed)
    low, high = (np.array(side) for side in zip(*(sorted(pair) for pair in pairs), strict=True))
    shape = np.where(rng.uniform(size=4 * len(pairs)) < 0.3, 0.0, rng.uniform(size=4 * len(pairs)))
    fine = [by_shape(means, shape, 1.0) for means in (low, high)]
    for means, values in zip((low, high), fine, strict=True):
        np.testing.assert_allclose(values.reshape(-1, 4).mean(axis=1), means, atol=1e-9)
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-12
    assert (fine[1] - fine[0] >= -1e-9).all()


def test_a_morning_hour_rises_like_the_clear_sky():
    """Sunrise in Dakhla on 1 June lies before 07:00 UTC: the hour's mean is kept and its quarters rise."""
    sky = clear_sky(DAKHLA, datetime(2026, 6, 1, 7, tzinfo=UTC), timedelta(minutes=15), 4).ghi_w_m2
    fine = by_shape(np.array([0.2]), sky, 1.0)
    assert fine.mean() == pytest.approx(0.2)
    assert (np.diff(fine) > 0).all()


def test_straight_lines_run_between_the_middles_of_hours():
    """Means 1 and 3: quarters at 3/8 and 5/8 of an hour after the first middle are 1 + 2 x 0.375 and 1 + 2 x 0.625."""
    assert straight(np.array([1.0, 3.0]), 2).tolist() == [1.0, 1.5, 2.5, 3.0]


def test_the_last_step_is_the_usual_of_the_hour_and_night_is_exactly_nothing():
    days = 20
    values = np.tile(np.arange(24.0), days)
    past = Series(NOW.replace(hour=0, minute=0) - days * timedelta(days=1), HOUR, values, "MW", "meter")
    horizon = Horizon(datetime(2026, 6, 1, 10, tzinfo=UTC), HOUR, 24)
    calm = usual(WIND, past, DAKHLA, horizon, NOW, 30.0, "no weather")
    assert calm.step == "climatology"
    assert calm.reason == "no weather"
    assert calm.at(0.5)[:3].tolist() == [10.0, 11.0, 12.0]
    night = usual(PV, past, DAKHLA, horizon, NOW, 30.0, "no weather")
    assert (night.values[:, 14:18] == 0).all()  # 00 to 04 UTC
    with pytest.raises(InvalidInput, match="no value of the last 45 days"):
        usual(WIND, past, DAKHLA, horizon, NOW - 365 * timedelta(days=1), 30.0, "")
