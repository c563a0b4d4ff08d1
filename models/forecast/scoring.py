"""How good a forecast was: pinball loss, coverage, and skill against a simpler forecast."""

from __future__ import annotations

import numpy as np

from models.forecast.quantiles import LEVELS, QuantileForecast
from models.series import Values


def pinball_mw(actual: Values, quantile: Values, level: float) -> Values:
    """Pinball loss per slot, MW: (level - 1[actual < q]) x (actual - q) (Koenker & Bassett 1978)."""
    error = np.asarray(actual) - np.asarray(quantile)
    loss: Values = np.maximum(level * error, (level - 1.0) * error)
    return loss


def mean_pinball_mw(forecast: QuantileForecast, actual: Values) -> float:
    """Mean over the three quantiles and all slots, MW; slots without an actual are left out."""
    known = ~np.isnan(actual)
    losses = [
        pinball_mw(actual[known], band[known], level) for level, band in zip(LEVELS, forecast.quantiles(), strict=True)
    ]
    return float(np.mean(losses))


def coverage(forecast: QuantileForecast, actual: Values) -> float:
    """Share of slots whose actual lies within p10 to p90, borders included (0.8 is aimed at).

    Slots where the band is a single point (night) say nothing and are left out; NaN if none is left.
    """
    judged = ~np.isnan(actual) & (forecast.p90 > forecast.p10)
    if not judged.any():
        return float("nan")
    inside = (actual >= forecast.p10) & (actual <= forecast.p90)
    return float(inside[judged].mean())


def skill(forecast: QuantileForecast, reference: QuantileForecast, actual: Values) -> float:
    """1 - pinball / pinball of the reference: 1 is perfect, 0 no better, negative worse; NaN if both are perfect."""
    base = mean_pinball_mw(reference, actual)
    return 1.0 - mean_pinball_mw(forecast, actual) / base if base > 0 else float("nan")
