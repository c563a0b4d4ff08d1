"""A learned COP, what may teach it, its drift, and the straight pieces that a plan takes from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidInput
from models.learn.chiller import LearnedChiller, drift, fit_chiller, learned_tangents
from models.learn.plant_records import PlantRecords, screen_records

BEGIN = np.datetime64("2026-03-01T00:00:00", "us")
HOUR = np.timedelta64(timedelta(hours=1))


def true_power(heat_mw: np.ndarray, wet_c: np.ndarray) -> np.ndarray:
    """A made-up plant: COP 6 at 24 degC, 2 % less a kelvin, best at 1.5 MW."""
    cop = 6.0 * (1 - 0.02 * (wet_c - 24)) * (1 - 0.1 * (heat_mw - 1.5) ** 2)
    return np.asarray(heat_mw / cop)


def records(days: int = 50, seed: int = 3, noise: float = 0.02) -> PlantRecords:
    rng = np.random.default_rng(seed)
    hours = np.arange(24 * days)
    heat = 1.5 + 0.6 * np.sin(hours * 2 * np.pi / 24) + rng.normal(0, 0.1, len(hours))
    wet = 24 + 3 * np.sin(hours * 2 * np.pi / (24 * 9)) + rng.normal(0, 0.5, len(hours))
    power = true_power(heat, wet) * (1 + rng.normal(0, noise, len(hours)))
    return PlantRecords(BEGIN + hours * HOUR, heat, power, wet)


@cache
def chiller() -> LearnedChiller:
    return fit_chiller(screen_records(records()).records)


def test_it_predicts_weeks_that_it_has_not_seen() -> None:
    fresh = records(10, seed=4)
    predicted = chiller().power_mw(fresh.heat_mw, fresh.ambient_c)
    assert np.mean(np.abs(predicted / fresh.power_mw - 1)) < 0.03  # 2 % of noise alone makes 1.6 %
    inside = (fresh.power_mw > predicted * chiller().low) & (fresh.power_mw < predicted * chiller().high)
    assert 0.8 <= inside.mean() <= 0.98


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 3.0), st.floats(-10, 40), st.floats(0, 20))
def test_a_warmer_ambient_never_costs_less(heat: float, ambient: float, warmer: float) -> None:
    low, high = chiller().power_mw(np.array(heat), np.array([ambient, ambient + warmer]))
    assert high >= low * (1 - 1e-12)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.8, 3.0), st.integers(2, 6), st.floats(15, 32), st.floats(-0.15, 0.15))
def test_the_pieces_are_a_convex_floor_whose_error_is_what_they_say(
    capacity: float, pieces: int, wet: float, shift: float
) -> None:
    found = learned_tangents(chiller(), np.array([wet, wet + 2]), capacity, pieces, shift)
    heat = np.concatenate([[0.0], np.linspace(chiller().heat_range_mw[0], capacity, 61)])
    for t, ambient in enumerate((wet, wet + 2)):
        power = chiller().power_mw(heat, np.full(62, ambient), shift)
        line = (found.slope[:, t, None] * heat + found.intercept_mw[:, t, None]).max(axis=0)
        assert (line <= power + 1e-9).all()
        assert (power - line).max() == pytest.approx(found.error_mw[t], abs=1e-9)
        assert line[0] == pytest.approx(0.0, abs=1e-12)  # no heat, no negative power
        assert found.slope[:, t].min() >= 0


def test_more_pieces_never_make_it_worse() -> None:
    errors = [learned_tangents(chiller(), np.array([25.0]), 2.2, n).error_mw[0] for n in (2, 3, 4, 6)]
    assert errors == sorted(errors, reverse=True)


def test_a_plant_that_has_fouled_is_followed_from_days_that_ended() -> None:
    late = records(20, seed=5)
    fouled = replace(late, power_mw=late.power_mw * 1.08)
    at = datetime(2026, 3, 15, tzinfo=UTC)
    assert drift(chiller(), fouled, at) == pytest.approx(np.log(1.08), abs=0.01)
    assert drift(chiller(), fouled, datetime(2026, 3, 1, 12, tzinfo=UTC)) == 0.0  # half a day is too little
    assert drift(chiller(), replace(late, power_mw=late.power_mw * 3), at) == pytest.approx(0.15)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_the_drift_does_not_look_ahead(seed: int) -> None:
    late = records(20, seed=5)
    at = datetime(2026, 3, 15, tzinfo=UTC)
    unknown = late.time >= np.datetime64("2026-03-15T00:00:00")
    power = late.power_mw.copy()
    power[unknown] = np.random.default_rng(seed).permutation(power[unknown]) * 2
    assert drift(chiller(), replace(late, power_mw=power), at) == drift(chiller(), late, at)


def test_what_may_not_teach_is_counted_by_reason() -> None:
    rows = records()
    heat, power, wet = rows.heat_mw.copy(), rows.power_mw.copy(), rows.ambient_c.copy()
    heat[5], wet[6], power[7], power[8], power[9] = np.nan, np.inf, 0.0, heat[8] * 2, heat[9] / 1000
    power[100:130] = power[100]
    time = rows.time.copy()
    time[200] = time[199]
    found = screen_records(PlantRecords(time, heat, power, wet))
    assert found.left_out == {
        "a missing value": 2,
        "the plant at rest": 1,
        "a COP that no plant has": 2,
        "a time that stands twice": 1,
        "a stuck sensor": 29,
    }
    assert len(found.records) == len(rows) - 35


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.at(np.arange(150)), "150 of 150 rows may teach, 200 are needed"),
        (lambda r: replace(r, heat_mw=r.heat_mw * 1000 * 10), "one of them is in another unit; give both in MW"),
        (lambda r: replace(r, heat_mw=np.full(len(r), np.nan)), "0 of 1200 rows may teach"),
        (
            lambda r: replace(r, ambient_c=r.ambient_c * 1.8 + 32),
            "no ambient in degC; give degrees Celsius",
        ),
        (lambda r: replace(r, ambient_c=r.ambient_c + 273.15), "in the middle is no ambient in degC"),
        (lambda r: replace(r, ambient_c=np.full(len(r), 24.0)), "1199 for a stuck sensor"),
    ],
)
def test_records_that_cannot_teach_are_refused(change, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidInput, match=said):
        screen_records(change(records()))


def test_an_ambient_that_stands_for_a_day_or_that_no_place_has_is_left_out() -> None:
    """Half a day at one reading happens in fog; a day does not. 999 is what a torn wire says."""
    rows = records()
    ambient = rows.ambient_c.copy()
    ambient[100:112], ambient[200:224], ambient[300] = 24.0, 24.0, 999.0
    found = screen_records(replace(rows, ambient_c=ambient))
    assert found.left_out == {"an ambient that no place has": 1, "a stuck sensor": 23}


def test_a_heat_that_never_moves_teaches_nothing() -> None:
    with pytest.raises(InvalidInput, match="record days on which it moves"):
        fit_chiller(replace(records(), heat_mw=np.full(1200, 1.5)))


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(InvalidInput, match="give each the same"):
        replace(records(), heat_mw=np.ones(3))


def test_pieces_for_a_capacity_below_all_heat_are_refused() -> None:
    with pytest.raises(InvalidInput, match="give more than"):
        learned_tangents(chiller(), np.array([25.0]), 0.01)
