"""Series: means kept, holes and disorder refused."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidInput
from models.horizon import Horizon
from models.series import Series, regular_step, series_from_times

T0 = datetime(2026, 3, 1, tzinfo=UTC)
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)


def _times(*hours):
    return [T0 + h * HOUR for h in hours]


def _codes(error):
    return {fault.code for fault in error.value.faults}


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_an_hour_in_quarters_and_back_is_the_same_hour(values):
    hourly = Series(T0, HOUR, np.array(values), "MW")
    back = hourly.resampled(QUARTER).resampled(HOUR)
    assert back.start == T0
    np.testing.assert_allclose(back.values, values, rtol=1e-12, atol=1e-12)


def test_coarser_slots_are_means_and_half_covered_ones_are_dropped():
    quarters = Series(T0 + QUARTER, QUARTER, np.arange(1.0, 12.0), "MW")  # 00:15 .. 03:00
    hours = quarters.resampled(HOUR)
    assert hours.start == T0 + HOUR
    assert hours.values.tolist() == [5.5, 9.5]  # 4,5,6,7 and 8,9,10,11


def test_a_missing_quarter_makes_its_hour_missing_and_no_other():
    quarters = Series(T0, QUARTER, np.array([1, 1, np.nan, 1, 2, 2, 2, 2]), "MW")
    hours = quarters.resampled(HOUR).values
    assert np.isnan(hours[0])
    assert hours[1] == 2


def test_alignment_to_a_horizon_that_starts_inside_the_series():
    hourly = Series(T0, HOUR, np.array([1.0, 2.0, 3.0]), "MW")
    assert hourly.on(Horizon(T0 + 45 * timedelta(minutes=1), QUARTER, 6)).tolist() == [1, 2, 2, 2, 2, 3]


def test_what_a_horizon_asks_beyond_the_series_is_refused_with_both_ranges():
    hourly = Series(T0, HOUR, np.ones(3), "MW", "meter")
    with pytest.raises(InvalidInput, match="covers 2026-03-01T00:00:00Z to 2026-03-01T03:00:00Z") as error:
        hourly.on(Horizon(T0, HOUR, 4))
    assert _codes(error) == {"not_covered"}


def test_a_missing_value_outside_the_horizon_is_nobody_s_business_inside_it_is_refused():
    hourly = Series(T0, HOUR, np.array([1.0, np.nan, 3.0]), "MW")
    assert hourly.on(Horizon(T0, HOUR, 1)).tolist() == [1.0]
    with pytest.raises(InvalidInput, match="2026-03-01T01:00:00Z") as error:
        hourly.on(Horizon(T0, HOUR, 3))
    assert _codes(error) == {"missing"}


@pytest.mark.parametrize(
    ("hours", "code"),
    [
        ((0, 1, 2, 4), "gap"),
        ((0, 1, 1, 2), "duplicate"),
        ((0, 2, 1, 3, 4), "unsorted"),
        ((0, 1, 2, 3.4, 4), "irregular"),
    ],
)
def test_disorder_is_refused_by_name_and_place(hours, code):
    with pytest.raises(InvalidInput) as error:
        series_from_times(_times(*hours), np.ones(len(hours)), "MW")
    assert code in _codes(error)


def test_all_kinds_of_disorder_are_told_at_once():
    with pytest.raises(InvalidInput) as error:
        regular_step(_times(0, 1, 1, 2, 5, 4, 5, 6), "it")
    assert _codes(error) == {"duplicate", "gap", "unsorted"}


def test_the_message_of_a_gap_counts_the_missing_rows():
    with pytest.raises(InvalidInput, match=r"3 row\(s\) missing between 2026-03-01T02:00:00Z and 2026-03-01T06:00:00Z"):
        regular_step(_times(0, 1, 2, 6, 7), "it")


def test_local_times_with_an_offset_become_utc_and_a_naive_time_is_refused():
    zone = timezone(timedelta(hours=5, minutes=30))
    assert Series(datetime(2026, 3, 1, 5, 30, tzinfo=zone), HOUR, np.ones(1), "MW").start == T0
    with pytest.raises(InvalidInput) as error:
        regular_step([datetime(2026, 3, 1), datetime(2026, 3, 1, 1)], "it")
    assert _codes(error) == {"no_time_zone"}


def test_infinite_values_are_refused_and_values_cannot_be_written():
    with pytest.raises(InvalidInput, match="infinite"):
        Series(T0, HOUR, np.array([1.0, np.inf]), "MW")
    with pytest.raises(ValueError, match="read-only"):
        Series(T0, HOUR, np.ones(2), "MW").values[0] = 5


def test_steps_that_do_not_divide_each_other_are_refused():
    with pytest.raises(InvalidInput) as error:
        Series(T0, timedelta(minutes=20), np.ones(9), "MW").resampled(QUARTER)
    assert _codes(error) == {"unfit_step"}
