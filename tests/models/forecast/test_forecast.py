"""Forecasts: quantiles that hold, yardsticks, scores, bands that cover, and no peeking."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidInput
from models.forecast import bands, baselines, scoring
from models.forecast.past import PastPairs, known_part, moment64
from models.forecast.quantiles import QuantileForecast, bounded
from models.forecast.reserve import fall_mw
from models.horizon import Horizon
from models.series import Series

T0 = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = Horizon(T0, HOUR, 24)


def forecast(p10, p50, p90, cap=10.0, slots=None):
    horizon = Horizon(T0, HOUR, slots or len(p50))
    return QuantileForecast(horizon, np.array(p10), np.array(p50), np.array(p90), cap, T0, "by hand")


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (([2.0], [1.0], [3.0]), "crossing"),
        (([-1.0], [1.0], [3.0]), "outside"),
        (([1.0], [1.0], [11.0]), "outside"),
        (([1.0], [np.nan], [3.0]), "missing"),
        (([1.0, 1.0], [1.0], [3.0]), "length"),
    ],
)
def test_a_forecast_that_makes_no_sense_cannot_be_made(bad, code):
    with pytest.raises(InvalidInput) as error:
        forecast(*bad)
    assert code in {fault.code for fault in error.value.faults}


def test_pinball_coverage_and_skill_by_hand():
    """Actual 4, 6: p10 = 2, 7: 0.1 x 2 = 0.2, 0.9 x 1 = 0.9; p50 = 5, 7: 0.5, 0.5; p90 = 6, 8: 0.1 x 2 = 0.2, 0.2."""
    actual = np.array([4.0, 6.0])
    said = forecast([2.0, 7.0], [5.0, 7.0], [6.0, 8.0])
    assert scoring.mean_pinball_mw(said, actual) == pytest.approx((0.2 + 0.9 + 0.5 + 0.5 + 0.2 + 0.2) / 6)
    assert scoring.coverage(said, actual) == 0.5
    perfect = forecast(actual, actual, actual)
    assert scoring.skill(perfect, said, actual) == 1.0
    assert scoring.skill(said, said, actual) == 0.0
    assert np.isnan(scoring.skill(said, perfect, actual)) or scoring.skill(said, perfect, actual) < 0


def daily(days, start, hour=HOUR):
    """Power that is 10 x day number + hour."""
    values = np.array([10.0 * d + h for d in range(days) for h in range(24)])
    return Series(start, hour, values, "MW")


def test_persistence_is_the_last_known_same_hour():
    past = daily(3, T0 - 3 * 24 * HOUR)
    found = baselines.persistence(past, DAY, T0, 100.0)
    assert found.p50.tolist() == [20.0 + h for h in range(24)]
    earlier = baselines.persistence(past, DAY, T0 - 12 * HOUR, 100.0)  # the last half day is not known yet
    assert earlier.p50.tolist() == [20.0 + h for h in range(12)] + [10.0 + h for h in range(12, 24)]


def test_climatology_is_the_spread_of_the_hour_in_the_season():
    past = daily(11, T0 - 11 * 24 * HOUR)
    found = baselines.climatology(past, DAY, T0, 200.0)
    assert found.p50[5] == pytest.approx(55.0)
    assert found.p10[5] == pytest.approx(15.0)
    assert found.p90[5] == pytest.approx(95.0)
    winter = daily(11, T0 - 200 * 24 * HOUR)
    with pytest.raises(InvalidInput, match="no value is known"):
        baselines.climatology(winter, DAY, T0, 200.0)


def test_clear_sky_persistence_keeps_clearness_not_power():
    clear_day = np.maximum(0.0, np.sin((np.arange(48) % 24 - 6) / 12 * np.pi)) * np.repeat([10.0, 8.0], 24)
    past = Series(T0 - 24 * HOUR, HOUR, 0.6 * clear_day[:24], "MW")
    clear = Series(T0 - 24 * HOUR, HOUR, clear_day, "MW")
    found = baselines.clear_sky_persistence(past, clear, DAY, T0, 10.0)
    np.testing.assert_allclose(found.p50, 0.6 * clear_day[24:], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(25, 47))
def test_yardsticks_do_not_see_what_was_not_over_yet(seed, known):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 10, 72)
    other = np.concatenate([values[:known], rng.permutation(values[known:])])
    issued = T0 + known * HOUR
    horizon = Horizon(issued, HOUR, 24)
    clear = Series(T0, HOUR, np.full(96, 10.0), "MW")
    for method in (
        baselines.climatology,
        baselines.persistence,
        lambda past, *rest: baselines.clear_sky_persistence(past, clear, *rest),
    ):
        one, two = (method(Series(T0, HOUR, v, "MW"), horizon, issued, 10.0) for v in (values, other))
        np.testing.assert_array_equal(one.quantiles(), two.quantiles())


def test_a_slot_is_known_when_it_is_over_not_before():
    past = known_part(daily(1, T0), T0 + timedelta(minutes=119))
    assert np.isfinite(past.values).sum() == 1


def pairs(n, rng, spread=0.1, cap=10.0):
    lead = rng.uniform(0, 48, n)
    said = rng.uniform(0.5, cap - 0.5, n)
    came = np.clip(said + rng.normal(0.0, spread * cap, n) * (0.5 + lead / 48), 0, cap)
    ended = np.array([moment64(T0 - (k + 1) * HOUR) for k in range(n)])
    return PastPairs(lead, said, came, ended)


def test_a_learned_band_covers_what_it_says_and_widens_with_lead():
    rng = np.random.default_rng(7)
    shifts = bands.learned(pairs(4000, rng), 10.0)
    assert shifts is not None
    fresh = pairs(4000, np.random.default_rng(8))
    low, _, high = bounded(*shifts.apply(fresh.forecast_mw, fresh.lead_h, 10.0), 10.0)
    inside = (fresh.actual_mw >= low) & (fresh.actual_mw <= high)
    assert inside.mean() == pytest.approx(0.8, abs=0.04)
    for near_far in (fresh.lead_h < 6, fresh.lead_h > 24):
        assert inside[near_far].mean() == pytest.approx(0.8, abs=0.06)
    width = high - low
    assert width[fresh.lead_h > 24].mean() > 1.5 * width[fresh.lead_h < 6].mean()


def test_a_biased_forecast_is_put_right():
    rng = np.random.default_rng(3)
    base = pairs(3000, rng)
    late = PastPairs(base.lead_h, base.forecast_mw, np.clip(base.forecast_mw - 1.0, 0, 10), base.available_at)
    shifts = bands.learned(late, 10.0)
    _, mid, _ = shifts.apply(np.array([5.0]), np.array([10.0]), 10.0)
    assert mid[0] == pytest.approx(4.0, abs=0.05)


def test_too_little_history_teaches_nothing_and_limited_hours_never_do():
    rng = np.random.default_rng(1)
    assert bands.learned(pairs(bands.ENOUGH - 1, rng), 10.0) is None
    full = pairs(300, rng)
    limited = PastPairs(full.lead_h, full.forecast_mw, full.actual_mw, full.available_at, np.arange(300) < 150)
    assert len(limited.known_at(T0)) == 150


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_pairs_whose_actual_came_later_change_nothing(seed):
    rng = np.random.default_rng(seed)
    full = pairs(600, rng)
    issued = T0 - 250 * HOUR
    unknown = full.available_at > moment64(issued)
    assert unknown.any()
    changed = full.actual_mw.copy()
    changed[unknown] = rng.permutation(changed[unknown]) * rng.uniform(0, 1)
    other = PastPairs(full.lead_h, full.forecast_mw, changed, full.available_at)
    one, two = (bands.learned(p.known_at(issued), 10.0) for p in (full, other))
    np.testing.assert_array_equal(one.by_bin, two.by_bin)


def test_the_season_s_band_is_narrow_at_once_and_the_whole_spread_in_the_end():
    usual = np.tile([2.0, 5.0, 9.0], (24, 1))
    lead = np.array([0.0, 24.0, 1000.0])
    low, mid, high = bands.seasonal(np.full(3, 5.0), lead, usual, np.zeros(3), 10.0)
    assert (5.0 - low).tolist() == pytest.approx([0.9, 3 * (1 - 0.7 * np.exp(-1 / 3)), 3.0], rel=1e-4)
    assert (np.diff(high) > 0).all()
    assert mid.tolist() == [5, 5, 5]


def test_the_fall_of_sun_and_wind_together_is_that_of_independent_errors():
    """Falls of 3 and 4 MW make 5 together; at night the wind's own is left."""
    sun, wind = forecast([2.0, 0.0], [5.0, 0.0], [6.0, 0.0]), forecast([1.0, 1.5], [5.0, 4.0], [9.0, 9.0])
    assert fall_mw([sun, wind]).tolist() == pytest.approx([5.0, 2.5])
    assert fall_mw([sun]).tolist() == pytest.approx([3.0, 0.0])
    with pytest.raises(InvalidInput, match="at least one"):
        fall_mw([])
