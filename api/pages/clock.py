"""Slots as people read them: local times, offsets and the table of labels that every time axis uses.

Axes run in UTC (scale type ``utc``); what stands at a tick comes from here, so that a day of 23 or
25 hours is labelled alike by the server's SVG and by the browser.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from models.horizon import Horizon, parse_rfc3339

_TICK_EVERY_H = 3
_MOST_TICKS = 18


def read_horizon(horizon: dict[str, object]) -> Horizon:
    """Horizon of a problem document's ``horizon`` object."""
    return Horizon(
        parse_rfc3339(str(horizon["start"])),
        timedelta(minutes=int(str(horizon.get("step_minutes", 15)))),
        int(str(horizon["slots"])),
    )


def offset_text(moment: datetime, zone: ZoneInfo) -> str:
    """``+01:00``: what the site's clocks are ahead of UTC at ``moment``."""
    shift = moment.astimezone(zone).utcoffset() or timedelta()
    minutes = abs(shift) // timedelta(minutes=1)
    return f"{'-' if shift < timedelta() else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


@dataclass(frozen=True, slots=True)
class Border:
    """One slot border in site time; there is one more of them than slots."""

    at_ms: int
    time: str
    offset: str
    day: str
    new_day: bool
    changed_offset: bool


def borders(horizon: Horizon, zone: ZoneInfo) -> list[Border]:
    """Every slot border of the horizon, the last one included."""
    found: list[Border] = []
    for slot in range(horizon.slots + 1):
        moment = horizon.at(slot)
        local = moment.astimezone(zone)
        offset = offset_text(moment, zone)
        found.append(
            Border(
                at_ms=int(moment.timestamp() * 1000),
                time=local.strftime("%H:%M"),
                offset=offset,
                day=local.date().isoformat(),
                new_day=not found or found[-1].day != local.date().isoformat(),
                changed_offset=bool(found) and found[-1].offset != offset,
            )
        )
    return found


def ticks(marks: list[Border]) -> list[int]:
    """Indices of the borders that get a tick: full local hours, thinned until they fit."""
    every = _TICK_EVERY_H
    while every <= 24:
        chosen = [
            index for index, mark in enumerate(marks) if mark.time[3:] == "00" and int(mark.time[:2]) % every == 0
        ]
        if 2 <= len(chosen) <= _MOST_TICKS:
            return chosen
        every *= 2
    step = max(1, len(marks) // _MOST_TICKS)
    return list(range(0, len(marks), step))


def labels(marks: list[Border], day_name: Callable[[str], str]) -> list[str | list[str]]:
    """What stands at each border: the hour, with the day where one begins, the offset where it changes.

    ``day_name`` turns an ISO date into the language's short form.
    """
    chosen = ticks(marks)
    found: list[str | list[str]] = [mark.time for mark in marks]
    seen_day = seen_offset = ""
    for index in chosen:
        mark = marks[index]
        under = day_name(mark.day) if mark.day != seen_day else ""
        head = mark.time + (f" ({mark.offset})" if seen_offset and mark.offset != seen_offset else "")
        found[index] = [head, under] if under else head
        seen_day, seen_offset = mark.day, mark.offset
    return found
