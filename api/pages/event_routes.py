"""Addresses of the pages of load targets: to see and to ask for all who may read, every change with a key.

Asking is a question in the address and changes nothing. A change names its key in the form itself, so that no other
site's page can send one with what a browser remembers.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from api import event_door
from api.auth import key_of
from api.body import Body
from api.doors import Doors, Through
from api.errors import Refused
from api.events import GridEvent, event_of
from api.pages.event_form import Asked, asked_of, document_of
from api.pages.event_page import Place, Reply, event_page, list_page
from api.pages.routes import WHY_S, answer_html, asset, words_of
from api.pages.words import LANGUAGES
from models.errors import InvalidInput, NoPlanInTime, NotFound

router = APIRouter(prefix="/events", include_in_schema=False)
_MOST = 500


def _place(doors: Through) -> Place:
    site = doors.site
    return Place(site.name, site.zone, site.currency, site.grid.import_limit_mw)


Here = Annotated[Place, Depends(_place)]


@router.get("")
async def listed(request: Request, doors: Through, place: Here, lang: str | None = None) -> Response:
    """Every event, and what a plan would make of the one that the address asks about."""
    asked = asked_of(request.url.query.encode())
    reply = Reply()
    if not asked.empty:
        try:
            event = _event(asked, doors, place)
            known = await to_thread.run_sync(event_door.known_answer, doors, event)
            told = known or (await _answered(event, doors, request)).answer
            reply = Reply(told)
        except InvalidInput as error:
            reply = Reply(faults=error.faults)
        except (Refused, NoPlanInTime) as error:
            reply = Reply(refused=str(error))
    return await _list(doors, place, asked, reply, request, lang)


@router.post("")
async def accept(request: Request, body: Body, doors: Through, place: Here, lang: str | None = None) -> Response:
    """Accept an event, after it was answered once more: what was shown may be minutes old."""
    asked = asked_of(body)
    try:
        key = await to_thread.run_sync(key_of, asked.key, doors, "write")
        event = _event(asked, doors, place)
        if await to_thread.run_sync(event_door.known_answer, doors, event) is None:
            told = await _answered(event, doors, request)
            if (no := event_door.refusal(event, told.answer, unknown=asked.unknown)) is not None:
                return await _list(doors, place, asked, Reply(told.answer, refused=no[1]), request, lang, 409)
            await to_thread.run_sync(doors.events.accept, event, told.answer, told.plan_id, key.id)
    except InvalidInput as error:
        return await _list(doors, place, asked, Reply(faults=error.faults), request, lang, 422)
    except Refused as error:
        return await _list(doors, place, asked, Reply(refused=str(error)), request, lang, error.status)
    except NoPlanInTime as error:
        return await _list(doors, place, asked, Reply(refused=str(error)), request, lang, 503)
    return _to(event.id, lang)


@router.get("/{event}")
def one(request: Request, event: str, doors: Through, place: Here, lang: str | None = None) -> Response:
    """One event and its record."""
    return _one(doors, place, event, None, request, lang)


@router.post("/{event}/withdraw")
def withdraw(
    request: Request, event: str, body: Body, doors: Through, place: Here, lang: str | None = None
) -> Response:
    """Take an event back; its record stays."""
    try:
        key = key_of(asked_of(body).key, doors, "write")
    except Refused as error:
        return _one(doors, place, event, str(error), request, lang, error.status)
    try:
        doors.events.withdraw(event, key.id)
    except NotFound as error:
        return _one(doors, place, event, str(error), request, lang, 404)
    return _to(event, lang)


def _event(asked: Asked, doors: Doors, place: Place) -> GridEvent:
    return event_of(document_of(asked.fields, place.zone), doors.clock.now())


async def _answered(event: GridEvent, doors: Doors, request: Request) -> event_door.Answered:
    limit_s = min(WHY_S, doors.site.planning.time_limit_s)
    return await event_door.answered(event, doors, request.is_disconnected, limit_s)


async def _list(
    doors: Doors, place: Place, asked: Asked, reply: Reply, request: Request, lang: str | None, status: int = 200
) -> Response:
    def told() -> list[dict[str, Any]]:
        edition = doors.plans.current()
        return [event_door.view(known, edition) for known in doors.events.latest(_MOST)]

    tongue = words_of(request, lang)
    events = await to_thread.run_sync(told)
    return answer_html(
        list_page(place, events, doors.clock.now(), asked, reply, tongue, asset), tongue, lang, status=status
    )


def _one(
    doors: Doors, place: Place, event: str, refused: str | None, request: Request, lang: str | None, status: int = 200
) -> Response:
    known, tongue = doors.events.get(event), words_of(request, lang)
    view, record = event_door.view(known, doors.plans.current()), event_door.record(known, doors)
    page = event_page(place, view, record, doors.clock.now(), refused, tongue, asset)
    return answer_html(page, tongue, lang, status=status)


def _to(event: str, lang: str | None) -> Response:
    more = f"?lang={lang}" if lang in LANGUAGES else ""
    return RedirectResponse(f"/events/{quote(event, safe='')}{more}", status_code=303)
