"""How long a job will run in all, given how long it has run: the survival form of its quantiles.

The distribution is straight in the logarithm of time between the quantiles. Below the first it goes on at the slope of
the first two, above the last it reaches 1 at the time limit, or at the slope of the last two where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from models.errors import Fault, InvalidInput


def total_h(
    levels: Sequence[float], quantiles_h: Sequence[float], ran_h: float, level: float, limit_h: float | None = None
) -> float:
    """Hours in all that are not exceeded with probability ``level`` by a job that has run ``ran_h`` already.

    P(T <= answer | T > ran_h) = level; never under ``ran_h``, and never above ``limit_h`` while that is longer.

    Raises:
        InvalidInput: quantiles that do not rise, levels outside 0 to 1, fewer than two.
    """
    points = _points(levels, quantiles_h, limit_h)
    if not 0 <= level <= 1 or not ran_h >= 0:
        message = f"level {level:g} after {ran_h:g} h; write a level of 0 to 1 and hours from 0 up"
        raise InvalidInput("the question", [Fault("level", "out_of_range", message)])
    over = _reached(points, ran_h)
    found = _time(points, over + level * (1 - over))
    return max(found, ran_h)


def _points(levels: Sequence[float], quantiles_h: Sequence[float], limit_h: float | None) -> list[tuple[float, float]]:
    """(log hours, probability), both rising, from 0 to 1."""
    rises = all(0 < a < b < 1 for a, b in pairwise(levels)) and all(0 < a <= b for a, b in pairwise(quantiles_h))
    if len(levels) < 2 or len(levels) != len(quantiles_h) or not rises or not math.isfinite(quantiles_h[-1]):
        message = f"levels {list(levels)} with {list(quantiles_h)} h; give two or more, both rising, hours above 0"
        raise InvalidInput("the quantiles", [Fault("quantiles_h", "not_rising", message)])
    logs: list[float] = []
    for hours in quantiles_h:
        capped = math.log(min(hours, limit_h) if limit_h else hours)
        logs.append(max(capped, logs[-1] + 1e-9) if logs else capped)
    first = logs[0] - levels[0] * (logs[1] - logs[0]) / (levels[1] - levels[0])
    last = logs[-1] + (1 - levels[-1]) * (logs[-1] - logs[-2]) / (levels[-1] - levels[-2])
    if limit_h:
        last = max(math.log(limit_h), logs[-1] + 1e-9)
    return [(min(first, logs[0] - 1e-9), 0.0), *zip(logs, levels, strict=True), (max(last, logs[-1] + 1e-9), 1.0)]


def _reached(points: list[tuple[float, float]], hours: float) -> float:
    if hours <= 0:
        return 0.0
    x = math.log(hours)
    if x <= points[0][0]:
        return 0.0
    for (x0, p0), (x1, p1) in pairwise(points):
        if x <= x1:
            return p0 + (p1 - p0) * (x - x0) / (x1 - x0)
    return 1.0


def _time(points: list[tuple[float, float]], probability: float) -> float:
    for (x0, p0), (x1, p1) in pairwise(points):
        if probability <= p1:
            return math.exp(x0 + (x1 - x0) * (probability - p0) / (p1 - p0))
    return math.exp(points[-1][0])
