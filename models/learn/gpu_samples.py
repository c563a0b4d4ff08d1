"""Measurements of a running job under power limits: which of them may teach, and what they say at each limit.

A measurement says the limit that was set, the mean power that flowed and how fast the job went. It may not teach
where something other than the limit slowed the job; each one left out keeps its reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import Fault, InvalidInput

LEAST_LIMITS = 3
"""Distinct limits that a curve needs."""
_BUSY = 0.9
_SAME_W = 1.0
_OVER_LIMIT = 1.25  # drawn over limit: firmware holds a limit within some per cent, milliwatts are a thousand times it
_FAR = 4.0
_LEAST_SPREAD = 0.003


@dataclass(frozen=True, slots=True)
class Sample:
    """One window of one job: W per GPU, work per second in any unit (steps, tokens), the same for all its windows.

    ``enforced_w``: the least of all limiters, None if not read; ``busy``: share of the window with a kernel running;
    ``hot``: slowed by temperature at some time of the window; ``doubt``: what telemetry holds against its readings.
    """

    limit_w: float
    drawn_w: float
    rate: float
    enforced_w: float | None = None
    busy: float | None = None
    hot: bool = False
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class LimitPoint:
    """What some windows under one limit say together: medians, and the rate's standard error as a share of it."""

    limit_w: float
    drawn_w: float
    rate: float
    error: float
    windows: int


@dataclass(frozen=True, slots=True)
class Screened:
    """Points by rising limit, and the samples left out: index and reason."""

    points: tuple[LimitPoint, ...]
    left_out: tuple[tuple[int, str], ...]


def screen(samples: Sequence[Sample], idle_w: float = 0.0) -> Screened:
    """Points of the samples that may teach.

    Left out: what is not a number above 0, a draw at or under ``idle_w`` or far above its limit, a limit that another
    limiter undercut, heat, readings that telemetry doubts, a GPU that waited (for data: busy less than 0.9 of the
    median), and windows far from the median of their limit (4 robust standard deviations; Hampel).

    Raises:
        InvalidInput: fewer than three limits are left; the power reading is stuck (the same to the digit under
            limits that differ).
    """
    left_out: dict[int, str] = {}
    busy = [s.busy for s in samples if s.busy is not None and math.isfinite(s.busy)]
    usual = float(np.median(busy)) if busy else None
    for k, sample in enumerate(samples):
        reason = _unfit(sample, idle_w, usual)
        if reason:
            left_out[k] = reason
    kept = [k for k in range(len(samples)) if k not in left_out]
    _refuse_stuck([samples[k] for k in kept])
    points = []
    for limit in sorted({samples[k].limit_w for k in kept}):
        here = [k for k in kept if samples[k].limit_w == limit]
        for k in _far(here, [samples[k].rate for k in here]):
            left_out[k] = "far from the other windows under this limit"
        here = [k for k in here if k not in left_out]
        points.append(_point(limit, [samples[k] for k in here]))
    _refuse_few(points, len(samples), left_out)
    return Screened(tuple(points), tuple(sorted(left_out.items())))


def _unfit(sample: Sample, idle_w: float, usual_busy: float | None) -> str | None:
    for name in ("limit_w", "drawn_w", "rate"):
        value = getattr(sample, name)
        if not (math.isfinite(value) and value > 0):
            return f"{name} is {value:g}"
    if sample.drawn_w <= idle_w:
        return f"drew {sample.drawn_w:g} W, no more than at rest"
    if sample.drawn_w > _OVER_LIMIT * sample.limit_w:
        drawn = f"drew {sample.drawn_w:g} W under a limit of {sample.limit_w:g} W"
        return f"{drawn}: another unit, or a limit that was not held"
    if sample.enforced_w is not None and sample.enforced_w < sample.limit_w - _SAME_W:
        return f"another limiter held it to {sample.enforced_w:g} W"
    if sample.hot:
        return "slowed by temperature"
    if sample.doubt:
        return sample.doubt
    if sample.busy is not None and not math.isfinite(sample.busy):
        return f"busy is {sample.busy:g}"
    if sample.busy is not None and usual_busy is not None and sample.busy < _BUSY * usual_busy:
        return f"starved: busy {sample.busy:.0%} of the time, usually {usual_busy:.0%}"
    return None


def _far(places: list[int], rates: list[float]) -> list[int]:
    if len(rates) < 4:
        return []
    middle = float(np.median(rates))
    spread = max(1.4826 * float(np.median(np.abs(np.array(rates) - middle))), _LEAST_SPREAD * middle)
    return [k for k, rate in zip(places, rates, strict=True) if abs(rate - middle) > _FAR * spread]


def _point(limit_w: float, samples: list[Sample]) -> LimitPoint:
    rates = np.array([s.rate for s in samples])
    rate = float(np.median(rates))
    spread = 1.4826 * float(np.median(np.abs(rates - rate))) / rate
    # The median of n normal values strays 1.2533 times as far as their mean.
    error = max(1.2533 * spread / math.sqrt(len(rates)), _LEAST_SPREAD)
    return LimitPoint(limit_w, float(np.median([s.drawn_w for s in samples])), rate, error, len(samples))


def _refuse_stuck(samples: Iterable[Sample]) -> None:
    by_draw: dict[float, set[float]] = {}
    for sample in samples:
        by_draw.setdefault(sample.drawn_w, set()).add(sample.limit_w)
    for drawn, limits in by_draw.items():
        if len(limits) >= LEAST_LIMITS:
            message = (
                f"{drawn:g} W to the digit under limits of {', '.join(f'{w:g}' for w in sorted(limits))} W: the sensor "
                "is stuck; mend it and measure again"
            )
            raise InvalidInput("the measurements", [Fault("drawn_w", "stuck", message)])


def _refuse_few(points: Sequence[LimitPoint], given: int, left_out: dict[int, str]) -> None:
    if len(points) >= LEAST_LIMITS:
        return
    reasons = "; ".join(f"sample {k}: {reason}" for k, reason in sorted(left_out.items())[:5]) or "none was left out"
    message = (
        f"{len(points)} limit(s) with a sound measurement of {given} given, {LEAST_LIMITS} are needed ({reasons}); "
        "measure under more limits"
    )
    raise InvalidInput("the measurements", [Fault("limit_w", "too_few", message)])
