"""How courses come about: what sun, wind and load may do together over a horizon, each as likely as the others.

Two ways lead there. The members of a weather ensemble give the order in which values hang together, and today's
quantiles the values (ensemble copula coupling; Schefzik, Thorarinsdottir & Gneiting 2013). Without one, past errors
say for how long and how much together they last, in a Gaussian copula whose correlation falls with the hours between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from models.errors import Fault, InvalidInput
from models.forecast import bands
from models.forecast.past import PastPairs
from models.forecast.quantiles import QuantileForecast
from models.forecast.scenarios import LEAST_DAYS, Copula, drawn
from models.horizon import Horizon
from models.series import Values

LEAST_MEMBERS = 8
"""Weather runs below which their order says too little."""
LAGS_H = 12
"""Hours between two errors up to which past ones are looked at."""
_EDGE = 0.01
_P10 = float(ndtri(0.1))


def quantiles_of(band: QuantileForecast) -> tuple[Values, Values]:
    """Levels, and values of shape ``(levels, slots)``: P10, P50, P90, and P1, P99 as far out as a normal has them."""
    far = float(ndtri(_EDGE)) / _P10
    low, high = band.p50 - far * (band.p50 - band.p10), band.p50 + far * (band.p90 - band.p50)
    levels = np.array([_EDGE, 0.1, 0.5, 0.9, 1 - _EDGE])
    return levels, np.clip(np.stack([low, band.p10, band.p50, band.p90, high]), 0.0, band.capacity_mw)


def in_order_of(members: Values, band: QuantileForecast) -> Values:
    """Courses from members of shape ``(n, slots)``: each slot's values are the forecast's, in the members' order.

    Raises:
        InvalidInput: fewer than :data:`LEAST_MEMBERS`.
    """
    if len(members) < LEAST_MEMBERS:
        message = f"{len(members)} weather runs; at least {LEAST_MEMBERS} are needed"
        raise InvalidInput("the courses", [Fault("members", "too_few", message)])
    levels, values = quantiles_of(band)
    # among equals (night) the order is the members' own, and the value the same
    place = np.argsort(np.argsort(members, axis=0, kind="stable"), axis=0, kind="stable")
    chance = (place + 0.5) / len(members)
    return np.stack([np.interp(chance[:, t], levels, values[:, t]) for t in range(members.shape[1])], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Lasting:
    """How past errors hang together: ``hours`` until a correlation has fallen to 1/e, ``together`` (q, q) at one time.

    ``days`` of forecasts taught it.
    """

    hours: float
    together: Values
    days: int

    def copula(self, horizon: Horizon) -> Copula:
        """Of all slots of the first quantity, then all of the next."""
        at = np.arange(horizon.slots) * horizon.step_h
        lasting = np.exp(-np.abs(at[:, None] - at[None, :]) / self.hours)
        root = np.linalg.cholesky(np.kron(self.together, lasting) + 1e-9 * np.eye(len(at) * len(self.together)))
        return Copula(np.asarray(root, dtype=np.float64), self.days)


def lasting(past: Mapping[str, PastPairs], capacity_mw: Mapping[str, float]) -> Lasting:
    """From past pairs of forecast and actual by quantity, in their order; hours in which both were 0 say nothing.

    Each actual is placed in the band that its lead and level have had, and what hangs together is counted there.

    Raises:
        InvalidInput: fewer than 20 past forecasts, or too few pairs for a band.
    """
    scores = {name: _scores(name, pairs, capacity_mw[name]) for name, pairs in past.items()}
    issues = sorted({issue for table in scores.values() for issue, _ in table})
    if len(issues) < LEAST_DAYS:
        message = f"{len(issues)} past forecasts; at least {LEAST_DAYS} are needed"
        raise InvalidInput("the courses", [Fault("past", "too_short", message)])
    by_lag = np.array([_mean_product(scores, lag) for lag in range(1, LAGS_H + 1)])
    if np.isnan(by_lag).all():
        message = f"no two hours of one past forecast lie {LAGS_H} h apart or less often enough"
        raise InvalidInput("the courses", [Fault("past", "too_short", message)])
    lags = np.arange(1, LAGS_H + 1)
    tried = np.geomspace(0.5, 72.0, 60)
    off = [float(np.nansum((np.exp(-lags / hours) - by_lag) ** 2)) for hours in tried]
    together = np.eye(len(scores))
    for i, first in enumerate(scores.values()):
        for j, second in enumerate(scores.values()):
            both = [(first[key], second[key]) for key in first.keys() & second.keys()] if i < j else []
            if len(both) >= bands.ENOUGH:
                together[i, j] = together[j, i] = float(np.corrcoef(np.array(both).T)[0, 1])
    return Lasting(float(tried[int(np.argmin(off))]), together, len(issues))


def _scores(name: str, pairs: PastPairs, cap: float) -> dict[tuple[int, int], float]:
    """Normal scores of what came in its forecast's band, by issue and slot, both in whole hours."""
    shifts = bands.learned(pairs, cap)
    if shifts is None:
        message = f"fewer than {bands.ENOUGH} past hours of {name} say anything"
        raise InvalidInput("the courses", [Fault("past", "too_short", message)])
    low, middle, high = np.sort(np.stack(shifts.apply(pairs.forecast_mw, pairs.lead_h, cap)), axis=0)
    off = pairs.actual_mw - middle
    # in units of a normal's spread on that side
    spread = np.maximum(np.where(off < 0, middle - low, high - middle) / -_P10, 1e-3 * cap)
    normal = np.clip(off / spread, ndtri(_EDGE), -ndtri(_EDGE))
    telling = (pairs.forecast_mw > 0) | (pairs.actual_mw > 0)
    ends = pairs.available_at.astype("datetime64[h]").astype(int)
    issues = np.rint(ends - 0.5 - pairs.lead_h).astype(int)
    return {
        (issue, end): score
        for issue, end, score, tells in zip(issues.tolist(), ends.tolist(), normal.tolist(), telling, strict=True)
        if tells
    }


def _mean_product(scores: Mapping[str, Mapping[tuple[int, int], float]], lag: int) -> float:
    """Correlation of scores of one forecast that lie so many hours apart, over all quantities; NaN where none do."""
    both = [
        (score, table[issue, end + lag])
        for table in scores.values()
        for (issue, end), score in table.items()
        if (issue, end + lag) in table
    ]
    return float(np.corrcoef(np.array(both).T)[0, 1]) if len(both) >= bands.ENOUGH else float("nan")


def from_past(found: Lasting, forecasts: Sequence[QuantileForecast], count: int, seed: int) -> list[Values]:
    """``count`` courses of each forecast, shape ``(count, slots)``, in the order that ``found`` was learned in."""
    horizon = forecasts[0].horizon
    levels, _ = quantiles_of(forecasts[0])
    values = np.concatenate([quantiles_of(one)[1] for one in forecasts], axis=1)
    return np.split(drawn(found.copula(horizon), values, levels, count, seed), len(forecasts), axis=1)


def more_load(rise_mw: Values, count: int, seed: int) -> Values:
    """Load above its median, shape ``(count, slots)``: each course keeps its place between P10 and P90 for the horizon.

    ``rise_mw``: P90 - P50; the other side is taken to be as wide, and the error to last (a load is off for a day, not
    for an hour).
    """
    place = np.random.default_rng(seed).permutation((np.arange(count) + 0.5) / count)
    more: Values = np.outer(ndtri(place) / -_P10, rise_mw)
    return more
