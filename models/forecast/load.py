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
from sklearn.linear_model import Ridge

from models.errors import Fault, InvalidInput
from models.forecast.features import Features, gathered
from models.forecast.tracking import tracked
from models.series import Series, Values

HOUR, DAY_H, WEEK_H = timedelta(hours=1), 24, 168
BAND_H = 28 * DAY_H  # errors that the band is made of
SHRINK = 0.5  # of ridge, as a share of the rows: strong, see _centres
RATE = 0.01


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
    found |= {"hour_sin": np.sin(hour), "hour_cos": np.cos(hour)}
    found |= {f"hour_{h}": (local.hour.to_numpy() == h).astype(np.float64) for h in range(24)}
    found["weekend"] = (local.day_of_week.to_numpy() >= 5).astype(np.float64)
    return LoadFeatures(gathered(found, np.isfinite(base.to_numpy())), base.to_numpy())


def rolling_load(load: Series, lead_h: int, zone: ZoneInfo, levels: Values, first: int) -> Values:
    """Quantiles for each hour from ``first`` on, shape ``(len(load) - first, len(levels))``, as service makes them.

    Fitted anew every day to what was known ``lead_h`` before; the band is that of the errors of the last four weeks
    known, recalibrated online. NaN where the past of an hour is missing.

    Raises:
        InvalidInput: as :func:`load_features`, or less than eight weeks and the lead before ``first``.
    """
    _refuse_short(first, lead_h)
    begin = first - BAND_H - lead_h
    centre = _centres(load, lead_h, zone, begin)[: len(load) - begin]
    error = load.values[begin:] - centre
    raw = np.full((len(load) - first, len(levels)), np.nan)
    for k in range(len(raw)):
        known = error[k : k + BAND_H]  # the last of them ended ``lead_h`` before this hour does
        known = known[np.isfinite(known)]
        if len(known) and np.isfinite(centre[first - begin + k]):
            raw[k] = centre[first - begin + k] + _offsets(known, levels)
    there = np.isfinite(raw).all(axis=1)
    out = np.full_like(raw, np.nan)
    band = tracked(raw[there], levels, load.values[first:][there], lead_h, RATE)
    # The band follows the errors, the middle does not: they come too late (``lead_h``) to tell where it should be.
    middle = centre[first - begin :][there, None]
    out[there] = np.maximum(np.where(levels < 0.5, np.minimum(band, middle), np.maximum(band, middle)), 0.0)
    out[np.ix_(there, np.isclose(levels, 0.5))] = np.maximum(middle, 0.0)
    return out


def next_hours(load: Series, lead_h: int, zone: ZoneInfo, levels: Values, issued_at: datetime) -> Values:
    """Quantiles of the ``lead_h`` hours after the past known at ``issued_at``, shape ``(lead_h, len(levels))``.

    Raises:
        InvalidInput: as :func:`rolling_load`, or the newest day is missing.
    """
    over = max(1, (issued_at - load.start) // HOUR)
    past = Series(load.start, HOUR, load.values[:over], load.unit, load.source, load.synthetic)
    _refuse_short(len(past), lead_h)
    begin = len(past) - BAND_H
    centre = _centres(past, lead_h, zone, begin)
    error = past.values[begin:] - centre[:BAND_H]
    ahead = centre[BAND_H:]
    if np.isnan(ahead).any() or not np.isfinite(error).any():
        message = f"{int(np.isnan(ahead).sum())} of the newest {lead_h} hours are missing; mend their source"
        raise InvalidInput("the load", [Fault("values", "missing", message)])
    said = ahead[:, None] + _offsets(error[np.isfinite(error)], levels)
    held: Values = np.maximum(said, 0.0)
    return held


def _centres(load: Series, lead_h: int, zone: ZoneInfo, begin: int) -> Values:
    """Expected load of the hours from ``begin`` to ``lead_h`` after the end, each day by what was known before it.

    Ridge regression, because most of what moves a load of jobs is luck: trees that were tried here, on a real GPU
    cluster, learned the luck and did worse than repeating the day before yesterday.
    """
    made = load_features(load, lead_h, zone)
    x, base = made.features.values.astype(np.float64), made.base
    full = np.asarray(np.isfinite(x).all(axis=1), dtype=np.bool_)
    target = np.concatenate([load.values, np.full(lead_h, np.nan)]) - base
    out = np.full(len(x) - begin, np.nan)
    for day in range(begin, len(x), DAY_H):
        known = full & np.isfinite(target) & (np.arange(len(x)) <= day - lead_h)
        asked = np.arange(day, min(day + DAY_H, len(x)))
        asked = asked[full[asked]]
        if known.sum() < WEEK_H or not len(asked):
            continue
        middle, spread = x[known].mean(axis=0), x[known].std(axis=0) + 1e-9
        line = Ridge(alpha=SHRINK * known.sum()).fit((x[known] - middle) / spread, target[known])
        out[asked - begin] = base[asked] + line.predict((x[asked] - middle) / spread)
    return out


def _offsets(error: Values, levels: Values) -> Values:
    """Quantiles of the errors around their median."""
    found: Values = np.quantile(error - np.median(error), levels)
    return found


def _refuse_short(hours: int, lead_h: int) -> None:
    least = 2 * BAND_H + lead_h
    if hours < least:
        message = f"{hours} hours are known before the first forecast; at least {least} are needed"
        raise InvalidInput("the load", [Fault("values", "too_short", message)])


def _weeks(lead_h: int) -> int:
    """Hours back to the same hour of the week, at least ``lead_h``."""
    return WEEK_H * -(-lead_h // WEEK_H)
