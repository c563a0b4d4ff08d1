"""Shift each quantile to where past outcomes say it lies, by how much was forecast.

In bins of the P50, the shift of level q is the q-quantile of (actual - forecast quantile): with it, a share q of
those outcomes lies below. A bin short of data is drawn towards no shift. After the shift quantiles are sorted and
held within their bounds. (One remap of all probabilities at once costs sharpness on wind; measured, not used.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.errors import Fault, InvalidInput
from models.series import Values

BINS = 5
ENOUGH = 60  # outcomes from which shifts are learned at all
_PULL = 1500.0  # outcomes at which a bin's own shift counts half


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """``shifts[bin, level]`` in the unit of the forecast; ``edges`` (rising, ``BINS - 1``) part the P50."""

    levels: Values
    edges: Values
    shifts: Values
    outcomes: int

    def apply(self, quantiles: Values, top: float = 1.0) -> Values:
        """Shifted, sorted along the levels and held within 0 and ``top``; shape ``(n, levels)`` as given."""
        middle = quantiles[:, int(np.argmin(np.abs(self.levels - 0.5)))]
        moved = quantiles + self.shifts[np.digitize(middle, self.edges)]
        held: Values = np.sort(np.clip(moved, 0.0, top), axis=1)
        return held


def uncalibrated(levels: Values) -> Calibration:
    """No shift at all."""
    return Calibration(levels, np.zeros(BINS - 1), np.zeros((BINS, len(levels))), 0)


def calibrated(quantiles: Values, actual: Values, levels: Values) -> Calibration:
    """Shifts from past forecasts (shape ``(n, levels)``, made without the outcome) and what came (shape ``(n,)``).

    Raises:
        InvalidInput: shapes that do not fit, or missing values.
    """
    if quantiles.shape != (len(actual), len(levels)) or np.isnan(quantiles).any() or np.isnan(actual).any():
        message = f"{quantiles.shape} quantiles for {len(actual)} outcomes and {len(levels)} levels, none missing"
        raise InvalidInput("the calibration", [Fault("quantiles", "shape", message)])
    if len(actual) < ENOUGH:
        return uncalibrated(levels)
    middle = quantiles[:, int(np.argmin(np.abs(levels - 0.5)))]
    edges = np.quantile(middle, np.arange(1, BINS) / BINS)
    place = np.digitize(middle, edges)
    shifts = np.zeros((BINS, len(levels)))
    for k in range(BINS):
        errors = actual[place == k, None] - quantiles[place == k]
        if len(errors):
            own = [np.quantile(errors[:, j], level) for j, level in enumerate(levels)]
            shifts[k] = np.asarray(own) * len(errors) / (len(errors) + _PULL)
    return Calibration(levels, edges, shifts, len(actual))
