"""What a forecast has to beat: the usual of the season, yesterday, and yesterday's clearness.

All see only slots that had ended at the issue time (:func:`models.forecast.past.known_part`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from models.errors import Fault, InvalidInput
from models.forecast.past import known_part
from models.forecast.quantiles import LEVELS, QuantileForecast, bounded
from models.horizon import Horizon
from models.series import Series, Values

DAY = timedelta(days=1)


def usual_by_hour(values_mw: Values, starts: Sequence[datetime]) -> Values:
    """p10, p50, p90 by hour of day (UTC), shape ``(24, 3)``; hours without data get those of all hours.

    Raises:
        InvalidInput: nothing but missing values.
    """
    known = ~np.isnan(values_mw)
    if not known.any():
        raise InvalidInput("the past", [Fault("values", "empty", "no value is known yet; wait for the first slots")])
    hours = np.array([moment.astimezone(UTC).hour for moment in starts])
    overall = np.quantile(values_mw[known], LEVELS)
    table = np.tile(overall, (24, 1))
    for hour in range(24):
        chosen = known & (hours == hour)
        if chosen.any():
            table[hour] = np.quantile(values_mw[chosen], LEVELS)
    return table


def hours_utc(horizon: Horizon) -> Values:
    """Hour of day (UTC) that each slot begins in."""
    return np.array([start.hour for start in horizon.starts()], dtype=np.float64)


def climatology(
    actual: Series, horizon: Horizon, issued_at: datetime, capacity_mw: float, season_days: int = 45
) -> QuantileForecast:
    """The usual quantiles of the hour of day, from days within ``season_days`` of the date in any year.

    Raises:
        InvalidInput: no such slot was known at ``issued_at``.
    """
    past = known_part(actual, issued_at)
    starts = past.starts()
    middle = (horizon.start + (horizon.end - horizon.start) / 2).timetuple().tm_yday
    apart = np.array([abs(start.timetuple().tm_yday - middle) for start in starts])
    season = np.minimum(apart, 365 - apart) <= season_days
    table = usual_by_hour(np.where(season, past.values, np.nan), starts)[hours_utc(horizon).astype(int)]
    low, mid, high = bounded(table[:, 0], table[:, 1], table[:, 2], capacity_mw)
    method = f"climatology: hour of day within {season_days} days of the date"
    return QuantileForecast(horizon, low, mid, high, capacity_mw, issued_at, method, actual.source, actual.synthetic)


def persistence(actual: Series, horizon: Horizon, issued_at: datetime, capacity_mw: float) -> QuantileForecast:
    """The last known value of the same time of day, as all three quantiles.

    Raises:
        InvalidInput: no day of it was known at ``issued_at``, or its slots do not fit.
    """
    same = _same_time(known_part(actual, issued_at), horizon, np.ones(horizon.slots), None)
    held = np.clip(same, 0.0, capacity_mw)
    method = "persistence: the last known value of the same time of day"
    return QuantileForecast(horizon, held, held, held, capacity_mw, issued_at, method, actual.source, actual.synthetic)


def clear_sky_persistence(
    actual: Series, clear: Series, horizon: Horizon, issued_at: datetime, capacity_mw: float
) -> QuantileForecast:
    """The last known ratio of power to cloudless power at the same time of day, times the cloudless power.

    ``clear`` is the cloudless power (no weather in it, so it may cover the future) on the slots of
    ``actual`` and on through the horizon.

    Raises:
        InvalidInput: as :func:`persistence`, or ``clear`` does not cover the horizon.
    """
    same = _same_time(known_part(actual, issued_at), horizon, clear.on(horizon), clear)
    held = np.clip(same, 0.0, capacity_mw)
    method = "clear-sky persistence: the last known clearness of the same time of day"
    return QuantileForecast(horizon, held, held, held, capacity_mw, issued_at, method, actual.source, actual.synthetic)


def _same_time(past: Series, horizon: Horizon, scale: Values, clear: Series | None) -> Values:
    found = np.full(horizon.slots, np.nan)
    fitted = past.resampled(horizon.step)
    ratio = fitted.values
    if clear is not None:
        base = clear.resampled(horizon.step)
        reference = np.full(len(fitted), np.nan)
        offset = (base.start - fitted.start) // horizon.step
        first, last = max(0, offset), min(len(fitted), offset + len(base))
        reference[first:last] = base.values[first - offset : last - offset]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(reference > 0, fitted.values / reference, np.where(reference == 0, 0.0, np.nan))
    begin = (horizon.start - fitted.start) // horizon.step
    per_day = DAY // horizon.step
    for k in range(horizon.slots):
        # At night the ratio means nothing; any finite one will do, the scale is 0 there.
        place = begin + k
        while place >= len(ratio):
            place -= per_day
        while place >= 0 and np.isnan(ratio[place]):
            place -= per_day
        if place >= 0:
            found[k] = ratio[place] * scale[k]
    if np.isnan(found).any():
        slot = int(np.flatnonzero(np.isnan(found))[0])
        message = f"no day with the time of slot {slot} was known at the issue time; a full day must have passed"
        raise InvalidInput("the past", [Fault("values", "too_short", message)])
    return found
