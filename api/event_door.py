"""An event at the door, for programs and for people alike: known already, answered by a solve, shown, on record."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from anyio import to_thread

from api import event_answer, event_record
from api.doors import Doors
from api.errors import Refused
from api.events import GridEvent
from api.store.events import KnownEvent
from models.errors import NotFound
from models.horizon import rfc3339


@dataclass(frozen=True, slots=True)
class Answered:
    """``answer`` as :func:`api.event_answer.answer` gives it, and the plan on which it was given."""

    answer: dict[str, Any]
    plan_id: str | None


def known_answer(doors: Doors, event: GridEvent) -> dict[str, Any] | None:
    """The answer of an event that is accepted already and unchanged; None: it is new.

    Raises:
        Refused: its id is taken, by another event or one that was taken back.
    """
    try:
        known = doors.events.get(event.id)
    except NotFound:
        return None
    if known.event != event or known.status != "accepted":
        why = f"the event {event.id!r} is on record as {known.status}, and events never change; take another id"
        raise Refused(409, "EventKnown", why)
    return known.answer


async def answered(
    event: GridEvent, doors: Doors, gone: Callable[[], Awaitable[bool]], time_limit_s: float | None = None
) -> Answered:
    """What a plan would make of it; ``time_limit_s`` None: the site's own.

    Raises:
        NoPlanInTime, Refused: see :func:`api.event_answer.answer`.
    """
    edition = await to_thread.run_sync(doors.plans.current)
    others = await to_thread.run_sync(doors.events.in_force, doors.clock.now())
    limit_s = doors.site.planning.time_limit_s if time_limit_s is None else time_limit_s
    told = await event_answer.answer(event, others, doors.site, edition, doors.solver, gone, limit_s)
    return Answered(told, None if edition is None else edition["plan_id"])


def refusal(event: GridEvent, answer: Mapping[str, Any], *, unknown: bool) -> tuple[str, str] | None:
    """Code and reason why an answered event is not taken; ``unknown``: it is also where nobody can say yet."""
    if answer["feasible"] is False:
        why = "; ".join(answer["conflicts"]) or "no plan keeps it"
        return "EventNotFeasible", f"the event {event.id!r} cannot be kept: {why}"
    if answer["feasible"] is None and not unknown:
        return "EventNotKnown", f"whether the event {event.id!r} can be kept is not known yet: {answer['note']}"
    return None


def view(known: KnownEvent, edition: Mapping[str, Any] | None) -> dict[str, Any]:
    """An event with its standing, and what the plan in force makes of it (``planned``)."""
    standing = {row["id"]: row for row in (edition or {}).get("events", [])}
    return {
        **known.event.model_dump(mode="json"),
        "status": known.status,
        "answer": known.answer,
        "accepted_at": rfc3339(known.accepted_at),
        "withdrawn_at": None if known.withdrawn_at is None else rfc3339(known.withdrawn_at),
        "planned": standing.get(known.event.id),
    }


def record(known: KnownEvent, doors: Doors) -> dict[str, Any]:
    """What became of it: the site's meter against the limit and a stated baseline."""
    event, step = known.event, doors.site.planning.step

    def meter(start: datetime, end: datetime) -> list[float]:
        try:
            found = doors.telemetry.query("site.import_mw", {"site": doors.site.name}, start, end, step)
        except NotFound:
            return [math.nan] * round((end - start) / step)
        return [float(value) for value in found.values]

    before = None
    if known.baseline_plan_id is not None:
        before = doors.plans.edition(known.baseline_plan_id)
    around = doors.events.between(event.start - timedelta(days=45), event.start)
    others = [other.event for other in around if other.event.id != event.id]
    return event_record.record(event, doors.clock.now(), step, meter, others, before)
