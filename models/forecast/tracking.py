"""Online recalibration: each level follows its own coverage, so that a shift of the load is answered within days.

Adaptive conformal inference (Gibbs & Candès 2021) in the unit of the forecast: after each outcome the shift of level
q rises by ``rate * q`` where the outcome lay above, falls by ``rate * (1 - q)`` where below. In the long run a share q
of outcomes lies below, whatever they do. Outcomes count when they are known, not when they happen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.errors import Fault, InvalidInput
from models.series import Values


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """``quantiles`` as shifted row by row, and the ``shift`` of each level once all outcomes are known."""

    quantiles: Values
    shift: Values


def tracked(quantiles: Values, levels: Values, actual: Values, delay: int, rate: float) -> Tracked:
    """``quantiles`` (shape ``(n, levels)``, in time order) shifted by what was known ``delay`` rows before each.

    ``rate``: step as a share of the spread (P95 - P5, mean of the rows so far). NaN outcomes teach nothing.

    Raises:
        InvalidInput: shapes that do not fit, a delay below 1 (peeking) or a rate that is not positive.
    """
    if quantiles.shape != (len(actual), len(levels)) or delay < 1 or rate <= 0:
        message = f"{quantiles.shape} quantiles, {len(actual)} outcomes, delay {delay}, rate {rate:g}; delay at least 1"
        raise InvalidInput("the recalibration", [Fault("quantiles", "unfit", message)])
    shift = np.zeros(len(levels))
    out = np.empty_like(quantiles)
    spread = 0.0
    for k in range(len(actual) + delay):
        known = k - delay
        if k < len(actual):
            spread += (quantiles[k, -1] - quantiles[k, 0] - spread) / (k + 1)
        if known >= 0 and np.isfinite(actual[known]):
            above = actual[known] > out[known]
            shift += rate * spread * (levels - (~above))
        if k < len(actual):
            out[k] = np.sort(quantiles[k] + shift)
    return Tracked(out, shift)
