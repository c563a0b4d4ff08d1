"""Courses: quantiles kept, order of the members kept, and errors that last as long as past ones did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.special import ndtri

from models.errors import InvalidInput
from models.forecast.courses import from_past, in_order_of, lasting, more_load, quantiles_of
from models.forecast.past import PastPairs, moment64
from models.forecast.quantiles import QuantileForecast
from models.forecast.scenarios import variogram_score
from models.horizon import Horizon

START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def band(slots: int, low: float = 3.0, middle: float = 4.0, high: float = 6.0) -> QuantileForecast:
    levels = (np.full(slots, value) for value in (low, middle, high))
    return QuantileForecast(Horizon(START, HOUR, slots), *levels, 10.0, START, "by hand")


def test_a_band_goes_on_as_far_as_a_normal_would() -> None:
    """P1 of a normal lies 2.3263 / 1.2816 = 1.8152 times as far below the middle as its P10."""
    levels, values = quantiles_of(band(1))
    assert levels.tolist() == [0.01, 0.1, 0.5, 0.9, 0.99]
    assert values[:, 0].tolist() == pytest.approx([4.0 - 1.8152, 3.0, 4.0, 6.0, 4.0 + 2 * 1.8152], abs=1e-3)
    assert quantiles_of(band(1, 0.5, 4.0, 9.5))[1][[0, -1], 0].tolist() == [0.0, 10.0], "neither below 0 nor above all"


def test_members_give_the_order_and_the_forecast_the_values() -> None:
    # Ten members stand at 0.05, 0.15, ..., 0.95 of the forecast: the fifth lowest has 0.45, just below the middle.
    members = np.stack([np.arange(10.0), np.arange(10.0)[::-1]], axis=1)
    made = in_order_of(members, band(2))
    assert made[4, 0] == pytest.approx(4.0 - 0.05 / 0.4)
    assert made[9, 0] == made[0, 1]
    assert (np.diff(made[:, 0]) > 0).all()
    assert (np.diff(made[:, 1]) < 0).all()
    with pytest.raises(InvalidInput, match="at least 8"):
        in_order_of(members[:7], band(2))


def pairs(days: int, hours: float, cap: float = 100.0, seed: int = 1) -> PastPairs:
    """Forecasts of 40 for the 24 hours of each day, with errors of 8 that fall to 1/e after so many hours."""
    rng, keep = np.random.default_rng(seed), np.exp(-1 / hours)
    off = np.zeros((days, 24))
    last = rng.standard_normal(days)
    for k in range(24):
        off[:, k] = last
        last = keep * last + np.sqrt(1 - keep**2) * rng.standard_normal(days)
    ends = [moment64(START + (24 * day + hour + 1) * HOUR) for day in range(days) for hour in range(24)]
    lead = np.tile(np.arange(24) + 0.5, days)
    said = np.full(24 * days, 0.4 * cap)
    return PastPairs(lead, said, said + 0.08 * cap * off.ravel(), np.array(ends))


@pytest.mark.parametrize("hours", [2.0, 8.0])
def test_how_long_errors_last_is_learned_from_past_forecasts(hours: float) -> None:
    found = lasting({"wind": pairs(60, hours)}, {"wind": 100.0})
    assert found.days == 60
    assert found.hours == pytest.approx(hours, rel=0.25)
    assert found.together.tolist() == [[1.0]]


def test_two_quantities_that_err_together_do_so_in_the_courses() -> None:
    same = pairs(60, 5.0)
    opposite = PastPairs(same.lead_h, same.forecast_mw, 2 * same.forecast_mw - same.actual_mw, same.available_at)
    found = lasting({"sun": same, "wind": opposite}, {"sun": 100.0, "wind": 100.0})
    assert found.together[0, 1] < -0.95
    sun, wind = from_past(found, [band(6), band(6)], 400, seed=3)
    assert np.corrcoef(sun[:, 2], wind[:, 2])[0, 1] < -0.8
    assert np.quantile(sun, 0.5, axis=0) == pytest.approx(np.full(6, 4.0), abs=0.2)
    assert np.quantile(sun, 0.1, axis=0) == pytest.approx(np.full(6, 3.0), abs=0.3)
    assert np.array_equal(sun, from_past(found, [band(6), band(6)], 400, seed=3)[0])


def test_courses_that_last_score_better_than_courses_that_forget() -> None:
    # Truth as the past was; judged by the variogram score on days that taught nothing.
    learned = lasting({"wind": pairs(60, 8.0)}, {"wind": 100.0})
    low, high = 40.0 + 8.0 * float(ndtri(0.1)), 40.0 - 8.0 * float(ndtri(0.1))
    levels = (np.full(24, value) for value in (low, 40.0, high))
    told = QuantileForecast(Horizon(START, HOUR, 24), *levels, 100.0, START, "by hand")
    tied = from_past(learned, [told], 100, seed=1)[0]
    rng = np.random.default_rng(2)
    loose = np.stack([rng.permutation(tied[:, k]) for k in range(24)], axis=1)
    days = pairs(20, 8.0, seed=9).actual_mw.reshape(20, 24)
    better, worse = (np.mean([variogram_score(made, day) for day in days]) for made in (tied, loose))
    assert better < 0.9 * worse


def test_too_little_past_is_refused_with_what_is_missing() -> None:
    with pytest.raises(InvalidInput, match="15 past forecasts; at least 20"):
        lasting({"wind": pairs(15, 5.0)}, {"wind": 100.0})
    with pytest.raises(InvalidInput, match="fewer than 200 past hours of wind"):
        lasting({"wind": pairs(5, 5.0)}, {"wind": 100.0})


def test_load_keeps_its_place_for_the_horizon() -> None:
    # Five courses stand at 0.1, 0.3, 0.5, 0.7, 0.9: as far apart as P10 to P90 in the outermost two.
    rise = np.array([1.0, 0.5])
    made = more_load(rise, 5, seed=4)
    assert sorted(made[:, 0].tolist()) == pytest.approx([-1.0, -0.409, 0.0, 0.409, 1.0], abs=1e-3)
    assert made[:, 1] == pytest.approx(0.5 * made[:, 0])
