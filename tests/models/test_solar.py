"""PV: hand numbers, direction, dawn and dusk, shifts of an hour, limits."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import solar
from models.horizon import Horizon
from models.sky import Place, clear_sky
from models.supply import Solar
from models.weather import Stamp, WeatherTable, from_stamps, refined

DAKHLA = Place(23.7, -15.9, 10.0)
PARIS = Place(48.85, 2.35, 40.0)
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
FIELD = Solar(name="field", peak_dc_mw=100.0, inverter_ac_mw=80.0, tilt_deg=25.0, soiling_loss=0.0, other_losses=0.0)


def clear(place=PARIS, start=datetime(2026, 3, 20, tzinfo=UTC), step=HOUR, slots=24, temp=20.0, wind=2.0):
    sky = clear_sky(place, start, step, slots)
    return WeatherTable(
        place,
        start,
        step,
        {
            "ghi_w_m2": sky.ghi_w_m2,
            "dni_w_m2": sky.dni_w_m2,
            "dhi_w_m2": sky.dhi_w_m2,
            "temp_air_c": np.full(slots, temp),
            "relative_humidity_pct": np.full(slots, 60.0),
            "wind_speed_m_s": np.full(slots, wind),
        },
    )


def centre(power, start, step):
    """Energy-weighted middle of a day's power."""
    middles = np.arange(len(power)) + 0.5
    return start + step * float((power * middles).sum() / power.sum())


def test_dc_by_hand():
    """100 MW at 1000 W/m2 and 25 degC; at 800 W/m2 and 45 degC 100 x 0.8 x (1 - 0.0035 x 20) = 74.4 MW; 8 % losses."""
    cells = np.array([25.0, 45.0])
    assert solar.dc_mw(FIELD, np.array([1000.0, 800.0]), cells) == pytest.approx([100.0, 74.4])
    lossy = FIELD.model_copy(update={"other_losses": 0.08})
    assert solar.dc_mw(lossy, np.array([800.0]), np.array([45.0])) == pytest.approx([68.448])


def test_inverter_by_hand():
    """PVWatts 5: eta = 0.96/0.9637 x (-0.0162 z - 0.0059/z + 0.9858), z = DC share of 80/0.96 MW; z = 0.5."""
    half = 0.5 * 80.0 / 0.96
    eta = 0.96 / 0.9637 * (-0.0162 * 0.5 - 0.0059 / 0.5 + 0.9858)
    assert solar.ac_mw(FIELD, np.array([0.0, half, 100.0])) == pytest.approx([0.0, half * eta, 80.0])


def test_soiling_takes_its_share_of_what_reaches_the_cells():
    dusty = FIELD.model_copy(update={"soiling_loss": 0.1})
    weather = clear()
    np.testing.assert_allclose(
        solar.plane_of_array(dusty, weather), 0.9 * solar.plane_of_array(FIELD, weather), rtol=1e-12
    )


@pytest.mark.parametrize("place", [DAKHLA, PARIS, Place(-23.65, -70.4, 100.0)])
def test_a_clear_day_centres_on_solar_noon(place):
    field = FIELD.model_copy(update={"azimuth_deg": 180.0 if place.latitude_deg > 0 else 0.0, "inverter_ac_mw": 200.0})
    weather = clear(place)
    power = solar.available_mw(field, refined(weather))
    off = centre(power, weather.start, QUARTER) - solar.solar_noon(weather)
    assert abs(off) < timedelta(minutes=6)


@pytest.mark.parametrize(("stamp", "minutes"), [(Stamp.START, 60), (Stamp.END, 0), (Stamp.INSTANT, 30)])
def test_end_stamped_rows_read_otherwise_are_late_by_the_known_amount(stamp, minutes):
    """The defect that such software is reported for most, made visible: only the right reading peaks at noon."""
    truth = clear(slots=24)
    stamps = [truth.start + (k + 1) * HOUR for k in range(24)]  # rows mark the END of their hour
    read = from_stamps(stamps, truth.columns, PARIS, radiation=stamp, state=Stamp.INSTANT)
    off = centre(read["ghi_w_m2"], read.start, HOUR) - solar.solar_noon(truth)
    assert abs(off - timedelta(minutes=minutes)) < timedelta(minutes=4)


def test_east_peaks_in_the_morning_and_west_in_the_evening():
    weather = clear()
    noon = solar.solar_noon(weather)
    steep = {"tilt_deg": 60.0, "inverter_ac_mw": 200.0}
    east, west = (
        centre(solar.available_mw(FIELD.model_copy(update=steep | {"azimuth_deg": a}), weather), weather.start, HOUR)
        for a in (90.0, 270.0)
    )
    assert east < noon - timedelta(hours=1)
    assert west > noon + timedelta(hours=1)


def test_south_beats_north_in_the_north_and_loses_in_the_south():
    for place, better, worse in ((PARIS, 180.0, 0.0), (Place(-33.0, 18.0), 0.0, 180.0)):
        day = [
            solar.available_mw(FIELD.model_copy(update={"azimuth_deg": a}), clear(place)).sum() for a in (better, worse)
        ]
        assert day[0] > 1.3 * day[1]


def test_a_tracker_gains_mornings_and_evenings():
    fixed = solar.available_mw(FIELD, clear(DAKHLA))
    turned = solar.available_mw(FIELD.model_copy(update={"tracking": "single-axis"}), clear(DAKHLA))
    assert 1.1 < turned.sum() / fixed.sum() < 1.5
    assert turned[9] > fixed[9]
    assert turned[17] > fixed[17]


def test_heat_costs_power_by_the_coefficient():
    wide = FIELD.model_copy(update={"inverter_ac_mw": 200.0})
    cool, hot = (solar.available_mw(wide, clear(temp=t))[12] for t in (10.0, 30.0))
    assert hot / cool == pytest.approx(1 - 0.0035 * 20, abs=0.012)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 364), st.floats(-65, 65), st.sampled_from(["fixed", "single-axis"]), st.floats(0.0, 1.4))
def test_never_above_the_inverters_and_exactly_zero_by_night(day, latitude, tracking, index):
    place = Place(latitude, 0.0)
    weather = clear(place, datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day))
    columns = dict(weather.columns) | {"ghi_w_m2": index * weather["ghi_w_m2"] + 5.0}  # moonlight, lamps, offsets
    field = FIELD.model_copy(update={"tracking": tracking, "inverter_ac_mw": 50.0})
    fine = WeatherTable(place, weather.start, HOUR, columns).on(Horizon(weather.start, QUARTER, 96))
    power = solar.available_mw(field, fine)
    assert (power >= 0).all()
    assert (power <= 50.0).all()
    assert (power[~clear_sky(place, weather.start, QUARTER, 96).sun_up] == 0.0).all()
