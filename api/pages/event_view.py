"""What the pages of load targets show, from what the door says of an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from api.pages.actual import WIDTH, steps, straight
from api.pages.words import Words
from models.horizon import parse_rfc3339

Row = dict[str, Any]


def rows(events: Iterable[Mapping[str, Any]], now: datetime) -> list[Row]:
    """Rows of the list, the latest start first."""
    found = [{**event, "stage": stage(event, now), "keeps": keeps(event, now)} for event in events]
    return sorted(found, key=lambda row: (row["start"], row["id"]), reverse=True)


def stage(event: Mapping[str, Any], now: datetime) -> str:
    """``withdrawn``, or where ``now`` lies: ``coming``, ``running``, ``over``."""
    if event["status"] == "withdrawn":
        return "withdrawn"
    if now < parse_rfc3339(event["start"]):
        return "coming"
    return "running" if now < parse_rfc3339(event["end"]) else "over"


def keeps(event: Mapping[str, Any], now: datetime) -> str:
    """What the plan in force makes of an event: ``kept``, ``broken``, ``unknown`` (not reached yet), ``past``."""
    planned = event["planned"]
    if planned is None:
        return "past" if stage(event, now) in ("over", "withdrawn") else "unknown"
    return "kept" if planned["kept"] else "broken"


def figures(answer: Mapping[str, Any], tongue: Words) -> list[tuple[str, str]]:
    """Name and text of each number of an answer."""
    found = []
    for key in ("planned_peak_mw", "without_event_peak_mw"):
        if answer.get(key) is not None:
            found.append((tongue.t(f"event.answer.{key}"), tongue.quantity(answer[key], "MW", 3)))
    if answer.get("cost_change") is not None:
        found.append((tongue.t("event.answer.cost"), tongue.quantity(answer["cost_change"], answer["currency"], 2)))
    for key in ("late_h_change", "unmet_h_change"):
        if answer.get(key) is not None:
            found.append((tongue.t(f"event.answer.{key}"), tongue.quantity(answer[key], "h", 2)))
    if answer.get("gap") is not None:
        found.append((tongue.t("status.gap"), tongue.percent(answer["gap"])))
    return found


def lines(record: Mapping[str, Any]) -> dict[str, str]:
    """Limit, baseline and meter of the slots that are over, as SVG paths."""
    slots = record["slots"]
    told = {name: [slot[f"{name}_mw"] for slot in slots] for name in ("limit", "baseline", "metered")}
    top = max([1e-9, *(value for values in told.values() for value in values if value is not None)]) * 1.05
    wide = WIDTH / max(1, len(slots))
    return {
        "limit": steps(told["limit"], wide, top),
        "baseline": steps(told["baseline"], wide, top),
        "metered": straight(told["metered"], wide, top),
    }


def local_times(zone: ZoneInfo, tongue: Words) -> Callable[[str | None], str]:
    """How a page writes an instant of a document."""
    return lambda text: tongue.when(None if text is None else parse_rfc3339(text), zone)
