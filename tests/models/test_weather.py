"""Weather tables: what a stamp means, hourly means kept, night is night, wet bulb."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidInput
from models.horizon import Horizon
from models.sky import Place, clear_sky
from models.weather import RADIATION, Stamp, WeatherTable, from_stamps, refined, wet_bulb_c

DAKHLA = Place(23.7, -15.9, 10.0)
DAY = datetime(2026, 3, 20, tzinfo=UTC)
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)


def table(hours=24, start=DAY, place=DAKHLA, index=1.0, **columns):
    sky = clear_sky(place, start, HOUR, hours)
    base = {
        "ghi_w_m2": index * sky.ghi_w_m2,
        "dni_w_m2": index * sky.dni_w_m2,
        "dhi_w_m2": index * sky.dhi_w_m2,
        "temp_air_c": np.full(hours, 20.0),
        "relative_humidity_pct": np.full(hours, 70.0),
        "wind_speed_m_s": np.full(hours, 6.0),
    }
    return WeatherTable(place, start, HOUR, base | columns)


def test_rows_stamped_at_the_end_belong_to_the_hour_before():
    times = [DAY + k * HOUR for k in range(4)]
    columns = {name: np.arange(4.0) for name in ("ghi_w_m2", "dni_w_m2", "dhi_w_m2")}
    columns |= {n: np.arange(4.0) for n in ("temp_air_c", "relative_humidity_pct", "wind_speed_m_s")}
    found = from_stamps(times, columns, DAKHLA, radiation=Stamp.END, state=Stamp.INSTANT)
    assert found.start == DAY  # the hour before 00:00 has radiation but no temperature at its start
    assert found["ghi_w_m2"].tolist() == [1, 2, 3]
    assert found["temp_air_c"].tolist() == [0.5, 1.5, 2.5]
    ends = from_stamps(times, columns, DAKHLA, radiation=Stamp.END, state=Stamp.END)
    assert ends.start == DAY - HOUR
    assert ends["ghi_w_m2"].tolist() == [0, 1, 2, 3]
    starts = from_stamps(times, columns, DAKHLA, radiation=Stamp.START, state=Stamp.INSTANT)
    assert starts.start == DAY
    assert starts["ghi_w_m2"].tolist() == [0, 1, 2]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 364),
    st.floats(-60, 60),
    st.lists(st.floats(0.0, 3.0), min_size=24, max_size=24),
)
def test_quarter_hours_keep_every_hourly_mean_while_the_sun_is_up(day, latitude, indices):
    place = Place(latitude, 0.0)
    hourly = table(start=datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day), place=place)
    sky = clear_sky(place, hourly.start, HOUR, 24)
    ghi = np.minimum(np.array(indices) * sky.ghi_w_m2 + 3.0, 1100.0)
    hourly = table(start=hourly.start, place=place, ghi_w_m2=ghi)
    fine = refined(hourly)
    kept = fine["ghi_w_m2"].reshape(24, 4).mean(axis=1)
    up = clear_sky(place, hourly.start, QUARTER, 96)
    lit = up.cos_zenith.reshape(24, 4).mean(axis=1) > 0
    np.testing.assert_allclose(kept[lit], ghi[lit], rtol=1e-9)
    assert (fine["ghi_w_m2"][~up.sun_up] == 0.0).all()
    for name in ("temp_air_c", "wind_speed_m_s"):
        np.testing.assert_allclose(fine[name].reshape(24, 4).mean(axis=1), hourly[name], rtol=1e-9)


def test_a_clear_morning_hour_rises_in_quarters_instead_of_standing_still():
    fine = refined(table())
    eight = fine["ghi_w_m2"].reshape(24, 4)[8]
    assert (np.diff(eight) > 30).all()
    sky = clear_sky(DAKHLA, DAY, QUARTER, 96)
    np.testing.assert_allclose(fine["ghi_w_m2"], sky.ghi_w_m2, rtol=1e-6, atol=1e-6)


def test_wind_stays_non_negative_and_keeps_its_mean_beside_a_calm():
    speeds = np.tile([8.0, 0.0, 8.0], 8)
    fine = refined(table(wind_speed_m_s=speeds))["wind_speed_m_s"]
    assert (fine >= 0).all()
    np.testing.assert_allclose(fine.reshape(24, 4).mean(axis=1), speeds)


def test_a_missing_hour_stays_missing_and_spoils_no_other():
    temperatures = np.full(24, 20.0)
    temperatures[10] = np.nan
    fine = refined(table(temp_air_c=temperatures))["temp_air_c"].reshape(24, 4)
    assert np.isnan(fine[10]).all()
    assert not np.isnan(np.delete(fine, 10, axis=0)).any()


@pytest.mark.parametrize("day", [datetime(2026, 3, 29), datetime(2026, 10, 25)])
def test_a_change_of_the_clock_changes_no_power_of_the_sun(day):
    """Paris has 23 and 25 hours on these days; the sun does not know."""
    paris = Place(48.85, 2.35)
    local = day.replace(tzinfo=ZoneInfo("Europe/Paris"))
    as_local = table(start=local, place=paris)
    as_utc = table(start=local.astimezone(UTC), place=paris)
    assert as_local.start == as_utc.start
    for name in RADIATION:
        np.testing.assert_array_equal(refined(as_local)[name], refined(as_utc)[name])


def test_a_horizon_gets_its_own_slots_with_all_faults_told_at_once():
    hourly = table(hours=26)
    on = hourly.on(Horizon(DAY + QUARTER, QUARTER, 96))
    assert len(on) == 96
    assert on.start == DAY + QUARTER
    broken = np.full(26, 20.0)
    broken[3] = np.nan
    with pytest.raises(InvalidInput) as error:
        table(hours=26, temp_air_c=broken, wind_speed_m_s=broken).on(Horizon(DAY, HOUR, 24))
    assert {fault.pointer for fault in error.value.faults} == {"temp_air_c", "wind_speed_m_s"}


def test_kelvin_and_kilojoules_are_refused_as_such():
    with pytest.raises(InvalidInput) as error:
        table(temp_air_c=np.full(24, 293.0), ghi_w_m2=np.full(24, 3600.0))
    assert {fault.pointer for fault in error.value.faults} == {"temp_air_c", "ghi_w_m2"}
    with pytest.raises(InvalidInput, match="this column is required"):
        WeatherTable(DAKHLA, DAY, HOUR, {"ghi_w_m2": np.ones(24)})


def test_humidity_that_is_told_as_a_share_is_refused_and_a_dry_hour_is_not():
    with pytest.raises(InvalidInput, match=r"none of 24 values above 0\.75 %; give per cent"):
        table(relative_humidity_pct=np.linspace(0.4, 0.75, 24))
    assert len(table(relative_humidity_pct=np.r_[np.full(23, 1.2), 8.0])) == 24


def test_wet_bulb_is_stull_s_published_example_and_never_above_the_dry_bulb():
    assert wet_bulb_c(np.array([20.0]), np.array([50.0]))[0] == pytest.approx(13.7, abs=0.05)  # Stull 2011, p. 2267
    dry, humid = np.meshgrid(np.linspace(-20, 50, 36), np.linspace(0, 100, 21))
    assert (wet_bulb_c(dry, humid) <= dry).all()
