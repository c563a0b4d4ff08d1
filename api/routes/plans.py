"""Published plans, with everything that was known when each was made."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from api.answers import matches, versioned
from api.auth import Reader
from api.doors import Doors, Through
from api.plan_store import Edition
from api.quoting import quoted
from api.schemas import READ, PlanEdition, Quote
from models.lease import Version

router = APIRouter(prefix="/api/v1/plans", tags=["plans"])
_RESPONSES: dict[int | str, dict[str, Any]] = {200: {"model": PlanEdition, **READ[200]}, 304: READ[304]}

Gpus = Annotated[int, Query(ge=0, description="GPUs of the run")]
PowerMw = Annotated[float, Query(ge=0, allow_inf_nan=False, description="what they draw together")]
Hours = Annotated[float, Query(gt=0, le=8760, description="how long, rounded up to whole slots")]


@router.get("/current", response_model=None, responses=_RESPONSES)
def current(request: Request, doors: Through, _: Reader) -> Response:
    """The plan in force: problem, plan, baseline, saving, sources. 404 before the first plan."""
    return _answer(request, doors, doors.plans.named("current"))


@router.get("/{plan_id}", response_model=None, responses=_RESPONSES)
def one(plan_id: str, request: Request, doors: Through, _: Reader) -> Response:
    """A published plan; it never changes."""
    return _answer(request, doors, doors.plans.edition(plan_id))


@router.get("/{plan_id}/quote", response_model=None, responses={200: {"model": Quote}})
def quote(plan_id: str, doors: Through, _: Reader, pool: str, gpus: Gpus, power_mw: PowerMw, hours: Hours) -> Response:
    """What a run of constant power would cost at the plan's slot prices, by its start (a plan's id, or `current`).

    For as little more as leaves the prices where they are. 404 where the plan has no such prices or no such pool.
    """
    return JSONResponse(quoted(doors.plans.named(plan_id), pool, gpus, power_mw, hours))


def _answer(request: Request, doors: Doors, edition: Edition) -> Response:
    version = Version(**edition["plan_version"])
    headers = versioned(version, doors.clock)
    if matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return JSONResponse({key: value for key, value in edition.items() if key != "charts"}, headers=headers)
