"""Bands around a forecast: learned from its own past errors, or taken from the spread of the season.

Learned: additive shifts of the three quantiles, in bins of lead time and of forecast level, each bin
drawn towards its lead's and that towards the overall shift while it is short of data. Spread of the
season: the usual p10 and p90 of that hour of day around their median, times the share of it that a
forecast of that lead leaves open (assumed, said in ``method``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.forecast.past import PastPairs
from models.forecast.quantiles import LEVELS
from models.series import Values

LEAD_EDGES_H = (6.0, 12.0, 24.0, 48.0, 96.0)
LEVEL_EDGES = (0.05, 0.25, 0.5, 0.75, 0.95)
ENOUGH = 200  # pairs from which a band is learned at all; some two weeks of hourly days
_PULL = 40.0  # pairs at which a bin's own shift weighs as much as the wider one


@dataclass(frozen=True, slots=True, eq=False)
class Shifts:
    """``by_bin[lead bin, level bin, quantile]``: what to add to a forecast, in shares of the capacity."""

    by_bin: Values
    pairs: int

    def apply(self, forecast_mw: Values, lead_h: Values, capacity_mw: float) -> tuple[Values, Values, Values]:
        """Forecast plus the shifts of its bins: p10, p50, p90, neither sorted nor held yet."""
        lead = np.digitize(lead_h, LEAD_EDGES_H)
        level = np.digitize(forecast_mw / capacity_mw, LEVEL_EDGES)
        added = self.by_bin[lead, level] * capacity_mw
        return forecast_mw + added[:, 0], forecast_mw + added[:, 1], forecast_mw + added[:, 2]


def learned(pairs: PastPairs, capacity_mw: float) -> Shifts | None:
    """Shifts from past errors; None where fewer than :data:`ENOUGH` pairs say anything.

    Pairs with forecast and actual both 0 (night, calm) are left out: they would narrow every band.
    """
    telling = (pairs.forecast_mw > 0) | (pairs.actual_mw > 0)
    if telling.sum() < ENOUGH:
        return None
    error = ((pairs.actual_mw - pairs.forecast_mw) / capacity_mw)[telling]
    lead = np.digitize(pairs.lead_h[telling], LEAD_EDGES_H)
    level = np.digitize(pairs.forecast_mw[telling] / capacity_mw, LEVEL_EDGES)
    overall = np.quantile(error, LEVELS)
    table = np.empty((len(LEAD_EDGES_H) + 1, len(LEVEL_EDGES) + 1, len(LEVELS)))
    for i in range(table.shape[0]):
        of_lead = _drawn(error[lead == i], overall)
        for j in range(table.shape[1]):
            table[i, j] = _drawn(error[(lead == i) & (level == j)], of_lead)
    return Shifts(table, int(telling.sum()))


def _drawn(errors: Values, towards: Values) -> Values:
    if not len(errors):
        return towards
    weight = len(errors) / (len(errors) + _PULL)
    shifted: Values = weight * np.quantile(errors, LEVELS) + (1.0 - weight) * towards
    return shifted


def open_share(lead_h: Values) -> Values:
    """Share of the season's spread that a forecast leaves open: 0.3 at once, two thirds after two days, towards 1.

    Assumed, in the shape that errors of weather models grow in; replaced as soon as past pairs exist.
    """
    share: Values = 0.3 + 0.7 * (1.0 - np.exp(-np.maximum(lead_h, 0.0) / 72.0))
    return share


def seasonal(
    forecast_mw: Values, lead_h: Values, usual: Values, hour_of_slot: Values, capacity_mw: float
) -> tuple[Values, Values, Values]:
    """Band from the spread of the season.

    ``usual`` (shape ``(24, 3)``) holds the usual p10, p50, p90 by hour of day (UTC) in MW; see
    :func:`models.forecast.baselines.usual_by_hour`.
    """
    of_hour = usual[hour_of_slot.astype(int)]
    share = open_share(lead_h)
    low = forecast_mw - share * np.maximum(of_hour[:, 1] - of_hour[:, 0], 0.02 * capacity_mw)
    high = forecast_mw + share * np.maximum(of_hour[:, 2] - of_hour[:, 1], 0.02 * capacity_mw)
    return low, forecast_mw, high


def assumed(forecast_mw: Values, lead_h: Values, capacity_mw: float) -> tuple[Values, Values, Values]:
    """Band where neither past errors nor a season are known: 20 % of the capacity times the open share, assumed."""
    width = 0.2 * capacity_mw * open_share(lead_h)
    return forecast_mw - width, forecast_mw, forecast_mw + width
