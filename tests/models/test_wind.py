"""Wind: hand numbers through profile, density, curve, cut-out and losses."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import wind
from models.errors import InvalidInput
from models.sky import Place
from models.supply import Wind
from models.weather import WeatherTable

SEA = Place(23.7, -15.9, 0.0)
T0 = datetime(2026, 3, 20, tzinfo=UTC)
FARM = Wind(
    name="farm", turbine="V126/3300", count=10, rated_mw=3.3, hub_height_m=100.0, availability=1.0, wake_loss=0.0
)
# Dry air of 1.225 kg/m3 at the hub: what the curves are measured for.
STANDARD_K = 288.15
STANDARD_PA = 1.225 * 287.058 * STANDARD_K + 100.0 / 8 * 100


def weather(speeds, height=100.0, temp_c=STANDARD_K - 273.15 + 0.0065 * 98.0, pressure=STANDARD_PA):
    n = len(speeds)
    zeros = np.zeros(n)
    return WeatherTable(
        SEA,
        T0,
        timedelta(minutes=15),
        {
            "ghi_w_m2": zeros,
            "dni_w_m2": zeros,
            "dhi_w_m2": zeros,
            "temp_air_c": np.full(n, temp_c),
            "relative_humidity_pct": np.full(n, 60.0),
            "wind_speed_m_s": np.asarray(speeds, dtype=float),
            "pressure_pa": np.full(n, pressure),
        },
        wind_height_m=height,
    )


def test_the_logarithmic_profile_by_hand():
    """8 m/s at 10 m over 0.03 m: x ln(100/0.03)/ln(10/0.03) = x 8.11173/5.80914 = 11.171 m/s at 100 m."""
    assert wind.hub_speed_m_s(FARM, weather([8.0], height=10.0))[0] == pytest.approx(8.0 * 8.11173 / 5.80914, rel=1e-5)


def test_the_published_curve_at_standard_density():
    """The library lists 397 kW at 5, 1723 kW at 8 and 3300 kW from 12 m/s for this type."""
    found = wind.available_mw(FARM, weather([0.0, 2.5, 5.0, 8.0, 12.5, 24.0]))
    assert found == pytest.approx([0.0, 0.0, 3.97, 17.23, 33.0, 33.0], rel=2e-3)


def test_thin_air_shifts_the_curve_by_the_cube_root_below_7_5_m_s():
    """At 90 % of standard density 5 m/s acts like 5 x 0.9^(1/3) = 4.8274 m/s: 278 + 0.6549 x 119 kW = 355.9 kW."""
    thin = wind.available_mw(FARM, weather([5.0], pressure=(STANDARD_PA - 1250.0) * 0.9 + 1250.0))
    assert thin[0] == pytest.approx(10 * 0.3559, rel=2e-3)


def test_full_power_is_held_to_the_cut_out_and_ends_there():
    found = wind.available_mw(FARM, weather([22.4, 22.6, 24.9, 25.1, 40.0]))
    assert found == pytest.approx([33.0, 33.0, 33.0, 0.0, 0.0])


def test_losses_multiply():
    lossy = FARM.model_copy(update={"availability": 0.97, "wake_loss": 0.08})
    assert wind.available_mw(lossy, weather([15.0]))[0] == pytest.approx(33.0 * 0.97 * 0.92)


def test_a_given_curve_is_scaled_to_the_rated_power():
    curve = wind.PowerCurve(np.array([0.0, 10.0, 20.0]), np.array([0.0, 1.0, 1.0]), "hand")
    found = wind.available_mw(FARM, weather([5.0, 15.0]), curve)
    assert found == pytest.approx([16.5, 33.0], rel=2e-3)


def test_a_missing_wind_gives_a_missing_power():
    assert np.isnan(wind.available_mw(FARM, weather([np.nan])))[0]


def test_an_unknown_turbine_is_refused_with_near_names():
    with pytest.raises(InvalidInput, match="V126/3300"):
        wind.available_mw(FARM.model_copy(update={"turbine": "V126-3300"}), weather([5.0]))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0, 60), min_size=1, max_size=20),
    st.floats(-20, 45),
    st.floats(80_000, 105_000),
    st.sampled_from(["V126/3300", "E-126/7580", "GE100/2500", "V164/9500"]),
)
def test_never_negative_and_never_above_rated(speeds, temp_c, pressure, turbine):
    farm = FARM.model_copy(update={"turbine": turbine, "rated_mw": 3.0})
    found = wind.available_mw(farm, weather(speeds, temp_c=temp_c, pressure=pressure))
    assert (found >= 0).all()
    assert (found <= farm.count * farm.rated_mw).all()
