"""Stretch the spread and shift each quantile to where past outcomes say they lie.

First each side of the P50 is made wider or narrower by one factor, so that as many past outcomes lie beyond its outer
quantiles as their levels say (an outcome that equals a quantile counts half on either side): a spread that is too sharp
is so everywhere, and one factor is learned from far fewer outcomes than a shift a bin and level. Then, in bins of the
P50, the shift of level q is the q-quantile of (actual - forecast quantile): with it, a share q of those outcomes lies
below. Both are drawn towards nothing while data is short. Last, quantiles are sorted and held within their bounds.
(One remap of all probabilities at once costs sharpness on wind; measured, not used.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.errors import Fault, InvalidInput
from models.series import Values

BINS = 5
ENOUGH = 60  # outcomes from which shifts are learned at all
_PULL = 1500.0  # outcomes at which a bin's own shift, or the spread's own factor, counts half
_OUTER = 0.2  # levels up to this, and as far from 1, judge their side's spread
_FACTORS = np.linspace(0.8, 2.0, 49)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """``stretch[level]`` multiplies the distance from the P50; ``shifts[bin, level]`` is in the unit of the forecast;
    ``edges`` (rising, ``BINS - 1``) part the P50.
    """

    levels: Values
    stretch: Values
    edges: Values
    shifts: Values
    outcomes: int

    def apply(self, quantiles: Values, top: float = 1.0) -> Values:
        """Shifted, sorted along the levels and held within 0 and ``top``; shape ``(n, levels)`` as given."""
        middle = _middle(quantiles, self.levels)
        moved = _stretched(quantiles, middle, self.stretch) + self.shifts[np.digitize(middle, self.edges)]
        held: Values = np.sort(np.clip(moved, 0.0, top), axis=1)
        return held


def uncalibrated(levels: Values) -> Calibration:
    """No stretch and no shift at all."""
    return Calibration(levels, np.ones(len(levels)), np.zeros(BINS - 1), np.zeros((BINS, len(levels))), 0)


def calibrated(quantiles: Values, actual: Values, levels: Values) -> Calibration:
    """Learned from past forecasts (shape ``(n, levels)``, made without the outcome) and what came (shape ``(n,)``),
    both shares of the nominal power.

    Raises:
        InvalidInput: shapes that do not fit, or missing values.
    """
    if quantiles.shape != (len(actual), len(levels)) or np.isnan(quantiles).any() or np.isnan(actual).any():
        message = f"{quantiles.shape} quantiles for {len(actual)} outcomes and {len(levels)} levels, none missing"
        raise InvalidInput("the calibration", [Fault("quantiles", "shape", message)])
    if len(actual) < ENOUGH:
        return uncalibrated(levels)
    middle = _middle(quantiles, levels)
    stretch = _stretch(quantiles, middle, actual, levels)
    stretched = np.clip(_stretched(quantiles, middle, stretch), 0.0, 1.0)
    edges = np.quantile(middle, np.arange(1, BINS) / BINS)
    place = np.digitize(middle, edges)
    shifts = np.zeros((BINS, len(levels)))
    for k in range(BINS):
        errors = actual[place == k, None] - stretched[place == k]
        if len(errors):
            own = [np.quantile(errors[:, j], level) for j, level in enumerate(levels)]
            shifts[k] = np.asarray(own) * len(errors) / (len(errors) + _PULL)
    return Calibration(levels, stretch, edges, shifts, len(actual))


def _stretch(quantiles: Values, middle: Values, actual: Values, levels: Values) -> Values:
    """Factor of each level: one below the P50, one above, and 1 at it."""
    factors = np.ones(len(levels))
    for side, outer in ((levels < 0.5, levels <= _OUTER), (levels > 0.5, levels >= 1 - _OUTER)):
        if outer.any():
            own = min(_FACTORS, key=lambda f: abs(_excess(quantiles[:, outer], middle, actual, levels[outer], f)))
            factors[side] += (own - 1.0) * len(actual) / (len(actual) + _PULL)
    return factors


def _excess(quantiles: Values, middle: Values, actual: Values, levels: Values, factor: float) -> float:
    """How much larger the share of outcomes below these quantiles is than their levels say, once they are stretched."""
    tried = np.clip(_stretched(quantiles, middle, factor), 0.0, 1.0)
    below, upto = (actual[:, None] > tried).mean(axis=0), (actual[:, None] >= tried).mean(axis=0)
    return float((1.0 - (below + upto) / 2 - levels).mean())


def _stretched(quantiles: Values, middle: Values, factors: Values | float) -> Values:
    moved: Values = middle[:, None] + factors * (quantiles - middle[:, None])
    return moved


def _middle(quantiles: Values, levels: Values) -> Values:
    found: Values = quantiles[:, int(np.argmin(np.abs(levels - 0.5)))]
    return found
