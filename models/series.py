"""Regular time series: UTC, half-open slots, one unit, where it came from and since when it was known.

A value belongs to the slot ``[start + k*step, start + (k+1)*step)`` and is the *mean* over it. NaN
means missing. Nothing is repaired on the way in: gaps, doubled, unsorted and irregular times are
refused with the place of each, because a silently mended series looks exactly like a good one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from models.errors import Fault, InvalidInput
from models.horizon import Horizon, rfc3339

Values = npt.NDArray[np.float64]
_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """``values`` (float64, read-only, shape ``(n,)``) on ``n`` slots of ``step`` from ``start``.

    ``unit`` is the unit of the values ("MW", "degC"); ``available_at`` the instant from which the
    whole series was known (None: not stated); ``source`` names where it came from; ``synthetic``
    is true for anything that was not measured or forecast by somebody for this place.

    Raises:
        InvalidInput: no zone on a time, a step that is not positive, values not one-dimensional or infinite.
    """

    start: datetime
    step: timedelta
    values: Values
    unit: str
    source: str = ""
    synthetic: bool = False
    available_at: datetime | None = None

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        faults = []
        for name in ("start", "available_at"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                faults.append(Fault(name, "no_time_zone", f"{moment.isoformat()} has no time zone; give it one"))
            elif moment is not None:
                object.__setattr__(self, name, moment.astimezone(UTC))
        if self.step <= timedelta(0):
            faults.append(Fault("step", "not_positive", f"a step of {self.step} is not positive"))
        if values.ndim != 1 or not len(values):
            faults.append(Fault("values", "shape", f"values of shape {values.shape}; give one value a slot"))
        elif np.isinf(values).any():
            place = int(np.flatnonzero(np.isinf(values))[0])
            faults.append(Fault(f"values.{place}", "not_finite", "an infinite value; write NaN where it is missing"))
        if faults:
            raise InvalidInput(f"the series {self.source or self.unit!r}", faults)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def end(self) -> datetime:
        """First instant after the last slot."""
        return self.start + len(self.values) * self.step

    def starts(self) -> list[datetime]:
        """First instant of each slot."""
        return [self.start + k * self.step for k in range(len(self.values))]

    def with_values(self, values: Values, *, unit: str | None = None) -> Series:
        """The same slots and origin with other values (shape ``(n,)``)."""
        return replace(self, values=values, unit=unit or self.unit)

    def resampled(self, step: timedelta) -> Series:
        """Means over slots of ``step``: averaged when coarser, repeated when finer.

        A coarse slot with any missing value is missing. Slots are counted from the first instant
        that is a multiple of ``step`` since the epoch; half-covered slots at the ends are dropped.

        Raises:
            InvalidInput: neither step divides the other, or no whole slot is covered.
        """
        if step == self.step:
            return self
        if step < self.step:
            parts, rest = divmod(self.step, step)
            if rest:
                raise _unfit_step(self, step)
            return replace(self, step=step, values=np.repeat(self.values, parts))
        parts, rest = divmod(step, self.step)
        if rest:
            raise _unfit_step(self, step)
        into = (self.start - datetime(1970, 1, 1, tzinfo=UTC)) % step
        skipped, rest = divmod((step - into) % step, self.step)
        count = (len(self.values) - skipped) // parts
        if rest or count < 1:
            raise _unfit_step(self, step)
        body = self.values[skipped : skipped + count * parts].reshape(count, parts)
        return replace(self, start=self.start + skipped * self.step, step=step, values=body.mean(axis=1))

    def on(self, horizon: Horizon) -> Values:
        """Values on the slots of ``horizon`` (shape ``(horizon.slots,)``), averaged or repeated as needed.

        Raises:
            InvalidInput: the series does not cover the horizon, has missing values in it, or its
                slots do not fit those of the horizon.
        """
        fitted = self
        if self.step > horizon.step:
            fitted = self.resampled(horizon.step)
        parts, rest = divmod(horizon.step, fitted.step)
        first, off = divmod(horizon.start - fitted.start, fitted.step)
        if rest or off:
            raise _unfit_step(self, horizon.step)
        last = first + horizon.slots * parts
        if first < 0 or last > len(fitted):
            raise InvalidInput(
                f"the series {self.source or self.unit!r}",
                [
                    Fault(
                        "values",
                        "not_covered",
                        f"it covers {rfc3339(self.start)} to {rfc3339(self.end)}, the horizon asks for "
                        f"{rfc3339(horizon.start)} to {rfc3339(horizon.end)}; fetch more or shorten the horizon",
                    )
                ],
            )
        body = fitted.values[first:last]
        missing = np.flatnonzero(np.isnan(body))
        if len(missing):
            raise InvalidInput(
                f"the series {self.source or self.unit!r}",
                [
                    Fault(
                        "values",
                        "missing",
                        f"{len(missing)} value(s) missing inside the horizon, the first at "
                        f"{rfc3339(fitted.start + (first + int(missing[0])) * fitted.step)}; fill them at the source",
                    )
                ],
            )
        means: Values = body.reshape(horizon.slots, parts).mean(axis=1)
        return means


def regular_step(times: Sequence[datetime], what: str) -> timedelta:
    """The one step between ``times``.

    Raises:
        InvalidInput: fewer than two times, a time without a zone, or unsorted, doubled, missing or
            irregular times; every kind with its first places.
    """
    faults = [
        Fault(f"time.{k}", "no_time_zone", f"{t.isoformat()} has no time zone; write UTC or an offset")
        for k, t in enumerate(times)
        if t.tzinfo is None
    ]
    if faults:
        raise InvalidInput(what, faults[:_SHOWN])
    if len(times) < 2:
        raise InvalidInput(what, [Fault("time", "too_short", f"{len(times)} time(s); at least two make a series")])
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    forward = sorted(gap for gap in gaps if gap > timedelta(0))
    step = forward[len(forward) // 2] if forward else timedelta(0)
    found: dict[str, list[Fault]] = {}
    for k, gap in enumerate(gaps, start=1):
        if gap == step and gap > timedelta(0):
            continue
        here, before = rfc3339(times[k]), rfc3339(times[k - 1])
        if gap == timedelta(0):
            code, message = "duplicate", f"{here} stands twice; keep one row"
        elif gap < timedelta(0):
            code, message = "unsorted", f"{here} comes after {before}; sort by time"
        elif gap % step == timedelta(0):
            code, message = (
                "gap",
                f"{gap // step - 1} row(s) missing between {before} and {here}; add them, empty or not",
            )
        else:
            code, message = "irregular", f"{here} lies {gap} after {before}, the others {step}; use one step"
        found.setdefault(code, []).append(Fault(f"time.{k}", code, message))
    if found:
        raise InvalidInput(what, [fault for kind in found.values() for fault in kind[:_SHOWN]])
    return step


def series_from_times(
    times: Sequence[datetime],
    values: Values | Sequence[float],
    unit: str,
    *,
    source: str = "",
    synthetic: bool = False,
    available_at: datetime | None = None,
) -> Series:
    """A series whose ``times`` mark the *start* of each slot.

    Raises:
        InvalidInput: as :func:`regular_step`, or as many values as there are not times.
    """
    step = regular_step(times, f"the series {source or unit!r}")
    if len(values) != len(times):
        fault = Fault("values", "length", f"{len(values)} values for {len(times)} times; give one each")
        raise InvalidInput(f"the series {source or unit!r}", [fault])
    return Series(times[0], step, np.asarray(values, dtype=np.float64), unit, source, synthetic, available_at)


def _unfit_step(series: Series, step: timedelta) -> InvalidInput:
    fault = Fault(
        "step",
        "unfit_step",
        f"slots of {series.step} from {rfc3339(series.start)} ({len(series)} of them) do not fit slots of {step}; "
        "use steps that divide each other and start on a border of the coarser one",
    )
    return InvalidInput(f"the series {series.source or series.unit!r}", [fault])
