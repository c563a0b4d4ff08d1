"""Wind farm: weather on slots → megawatts, through windpowerlib.

Chain: logarithmic profile to hub height → air density (ideal gas, barometric where no pressure is
known) → power curve corrected for density (Svenningsen 2010, as windpowerlib has it) → cut-out at
the hub → wake loss and availability. Never above count x rated power.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pvlib import atmosphere
from windpowerlib import WindTurbine, data, density, power_output, wind_speed

from models.errors import Fault, InvalidInput
from models.series import Values
from models.supply import Wind
from models.weather import WeatherTable

_STILL_AT_RATED = 0.95  # of the highest value: a curve that ends so is listed up to its last measured speed
_CALM_TOP_M_S = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class PowerCurve:
    """Turbine output ``power_mw`` at hub-height ``speed_m_s`` (rising, same shape), at 1.225 kg/m3."""

    speed_m_s: Values
    power_mw: Values
    source: str


@lru_cache(maxsize=32)
def turbine_curve(turbine: str) -> PowerCurve:
    """Power curve of a type of the Open Energy Database's turbine library, as windpowerlib ships it.

    Raises:
        InvalidInput: no such type with a power curve; the message names the nearest.
    """
    known = data.get_turbine_types(print_out=False)
    names = sorted(known[known["has_power_curve"]]["turbine_type"])
    if turbine not in names:
        near = difflib.get_close_matches(turbine, names, n=3, cutoff=0.3) or names[:3]
        message = f"{turbine!r} has no power curve in windpowerlib; near: {', '.join(near)}"
        raise InvalidInput("the wind farm", [Fault("turbine", "unknown_turbine", message)])
    curve = WindTurbine(turbine_type=turbine, hub_height=100.0).power_curve
    return PowerCurve(
        curve["wind_speed"].to_numpy(dtype=np.float64),
        curve["value"].to_numpy(dtype=np.float64) / 1e6,
        f"windpowerlib {turbine} (Open Energy Database)",
    )


def available_mw(wind: Wind, weather: WeatherTable, curve: PowerCurve | None = None) -> Values:
    """Power that the farm could deliver, mean over each slot of ``weather`` (shape ``(slots,)``).

    ``curve`` overrules the type's own; it is scaled to ``wind.rated_mw``. NaN where wind is missing.

    Raises:
        InvalidInput: unknown turbine (:func:`turbine_curve`).
    """
    hub = hub_speed_m_s(wind, weather)
    shape = curve or turbine_curve(wind.turbine)
    speeds, powers = _to_cut_out(shape, wind)
    each = power_output.power_curve(hub, speeds, powers, density=air_density(wind, weather), density_correction=True)
    each = np.where(hub > wind.cut_out_m_s, 0.0, np.clip(each, 0.0, wind.rated_mw))
    each = np.where(np.isnan(hub), np.nan, each)
    farm: Values = wind.count * each * (1.0 - wind.wake_loss) * wind.availability
    return farm


def hub_speed_m_s(wind: Wind, weather: WeatherTable) -> Values:
    """Wind at the hub by the logarithmic law over ``roughness_m``."""
    speed: Values = wind_speed.logarithmic_profile(
        weather["wind_speed_m_s"], weather.wind_height_m, wind.hub_height_m, wind.roughness_m
    )
    return speed


def air_density(wind: Wind, weather: WeatherTable) -> Values:
    """Air density at the hub, kg/m3; temperature falls by 6.5 K/km from 2 m (ICAO standard atmosphere)."""
    hub_k = weather["temp_air_c"] + 273.15 - 0.0065 * (wind.hub_height_m - 2.0)
    if "pressure_pa" in weather.columns:
        pressure = weather["pressure_pa"]
    else:
        pressure = np.full(len(weather), atmosphere.alt2pres(weather.place.altitude_m))
    found: Values = density.ideal_gas(pressure, 0.0, wind.hub_height_m, hub_k)
    return found


def _to_cut_out(curve: PowerCurve, wind: Wind) -> tuple[Values, Values]:
    """The curve scaled to the rated power and, where it ends at full power, held there.

    Listed curves end at their last speed (the library answers 0 beyond it), and the density correction
    would move that end; so full power is held here and the cut-out is applied to the hub's own wind.
    """
    powers = curve.power_mw * (wind.rated_mw / curve.power_mw.max())
    if powers[-1] < _STILL_AT_RATED * wind.rated_mw:
        return curve.speed_m_s, powers
    return np.append(curve.speed_m_s, _CALM_TOP_M_S), np.append(powers, powers[-1])
