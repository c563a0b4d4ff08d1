"""Load targets as HTML: the list with the form and its answer, and one event with its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from api.pages.event_form import FIELDS, Asked
from api.pages.event_view import figures, keeps, lines, local_times, rows, stage
from api.pages.page import Asset, common, templates
from api.pages.words import Words
from models.errors import Fault


@dataclass(frozen=True, slots=True)
class Place:
    """The site as these pages name it."""

    site: str
    zone: ZoneInfo
    currency: str
    limit_mw: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What was made of a form: an answer, or why there is none."""

    answer: Mapping[str, Any] | None = None
    faults: Sequence[Fault] = ()
    refused: str | None = None


def list_page(
    place: Place,
    events: Sequence[Mapping[str, Any]],
    now: datetime,
    asked: Asked,
    reply: Reply,
    tongue: Words,
    asset: Asset,
) -> str:
    """All events, the form, and what the last asking gave."""
    return (
        templates()
        .get_template("events.html")
        .render(
            **common(tongue, asset),
            place=place,
            rows=rows(events, now),
            when=local_times(place.zone, tongue),
            asked=asked,
            reply=reply,
            faults={fault.pointer.strip("/"): fault.message for fault in reply.faults},
            elsewhere=[f.message for f in reply.faults if f.pointer.strip("/") not in FIELDS],
            figures=figures(reply.answer, tongue) if reply.answer else [],
        )
    )


def event_page(
    place: Place,
    event: Mapping[str, Any],
    record: Mapping[str, Any],
    now: datetime,
    refused: str | None,
    tongue: Words,
    asset: Asset,
) -> str:
    """One event: what was answered, what the plan makes of it, what the meter showed."""
    return (
        templates()
        .get_template("event.html")
        .render(
            **common(tongue, asset),
            place=place,
            event=event,
            stage=stage(event, now),
            keeps=keeps(event, now),
            record=record,
            lines=lines(record),
            figures=figures(event["answer"], tongue),
            refused=refused,
            when=local_times(place.zone, tongue),
        )
    )
