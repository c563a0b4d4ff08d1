"""Forecasts of load from its own past: IT load of a site, base load of inference, GPUs asked for in a cluster.

Features are the load of at least ``lead_h`` hours before (the same hours of earlier days and weeks, means and
extremes of what is known) and the local clock, so that working days, summer time and Ramadan's hours show where the
caller hands local time. Two models look at them: a strongly shrunk line forecasts the change from the last known same
hour, and follows a load that has moved; trees forecast the load itself, and draw it to where it usually is. Each
weighs by how little it erred lately (Bates & Granger 1969, Operational Research Quarterly 20).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge

from models.errors import Fault, InvalidInput
from models.forecast.features import Features, gathered
from models.forecast.tracking import tracked
from models.series import Series, Values

HOUR, DAY_H, WEEK_H = timedelta(hours=1), 24, 168
BAND_H = 28 * DAY_H  # errors that the band is made of
SHRINK = 0.5  # of ridge, as a share of the rows: strong, because most of what moves a load of jobs is luck
TREES, LEAST_LEAF = 50, 40
TRIED_SHARE = 1 / 3  # of the columns at each fork, Breiman's for regression (2001)
LEAST_WEIGHED_H = WEEK_H  # known errors from which one model outweighs the other
RATE = 0.01
STAND_IN_DAYS = 7
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class LoadFeatures:
    """Of every hour of the past and of ``lead_h`` more. ``changes``: loads less ``base``, the last known same hour;
    ``levels``: the same columns with loads as they are."""

    changes: Features
    levels: Features
    base: Values


@dataclass(frozen=True, slots=True, eq=False)
class Rolled:
    """``quantiles`` shape ``(hours, levels)``; ``errors`` of the middle in the last four weeks, NaN where unknown;
    ``weights`` of the line and the trees after them, and the ``shift`` of each level of the band."""

    quantiles: Values
    errors: Values
    weights: Values
    shift: Values


def load_features(load: Series, lead_h: int, zone: ZoneInfo) -> LoadFeatures:
    """Features of the hours of ``load`` (hourly, gaps are NaN) and of the next ``lead_h``.

    Each row looks at hours that ended at least ``lead_h`` before its own end. For one that is missing the same hour of
    the newest day that is known stands in, a week back at most.

    Raises:
        InvalidInput: not hourly, or a lead that is not a positive number of whole days.
    """
    if load.step != HOUR or lead_h <= 0 or lead_h % DAY_H:
        message = f"slots of {load.step}, lead {lead_h} h; hourly load and whole days of lead are needed"
        raise InvalidInput("the load", [Fault("step", "unfit", message)])
    values = pd.Series(np.concatenate([_stood_in(load.values), np.full(lead_h, np.nan)]))
    base = values.shift(lead_h).to_numpy()
    loads: dict[str, Values] = {}
    found: dict[str, Values] = {f"back_{lead_h}h": base}
    for back in (lead_h + DAY_H, _weeks(lead_h), _weeks(lead_h) + WEEK_H):
        loads[f"back_{back}h"] = values.shift(back).to_numpy()
    for near in (1, 2, 3, 6):
        loads[f"back_{lead_h}h-{near}"] = values.shift(lead_h + near).to_numpy()
    known = values.shift(lead_h)
    for span in (6, DAY_H, 3 * DAY_H, WEEK_H):
        window = known.rolling(span, min_periods=max(2, span // 2))
        loads[f"mean_{span}h"] = window.mean().to_numpy()
        found[f"spread_{span}h"] = window.std().to_numpy()
    loads["top_week"] = known.rolling(WEEK_H, min_periods=DAY_H).max().to_numpy()
    loads["foot_week"] = known.rolling(WEEK_H, min_periods=DAY_H).min().to_numpy()
    local = pd.date_range(pd.Timestamp(load.start) + HOUR / 2, periods=len(values), freq="h").tz_convert(zone)
    hour = 2 * np.pi * local.hour.to_numpy() / 24.0
    found |= {"hour_sin": np.sin(hour), "hour_cos": np.cos(hour)}
    found |= {f"hour_{h}": (local.hour.to_numpy() == h).astype(np.float64) for h in range(24)}
    found["weekend"] = (local.day_of_week.to_numpy() >= 5).astype(np.float64)
    there = np.isfinite(base)
    changes = {name: load - base for name, load in loads.items()}
    return LoadFeatures(gathered(found | changes, there), gathered(found | loads, there), base)


def _stood_in(load: Values) -> Values:
    """Gaps filled with the same hour of an earlier day."""
    found = load.copy()
    for hours in range(DAY_H, STAND_IN_DAYS * DAY_H + 1, DAY_H):
        found[hours:] = np.where(np.isnan(found[hours:]), load[:-hours], found[hours:])
    return found


def rolling_load(load: Series, lead_h: int, zone: ZoneInfo, levels: Values, first: int) -> Rolled:
    """Quantiles for each hour from ``first`` on, as service makes them.

    Fitted anew every day to what was known ``lead_h`` before; the band is that of the errors of the last four weeks
    known, recalibrated online. NaN where the past of an hour is missing.

    Raises:
        InvalidInput: as :func:`load_features`, or less than eight weeks and the lead before ``first``.
    """
    _refuse_short(first, lead_h)
    begin = first - BAND_H - lead_h
    centre, weights = _rolled(load, lead_h, zone, begin)
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
    out[there] = _around(centre[first - begin :][there], band.quantiles, levels)
    return Rolled(out, error[-BAND_H:], weights, band.shift)


def next_hours(
    load: Series, lead_h: int, zone: ZoneInfo, levels: Values, issued_at: datetime, rolled: Rolled
) -> Values:
    """Quantiles of the ``lead_h`` hours after the past known at ``issued_at``, shape ``(lead_h, len(levels))``.

    ``rolled``: how the weeks before went (:func:`rolling_load`), from which the band and the weights are.

    Raises:
        InvalidInput: as :func:`load_features`, or hours of the newest days or all of the weeks before are missing.
    """
    over = max(1, (issued_at - load.start) // HOUR)
    past = Series(load.start, HOUR, load.values[:over], load.unit, load.source, load.synthetic)
    _refuse_short(len(past), lead_h)
    made = load_features(past, lead_h, zone)
    middle = rolled.weights @ _both(made, past.values, np.arange(over), np.arange(over, over + lead_h))
    error = rolled.errors[np.isfinite(rolled.errors)]
    if (missing := int(np.isnan(middle).sum())) or not len(error):
        message = f"the past of {missing} of the next {lead_h} hours is missing; mend its source"
        raise InvalidInput("the load", [Fault("values", "missing", message)])
    band = np.sort(middle[:, None] + _offsets(error, levels) + rolled.shift, axis=1)
    return _around(middle, band, levels)


def _rolled(load: Series, lead_h: int, zone: ZoneInfo, begin: int) -> tuple[Values, Values]:
    """Expected load of the hours from ``begin`` on, each day by what was known before it, and the newest weights."""
    made = load_features(load, lead_h, zone)
    both = np.full((2, len(load) - begin), np.nan)
    middle = np.full(len(load) - begin, np.nan)
    for day in range(begin, len(load), DAY_H):
        asked = np.arange(day, min(day + DAY_H, len(load)))
        known = max(0, day - lead_h + 1)
        both[:, asked - begin] = _both(made, load.values, np.arange(known), asked)
        erred = (both - load.values[begin:])[:, : max(0, known - begin)]
        middle[asked - begin] = _weights(erred[:, -BAND_H:]) @ both[:, asked - begin]
    return middle, _weights((both - load.values[begin:])[:, -BAND_H:])


def _both(made: LoadFeatures, load: Values, known: Places, asked: Places) -> Values:
    """Load of the rows ``asked`` by the line and by the trees that ``known`` teach, shape ``(2, asked)``.

    NaN in rows whose past is missing, and everywhere where a week of rows does not teach.
    """
    out = np.full((2, len(asked)), np.nan)
    whole = np.asarray(np.isfinite(made.changes.values).all(axis=1), dtype=np.bool_)
    known = known[whole[known] & np.isfinite(load[known])]
    there = whole[asked]
    if len(known) < WEEK_H or not there.any():
        return out
    x, base, rows = made.changes.values.astype(np.float64), made.base, asked[there]
    middle, spread = x[known].mean(axis=0), x[known].std(axis=0) + 1e-9
    line = Ridge(alpha=SHRINK * len(known)).fit((x[known] - middle) / spread, load[known] - base[known])
    trees = ExtraTreesRegressor(TREES, min_samples_leaf=LEAST_LEAF, max_features=TRIED_SHARE, random_state=0)
    trees.fit(made.levels.values[known], load[known])
    out[0, there] = base[rows] + line.predict((x[rows] - middle) / spread)
    out[1, there] = trees.predict(made.levels.values[rows])
    return out


def _weights(errors: Values) -> Values:
    """Of the two models, from their known ``errors`` (shape ``(2, hours)``): each by the other's mean square."""
    known = errors[:, np.isfinite(errors).all(axis=0)]
    squares = (known**2).mean(axis=1) if known.shape[1] >= LEAST_WEIGHED_H else np.ones(2)
    return squares[::-1] / squares.sum() if squares.sum() > 0 else np.full(2, 0.5)


def _around(middle: Values, band: Values, levels: Values) -> Values:
    """``band`` (shape ``(hours, levels)``) with ``middle`` as its median, and nothing below 0.

    The band follows the errors, the middle does not: they come too late (a lead) to tell where it should be.
    """
    centre = middle[:, None]
    out = np.maximum(np.where(levels < 0.5, np.minimum(band, centre), np.maximum(band, centre)), 0.0)
    out[:, np.isclose(levels, 0.5)] = np.maximum(centre, 0.0)
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
