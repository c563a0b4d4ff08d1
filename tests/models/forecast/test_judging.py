"""Many quantiles: scores by hand, coverage with atoms, calibration, scenarios, online recalibration."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from models.errors import InvalidInput
from models.forecast.calibration import ENOUGH, calibrated, uncalibrated
from models.forecast.load import Rolled, load_features, next_hours, rolling_load
from models.forecast.quantile_trees import grow
from models.forecast.reliability import pinball, probabilities, reliability
from models.forecast.scenarios import copula, drawn, energy_score, variogram_score
from models.forecast.tracking import tracked
from models.series import Series

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def test_pinball_over_levels_by_hand():
    """Actual 2, quantiles 1 and 4 at 0.25 and 0.75: 0.25 x 1 and 0.25 x 2, mean 0.375."""
    assert pinball(np.array([[1.0, 4.0]]), np.array([0.25, 0.75]), np.array([2.0])).tolist() == [0.375]


def test_an_outcome_is_placed_on_straight_lines_between_its_quantiles():
    said = np.array([[1.0, 2.0, 3.0, 4.0, 6.0]])
    assert probabilities(said, LEVELS, np.array([2.5]))[0] == pytest.approx(0.375)
    assert probabilities(said, LEVELS, np.array([5.0]))[0] == pytest.approx(0.85)
    assert probabilities(said, LEVELS, np.array([0.0]))[0] < 0.05
    assert probabilities(said, LEVELS, np.array([9.0]))[0] > 0.95


def test_a_calm_that_half_the_quantiles_call_calm_is_neither_covered_nor_missed_by_luck():
    """A right forecast of a farm that stands still in three of four hours: every decile holds, by randomised PIT."""
    rng = np.random.default_rng(5)
    levels = np.arange(1, 100) / 100
    actual = np.where(rng.uniform(size=20_000) < 0.75, 0.0, rng.uniform(size=20_000))
    said = np.tile(np.where(levels <= 0.75, 0.0, (levels - 0.75) / 0.25), (20_000, 1))
    found = reliability(probabilities(said, levels, actual))
    assert found.cover == pytest.approx(0.90, abs=0.01)
    assert found.decile_error < 0.01


def test_a_band_that_is_too_narrow_is_told():
    rng = np.random.default_rng(6)
    said = np.tile(np.array([-0.5, -0.2, 0.0, 0.2, 0.5]), (4000, 1))
    assert reliability(probabilities(said, LEVELS, rng.standard_normal(4000))).cover < 0.5


def biased(n, seed):
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.2, 0.8, n)
    said = level[:, None] + 0.1 * np.array([-1.0, -0.4, 0.0, 0.4, 1.0])
    actual = np.clip(level + 0.15 * (level - 0.2) + 0.1 * rng.standard_normal(n), 0, 1)
    return np.clip(said, 0, 1), actual


def test_calibration_shifts_where_the_forecast_is_wrong_and_covers_fresh_outcomes():
    found = calibrated(*biased(300_000, 1), LEVELS)
    said, actual = biased(20_000, 2)
    before = reliability(probabilities(said, LEVELS, actual))
    after = reliability(probabilities(found.apply(said), LEVELS, actual))
    assert after.decile_error < 0.02 < before.decile_error
    assert 0.88 <= after.cover <= 0.92


@pytest.mark.parametrize("narrow", [0.625, 1.0])
def test_a_spread_that_is_too_sharp_is_stretched_and_one_that_holds_is_left(narrow):
    rng = np.random.default_rng(4)
    level = rng.uniform(0.4, 0.6, 200_000)
    said = level[:, None] + narrow * 0.06 * norm.ppf(LEVELS)
    found = calibrated(said, level + 0.06 * rng.standard_normal(len(level)), LEVELS)
    expected = 1 + (1 / narrow - 1) * len(level) / (len(level) + 1500)
    assert found.stretch[[0, -1]] == pytest.approx(expected, abs=0.026)  # factors are tried in steps of 0.025
    assert found.stretch[2] == 1


def test_calibration_is_drawn_to_nothing_while_data_is_short():
    said, actual = biased(ENOUGH - 1, 3)
    assert (calibrated(said, actual, LEVELS).shifts == 0).all()
    assert (calibrated(said, actual, LEVELS).stretch == 1).all()
    few = calibrated(*biased(100, 3), LEVELS)
    many = calibrated(*biased(3000, 3), LEVELS)
    assert np.abs(few.shifts).max() < np.abs(many.shifts).max()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 1.0))
def test_calibrated_quantiles_never_cross_nor_leave_their_borders(seed, top):
    rng = np.random.default_rng(seed)
    past = np.sort(rng.uniform(size=(200, 5)), axis=1)
    found = calibrated(past, rng.uniform(size=200), LEVELS).apply(np.sort(rng.uniform(size=(50, 5)), axis=1), top)
    assert (np.diff(found, axis=1) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= top


def test_no_calibration_changes_nothing():
    said = np.array([[0.1, 0.2, 0.3, 0.4, 0.5]])
    np.testing.assert_array_equal(uncalibrated(LEVELS).apply(said), said)


def test_trees_answer_the_spread_of_their_like():
    """Spread 0.05 for small x, 0.4 for large: the band follows, and no level crosses another."""
    rng = np.random.default_rng(2)
    x = rng.uniform(size=(1500, 2)).astype(np.float32)
    y = 1.0 + np.where(x[:, 0] > 0.5, 0.4, 0.05) * rng.standard_normal(1500)
    found = grow(x, y, trees=20, min_leaf=8, share_of_features=1.0, seed=1)
    said = found.predict(np.array([[0.2, 0.5], [0.8, 0.5]], dtype=np.float32), np.array([0.1, 0.5, 0.9]))
    assert (np.diff(said, axis=1) >= 0).all()
    narrow, wide = said[:, 2] - said[:, 0]
    assert narrow == pytest.approx(2.56 * 0.05, rel=0.5)
    assert wide == pytest.approx(2.56 * 0.4, rel=0.5)


def test_one_leaf_answers_the_quantiles_of_all_targets():
    """A single leaf of 1..4: weights of a quarter, middles at 1/8, 3/8, 5/8, 7/8, straight lines between."""
    found = grow(
        np.zeros((4, 1), dtype=np.float32),
        np.array([3.0, 1.0, 4.0, 2.0]),
        trees=3,
        min_leaf=4,
        share_of_features=1.0,
        seed=0,
    )
    said = found.predict(np.zeros((1, 1), dtype=np.float32), np.array([0.05, 0.25, 0.5, 0.875, 0.99]))
    np.testing.assert_allclose(said, [[1.0, 1.5, 2.5, 4.0, 4.0]])


def courses(n, seed, rho=0.9):
    """Two quantities over four slots, normal, correlated along time with ``rho`` and against each other."""
    rng = np.random.default_rng(seed)
    out = np.empty((n, 8))
    last = rng.standard_normal(n)
    for k in range(4):
        last = rho * last + np.sqrt(1 - rho**2) * rng.standard_normal(n)
        out[:, k], out[:, 4 + k] = last, -last + 0.3 * rng.standard_normal(n)
    return out


def test_scenarios_keep_each_quantile_and_hang_together_as_the_past_did():
    from scipy.special import ndtr

    past = courses(400, 1)
    found = copula(ndtr(past / past.std(axis=0)))
    levels = np.arange(1, 100) / 100
    quantiles = np.stack([np.quantile(past[:, k], levels) for k in range(8)], axis=1)
    made = drawn(found, quantiles, levels, 2000, seed=3)
    np.testing.assert_allclose(np.quantile(made, 0.5, axis=0), quantiles[49], atol=0.12)
    along, across = np.corrcoef(made.T)[0, 1], np.corrcoef(made.T)[0, 4]
    assert along == pytest.approx(0.9, abs=0.08)
    assert across == pytest.approx(np.corrcoef(past.T)[0, 4], abs=0.08)
    assert np.array_equal(made, drawn(found, quantiles, levels, 2000, seed=3))


def test_scores_prefer_scenarios_that_hang_together():
    from scipy.special import ndtr

    past, days = courses(400, 4), courses(30, 5)
    levels = np.arange(1, 100) / 100
    quantiles = np.stack([np.quantile(past[:, k], levels) for k in range(8)], axis=1)
    tied = drawn(copula(ndtr(past / past.std(axis=0))), quantiles, levels, 100, seed=1)
    rng = np.random.default_rng(1)
    loose = np.stack([rng.permutation(tied[:, k]) for k in range(8)], axis=1)
    assert np.mean([energy_score(tied, day) for day in days]) < np.mean([energy_score(loose, day) for day in days])
    better, worse = (np.mean([variogram_score(s, day) for day in days]) for s in (tied, loose))
    assert better < 0.9 * worse


def test_energy_and_variogram_score_by_hand():
    """Scenarios (0, 0) and (3, 4), outcome (0, 0): mean distance 2.5, less half of the mean 5 among the pair: 0.
    |0 - 0|^.5 and |3 - 4|^.5 have mean 0.5, the outcome 0: 0.25."""
    two = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert energy_score(two, np.zeros(2)) == pytest.approx(0.0)
    assert variogram_score(two, np.zeros(2)) == pytest.approx(0.25)


def test_too_few_courses_teach_no_correlation():
    with pytest.raises(InvalidInput, match="at least 20"):
        copula(np.full((5, 3), 0.5))


def test_coverage_recovers_after_a_shift_of_the_level():
    """The load rises by two spreads for good: unrecalibrated the band covers nothing, tracked it covers again."""
    rng = np.random.default_rng(9)
    said = np.tile(np.array([-1.6, -0.7, 0.0, 0.7, 1.6]), (3000, 1))
    actual = rng.standard_normal(3000) + np.where(np.arange(3000) > 1000, 6.0, 0.0)
    found = tracked(said, LEVELS, actual, delay=48, rate=0.03).quantiles
    late = slice(2000, 3000)
    inside = (actual >= found[:, 0]) & (actual <= found[:, -1])
    assert inside[late].mean() == pytest.approx(0.9, abs=0.05)
    assert ((actual >= said[:, 0]) & (actual <= said[:, -1]))[late].mean() < 0.05


def test_online_recalibration_does_not_see_what_is_not_known():
    rng = np.random.default_rng(2)
    said, actual = np.sort(rng.standard_normal((100, 5)), axis=1), rng.standard_normal(100)
    changed = np.concatenate([actual[:60], rng.permutation(actual[60:]) + 5.0])
    one, two = (tracked(said, LEVELS, a, delay=10, rate=0.1).quantiles for a in (actual, changed))
    np.testing.assert_array_equal(one[:70], two[:70])
    assert not np.array_equal(one[71:], two[71:])
    with pytest.raises(InvalidInput, match="at least 1"):
        tracked(said, LEVELS, actual, delay=0, rate=0.1)


def test_what_is_known_at_the_end_shifts_what_comes_next_as_one_more_row_would_be():
    rng = np.random.default_rng(6)
    said, actual = np.sort(rng.standard_normal((50, 5)), axis=1), rng.standard_normal(50)
    known = tracked(said, LEVELS, actual, delay=3, rate=0.1)
    more = tracked(np.concatenate([said, said[:3] * 0]), LEVELS, np.append(actual, [np.nan] * 3), delay=3, rate=0.1)
    np.testing.assert_allclose(more.quantiles[-1], np.sort(known.shift), atol=0.05)
    np.testing.assert_array_equal(known.quantiles, more.quantiles[:50])


@pytest.mark.usefixtures("few_trees")
def test_load_of_the_week_is_forecast_and_nothing_unknown_is_seen():
    """A day's rhythm with luck, ten weeks: better than 48 h persistence; hours not known yet change nothing."""
    rng = np.random.default_rng(1)
    hours = np.arange(24 * 80)
    values = 10 + 3 * np.sin(hours / 24 * 2 * np.pi) + rng.standard_normal(len(hours))
    load = Series(datetime(2026, 1, 5, tzinfo=UTC), timedelta(hours=1), values, "MW")
    first = 24 * 70
    said = rolling_load(load, 48, ZoneInfo("Africa/Casablanca"), LEVELS, first).quantiles
    off = np.abs(said[:, 2] - values[first:]).mean()
    assert off < 0.8 * np.abs(values[first:] - values[first - 48 : -48]).mean()
    assert ((values[first:] >= said[:, 0]) & (values[first:] <= said[:, -1])).mean() > 0.8
    other = Series(load.start, load.step, np.concatenate([values[:-72], rng.permutation(values[-72:])]), "MW")
    again = rolling_load(other, 48, ZoneInfo("Africa/Casablanca"), LEVELS, first).quantiles
    np.testing.assert_array_equal(again[: -72 + 48], said[: -72 + 48])


def test_the_next_hours_of_a_load_rest_on_what_was_over_at_the_issue():
    rng = np.random.default_rng(3)
    values = 10 + rng.standard_normal(24 * 70)
    load = Series(datetime(2026, 1, 5, tzinfo=UTC), timedelta(hours=1), values, "MW")
    issued, utc = load.start + timedelta(days=65), ZoneInfo("UTC")
    changed = Series(load.start, load.step, np.where(np.arange(len(values)) >= 65 * 24, 99.0, values), "MW")
    rolled = Rolled(np.empty((0, 5)), rng.standard_normal(28 * 24), np.array([0.5, 0.5]), np.zeros(5))
    one, two = (next_hours(past, 48, utc, LEVELS, issued, rolled) for past in (load, changed))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (48, 5)
    assert (np.diff(one, axis=1) >= 0).all()
    with pytest.raises(InvalidInput, match="at least 1392"):
        next_hours(load, 48, utc, LEVELS, load.start + timedelta(days=30), rolled)
    silent = Rolled(rolled.quantiles, np.full(28 * 24, np.nan), rolled.weights, rolled.shift)
    with pytest.raises(InvalidInput, match="mend its source"):
        next_hours(load, 48, utc, LEVELS, issued, silent)


@pytest.mark.usefixtures("few_trees")
def test_a_load_that_only_grows_is_left_to_the_line():
    """Trees know no load that was never there; so they err, and weigh little."""
    hours = np.arange(24 * 66)
    begin, utc = datetime(2026, 1, 5, tzinfo=UTC), ZoneInfo("UTC")
    first = 24 * 60
    growing = rolling_load(Series(begin, timedelta(hours=1), 5 + 0.01 * hours, "MW"), 24, utc, LEVELS, first)
    assert growing.weights[0] > 0.9
    assert growing.weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(growing.quantiles[:, 2], 5 + 0.01 * hours[first:], atol=0.15)


def test_for_a_missing_hour_the_same_hour_of_the_newest_known_day_stands_in_and_a_week_is_the_most():
    hours = np.arange(24 * 60, dtype=np.float64)
    gone = hours.copy()
    gone[-30:] = np.nan  # a day and six hours
    gone[5::24] = np.nan  # an hour that the meter never tells
    begin, utc = datetime(2026, 1, 5, tzinfo=UTC), ZoneInfo("UTC")
    made = load_features(Series(begin, timedelta(hours=1), gone, "MW"), 24, utc)
    ahead = made.base[-24:]
    assert np.isnan(ahead[5])
    told = np.delete(ahead, 5)
    newest = np.delete(hours[-24:], 5)
    back = np.where(newest % 24 >= 18, 48, 24)  # of the hours from 18 on the day before is missing too
    np.testing.assert_array_equal(told, newest - back)
