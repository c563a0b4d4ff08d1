"""Published plans, with everything that was known when each was made."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api.answers import matches, versioned
from api.auth import Reader
from api.doors import Doors, Through
from api.plan_store import Edition
from api.schemas import READ, PlanEdition
from models.errors import NotFound
from models.lease import Version

router = APIRouter(prefix="/api/v1/plans", tags=["plans"])
_RESPONSES: dict[int | str, dict[str, Any]] = {200: {"model": PlanEdition, **READ[200]}, 304: READ[304]}


@router.get("/current", response_model=None, responses=_RESPONSES)
def current(request: Request, doors: Through, _: Reader) -> Response:
    """The plan in force: problem, plan, baseline, saving, sources. 404 before the first plan."""
    edition = doors.plans.current()
    if edition is None:
        raise NotFound("plan", "current")
    return _answer(request, doors, edition)


@router.get("/{plan_id}", response_model=None, responses=_RESPONSES)
def one(plan_id: str, request: Request, doors: Through, _: Reader) -> Response:
    """A published plan; it never changes."""
    return _answer(request, doors, doors.plans.edition(plan_id))


def _answer(request: Request, doors: Doors, edition: Edition) -> Response:
    version = Version(**edition["plan_version"])
    headers = versioned(version, doors.clock)
    if matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return JSONResponse({key: value for key, value in edition.items() if key != "charts"}, headers=headers)
