"""What became of an event, slot by slot: metered against its limit and against a stated baseline.

The baseline is the mean of the meter at the same time of day on up to ten preceding days without an event (at least
three), as demand response is commonly settled; where the meter has not run for so long, the plan that was in force when
the event was accepted and did not know it. Which of both is said in ``method``, because it decides what was earned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from api.events import GridEvent
from api.plan_store import Edition
from models.horizon import Horizon, parse_rfc3339, rfc3339

Meter = Callable[[datetime, datetime], list[float]]
"""Mean import of each slot of a range, MW; NaN where the meter said nothing."""
_DAYS, _FEWEST = 10, 3
_TOLERANCE_MW = 1e-6
_DAY = timedelta(days=1)


def record(
    event: GridEvent,
    now: datetime,
    step: timedelta,
    meter: Meter,
    others: Sequence[GridEvent],
    before: Edition | None,
) -> dict[str, Any]:
    """Record of the slots of an event that are over at ``now``; ``others`` are all events of the days before it."""
    grid = _grid(event, step)
    over = max(0, min(grid.slots, (now - grid.start) // step))
    if not over:
        return {"slots": [], "kept": None, "method": "none", "reduced_mwh": None}
    end = grid.at(over)
    metered = meter(grid.start, end)
    baseline, method = _baseline(grid, over, meter, others, before)
    slots = [
        {
            "start": rfc3339(grid.at(k)),
            "limit_mw": event.most_import_mw,
            "metered_mw": _shown(metered[k]),
            "baseline_mw": _shown(baseline[k]),
            "kept": None if math.isnan(metered[k]) else metered[k] <= event.most_import_mw + _TOLERANCE_MW,
        }
        for k in range(over)
    ]
    pairs = [(b, m) for b, m in zip(baseline, metered, strict=True) if not (math.isnan(b) or math.isnan(m))]
    verdicts = [slot["kept"] for slot in slots]
    return {
        "slots": slots,
        "kept": False if False in verdicts else None if None in verdicts else True,
        "highest_mw": _shown(max((m for m in metered if not math.isnan(m)), default=math.nan)),
        "method": method,
        "reduced_mwh": round(sum(b - m for b, m in pairs) * grid.step_h, 6) if pairs else None,
        "slots_counted": len(pairs),
    }


def _grid(event: GridEvent, step: timedelta) -> Horizon:
    midnight = event.start.replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight + (event.start - midnight) // step * step
    return Horizon(start, step, -((start - event.end) // step))


def _baseline(
    grid: Horizon, over: int, meter: Meter, others: Sequence[GridEvent], before: Edition | None
) -> tuple[list[float], str]:
    days: list[list[float]] = []
    for back in range(1, 46):
        start, end = grid.start - back * _DAY, grid.at(over) - back * _DAY
        if any(other.start < end and other.end > start for other in others):
            continue
        values = meter(start, end)
        if not any(math.isnan(value) for value in values):
            days.append(values)
        if len(days) == _DAYS:
            break
    if len(days) >= _FEWEST:
        told = f"mean of the meter at the same time on {len(days)} preceding days without an event"
        return [fmean(day[k] for day in days) for k in range(over)], told
    series = None if before is None else before["plan"].get("series")
    if before is None or series is None:
        return [math.nan] * over, "none: the meter has not run for three days without an event, and there was no plan"
    first = parse_rfc3339(before["valid_from"])
    values = [_at(series["import_mw"], (grid.at(k) - first) // grid.step) for k in range(over)]
    return values, f"import of the plan {before['plan_id']}, in force when the event was accepted"


def _at(values: Sequence[float], k: int) -> float:
    return values[k] if 0 <= k < len(values) else math.nan


def _shown(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
