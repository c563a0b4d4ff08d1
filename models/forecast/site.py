"""A site's sun, wind and heat for one horizon, from one weather forecast.

The physics of the weather forecast give the middle; past pairs of (forecast, actual) calibrate it and
its band by lead time; without them the band is the season's spread, or assumed. ``method`` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypedDict

import numpy as np

from models import solar, wind
from models.forecast import bands
from models.forecast.baselines import hours_utc, usual_by_hour
from models.forecast.past import PastPairs, refuse_future
from models.forecast.plant_state import PlantState
from models.forecast.quantiles import QuantileForecast, bounded
from models.horizon import Horizon
from models.series import Series, Values
from models.site import Site
from models.sky import clear_sky
from models.supply import Solar, Wind
from models.weather import WeatherTable, wet_bulb_c

PV, WIND = "pv_available_mw", "wind_available_mw"
_P90 = 1.2816  # standard deviations of a normal distribution from its middle to its P90
ForecastHistory = Mapping[str, PastPairs]
Band = tuple[Values, Values, Values]


class SiteForecast(TypedDict):
    """What :func:`forecast_site` answers."""

    pv_available_mw: QuantileForecast
    wind_available_mw: QuantileForecast
    dry_bulb_c: Series
    wet_bulb_c: Series


def pv_mw(fields: Sequence[Solar], weather: WeatherTable, state: PlantState | None = None) -> Values:
    """All PV fields together, MW per slot of ``weather``; ``state`` None: clean and whole.

    What inverters clip hides dust; it does not hide units that are out.
    """
    total = np.zeros(len(weather))
    cells = None if state is None else state.cells(weather.series("ghi_w_m2").starts())
    for field in fields:
        total = total + solar.available_mw(field, weather, cells)
    return total if state is None else total * state.working


def wind_mw(farms: Sequence[Wind], weather: WeatherTable) -> Values:
    """All wind farms together, MW per slot of ``weather``."""
    total = np.zeros(len(weather))
    for farm in farms:
        total = total + wind.available_mw(farm, weather)
    return total


def capacity_mw(site: Site) -> dict[str, float]:
    """Most that sun and wind can ever give: inverters, turbines x rated power."""
    return {
        PV: sum(field.inverter_ac_mw for field in site.solar) + 0.0,
        WIND: sum(farm.count * farm.rated_mw for farm in site.wind) + 0.0,
    }


def forecast_site(
    site: Site,
    horizon: Horizon,
    weather: WeatherTable,
    issued_at: datetime,
    history: ForecastHistory | None = None,
    state: PlantState | None = None,
) -> SiteForecast:
    """Available PV and wind with p10, p50, p90 and the two bulb temperatures, on the slots of ``horizon``.

    Leads count from when the weather was known, not from ``issued_at``: old weather has wider bands.
    ``history`` holds past pairs under ``pv_available_mw`` and ``wind_available_mw``; rows whose actual was
    not known at ``issued_at`` are not looked at. ``state``: what dust and outages leave of the PV; its own uncertainty
    widens the band.

    Raises:
        InvalidInput: weather not known at ``issued_at`` (or not said since when), not covering the horizon,
            or missing in it; an unknown turbine.
    """
    refuse_future(f"the weather {weather.source!r}", weather.available_at, issued_at)
    here = weather.on(horizon)
    known = weather.available_at or issued_at
    lead_h = np.array([(start + horizon.step / 2 - known) / timedelta(hours=1) for start in horizon.starts()])
    caps = capacity_mw(site)

    def forecast(name: str, to_mw: Callable[[WeatherTable], Values]) -> QuantileForecast:
        middle = to_mw(here)
        if caps[name] == 0:
            (low, mid, high), how = (middle, middle, middle), "the site has none"
        else:
            pairs = None if history is None else history.get(name)
            banded, how = _band(horizon, weather, to_mw, middle, lead_h, pairs, issued_at, caps[name])
            low, mid, high = bounded(*banded, caps[name])
            if name == PV and state is not None:
                low, mid, high = bounded(*_widened(low, mid, high, state.spread_at(issued_at)), caps[name])
                how += "; in the plant's state"
        if name == PV:
            up = clear_sky(here.place, here.start, here.step, len(here)).sun_up
            low, mid, high = (np.where(up, values, 0.0) for values in (low, mid, high))
        return QuantileForecast(
            horizon,
            low,
            mid,
            high,
            caps[name],
            weather.available_at or issued_at,
            how,
            weather.source,
            weather.synthetic,
        )

    return {
        "pv_available_mw": forecast(PV, partial(pv_mw, site.solar, state=state)),
        "wind_available_mw": forecast(WIND, partial(wind_mw, site.wind)),
        "dry_bulb_c": here.series("temp_air_c"),
        "wet_bulb_c": here.series("temp_air_c").with_values(
            wet_bulb_c(here["temp_air_c"], here["relative_humidity_pct"])
        ),
    }


def _widened(low: Values, mid: Values, high: Values, spread: float) -> Band:
    """Band with another, independent relative error of the middle."""
    more = _P90 * spread * mid
    return mid - np.hypot(mid - low, more), mid, mid + np.hypot(high - mid, more)


def _band(
    horizon: Horizon,
    weather: WeatherTable,
    to_mw: Callable[[WeatherTable], Values],
    middle: Values,
    lead_h: Values,
    pairs: PastPairs | None,
    issued_at: datetime,
    cap: float,
) -> tuple[Band, str]:
    physics = "physics of the weather forecast"
    shifts = None if pairs is None else bands.learned(pairs.known_at(issued_at), cap)
    if shifts is not None:
        how = f"{physics}, calibrated by lead time on {shifts.pairs} past forecasts"
        return shifts.apply(middle, lead_h, cap), how
    if weather.climate is not None:
        climate = replace(weather.climate, climate=None)
        starts = climate.series("ghi_w_m2").starts()
        usual = usual_by_hour(to_mw(climate), starts)
        spread = bands.seasonal(middle, lead_h, usual, hours_utc(horizon), cap)
        return spread, f"{physics}; band from the season's spread (no past forecasts yet), share by lead time assumed"
    return bands.assumed(middle, lead_h, cap), f"{physics}; band assumed (neither past forecasts nor a season known)"
