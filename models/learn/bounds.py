"""Confidence bounds of learned parameters by resampling whole blocks (days), because neighbouring hours are alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import Fault, InvalidInput

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
RESAMPLES = 40


@dataclass(frozen=True, slots=True)
class Bounded:
    """A parameter with its 90 % bounds; ``low <= value <= high``."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


def bounded(fit: Callable[[Rows], Array], blocks: Sequence[Rows], seed: int = 0) -> tuple[Bounded, ...]:
    """Every parameter of ``fit(rows)`` on all rows, with bounds from fits on blocks drawn with replacement.

    Percentile bootstrap of blocks (Kuensch 1989); the bounds are stretched to hold the value itself.

    Raises:
        InvalidInput: fewer than five blocks: nothing can be said about how far chance reaches.
    """
    if len(blocks) < 5:
        message = f"{len(blocks)} day(s) of measurements; at least 5 are needed for bounds"
        raise InvalidInput("the measurements", [Fault("time", "too_few_days", message)])
    value = fit(np.concatenate(blocks))
    rng = np.random.default_rng(seed)
    drawn = [
        fit(np.concatenate([blocks[k] for k in rng.integers(0, len(blocks), len(blocks))])) for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(np.array(drawn), [0.05, 0.95], axis=0)
    rows = zip(value, np.minimum(low, value), np.maximum(high, value), strict=True)
    return tuple(Bounded(float(v), float(a), float(b)) for v, a, b in rows)


def by_day(time: npt.NDArray[np.datetime64]) -> list[Rows]:
    """Places of the rows of each UTC day."""
    day = time.astype("datetime64[D]")
    return [np.flatnonzero(day == one) for one in np.unique(day)]
