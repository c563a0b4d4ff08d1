"""Load targets of a grid operator: answered, accepted, taken back, and on record afterwards."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from api import event_answer, event_record
from api.auth import Reader, Writer
from api.body import Body, strict_json
from api.doors import Doors, Through
from api.errors import Refused, problem
from api.events import event_of
from api.schemas import EventList, EventTaken, EventView, body_of
from api.store.events import KnownEvent
from models.errors import NotFound
from models.horizon import rfc3339

router = APIRouter(prefix="/api/v1/events", tags=["events"])


@router.post(
    "",
    status_code=201,
    response_model=None,
    responses={
        200: {"model": EventTaken, "description": "Known already and unchanged, or only answered (`dry_run`)"},
        201: {"model": EventTaken},
    },
    openapi_extra=body_of("GridEvent"),
)
async def put(
    body: Body,
    request: Request,
    doors: Through,
    key: Writer,
    dry_run: Annotated[bool, Query(description="only answer whether it can be kept")] = False,
    time_limit_s: Annotated[
        float | None, Query(gt=0, le=120, description="for the solve; none: the site's own")
    ] = None,
    unknown: Annotated[bool, Query(description="accept it also where nobody knows yet whether it can be kept")] = False,
) -> Response:
    """Ask for a limit of the import in a window. The day in force is solved with it first: 201 when a plan keeps it (it
    is accepted, and the next plan has it), 409 `EventNotFeasible` with the reasons when none does, 409
    `EventNotKnown` when nobody can say yet. The `id` makes it idempotent; an event never changes."""
    now = doors.clock.now()
    event = event_of(strict_json(body, "the event"), now)
    if not dry_run and (known := await to_thread.run_sync(_known, doors, event.id)) is not None:
        if known.event != event or known.status != "accepted":
            why = f"the event {event.id!r} is on record as {known.status}, and events never change; take another id"
            raise Refused(409, "EventKnown", why)
        return JSONResponse({"id": event.id, "result": "unchanged", "answer": known.answer})
    edition = await to_thread.run_sync(doors.plans.current)
    others = await to_thread.run_sync(doors.events.in_force, now)
    limit_s = doors.site.planning.time_limit_s if time_limit_s is None else time_limit_s
    told = await event_answer.answer(event, others, doors.site, edition, doors.solver, request.is_disconnected, limit_s)
    if dry_run:
        return JSONResponse({"id": event.id, "result": "answered", "answer": told})
    if told["feasible"] is False:
        why = "; ".join(told["conflicts"]) or "no plan keeps it"
        return problem(409, "EventNotFeasible", f"the event {event.id!r} cannot be kept: {why}", answer=told)
    if told["feasible"] is None and not unknown:
        why = f"whether the event {event.id!r} can be kept is not known yet: {told['note']}; add ?unknown=true"
        return problem(409, "EventNotKnown", why, answer=told)
    plan_id = None if edition is None else edition["plan_id"]
    await to_thread.run_sync(doors.events.accept, event, told, plan_id, key.id)
    headers = {"Location": f"/api/v1/events/{event.id}"}
    return JSONResponse({"id": event.id, "result": "accepted", "answer": told}, 201, headers)


@router.get("", response_model=None, responses={200: {"model": EventList}})
def events(
    doors: Through,
    _: Reader,
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
    after: Annotated[str, Query(description="`next` of the page before", max_length=128)] = "",
) -> Response:
    """Every event, by id, without its record."""
    page = doors.events.page(after, limit)
    rows = [_view(known, doors) for known in page]
    return JSONResponse({"events": rows, "next": page[-1].event.id if len(page) == limit else None})


@router.get("/{event}", response_model=None, responses={200: {"model": EventView}})
def one(event: str, doors: Through, _: Reader) -> Response:
    """One event; `record` tells what the meter showed in the slots that are over, against the limit and a baseline
    whose method is stated."""
    known = doors.events.get(event)
    return JSONResponse({**_view(known, doors), "record": _record(known, doors)})


@router.delete("/{event}", status_code=204, response_model=None)
def withdraw(event: str, doors: Through, key: Writer) -> Response:
    """Take an event back; sets off a new plan. Its record stays."""
    doors.events.withdraw(event, key.id)
    return Response(status_code=204)


def _known(doors: Doors, event_id: str) -> KnownEvent | None:
    try:
        return doors.events.get(event_id)
    except NotFound:
        return None


def _view(known: KnownEvent, doors: Doors) -> dict[str, Any]:
    edition = doors.plans.current()
    standing = {row["id"]: row for row in (edition or {}).get("events", [])}
    return {
        **known.event.model_dump(mode="json"),
        "status": known.status,
        "answer": known.answer,
        "accepted_at": rfc3339(known.accepted_at),
        "withdrawn_at": None if known.withdrawn_at is None else rfc3339(known.withdrawn_at),
        "planned": standing.get(known.event.id),
    }


def _record(known: KnownEvent, doors: Doors) -> dict[str, Any]:
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
