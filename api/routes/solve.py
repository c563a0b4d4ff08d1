"""Solve any problem document; nothing of it touches the site's own plans."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api.auth import Writer
from api.body import Body
from api.doors import Through
from api.schemas import body_of, plan_response
from api.solving import MAX_TIME_LIMIT_S
from optimizer.refusals import read_problem

router = APIRouter(prefix="/api/v1", tags=["solve"])


@router.post("/solve", response_model=None, responses=plan_response(), openapi_extra=body_of("Problem"))
async def solve(body: Body, request: Request, doors: Through, _: Writer) -> Response:
    """Plan for a problem document: 200 also when it is proven infeasible (`status`), 422 with pointers when refused,
    503 `NoPlanInTime` when the time brought neither plan nor proof. `time_limit_s` of the document counts."""
    received = await to_thread.run_sync(read_problem, body)
    limit_s = min(received.document.time_limit_s, MAX_TIME_LIMIT_S)
    return JSONResponse(await doors.solver.solve(body, limit_s, request.is_disconnected))
