"""What was planned for the last hours beside what was measured: means of slots, MW, and two lines to draw.

Planned is what the last plan that covered a slot said for it (``plan.*`` in the telemetry, see write_back), which for
past slots is the plan that was in force; measured are the site's own meters. NumPy comes with the first question to the
store, so a site without telemetry never loads it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from ingest.errors import StoreUnavailable
from ingest.ports import TelemetryStore
from models.errors import NotFound
from models.horizon import rfc3339

HOURS: Final = 6
STEP: Final = timedelta(minutes=15)
WIDTH, HEIGHT = 300.0, 60.0
_ROWS: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = (
    ("import", ("site.import_mw",), ("plan.import_mw",)),
    ("renewable", ("site.pv_mw", "site.wind_mw"), ("plan.pv_used_mw", "plan.wind_used_mw")),
    ("it", ("site.it_mw",), ("plan.it_mw",)),
    ("cooling", ("site.cooling_mw",), ("plan.cooling_mw",)),
)
Values = list[float | None]


def actual_view(store: TelemetryStore, site: str, now: datetime) -> dict[str, Any] | None:
    """Rows of the last :data:`HOURS`; None where neither a plan nor a meter has said anything in them."""
    end = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0) + STEP
    start = end - timedelta(hours=HOURS)
    here = {"site": site}
    try:
        known = [m for _, metrics, _ in _ROWS for m in metrics if _fresh(store, m, here, start)]
        if not known:
            return None
        rows = []
        for key, measured, planned in _ROWS:
            row = {
                "measured": _sum(store, measured, here, start, end),
                "planned": _sum(store, planned, here, start, end),
            }
            if any(value is not None for value in row["measured"]):
                rows.append({"key": key, "unit": "MW", **row, **_newest(row), "lines": _lines(row)})
    except StoreUnavailable:
        return None  # the page says what it knows; /readyz says what is wrong
    return {"start": rfc3339(start), "step_s": STEP.total_seconds(), "rows": rows} if rows else None


def _fresh(store: TelemetryStore, metric: str, tags: dict[str, str], start: datetime) -> bool:
    first_ns = start.timestamp() * 1e9
    return any(dict(sample.tags) == tags and sample.time_ns >= first_ns for sample in store.latest(metric, tags))


def _sum(
    store: TelemetryStore, metrics: tuple[str, ...], tags: dict[str, str], start: datetime, end: datetime
) -> Values:
    """Slot means of the metrics that there are, added; None where any of them is missing."""
    total: Values | None = None
    for metric in metrics:
        if not _fresh(store, metric, tags, start):
            continue
        try:
            found = store.query(metric, tags, start, end, STEP, "mean").values.tolist()
        except NotFound:
            continue
        values: Values = [None if value != value else value for value in found]
        total = (
            values
            if total is None
            else [None if a is None or b is None else a + b for a, b in zip(total, values, strict=True)]
        )
    return total or [None] * ((end - start) // STEP)


def _newest(row: dict[str, Values]) -> dict[str, float | None]:
    """The last slot in which both are known, or the last that was measured."""
    both = [k for k, pair in enumerate(zip(row["measured"], row["planned"], strict=True)) if None not in pair]
    single = [k for k, value in enumerate(row["measured"]) if value is not None]
    slot = both[-1] if both else single[-1]
    measured, planned = row["measured"][slot], row["planned"][slot]
    off = None if measured is None or planned is None else measured - planned
    return {"measured_now": measured, "planned_now": planned, "off_mw": off}


def _lines(row: dict[str, Values]) -> dict[str, str]:
    """Both as SVG paths over :data:`WIDTH` x :data:`HEIGHT`: the plan in steps, the meters from middle to middle."""
    top = max([1e-9, *(value for values in row.values() for value in values if value is not None)]) * 1.05
    wide = WIDTH / len(row["planned"])
    return {"planned": steps(row["planned"], wide, top), "measured": straight(row["measured"], wide, top)}


def steps(values: Values, wide: float, top: float) -> str:
    """Path of values that hold for a slot each, ``wide`` apart; ``top`` is drawn at the upper edge."""
    parts = []
    for k, value in enumerate(values):
        if value is not None:
            pen = "L" if k and values[k - 1] is not None else "M"
            parts.append(f"{pen}{k * wide:.1f} {_y(value, top)}H{(k + 1) * wide:.1f}")
    return "".join(parts)


def straight(values: Values, wide: float, top: float) -> str:
    """Path from the middle of each slot to that of the next; what stands alone is a dot."""
    parts = []
    for k, value in enumerate(values):
        if value is not None:
            alone = (not k or values[k - 1] is None) and (k + 1 == len(values) or values[k + 1] is None)
            pen = "L" if k and values[k - 1] is not None else "M"
            parts.append(f"{pen}{(k + 0.5) * wide:.1f} {_y(value, top)}" + ("h0.1" if alone else ""))
    return "".join(parts)


def _y(value: float, top: float) -> str:
    return f"{HEIGHT * (1 - max(0.0, value) / top):.1f}"
