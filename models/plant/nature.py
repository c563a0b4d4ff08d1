"""What sun, wind and heat do at a simulated site: a day of five-minute means from hourly weather.

The hours are refined by the clear sky, clouds and gusts are put on them (AR(1), seeded by site and day, as large
as the hour is broken), the scenario disturbs them, and the site's own physics of PV and wind make megawatts of it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from models.errors import Fault, InvalidInput
from models.forecast.site import pv_mw, wind_mw
from models.horizon import rfc3339
from models.plant.scenarios import Scenario
from models.series import Values
from models.site import Site
from models.sky import clear_sky
from models.weather import WeatherTable, refined, wet_bulb_c

STEP = timedelta(minutes=5)
_CLOUD_MIN, _GUST_MIN, _WARMTH_MIN = 12.0, 20.0, 60.0
"""Minutes over which clouds, gusts and warmth forget themselves: assumed."""
_CLOUD_SIZE, _GUST_SIZE, _WARMTH_K = 0.7, 0.09, 0.25
"""Spread of the beam under a sky that is all broken, of the wind, and of the air: assumed."""


@dataclass(frozen=True, slots=True)
class Air:
    """An instant: MW that sun and wind could give, and the two bulb temperatures."""

    pv_mw: float
    wind_mw: float
    dry_bulb_c: float
    wet_bulb_c: float


@dataclass(frozen=True, slots=True, eq=False)
class Nature:
    """Means over slots of :data:`STEP` from ``start``; columns of shape ``(slots,)``."""

    start: datetime
    pv_mw: Values
    wind_mw: Values
    dry_bulb_c: Values
    wet_bulb_c: Values

    @property
    def end(self) -> datetime:
        """First instant after the last slot."""
        return self.start + len(self.pv_mw) * STEP

    def at(self, moment: datetime) -> Air:
        """On the line between the middles of two slots.

        Raises:
            InvalidInput: ``moment`` lies outside.
        """
        if not self.start <= moment < self.end:
            message = f"{rfc3339(moment)} lies outside {rfc3339(self.start)} to {rfc3339(self.end)}; ask another day"
            raise InvalidInput("the simulated weather", [Fault("moment", "not_covered", message)])
        place = min(max((moment - self.start) / STEP - 0.5, 0.0), len(self.pv_mw) - 1.0)
        low = int(place)
        high, part = min(low + 1, len(self.pv_mw) - 1), place - low
        found = (
            float(column[low] + (column[high] - column[low]) * part)
            for column in (self.pv_mw, self.wind_mw, self.dry_bulb_c, self.wet_bulb_c)
        )
        return Air(*found)


def nature(site: Site, weather: WeatherTable, scenario: Scenario, began: datetime, seed: int = 1) -> Nature:
    """What happens on the slots of ``weather`` (whole hours) under a scenario that ``began`` then.

    The same site, hours, scenario and seed give the same day.

    Raises:
        InvalidInput: weather missing in it, or steps that five minutes do not divide.
    """
    fine = refined(weather, STEP)
    rng = np.random.default_rng([seed, zlib.crc32(f"{site.name} {rfc3339(fine.start)}".encode())])
    table = _disturbed(_restless(fine, rng), scenario, began)
    sky = [scenario.sky(_hours(table, k, began)) for k in range(len(table))]
    clean = 1 - np.array([one.dust_loss for one in sky])
    dry = table["temp_air_c"]
    return Nature(
        table.start,
        pv_mw(site.solar, table) * clean,
        wind_mw(site.wind, table),
        dry,
        wet_bulb_c(dry, table["relative_humidity_pct"]),
    )


def _hours(table: WeatherTable, slot: int, began: datetime) -> float:
    return (table.start + (slot + 0.5) * table.step - began) / timedelta(hours=1)


def _restless(table: WeatherTable, rng: np.random.Generator) -> WeatherTable:
    """With clouds, gusts and warmth inside the hour."""
    cloud, gust, warmth = (_ar1(rng, len(table), minutes) for minutes in (_CLOUD_MIN, _GUST_MIN, _WARMTH_MIN))
    sky = clear_sky(table.place, table.start, table.step, len(table))
    with np.errstate(divide="ignore", invalid="ignore"):
        clearness = np.where(sky.dni_w_m2 > 1.0, table["dni_w_m2"] / np.maximum(sky.dni_w_m2, 1.0), 0.0)
    clearness = np.clip(clearness, 0.0, 1.0)
    broken = 2 * np.minimum(clearness, 1 - clearness)  # neither a clear nor an overcast sky flickers
    beam = np.clip(table["dni_w_m2"] * (1 + _CLOUD_SIZE * broken * cloud), 0.0, np.maximum(sky.dni_w_m2, 0.0))
    ghi = np.maximum(table["ghi_w_m2"] + (beam - table["dni_w_m2"]) * sky.cos_zenith, table["dhi_w_m2"])
    columns = dict(table.columns) | {
        "dni_w_m2": beam,
        "ghi_w_m2": ghi,
        "wind_speed_m_s": np.maximum(table["wind_speed_m_s"] * (1 + _GUST_SIZE * gust), 0.0),
        "temp_air_c": table["temp_air_c"] + _WARMTH_K * warmth,
    }
    return replace(table, columns=columns)


def _disturbed(table: WeatherTable, scenario: Scenario, began: datetime) -> WeatherTable:
    sky = [scenario.sky(_hours(table, k, began)) for k in range(len(table))]

    def column(name: str) -> Values:
        return np.array([getattr(one, name) for one in sky])

    beam = table["dni_w_m2"] * column("beam_share")
    diffuse = table["dhi_w_m2"] * column("diffuse_share")
    direct = np.maximum(table["ghi_w_m2"] - table["dhi_w_m2"], 0.0) * column("beam_share")
    columns = dict(table.columns) | {
        "dni_w_m2": beam,
        "dhi_w_m2": diffuse,
        "ghi_w_m2": diffuse + direct,
        "wind_speed_m_s": np.minimum(table["wind_speed_m_s"] * column("wind_share") + column("windier_m_s"), 60.0),
        "temp_air_c": np.minimum(table["temp_air_c"] + column("warmer_k"), 58.0),
        "relative_humidity_pct": np.clip(table["relative_humidity_pct"] - column("drier_pct"), 5.0, 100.0),
    }
    return replace(table, columns=columns, synthetic=True, source=f"simulated from {table.source}")


def _ar1(rng: np.random.Generator, slots: int, minutes: float) -> Values:
    keep = float(np.exp(-STEP / timedelta(minutes=minutes)))
    shocks = rng.standard_normal(slots) * np.sqrt(1 - keep**2)
    out = np.empty(slots)
    last = float(rng.standard_normal())
    for k in range(slots):
        last = keep * last + shocks[k]
        out[k] = last
    return out
