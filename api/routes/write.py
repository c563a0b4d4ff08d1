"""Telemetry in, as InfluxDB's clients and Telegraf write it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.auth import Writer
from api.body import Body
from api.doors import Through
from api.errors import Refused, problem
from api.schemas import line_protocol_body
from ingest.line_protocol import parse

router = APIRouter(prefix="/api/v2", tags=["telemetry"])
_MOST_POINTS = 50_000
_SHOWN = 100


@router.post("/write", status_code=204, response_model=None, openapi_extra=line_protocol_body())
def write(
    body: Body,
    doors: Through,
    _: Writer,
    precision: Annotated[Literal["ns", "us", "ms", "s"], Query(description="unit of the timestamps")] = "ns",
    bucket: Annotated[str, Query(description="accepted and not used")] = "",
    org: Annotated[str, Query(description="accepted and not used")] = "",
) -> Response:
    """Line protocol: 204 when all of it is on the disk, 422 with `accepted` and `rejected` when some lines are not
    taken (the good ones are kept: do not send them again), 400 when no line can be read (nothing is kept)."""
    del bucket, org
    points, rejects = parse(body, precision, doors.clock.now())
    if len(points) > _MOST_POINTS:
        raise Refused(413, "TooManyPoints", f"{len(points)} points; send at most {_MOST_POINTS} at a time")
    told = [{"pointer": f"/line/{r.line}", "code": r.code, "message": str(r)} for r in rejects]
    if not points:
        doors.metrics.points("rejected", len(rejects))
        if not rejects:
            return Response(status_code=204)
        return problem(400, "UnreadableLines", f"no line could be read; {rejects[0]}", errors=told[:_SHOWN])
    done = doors.intake.accept(points)
    told += [{"pointer": f"/point/{r.index}/{r.field}", "code": r.code, "message": r.message} for r in done.refused]
    doors.metrics.points("accepted", len(points))
    doors.metrics.points("rejected", len(told))
    if not told:
        return Response(status_code=204)
    detail = f"{len(told)} line(s) or field(s) were refused, the others are kept: do not send them again"
    return problem(
        422,
        "PartlyRefused",
        detail,
        errors=told[:_SHOWN],
        accepted=len(points),
        rejected=told[:_SHOWN],
        rejected_count=len(told),
    )
