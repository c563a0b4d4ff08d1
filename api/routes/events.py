"""Load targets of a grid operator: answered, accepted, taken back, and on record afterwards."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from api import event_door
from api.auth import Reader, Writer
from api.body import Body, strict_json
from api.doors import Through
from api.errors import problem
from api.events import event_of
from api.schemas import EventList, EventTaken, EventView, body_of

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
    event = event_of(strict_json(body, "the event"), doors.clock.now())
    if not dry_run and (answer := await to_thread.run_sync(event_door.known_answer, doors, event)) is not None:
        return JSONResponse({"id": event.id, "result": "unchanged", "answer": answer})
    told = await event_door.answered(event, doors, request.is_disconnected, time_limit_s)
    if dry_run:
        return JSONResponse({"id": event.id, "result": "answered", "answer": told.answer})
    if (no := event_door.refusal(event, told.answer, unknown=unknown)) is not None:
        code, why = no
        more = "; add ?unknown=true" if code == "EventNotKnown" else ""
        return problem(409, code, why + more, answer=told.answer)
    await to_thread.run_sync(doors.events.accept, event, told.answer, told.plan_id, key.id)
    headers = {"Location": f"/api/v1/events/{event.id}"}
    return JSONResponse({"id": event.id, "result": "accepted", "answer": told.answer}, 201, headers)


@router.get("", response_model=None, responses={200: {"model": EventList}})
def events(
    doors: Through,
    _: Reader,
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
    after: Annotated[str, Query(description="`next` of the page before", max_length=128)] = "",
) -> Response:
    """Every event, by id, without its record."""
    page = doors.events.page(after, limit)
    edition = doors.plans.current()
    rows = [event_door.view(known, edition) for known in page]
    return JSONResponse({"events": rows, "next": page[-1].event.id if len(page) == limit else None})


@router.get("/{event}", response_model=None, responses={200: {"model": EventView}})
def one(event: str, doors: Through, _: Reader) -> Response:
    """One event; `record` tells what the meter showed in the slots that are over, against the limit and a baseline
    whose method is stated."""
    known = doors.events.get(event)
    told = event_door.view(known, doors.plans.current())
    return JSONResponse({**told, "record": event_door.record(known, doors)})


@router.delete("/{event}", status_code=204, response_model=None)
def withdraw(event: str, doors: Through, key: Writer) -> Response:
    """Take an event back; sets off a new plan. Its record stays."""
    doors.events.withdraw(event, key.id)
    return Response(status_code=204)
