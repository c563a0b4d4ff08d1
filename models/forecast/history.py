"""What a forecast learns from: past weather runs beside the power that came, and which of it may teach.

Hours in which the plant was curtailed, out or limited never teach, nor do stretches that no working plant and
meter show: the same value over hours, or nothing at all for days while the physics say otherwise. What is left out
is said in words (:attr:`Teaching.notes`), never mended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from models.errors import Fault, InvalidInput
from models.forecast.past import Moments, moment64
from models.forecast.rows import Flags, Rows
from models.series import Values

Places = npt.NDArray[np.intp]
MOST_OVER_CAPACITY = 1.2  # measured power above this share of the capacity: unit or capacity is wrong
LEAST_BELOW_ZERO = -0.05  # a plant's own use at night; below lies a sign that counts the other way
STUCK_H = 6.0
DEAD_DAYS = 3.0
LEAST_STATE = 0.1  # that a slow state must leave for what came to tell what the clean plant would have given
_EXPECTED = 0.1  # share of the capacity that physics must promise for silence to be strange


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Past of one quantity on ``rows``: all arrays of shape ``(n,)``, a row a slot of a run.

    ``actual_mw`` (NaN: unknown) came in that slot and was known at ``known_at``; ``physics_mw`` is what the plant's
    physics made of the run's weather; ``capacity_mw`` held at that time (a change of it is a fact, not an error);
    ``limited`` marks slots in which the plant could not do as it liked; ``cloudless_mw`` (sun only) is the physics
    under a cloudless sky. ``state`` (sun only; None: all of it): share that the plant's slow state, as known at the
    row's issue, leaves of the physics; models learn the clean plant, and their answers are taken times it.

    Raises:
        InvalidInput: unequal lengths, an actual known before its slot was over, power above 1.2 x or below -0.05 x
            the capacity, a capacity that is not positive.
    """

    quantity: str
    rows: Rows
    physics_mw: Values
    actual_mw: Values
    known_at: Moments
    capacity_mw: Values
    limited: Flags
    cloudless_mw: Values | None = None
    state: Values | None = None

    def __post_init__(self) -> None:
        n = len(self.rows)
        columns = [self.physics_mw, self.actual_mw, self.known_at, self.capacity_mw, self.limited]
        columns += [values for values in (self.cloudless_mw, self.state) if values is not None]
        lengths = sorted({len(values) for values in columns})
        if lengths != [n]:
            message = f"columns of {lengths} rows for {n} rows of weather; give each the same"
            raise InvalidInput(f"the history of {self.quantity}", [Fault("", "length", message)])
        faults = []
        if (early := np.flatnonzero(self.known_at < self.rows.ends)).size:
            message = (
                f"the value of the slot from {self.rows.starts[early[0]]}Z is said to be known at "
                f"{self.known_at[early[0]]}Z, before the slot was over; a mean is known afterwards"
            )
            faults.append(Fault("known_at", "peeking", message))
        if not (self.capacity_mw > 0).all():
            faults.append(Fault("capacity_mw", "not_positive", "a capacity of 0 or less; give what was installed then"))
        else:
            faults += self._outside()
        if faults:
            raise InvalidInput(f"the history of {self.quantity}", faults)

    def _outside(self) -> list[Fault]:
        share = self.actual_mw / self.capacity_mw
        faults = []
        for wrong, code, mend in (
            (share > MOST_OVER_CAPACITY, "above_capacity", "check its unit (MW) and the capacity of that time"),
            (share < LEAST_BELOW_ZERO, "negative", "generation counts positive; turn its sign"),
        ):
            bad = np.flatnonzero(wrong)
            if bad.size:
                shown = f"{self.actual_mw[bad[0]]:g} MW of {self.capacity_mw[bad[0]]:g} at {self.rows.starts[bad[0]]}Z"
                faults.append(Fault("actual_mw", code, f"{bad.size} value(s), the first {shown}; {mend}"))
        return faults

    @property
    def share(self) -> Values:
        """Actual as a share of the capacity of its time, held within 0 and 1."""
        held: Values = np.clip(self.actual_mw / self.capacity_mw, 0.0, 1.0)
        return held

    @property
    def clean_share(self) -> Values:
        """What the plant would have given clean and whole, as such a share; held where :attr:`tells_clean` is false."""
        if self.state is None:
            return self.share
        return np.clip(self.actual_mw / self.capacity_mw / np.maximum(self.state, LEAST_STATE), 0.0, 1.0)

    @property
    def tells_clean(self) -> Flags:
        """Where the state leaves enough: dust may keep an inverter asleep at dawn, and 0 of 0 tells nothing."""
        if self.state is None:
            return np.ones(len(self.rows), dtype=np.bool_)
        return np.asarray(self.state >= LEAST_STATE, dtype=np.bool_)

    @property
    def physics_share(self) -> Values:
        """Physics in the plant's state, as a share of the capacity."""
        clean: Values = self.physics_mw / self.capacity_mw
        return clean if self.state is None else clean * self.state


@dataclass(frozen=True, slots=True, eq=False)
class Teaching:
    """``rows``: which rows may teach; ``notes``: what was left out, and why."""

    rows: Flags
    notes: tuple[str, ...]


def teaching(history: History, issued_at: datetime) -> Teaching:
    """Rows that were known at ``issued_at`` and show the plant as it works."""
    known = (history.known_at <= moment64(issued_at)) & history.rows.issued_by(issued_at)
    there = known & np.isfinite(history.actual_mw)
    kept, notes = there.copy(), []
    left_out = (
        (history.rows.ends <= history.rows.issued_at, "over when their run was issued, so no forecast of it"),
        (history.limited, "curtailed or limited"),
        (_stuck(history, there), f"stuck at one value for {STUCK_H:g} h or more"),
        (_dead(history, there), f"nothing for {DEAD_DAYS:g} days or more while the physics promised power: an outage"),
    )
    for wrong, why in left_out:
        slots = len(np.unique(history.rows.starts[kept & wrong]))
        if slots:
            notes.append(f"{slots} slot(s) left out: {why}")
        kept &= ~wrong
    missing = len(np.unique(history.rows.starts[known & ~there]))
    if missing:
        notes.append(f"{missing} slot(s) without a measured value")
    return Teaching(kept, tuple(notes))


def _step_h(history: History) -> float:
    return history.rows.step / timedelta(hours=1)


def _by_time(history: History, there: Flags) -> tuple[Values, Values, Places]:
    """Slots that are ``there``, once each and in time order: share, physics as a share, and the rows of each.

    What is missing parts no stretch: a meter that drops out now and then is no less stuck, nor a plant less dead.
    """
    places = np.flatnonzero(there)
    _, first, place = np.unique(history.rows.starts[places], return_index=True, return_inverse=True)
    rows = np.full(len(history.rows), -1, dtype=np.intp)
    rows[places] = place
    chosen = places[first]
    return history.share[chosen], (history.physics_mw / history.capacity_mw)[chosen], rows


def _stretches(values: npt.NDArray[np.generic]) -> tuple[Places, Places]:
    """Number of the stretch of equal neighbours that each value stands in, and how many values that one has."""
    begins = np.ones(len(values), dtype=np.intp)
    begins[1:] = values[1:] != values[:-1]
    stretch = np.cumsum(begins) - 1
    return stretch, np.bincount(stretch, minlength=1)[stretch]


def _stuck(history: History, there: Flags) -> Flags:
    """Same value, neither nothing nor everything, for :data:`STUCK_H` or more.

    Everything is also the most that ever came where it came several times: farms at rated power, less wake and losses,
    and inverters that clip, stand still while they work.
    """
    share, _, place = _by_time(history, there)
    stretch, length = _stretches(share)
    full = share == share.max(initial=0.0)
    if len(np.unique(stretch[full])) < 2:
        full[:] = False
    stuck = (length * _step_h(history) >= STUCK_H) & (length > 1) & (share > 0.0) & (share < 1.0) & ~full
    return _at_rows(stuck, place)


def _dead(history: History, there: Flags) -> Flags:
    """Exactly nothing for days on end, with physics above a tenth of the capacity in them."""
    share, physics, place = _by_time(history, there)
    off = share == 0.0
    stretch, length = _stretches(off)
    strange = np.zeros(stretch.max(initial=0) + 1, dtype=np.bool_)
    np.logical_or.at(strange, stretch, np.nan_to_num(physics) > _EXPECTED)
    dead = off & (length * _step_h(history) >= 24.0 * DEAD_DAYS) & strange[stretch]
    return _at_rows(dead, place)


def _at_rows(found: Flags, place: Places) -> Flags:
    """What was found of slots, at the rows that have one (``place`` 0 or above)."""
    return np.asarray((place >= 0) & np.append(found, False)[place], dtype=np.bool_)
