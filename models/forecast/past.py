"""What was known at an instant, and nothing else.

Every past value carries ``available_at``. Forecasters see the past only through :func:`known_part` and
:meth:`PastPairs.known_at`, so a value published after the issue time cannot change a forecast.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from models.errors import Fault, InvalidInput
from models.horizon import rfc3339
from models.series import Series, Values

Moments = npt.NDArray[np.datetime64]


def moment64(moment: datetime) -> np.datetime64:
    """Instant as NumPy keeps it: UTC, microseconds."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def known_part(actual: Series, issued_at: datetime) -> Series:
    """``actual`` with every slot missing that had not ended by ``issued_at``: a mean is known when its slot is over."""
    over = max(0, min(len(actual), (issued_at - actual.start) // actual.step))
    values = actual.values.copy()
    values[over:] = np.nan
    return actual.with_values(values)


def refuse_future(what: str, available_at: datetime | None, issued_at: datetime) -> None:
    """Refuse an input that was not known at ``issued_at``, or of which nobody knows since when.

    Raises:
        InvalidInput: code ``peeking`` or ``no_available_at``.
    """
    if available_at is None:
        message = "it does not say since when it was known; set available_at (the fetch time will do)"
        raise InvalidInput(what, [Fault("available_at", "no_available_at", message)])
    if available_at > issued_at:
        message = f"known since {rfc3339(available_at)}, after the issue time {rfc3339(issued_at)}; take an older one"
        raise InvalidInput(what, [Fault("available_at", "peeking", message)])


@dataclass(frozen=True, slots=True, eq=False)
class PastPairs:
    """Past forecasts beside what came, shape ``(n,)`` each; one row per forecast of a slot.

    ``lead_h``: hours from when the weather was known to the middle of the slot. ``available_at``: when the
    *actual* was known (datetime64, UTC). ``limited`` marks slots in which the plant was curtailed or out: they
    never train.

    Raises:
        InvalidInput: columns of unequal length.
    """

    lead_h: Values
    forecast_mw: Values
    actual_mw: Values
    available_at: Moments
    limited: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.lead_h), len(self.forecast_mw), len(self.actual_mw), len(self.available_at)}
        if self.limited is not None:
            lengths.add(len(self.limited))
        if len(lengths) > 1:
            raise InvalidInput(
                "the past forecasts", [Fault("", "length", f"columns of {sorted(lengths)} rows; give each the same")]
            )

    def __len__(self) -> int:
        return len(self.lead_h)

    def known_at(self, issued_at: datetime) -> PastPairs:
        """Only rows that may be learned from: actual known by ``issued_at``, both numbers there, plant free."""
        kept = (self.available_at <= moment64(issued_at)) & np.isfinite(self.forecast_mw) & np.isfinite(self.actual_mw)
        if self.limited is not None:
            kept &= ~self.limited
        return PastPairs(self.lead_h[kept], self.forecast_mw[kept], self.actual_mw[kept], self.available_at[kept])
