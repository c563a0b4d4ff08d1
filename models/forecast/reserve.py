"""How far sun and wind may fall below what a plan counts on, and load rise above it: what headroom is sized by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from models.errors import Fault, InvalidInput
from models.forecast.quantiles import QuantileForecast
from models.series import Values


def fall_mw(forecasts: Iterable[QuantileForecast], rise_mw: Values | None = None) -> Values:
    """P50 - P10 of the sum of ``forecasts`` less a load, MW per slot, shape ``(slots,)``.

    ``rise_mw``: P90 - P50 of that load. The errors of the quantities are taken as independent (square root of the sum
    of squares): sun, wind and load err for different reasons, and adding their quantiles would ask for a coincidence
    that is rarer than meant.

    Raises:
        InvalidInput: no forecast.
    """
    falls = [one.p50 - one.p10 for one in forecasts]
    if falls and rise_mw is not None:
        falls.append(rise_mw)
    if not falls:
        raise InvalidInput("the reserve", [Fault("forecasts", "empty", "no forecast to size it by; give at least one")])
    found: Values = np.sqrt(np.sum(np.square(falls), axis=0))
    return found
