"""Forecasts of load from its own past: IT load of a site, base load of inference, GPUs asked for in a cluster.

Features are the load of at least ``lead_h`` hours before (the same hours of earlier days and weeks, means and
extremes of what is known) and the local clock, so that working days, summer time and Ramadan's hours show where the
caller hands local time. What is forecast is the change from the last known same hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from models.errors import Fault, InvalidInput
from models.forecast.blend import Recipe, fit
from models.forecast.features import Features, gathered
from models.forecast.tracking import tracked
from models.series import Series, Values

HOUR, DAY_H, WEEK_H = timedelta(hours=1), 24, 168
LEAST_DAYS = 28
RECIPE = Recipe(rounds=100, leaves=12, learning_rate=0.05, boosting_min_leaf=40, forest_min_leaf=10)
RATE = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class LoadFeatures:
    """``features`` of every hour of the past and of ``lead_h`` more; ``base``: the last known same hour, the anchor."""

    features: Features
    base: Values


def load_features(load: Series, lead_h: int, zone: ZoneInfo) -> LoadFeatures:
    """Features of the hours of ``load`` (hourly, no gap longer than it says with NaN) and of the next ``lead_h``.

    Each row looks at hours that ended at least ``lead_h`` before its own end.

    Raises:
        InvalidInput: not hourly, or a lead that is not a positive number of whole days.
    """
    if load.step != HOUR or lead_h <= 0 or lead_h % DAY_H:
        message = f"slots of {load.step}, lead {lead_h} h; hourly load and whole days of lead are needed"
        raise InvalidInput("the load", [Fault("step", "unfit", message)])
    values = pd.Series(np.concatenate([load.values, np.full(lead_h, np.nan)]))
    base = values.shift(lead_h)
    found: dict[str, Values] = {}
    for back in (lead_h, lead_h + DAY_H, _weeks(lead_h), _weeks(lead_h) + WEEK_H):
        found[f"back_{back}h"] = (values.shift(back) - base).to_numpy() if back != lead_h else base.to_numpy()
    for near in (1, 2, 3, 6):
        found[f"back_{lead_h}h-{near}"] = (values.shift(lead_h + near) - base).to_numpy()
    known = values.shift(lead_h)
    for span in (6, DAY_H, 3 * DAY_H, WEEK_H):
        window = known.rolling(span, min_periods=max(2, span // 2))
        found[f"mean_{span}h"] = (window.mean() - base).to_numpy()
        found[f"spread_{span}h"] = window.std().to_numpy()
    found["top_week"] = (known.rolling(WEEK_H, min_periods=DAY_H).max() - base).to_numpy()
    found["foot_week"] = (known.rolling(WEEK_H, min_periods=DAY_H).min() - base).to_numpy()
    local = pd.date_range(pd.Timestamp(load.start) + HOUR / 2, periods=len(values), freq="h").tz_convert(zone)
    hour = 2 * np.pi * local.hour.to_numpy() / 24.0
    found |= {"hour_sin": np.sin(hour), "hour_cos": np.cos(hour), "weekday": local.dayofweek.to_numpy().astype(float)}
    return LoadFeatures(gathered(found, np.isfinite(base.to_numpy())), base.to_numpy())


def rolling_load(load: Series, lead_h: int, zone: ZoneInfo, levels: Values, first: int, every: int = WEEK_H) -> Values:
    """Quantiles for each hour from ``first`` on, shape ``(len(load) - first, len(levels))``, as service makes them.

    Fitted anew every ``every`` hours to what was known ``lead_h`` before, then recalibrated online. NaN where the
    past of an hour is missing.

    Raises:
        InvalidInput: as :func:`load_features`, or less than four weeks before ``first``.
    """
    if first < LEAST_DAYS * DAY_H + lead_h:
        message = f"{first} hours before the first forecast; at least {LEAST_DAYS * DAY_H + lead_h} are needed"
        raise InvalidInput("the load", [Fault("first", "too_short", message)])
    made = load_features(load, lead_h, zone)
    x, awake = made.features.values, made.features.awake
    raw = np.full((len(load) - first, len(levels)), np.nan)
    for begin in range(first, len(load), every):
        known = np.arange(len(x)) < begin - lead_h
        known[: len(load)] &= np.isfinite(load.values)
        known &= awake
        blend = fit(x[known], load.values[np.flatnonzero(known)] - made.base[known], RECIPE)
        asked = np.arange(begin, min(begin + every, len(load)))
        asked = asked[awake[asked]]
        raw[asked - first] = made.base[asked, None] + blend.predict(x[asked], levels)
    there = np.isfinite(raw).all(axis=1)
    out = np.full_like(raw, np.nan)
    out[there] = np.maximum(tracked(raw[there], levels, load.values[first:][there], lead_h, RATE), 0.0)
    return out


def _weeks(lead_h: int) -> int:
    """Hours back to the same hour of the week, at least ``lead_h``."""
    return WEEK_H * -(-lead_h // WEEK_H)


def next_hours(load: Series, lead_h: int, zone: ZoneInfo, levels: Values, issued_at: datetime) -> Values:
    """Quantiles of the ``lead_h`` hours after the past known at ``issued_at``, shape ``(lead_h, len(levels))``.

    Raises:
        InvalidInput: as :func:`rolling_load`.
    """
    over = (issued_at - load.start) // HOUR
    past = Series(load.start, HOUR, load.values[: max(1, over)], load.unit, load.source, load.synthetic)
    if len(past) < LEAST_DAYS * DAY_H + lead_h:
        message = f"{len(past)} hours were known; at least {LEAST_DAYS * DAY_H + lead_h} are needed"
        raise InvalidInput("the load", [Fault("values", "too_short", message)])
    made = load_features(past, lead_h, zone)
    known = made.features.awake[: len(past)] & np.isfinite(past.values)
    x = made.features.values
    blend = fit(x[: len(past)][known], past.values[known] - made.base[: len(past)][known], RECIPE)
    said = made.base[len(past) :, None] + blend.predict(x[len(past) :], levels)
    held: Values = np.maximum(said, 0.0)
    return held
