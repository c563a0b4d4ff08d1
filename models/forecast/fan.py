"""A forecast with many quantiles and the words that go with it: how it was made, and on which step of the ladder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from models.errors import Fault, InvalidInput
from models.forecast.quantiles import QuantileForecast
from models.horizon import Horizon
from models.series import Values

Step = Literal["ensemble", "single run", "last run", "climatology"]


@dataclass(frozen=True, slots=True, eq=False)
class Fan:
    """``values[level, slot]``: MW that are not exceeded with the probability of the level, mean over the slot.

    ``available_at``: since when it was known; ``step``: from which rung of the ladder it comes, ``reason`` why not
    from a higher one (empty on the highest).

    Raises:
        InvalidInput: shapes that do not fit, missing values, crossing, outside 0 to ``capacity_mw``, no zone.
    """

    horizon: Horizon
    levels: Values
    values: Values
    capacity_mw: float
    available_at: datetime
    step: Step
    method: str
    reason: str = ""
    source: str = ""
    synthetic: bool = False

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        faults = []
        if values.shape != (len(self.levels), self.horizon.slots):
            message = f"shape {values.shape} for {len(self.levels)} levels and {self.horizon.slots} slots"
            faults.append(Fault("values", "length", message))
        elif not np.isfinite(values).all():
            faults.append(Fault("values", "missing", "a value is missing or infinite"))
        elif (values < 0).any() or (values > self.capacity_mw).any():
            faults.append(Fault("values", "outside", f"a value leaves 0 to {self.capacity_mw:g} MW"))
        elif (np.diff(values, axis=0) < 0).any():
            faults.append(Fault("values", "crossing", "quantiles cross; sort them"))
        if self.available_at.tzinfo is None:
            faults.append(Fault("available_at", "no_time_zone", "no time zone; give it one"))
        if faults:
            raise InvalidInput("the forecast", faults)
        object.__setattr__(self, "available_at", self.available_at.astimezone(UTC))

    def at(self, level: float) -> Values:
        """Quantile of a level that the fan has, MW, shape ``(slots,)``.

        Raises:
            InvalidInput: it has no such level.
        """
        place = np.flatnonzero(np.isclose(self.levels, level))
        if not place.size:
            message = f"no level {level:g}; there are {', '.join(f'{one:g}' for one in self.levels)}"
            raise InvalidInput("the forecast", [Fault("level", "unknown", message)])
        found: Values = self.values[place[0]]
        return found

    def band(self) -> QuantileForecast:
        """p10, p50 and p90 as the planner takes them."""
        said = f"{self.method}; {self.step}" + (f" ({self.reason})" if self.reason else "")
        return QuantileForecast(
            self.horizon,
            self.at(0.1),
            self.at(0.5),
            self.at(0.9),
            self.capacity_mw,
            self.available_at,
            said,
            self.source,
            self.synthetic,
        )


def averaged(fans: list[Fan], step: Step) -> Fan:
    """Mean of each quantile over several weather models' fans on one horizon: what an ensemble says."""
    first = fans[0]
    values = np.sort(np.mean([fan.values for fan in fans], axis=0), axis=0)
    sources = ", ".join(dict.fromkeys(fan.source for fan in fans))
    newest = max(fan.available_at for fan in fans)
    synthetic = any(fan.synthetic for fan in fans)
    method = f"{first.method}; mean of {len(fans)} weather models"
    return Fan(
        first.horizon,
        first.levels,
        np.clip(values, 0.0, first.capacity_mw),
        first.capacity_mw,
        newest,
        step,
        method,
        "",
        sources,
        synthetic,
    )
