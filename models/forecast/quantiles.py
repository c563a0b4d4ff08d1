"""A forecast of power with its uncertainty, on the slots of a horizon.

A quantile q is the value that is *not exceeded* with probability q: P(X <= p10) = 10 %. (Banks mean by
"P90" what is exceeded in 90 % of cases; here that is p10.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from models.errors import Fault, InvalidInput
from models.horizon import Horizon
from models.series import Values

LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True, eq=False)
class QuantileForecast:
    """p10, p50, p90 in MW, shape ``(horizon.slots,)`` each: mean power over each slot.

    ``available_at`` is when it was known, ``method`` says in words how it and its band were made,
    ``source`` whose weather it rests on.

    Raises:
        InvalidInput: wrong lengths, values that are missing, cross, or leave 0 to ``capacity_mw``.
    """

    horizon: Horizon
    p10: Values
    p50: Values
    p90: Values
    capacity_mw: float
    available_at: datetime
    method: str
    source: str = ""
    synthetic: bool = False

    def __post_init__(self) -> None:
        faults = []
        bands = []
        for name in ("p10", "p50", "p90"):
            values = np.array(getattr(self, name), dtype=np.float64)
            values.setflags(write=False)
            object.__setattr__(self, name, values)
            bands.append(values)
            if values.shape != (self.horizon.slots,):
                faults.append(
                    Fault(name, "length", f"shape {values.shape}; the horizon has {self.horizon.slots} slots")
                )
            elif not np.isfinite(values).all():
                faults.append(Fault(name, "missing", "a value is missing or infinite"))
            elif (values < 0).any() or (values > self.capacity_mw).any():
                faults.append(Fault(name, "outside", f"a value leaves 0 to {self.capacity_mw:g} MW"))
        if not faults and not (np.diff(np.stack(bands), axis=0) >= 0).all():
            faults.append(Fault("p10", "crossing", "quantiles cross; sort them"))
        if self.available_at.tzinfo is None:
            faults.append(Fault("available_at", "no_time_zone", "no time zone; give it one"))
        if faults:
            raise InvalidInput("the forecast", faults)
        object.__setattr__(self, "available_at", self.available_at.astimezone(UTC))

    def quantiles(self) -> Values:
        """Shape ``(3, slots)``, in the order of :data:`LEVELS`."""
        return np.stack([self.p10, self.p50, self.p90])


def bounded(low: Values, middle: Values, high: Values, capacity_mw: float) -> tuple[Values, Values, Values]:
    """The three sorted slot by slot and held within 0 and the capacity."""
    held = np.sort(np.clip(np.stack([low, middle, high]), 0.0, capacity_mw), axis=0)
    return held[0], held[1], held[2]
