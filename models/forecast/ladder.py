"""Which weather a forecast rests on: ensemble, else one fresh run, else the last run there is, else climatology.

Each step down is visible: the fan names its step and why not a higher one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.errors import InvalidInput
from models.forecast.fan import Step
from models.horizon import Horizon, rfc3339
from models.weather import WeatherTable

FRESH = timedelta(hours=12)  # weather models issue every 6 h and need up to 6 h: an older run means that one was missed


@dataclass(frozen=True, slots=True)
class Rung:
    """``tables`` to forecast from (none on climatology), all known at the issue and covering the horizon."""

    step: Step
    tables: tuple[WeatherTable, ...]
    reason: str


def rung(tables: Sequence[WeatherTable], horizon: Horizon, issued_at: datetime, failed: str = "") -> Rung:
    """The highest step that ``tables`` allow at ``issued_at``; ``failed`` says why a source gave nothing, if one did.

    Tables known later than ``issued_at``, or not said since when, are not looked at.
    """
    usable, reasons = [], [failed] if failed else []
    for table in tables:
        if table.available_at is None:
            reasons.append(f"{table.source} does not say since when it was known")
        elif table.available_at > issued_at:
            reasons.append(f"{table.source} was not known yet")
        elif (hole := _hole(table, horizon)) is not None:
            reasons.append(f"{table.source}: {hole}")
        else:
            usable.append(table)
    fresh = [table for table in usable if issued_at - _known(table) <= FRESH]
    newest = {table.source: table for table in sorted(fresh, key=_known)}
    if len(newest) > 1:
        return Rung("ensemble", tuple(newest.values()), "; ".join(reasons))
    if newest:
        return Rung("single run", tuple(newest.values()), "; ".join(reasons) or "one weather model only")
    if usable:
        last = max(usable, key=_known)
        reasons.append(f"the last run is of {rfc3339(_known(last))}, older than {FRESH / timedelta(hours=1):g} h")
        return Rung("last run", (last,), "; ".join(reasons))
    return Rung("climatology", (), "; ".join(reasons) or "no weather forecast")


def _known(table: WeatherTable) -> datetime:
    if table.available_at is None:
        raise ValueError(f"{table.source} does not say since when it was known")
    return table.available_at


def _hole(table: WeatherTable, horizon: Horizon) -> str | None:
    """What the table lacks for the horizon, in words."""
    try:
        table.on(horizon)
    except InvalidInput as error:
        first = error.faults[0]
        return str(first) if first.code == "missing" else first.message
    return None
