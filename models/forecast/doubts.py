"""What a past leaves in doubt, in words: weather that is missing, another capacity, a moment too early."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from models.errors import Fault, InvalidInput
from models.forecast.history import History
from models.forecast.past import moment64
from models.forecast.rows import Flags
from models.horizon import rfc3339

_LEAST_OF_PHYSICS = 0.05  # that came in all, below which the unit is wrong, not the weather
_USUAL_OF_PHYSICS = (0.6, 1.4)
_MOST_BETWEEN_HALVES = 1.5  # times; seasons and clouds move what came beside the physics by less


def without_weather(history: History, rows: Flags) -> Iterator[str]:
    """How many slots of ``rows`` may not teach because a feature of theirs is missing."""
    if slots := len(np.unique(history.rows.starts[rows])):
        yield f"{slots} slot(s) left out: weather missing in them or in the hours beside them"


def beside_physics(history: History, kept: Flags) -> Iterator[str]:
    """What speaks for another capacity than the site file's, all along or for a part of the past.

    Raises:
        InvalidInput: so little came that the unit must be another.
    """
    order = np.flatnonzero(kept)[np.argsort(history.rows.starts[kept], kind="stable")]
    halves = np.array_split(order, 2)
    said, came = (
        np.array([column[half].sum() for half in halves]) for column in (history.physics_mw, history.actual_mw)
    )
    if said.sum() <= 0 < came.sum():
        yield "the physics promise nothing at all, and power came; check the weather of the runs"
    if not (said > 0).all():
        return
    whole, (first, second) = came.sum() / said.sum(), came / said
    capacity = "check the unit (MW) and the capacity in the site file"
    if whole < _LEAST_OF_PHYSICS:
        message = f"{whole:.2%} of what the physics promise came in all; {capacity}"
        raise InvalidInput(f"the history of {history.quantity}", [Fault("actual_mw", "unit_suspect", message)])
    if not _USUAL_OF_PHYSICS[0] <= whole <= _USUAL_OF_PHYSICS[1]:
        yield f"{whole:.0%} of what the physics promise came in all; {capacity}"
    if max(first, second) > _MOST_BETWEEN_HALVES * min(first, second):
        yield (
            f"{first:.0%} of what the physics promise came in the first half of the past, {second:.0%} in the second; "
            "where the capacity changed, train on what came since"
        )


def unknown(history: History, issued_at: datetime) -> Iterator[str]:
    """Why nothing may be learned from a past that is there but was not known yet."""
    later = (history.known_at > moment64(issued_at)) | ~history.rows.issued_by(issued_at)
    if slots := len(np.unique(history.rows.starts[later])):
        yield f"{slots} slot(s) or their runs were not known yet at {rfc3339(issued_at)}"
