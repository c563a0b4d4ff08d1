"""How far sun and wind may fall below what a plan counts on: what its headroom is sized by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from models.errors import Fault, InvalidInput
from models.forecast.quantiles import QuantileForecast
from models.series import Values


def fall_mw(forecasts: Iterable[QuantileForecast]) -> Values:
    """P50 - P10 of the sum of ``forecasts``, MW per slot, shape ``(slots,)``.

    The errors of the quantities are taken as independent (square root of the sum of squares): sun and wind err by
    different parts of the weather, and adding their quantiles would ask for a coincidence that is rarer than meant.

    Raises:
        InvalidInput: no forecast.
    """
    falls = [one.p50 - one.p10 for one in forecasts]
    if not falls:
        raise InvalidInput("the reserve", [Fault("forecasts", "empty", "no forecast to size it by; give at least one")])
    found: Values = np.sqrt(np.sum(np.square(falls), axis=0))
    return found
