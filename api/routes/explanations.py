"""Why a published plan is as it is, what another start would cost, and what changed from one plan to another."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from api.asking import wish_of
from api.auth import Reader, Writer
from api.body import Body, strict_json
from api.doors import Doors, Through
from api.pages.told import with_sentences
from api.pages.words import choose_language, words
from api.plan_store import Edition
from api.question import Question, about, moment
from api.schemas import Explanation, body_of
from models.horizon import rfc3339

router = APIRouter(prefix="/api/v1/plans", tags=["plans"])
EXPLAIN_S, WHAT_IF_S, DIFF_S = 60.0, 10.0, 42.0
"""Seconds that each kind of question may take."""

_RESPONSES: dict[int | str, dict[str, Any]] = {200: {"model": Explanation}}
Language = Annotated[str | None, Query(description="en or fr; default: the request's Accept-Language")]
Job = Annotated[str | None, Query(description="why this job starts and draws as it does")]
Slot = Annotated[str | None, Query(description="RFC 3339: the slot that is meant")]


@router.get("/{plan_id}/explanation", response_model=None, responses=_RESPONSES)
async def explanation(
    plan_id: str,
    request: Request,
    doors: Through,
    _: Reader,
    job: Job = None,
    slot: Slot = None,
    lang: Language = None,
) -> Response:
    """Statements with the numbers behind them, and a sentence for each: a whole plan (its id, or `current`), a job, or
    a slot. Kept with the plan once told; where nothing is kept yet the answer takes seconds."""
    edition = doors.plans.named(plan_id)
    return await _told(edition, about(edition["problem"], job, slot), EXPLAIN_S, request, doors, lang)


@router.post("/{plan_id}/what-if", response_model=None, responses=_RESPONSES, openapi_extra=body_of("Wish"))
async def what_if(
    plan_id: str, body: Body, request: Request, doors: Through, _: Writer, lang: Language = None
) -> Response:
    """What another start of a job would cost, and who else would move, or what forbids it. Changes nothing."""
    wish = wish_of(strict_json(body, "the wish"))
    question = Question(job=wish.job, start=rfc3339(moment(wish.start, "/start")))
    return await _told(doors.plans.named(plan_id), question, WHAT_IF_S, request, doors, lang)


@router.get("/{plan_id}/changes/{other_id}", response_model=None, responses=_RESPONSES)
async def changes(
    plan_id: str,
    other_id: str,
    request: Request,
    doors: Through,
    _: Writer,
    lang: Language = None,
    causes: bool = True,
) -> Response:
    """What changed from the first plan to the other, and which inputs stand behind it (one short solve each, unless
    `causes` is false)."""
    edition, other = doors.plans.named(plan_id), doors.plans.named(other_id)
    question = Question(other=other["plan_id"], causes=causes)
    return await _told(edition, question, DIFF_S, request, doors, lang, other)


async def _told(
    edition: Edition,
    question: Question,
    limit_s: float,
    request: Request,
    doors: Doors,
    lang: str | None,
    other: Edition | None = None,
) -> Response:
    found = await doors.explainer.explain(edition, question, limit_s, other)
    language = choose_language(lang, None, request.headers.get("accept-language"))
    headers = {"Content-Language": language, "Vary": "Accept-Language"}
    return JSONResponse({**found, "sections": with_sentences(found, words(language))}, headers=headers)
