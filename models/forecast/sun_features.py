"""Features of a PV plant: geometry, clear sky, plane of array and physics first, then clouds and neighbours in time.

Clearness is GHI over the cloudless GHI (Ineichen & Perez 2002), at most 1.5. Finer than the slot it is held
constant, so that the plane of array of a morning hour follows the sun and the hour's mean is kept; direct and
diffuse are split after Erbs, Klein & Duffie 1982, the plane of array is Hay & Davies 1980, the cell temperature
Faiman 2008, all by pvlib.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
from pvlib import atmosphere, clearsky, irradiance, temperature

from models.errors import Fault, InvalidInput
from models.forecast.features import Features, gathered, of_the_clock
from models.forecast.rows import Rows
from models.series import Values
from models.sky import Sun, sun_at

_SAMPLE = timedelta(minutes=10)
_CLEAREST = 1.5
_CLOUDLESS_AT_LEAST_W_M2 = 5.0
_ALBEDO = 0.2
_PER_K = -0.0043  # crystalline silicon, of the module families in question; a share of the output
_FAR = ("ghi_w_m2", "clearness", "physics", "cloud_share")  # seen two hours either way
_NEAR = ("relative_humidity_pct", "temp_air_c", "cloud_water", "rain_mm")  # seen one hour either way
_SYSTEM = 0.85  # everything between module and meter; the correction learns what it really is


@dataclass(frozen=True, slots=True)
class Plane:
    """How modules face: tilt from the horizontal, azimuth from north through east (180 = south), degrees."""

    tilt_deg: float
    azimuth_deg: float


@dataclass(frozen=True, slots=True, eq=False)
class SunPhysics:
    """Slot means, shape ``(n,)``: radiation in W/m2, ``physics`` a share of the peak; ``up``: at any sample."""

    clear_ghi_w_m2: Values
    clearness: Values
    plane_w_m2: Values
    clear_plane_w_m2: Values
    physics: Values
    zenith_deg: Values
    azimuth_deg: Values
    up: npt.NDArray[np.bool_]


def sun_physics(rows: Rows, planes: Sequence[Plane]) -> SunPhysics:
    """What geometry and radiation give on ``rows``, the mean over ``planes`` (several: parts of one plant).

    Raises:
        InvalidInput: no column ``ghi_w_m2`` or no plane.
    """
    if "ghi_w_m2" not in rows.columns or not planes:
        message = "sun features need ghi_w_m2 and at least one plane of the modules"
        raise InvalidInput("the sun features", [Fault("ghi_w_m2", "missing", message)])
    parts = max(1, round(rows.step / _SAMPLE))
    offsets = [(2 * k + 1) * rows.step / (2 * parts) for k in range(parts)]
    starts = pd.DatetimeIndex(rows.starts, tz="UTC")
    samples = [(sun_at(rows.place, starts + offset)) for offset in offsets]
    clear = [_cloudless(rows, sun) for sun in samples]
    clear_ghi = np.mean([one["ghi"] for one in clear], axis=0)
    ghi = np.maximum(rows["ghi_w_m2"], 0.0)
    clearness = np.where(
        clear_ghi > _CLOUDLESS_AT_LEAST_W_M2,
        np.minimum(ghi / np.maximum(clear_ghi, _CLOUDLESS_AT_LEAST_W_M2), _CLEAREST),
        0.0,
    )
    plane, clear_plane = np.zeros(len(rows)), np.zeros(len(rows))
    for sun, sky in zip(samples, clear, strict=True):
        for facing in planes:
            here, cloudless = _on_plane(facing, sun, sky, clearness)
            plane += here / (parts * len(planes))
            clear_plane += cloudless / (parts * len(planes))
    cell_c = temperature.faiman(plane, _or(rows, "temp_air_c", 20.0), _or(rows, "wind_speed_m_s", 2.0))
    physics = np.clip(plane / 1000.0 * (1.0 + _PER_K * (cell_c - 25.0)) * _SYSTEM, 0.0, 1.0)
    middle = sun_at(rows.place, rows.middles())
    up = np.any([sun.apparent_zenith_deg < 90.0 for sun in samples], axis=0)
    return SunPhysics(
        clear_ghi, clearness, plane, clear_plane, physics, middle.zenith_deg, middle.azimuth_deg, np.asarray(up)
    )


def sun_features(rows: Rows, planes: Sequence[Plane], beside: Iterable[Rows] = ()) -> Features:
    """Features of ``rows``; ``beside`` are the rows of other plants on the same slots, of which the clearness is taken.

    Every column of ``rows`` becomes a feature. Awake is where the sun is up at all.

    Raises:
        InvalidInput: as :func:`sun_physics`.
    """
    sun, per_hour = sun_physics(rows, planes), rows.per_hour
    found: dict[str, Values] = dict(rows.columns) | {
        "clear_ghi": sun.clear_ghi_w_m2,
        "clearness": sun.clearness,
        "plane": sun.plane_w_m2,
        "clear_plane": sun.clear_plane_w_m2,
        "physics": sun.physics,
        "zenith": sun.zenith_deg,
        "azimuth": sun.azimuth_deg,
        **of_the_clock(rows.middles()),
    }
    for names, hours in ((_FAR, (-2, -1, 1, 2)), (_NEAR, (-1, 1))):
        for name in (name for name in names if name in found):
            found |= {f"{name}{k:+d}h": rows.shifted(found[name], k * per_hour) for k in hours}
    for name in ("ghi_w_m2", "physics", "cloud_share", "relative_humidity_pct", "rain_mm"):
        if name in found:
            found[f"{name}_day"] = rows.day_mean(found[name])
    found["clearness_spread"] = rows.around(sun.clearness, 2, per_hour).std(axis=0)
    found["ghi_3h"] = rows.around(found["ghi_w_m2"], 1, per_hour).mean(axis=0)
    for k, other in enumerate(beside):
        found[f"beside{k}_clearness"] = np.minimum(
            np.maximum(other["ghi_w_m2"], 0.0) / np.maximum(sun.clear_ghi_w_m2, _CLOUDLESS_AT_LEAST_W_M2), _CLEAREST
        )
        if "cloud_share" in other.columns:
            found[f"beside{k}_cloud"] = other["cloud_share"]
    return gathered(found, sun.up)


def _cloudless(rows: Rows, sun: Sun) -> dict[str, Values]:
    airmass = atmosphere.get_absolute_airmass(
        atmosphere.get_relative_airmass(sun.apparent_zenith_deg), atmosphere.alt2pres(rows.place.altitude_m)
    )
    with np.errstate(divide="ignore", invalid="ignore"):  # below the horizon, zero right after
        found = clearsky.ineichen(
            sun.apparent_zenith_deg,
            airmass,
            clearsky.lookup_linke_turbidity(sun.times, rows.place.latitude_deg, rows.place.longitude_deg).to_numpy(),
            rows.place.altitude_m,
            irradiance.get_extra_radiation(sun.times).to_numpy(),
        )
    up = sun.apparent_zenith_deg < 90.0
    return {name: np.where(up, np.nan_to_num(np.asarray(found[name])), 0.0) for name in ("ghi", "dni", "dhi")}


def _on_plane(plane: Plane, sun: Sun, sky: dict[str, Values], clearness: Values) -> tuple[Values, Values]:
    ghi = clearness * sky["ghi"]
    split = irradiance.erbs(ghi, sun.zenith_deg, sun.times)
    extra = irradiance.get_extra_radiation(sun.times).to_numpy()

    def total(dni: Values, whole: Values, dhi: Values) -> Values:
        found = irradiance.get_total_irradiance(
            plane.tilt_deg,
            plane.azimuth_deg,
            sun.apparent_zenith_deg,
            sun.azimuth_deg,
            dni,
            whole,
            dhi,
            dni_extra=extra,
            albedo=_ALBEDO,
            model="haydavies",
        )
        reached: Values = np.where(
            sun.apparent_zenith_deg < 90.0, np.nan_to_num(np.asarray(found["poa_global"], dtype=np.float64)), 0.0
        )
        return np.maximum(reached, 0.0)

    return total(np.asarray(split["dni"]), ghi, np.asarray(split["dhi"])), total(sky["dni"], sky["ghi"], sky["dhi"])


def _or(rows: Rows, name: str, usual: float) -> Values:
    return rows.columns.get(name, np.full(len(rows), usual))
