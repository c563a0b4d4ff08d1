"""PV field: weather on slots → AC megawatts, through pvlib.

Chain: sun at mid-slot → (tracker) → plane of array (Hay & Davies 1980) → reflection of the beam
(physical model, De Soto 2006) → soiling → cell temperature (Faiman 2008) → PVWatts DC and inverter
(Dobos 2014) with clipping. Azimuths count from north through east: 180 is south. Exactly 0 while
the sun is down, never above the inverters.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
from pvlib import iam, inverter, irradiance, pvsystem, temperature, tracking

from models.series import Values
from models.sky import clear_sky, middles, sun_at
from models.supply import Solar
from models.weather import WeatherTable, refined

_FINE = timedelta(minutes=15)
ALBEDO = 0.25  # assumed, dry ground; PVWatts version 5 takes 0.2, desert sand 0.3 to 0.4
DIFFUSE_IAM = 0.95  # Marion 2017, doi:10.1016/j.solener.2017.02.004: isotropic sky at usual tilts
INVERTER_EFFICIENCY = 0.96  # PVWatts version 5, nominal
ROW_COVER_RATIO = 0.35  # assumed, usual for single-axis trackers
TRACKER_MAX_ANGLE_DEG = 60.0  # assumed, usual for single-axis trackers


def available_mw(solar: Solar, weather: WeatherTable, cells: Values | None = None) -> Values:
    """AC power that the field could deliver, mean over each slot of ``weather`` (shape ``(slots,)``).

    ``cells``: factor on the radiation that becomes power, a slot each, such as more soiling than the site file's.

    Coarse tables are refined to 15 minutes first, because the geometry of a whole hour's middle is
    wrong at dawn and dusk. NaN where radiation, temperature or wind is missing while the sun is up.
    """
    fine = refined(weather, _FINE) if weather.step > _FINE else weather
    parts = len(fine) // len(weather)
    poa = plane_of_array(solar, fine)
    cell_c = temperature.faiman(poa, fine["temp_air_c"], fine["wind_speed_m_s"])
    reached = poa if cells is None else poa * np.repeat(cells, parts)
    power = ac_mw(solar, dc_mw(solar, reached, cell_c))
    up = clear_sky(fine.place, fine.start, fine.step, len(fine)).sun_up
    power = np.where(up, power, 0.0)
    mean: Values = power.reshape(len(weather), parts).mean(axis=1)
    return mean


def plane_of_array(solar: Solar, weather: WeatherTable) -> Values:
    """Radiation that reaches the cells, W/m2: reflection and soiling off, before heat; shape ``(slots,)``."""
    times = middles(weather.start, weather.step, len(weather))
    sun = sun_at(weather.place, times)
    tilt, azimuth = _orientation(solar, sun.apparent_zenith_deg, sun.azimuth_deg)
    parts = irradiance.get_total_irradiance(
        tilt,
        azimuth,
        sun.apparent_zenith_deg,
        sun.azimuth_deg,
        np.maximum(weather["dni_w_m2"], 0.0),
        np.maximum(weather["ghi_w_m2"], 0.0),
        np.maximum(weather["dhi_w_m2"], 0.0),
        dni_extra=irradiance.get_extra_radiation(times).to_numpy(),
        albedo=ALBEDO,
        model="haydavies",
    )
    aoi = irradiance.aoi(tilt, azimuth, sun.apparent_zenith_deg, sun.azimuth_deg)
    beam = np.asarray(parts["poa_direct"]) * iam.physical(aoi)
    effective: Values = (beam + DIFFUSE_IAM * np.asarray(parts["poa_diffuse"])) * (1.0 - solar.soiling_loss)
    return np.maximum(effective, 0.0)


def _orientation(solar: Solar, zenith_deg: Values, azimuth_deg: Values) -> tuple[Values | float, Values | float]:
    if solar.tracking == "fixed":
        return solar.tilt_deg, solar.azimuth_deg
    turned = tracking.singleaxis(
        zenith_deg,
        azimuth_deg,
        axis_tilt=0.0,
        axis_azimuth=solar.azimuth_deg,
        max_angle=TRACKER_MAX_ANGLE_DEG,
        backtrack=True,
        gcr=ROW_COVER_RATIO,
    )
    # Stowed flat while the sun is down, where pvlib answers NaN.
    tilt = np.nan_to_num(np.asarray(turned["surface_tilt"], dtype=np.float64), nan=0.0)
    azimuth = np.nan_to_num(np.asarray(turned["surface_azimuth"], dtype=np.float64), nan=180.0)
    return tilt, azimuth


def dc_mw(solar: Solar, effective_w_m2: Values, cell_c: Values) -> Values:
    """DC power after all losses: peak x irradiance/1000 x (1 + coefficient x (cell - 25)) x (1 - losses)."""
    power = pvsystem.pvwatts_dc(effective_w_m2, cell_c, solar.peak_dc_mw, solar.temperature_coefficient_per_c)
    lossy: Values = np.maximum(np.asarray(power, dtype=np.float64), 0.0) * (1.0 - solar.other_losses)
    return lossy


def ac_mw(solar: Solar, dc: Values) -> Values:
    """AC power, clipped at ``inverter_ac_mw``; the PVWatts part-load efficiency below."""
    limit_dc = solar.inverter_ac_mw / INVERTER_EFFICIENCY
    power = inverter.pvwatts(np.asarray(dc, dtype=np.float64), limit_dc, eta_inv_nom=INVERTER_EFFICIENCY)
    clipped: Values = np.clip(power, 0.0, solar.inverter_ac_mw)
    return clipped


def clear_sky_mw(solar: Solar, weather: WeatherTable) -> Values:
    """What the field would deliver under a cloudless sky at the same temperature and wind; shape ``(slots,)``."""
    sky = clear_sky(weather.place, weather.start, weather.step, len(weather))
    columns = dict(weather.columns) | {
        "ghi_w_m2": sky.ghi_w_m2,
        "dni_w_m2": sky.dni_w_m2,
        "dhi_w_m2": sky.dhi_w_m2,
    }
    cloudless = WeatherTable(weather.place, weather.start, weather.step, columns, weather.wind_height_m)
    return available_mw(solar, cloudless)


def solar_noon(weather: WeatherTable, day: int = 0) -> pd.Timestamp:
    """Instant of the highest sun on the ``day``-th 24 h of the table, to the minute."""
    start = weather.start + timedelta(days=day)
    times = pd.date_range(start, periods=1440, freq="1min")
    return times[int(np.argmin(sun_at(weather.place, times).zenith_deg))]
