"""Where the sun stands over a place, and what a cloudless sky would send down.

Sun position: NREL's SPA (Reda & Andreas 2004) through pvlib. Clear sky: Ineichen & Perez (2002) with
the monthly Linke turbidity map that ships with pvlib. Everything is sampled inside the slot (every
five minutes or finer) and averaged, so that a slot in which the sun rises is neither night nor day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from pvlib import atmosphere, clearsky, irradiance, solarposition

from models.series import Values

_SAMPLE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Place:
    """North and east positive, in degrees; altitude in metres above the sea."""

    latitude_deg: float
    longitude_deg: float
    altitude_m: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Sun:
    """Angles in degrees, one a sample; azimuth from north through east (180 = south)."""

    times: pd.DatetimeIndex
    zenith_deg: Values
    apparent_zenith_deg: Values
    azimuth_deg: Values


@dataclass(frozen=True, slots=True, eq=False)
class ClearSky:
    """Means over each slot, W/m2, with ``cos_zenith`` (mean, 0 below the horizon) and ``sun_up`` (at any sample)."""

    ghi_w_m2: Values
    dni_w_m2: Values
    dhi_w_m2: Values
    cos_zenith: Values
    sun_up: npt.NDArray[np.bool_]


def middles(start: datetime, step: timedelta, slots: int) -> pd.DatetimeIndex:
    """Middle of each slot, UTC."""
    return pd.date_range(pd.Timestamp(start) + step / 2, periods=slots, freq=pd.Timedelta(step))


def sun_at(place: Place, times: pd.DatetimeIndex) -> Sun:
    """Sun position at ``times`` (shape ``(len(times),)``); apparent = with refraction at standard pressure."""
    found = solarposition.get_solarposition(times, place.latitude_deg, place.longitude_deg, place.altitude_m)
    return Sun(
        times,
        found["zenith"].to_numpy(),
        found["apparent_zenith"].to_numpy(),
        found["azimuth"].to_numpy(),
    )


@lru_cache(maxsize=256)
def clear_sky(place: Place, start: datetime, step: timedelta, slots: int) -> ClearSky:
    """Cloudless radiation on ``slots`` slots of ``step`` from ``start``, and whether the sun is up in them.

    Kept for who asks next (each field, state and run asks anew), so the values may not be written to.
    """
    parts = max(1, round(step / _SAMPLE))
    sun = sun_at(place, middles(start, step / parts, slots * parts))
    airmass = atmosphere.get_relative_airmass(sun.apparent_zenith_deg)
    pressure = atmosphere.alt2pres(place.altitude_m)
    with np.errstate(divide="ignore", invalid="ignore"):  # below the horizon, masked right after
        found = clearsky.ineichen(
            sun.apparent_zenith_deg,
            atmosphere.get_absolute_airmass(airmass, pressure),
            clearsky.lookup_linke_turbidity(sun.times, place.latitude_deg, place.longitude_deg).to_numpy(),
            place.altitude_m,
            irradiance.get_extra_radiation(sun.times).to_numpy(),
        )
    up: npt.NDArray[np.bool_] = sun.apparent_zenith_deg < 90.0

    def mean(values: Values) -> Values:
        masked = np.where(up, np.nan_to_num(np.asarray(values, dtype=np.float64)), 0.0)
        averaged: Values = masked.reshape(slots, parts).mean(axis=1)
        return averaged

    ghi, dni, dhi = mean(found["ghi"]), mean(found["dni"]), mean(found["dhi"])
    cos_zenith = mean(np.cos(np.radians(sun.apparent_zenith_deg)))
    sun_up = np.asarray(up.reshape(slots, parts).any(axis=1), dtype=np.bool_)
    for kept in (ghi, dni, dhi, cos_zenith, sun_up):
        kept.flags.writeable = False
    return ClearSky(ghi, dni, dhi, cos_zenith, sun_up)
