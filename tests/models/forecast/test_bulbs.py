"""Air at the site: what the thermometer has shown moves the forecast, by its hour and no further than it is sure."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.forecast.bulbs import MOST_K, AirError, air_error, moved
from models.series import Series
from models.sky import Place
from models.weather import WeatherTable, wet_bulb_c

T0 = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAYS = 14


def run(day):
    columns = {name: np.full(48, 100.0) for name in ("ghi_w_m2", "dni_w_m2", "dhi_w_m2")}
    columns |= {"relative_humidity_pct": np.full(48, 60.0), "wind_speed_m_s": np.full(48, 5.0)}
    start = T0 + day * 24 * HOUR
    return WeatherTable(
        Place(23.7, -15.9), start, HOUR, columns | {"temp_air_c": np.full(48, 20.0)}, available_at=start
    )


RUNS = [run(day) for day in range(DAYS)]
NOW = T0 + DAYS * 24 * HOUR


def warm_noons(days=DAYS):
    """2 K warmer than forecast from 10 to 15, as forecast else."""
    hours = np.arange(days * 24) % 24
    return Series(T0, HOUR, 20.0 + np.where((hours >= 10) & (hours < 16), 2.0, 0.0), "degC")


def test_a_site_that_is_warmer_at_noon_is_forecast_warmer_at_noon():
    found = air_error(RUNS, warm_noons(), NOW)
    assert found.hours == DAYS * 24
    # of 14 hours each 2 K over, drawn by 6 hours' weight towards the mean (168 K over 336 + 24 hours)
    mean = 6 * 2.0 * DAYS / (DAYS * 24 + 24)
    assert found.by_hour[12] == pytest.approx((14 * 2.0 + 6 * mean) / 20)
    assert found.by_hour[3] == pytest.approx(6 * mean / 20)


def test_what_was_not_over_yet_changes_nothing_and_little_says_nothing():
    now = T0 + 10 * 24 * HOUR
    later = np.where(np.arange(DAYS * 24) >= 10 * 24, 25.0, warm_noons().values)
    one, two = (air_error(RUNS, series, now) for series in (warm_noons(), warm_noons().with_values(later)))
    assert one.by_hour.tolist() == two.by_hour.tolist()
    assert air_error(RUNS, warm_noons(), T0 + 2 * 24 * HOUR) is None


def test_missing_hours_and_a_thermometer_in_the_sun_are_left_out():
    values = warm_noons().values.copy()
    values[::3] = np.nan
    values[1::3] = 60.0
    assert air_error(RUNS, warm_noons().with_values(values), NOW).hours == DAYS * 8
    hot = air_error(RUNS, warm_noons().with_values(np.full(DAYS * 24, 31.0)), NOW)
    assert hot.by_hour.max() == MOST_K


def test_the_wet_bulb_follows_with_the_water_in_the_air_as_it_was():
    dry = Series(T0, HOUR, np.array([25.0, 25.0]), "degC")
    wet = dry.with_values(wet_bulb_c(dry.values, np.array([50.0, 50.0])))
    by_hour = np.zeros(24)
    by_hour[1] = 3.0
    hotter, wetter = moved(dry, wet, AirError(by_hour, 300))
    assert hotter.values.tolist() == [25.0, 28.0]
    assert wetter.values[0] == pytest.approx(wet.values[0])
    # the same vapour at 28 degC is 42 % of saturation: a wet bulb some 1.1 K higher
    assert wetter.values[1] - wet.values[1] == pytest.approx(1.1, abs=0.3)
