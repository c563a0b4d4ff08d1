"""Air at the site: the forecast's dry and wet bulb, moved by what the site's own thermometer has shown against it.

The error of past forecasts by hour of day (UTC), drawn towards its mean and that towards 0 while hours are few. The wet
bulb follows with the water in the air as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from models.series import Series, Values
from models.weather import WeatherTable, wet_bulb_c

HOUR = timedelta(hours=1)
LEADS_H = 24  # of each past run that are looked at
LEAST_HOURS = 72
MOST_K = 6.0  # a thermometer that differs by more stands in the sun
_PULL, _HOUR_PULL = 24.0, 6.0  # hours at which what was seen weighs as much as no error, or as the mean one
_PSYCHROMETER = 0.000665 * 101.325  # kPa per K (FAO 56, eq. 15, at sea level)


@dataclass(frozen=True, slots=True, eq=False)
class AirError:
    """``by_hour``: K to add to the dry bulb, shape ``(24,)``; ``hours`` taught it."""

    by_hour: Values
    hours: int


def air_error(runs: Sequence[WeatherTable], measured: Series, now: datetime) -> AirError | None:
    """What the thermometer (``measured``, hourly degC) showed beside hourly ``runs``; None where too little is known.

    Hours that were not over at ``now``, and those before a run was known, are not looked at.
    """
    errors: list[float] = []
    hours: list[int] = []
    for run in runs:
        known = run.available_at
        if known is None or run.step != HOUR:
            continue
        for k in range(len(run)):
            at = run.start + k * HOUR
            place, rest = divmod(at - measured.start, HOUR)
            if at < known - HOUR or at >= known + LEADS_H * HOUR or at + HOUR > now or rest:
                continue
            if 0 <= place < len(measured):
                error = float(measured.values[place] - run["temp_air_c"][k])
                if abs(error) <= 2 * MOST_K:  # nan compares false
                    errors.append(error)
                    hours.append(at.hour)
    if len(errors) < LEAST_HOURS:
        return None
    found, hour = np.array(errors), np.array(hours)
    mean = found.sum() / (len(found) + _PULL)
    here = [found[hour == h] for h in range(24)]
    by_hour = np.array([(part.sum() + _HOUR_PULL * mean) / (len(part) + _HOUR_PULL) for part in here])
    return AirError(np.clip(by_hour, -MOST_K, MOST_K), len(found))


def moved(dry: Series, wet: Series, error: AirError) -> tuple[Series, Series]:
    """Dry and wet bulb with the error of their hours put right."""
    added = error.by_hour[[start.hour for start in dry.starts()]]
    before = dry.values
    after = before + added
    vapour = np.maximum(_saturated(wet.values) - _PSYCHROMETER * (before - wet.values), 1e-3)
    shift = _wet(after, vapour) - _wet(before, vapour)
    return dry.with_values(after), wet.with_values(np.minimum(wet.values + shift, after))


def _wet(dry: Values, vapour_kpa: Values) -> Values:
    humidity: Values = np.clip(100.0 * vapour_kpa / _saturated(dry), 1.0, 100.0)
    return wet_bulb_c(dry, humidity)


def _saturated(celsius: Values) -> Values:
    """Saturation vapour pressure, kPa (Tetens; FAO 56, eq. 11)."""
    found: Values = 0.6108 * np.exp(17.27 * celsius / (celsius + 237.3))
    return found
