"""Courses of sun, wind and load for a round: from a weather ensemble, else from past errors, else none, and why.

Sun and wind keep the quantiles of the round's forecast; the ensemble, or what past errors had in common, says which
values come together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from weakref import WeakKeyDictionary

import numpy as np

from api.expected import Expected, forecast_of
from api.gathered_past import gathered_past
from api.knowledge import SEASON_DAYS, Knowledge, first_line
from ingest.sources.outlook.forecast_history import Past
from ingest.sources.outlook.weather import history_for
from models.courses import Courses
from models.errors import InvalidInput
from models.forecast.courses import LEAST_MEMBERS, Lasting, from_past, in_order_of, lasting, more_load
from models.forecast.past import PastPairs, moment64
from models.forecast.site import PV, WIND, capacity_mw, pv_mw, wind_mw
from models.horizon import Horizon
from models.series import Series, Values
from models.site import Site
from models.weather import WeatherTable

HOUR = timedelta(hours=1)
# what past errors had in common, by who keeps them: a day's new errors change little, and reading all takes seconds
_known: WeakKeyDictionary[Knowledge, tuple[date, Lasting | str]] = WeakKeyDictionary()


def courses_for(
    site: Site, horizon: Horizon, now: datetime, sky: Expected, rise_mw: Values, knowledge: Knowledge | None
) -> Courses | str:
    """``[planning] scenarios`` courses as known at ``now``, the same for the same horizon; or why there are none.

    ``rise_mw``: P90 - P50 of the load, one a slot.
    """
    count, seed = site.planning.scenarios, int(horizon.start.timestamp())
    there = [name for name, cap in capacity_mw(site).items() if cap > 0]
    if not there:
        return "the site has neither sun nor wind"
    if len(sky.tables) >= LEAST_MEMBERS:
        chosen = np.unique(np.linspace(0, len(sky.tables) - 1, min(count, len(sky.tables))).round().astype(int))
        weather = [sky.tables[k].on(horizon) for k in chosen.tolist()]
        found = {name: _as_members(site, name, weather, sky) for name in there}
        origin = f"{len(chosen)} members of the weather ensemble"
        count = len(chosen)
    else:
        learned = _lasting(site, now, there, knowledge)
        if isinstance(learned, str):
            return f"{len(sky.tables)} weather runs, at least {LEAST_MEMBERS} are needed; from past errors: {learned}"
        drawn = from_past(learned, [forecast_of(sky.forecast, name) for name in there], count, seed)
        found = dict(zip(there, drawn, strict=True))
        origin = f"errors of {learned.days} past forecasts, which last some {learned.hours:.0f} h"
    none = np.zeros((count, horizon.slots))
    return Courses(found.get(PV, none), found.get(WIND, none), more_load(rise_mw, count, seed), origin)


def _as_members(site: Site, name: str, weather: list[WeatherTable], sky: Expected) -> Values:
    members = np.stack([_power_mw(site, name, table) for table in weather])
    return in_order_of(members, forecast_of(sky.forecast, name))


def _lasting(site: Site, now: datetime, there: list[str], knowledge: Knowledge | None) -> Lasting | str:
    """What past errors have in common, learned once a day; or why that is not known."""

    def learn() -> Lasting | str:
        try:
            pairs = history_for(site, now)
            if pairs is None:
                if knowledge is None:
                    return "nothing is kept here"
                pairs = pairs_of(site, gathered_past(site, now, SEASON_DAYS, knowledge))
            if missing := [name for name in there if name not in pairs]:
                return f"{missing[0]} is not metered"
            return lasting({name: pairs[name].known_at(now) for name in there}, capacity_mw(site))
        except InvalidInput as error:
            return first_line(error)

    if knowledge is None:
        return learn()
    if knowledge not in _known or _known[knowledge][0] != now.date():
        _known[knowledge] = now.date(), learn()
    return _known[knowledge][1]


def pairs_of(site: Site, past: Past) -> Mapping[str, PastPairs]:
    """Physics of past hourly runs beside the power that came, hour by hour; hours held back are marked."""
    return {name: _pairs(site, name, past) for name in past.actual if past.runs}


def _pairs(site: Site, name: str, past: Past) -> PastPairs:
    ends = [np.array([moment64(run.start + (k + 1) * HOUR) for k in range(len(run))]) for run in past.runs]
    lead = [(end - moment64(at)) / np.timedelta64(1, "h") - 0.5 for end, at in zip(ends, past.issues, strict=True)]
    held = past.limited.get(name)
    limited = np.zeros(sum(map(len, ends))) if held is None else np.concatenate([_of(held, run) for run in past.runs])
    return PastPairs(
        np.concatenate(lead),
        np.concatenate([_power_mw(site, name, run) for run in past.runs]),
        np.concatenate([_of(past.actual[name], run) for run in past.runs]),
        np.concatenate(ends),
        limited > 0,
    )


def _power_mw(site: Site, name: str, weather: WeatherTable) -> Values:
    return pv_mw(site.solar, weather) if name == PV else wind_mw(site.wind, weather)


def _of(hourly: Series, run: WeatherTable) -> Values:
    """Hourly values on the hours of a run, NaN where there are none."""
    at = (run.start - hourly.start) // HOUR + np.arange(len(run))
    there = (at >= 0) & (at < len(hourly))
    return np.where(there, hourly.values[np.clip(at, 0, len(hourly) - 1)], np.nan)
