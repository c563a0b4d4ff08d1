"""Telemetry in: line protocol as InfluxDB's clients and Telegraf write it, and JSON batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.auth import Writer
from api.body import Body, strict_json
from api.doors import Doors, Through
from api.errors import Refused, fault_rows, problem
from api.schemas import body_of, line_protocol_body
from ingest.line_protocol import parse
from ingest.points import Point
from ingest.sources.push.json_batch import Unreadable, count_of, read_batch
from models.errors import InvalidInput

router = APIRouter(tags=["telemetry"])
_MOST_POINTS = 50_000
_SHOWN = 100
_Row = dict[str, str]


@router.post("/api/v2/write", status_code=204, response_model=None, openapi_extra=line_protocol_body())
def write(
    body: Body,
    doors: Through,
    _: Writer,
    precision: Annotated[Literal["ns", "us", "ms", "s"], Query(description="unit of the timestamps")] = "ns",
    bucket: Annotated[str, Query(description="accepted and not used")] = "",
    org: Annotated[str, Query(description="accepted and not used")] = "",
) -> Response:
    """Line protocol: 204 when all of it is on the disk, 422 with `accepted` and `rejected` when some lines are not
    taken (the good ones are kept: do not send them again), 400 when no line can be read (nothing is kept). Errors
    also say `message`, and `line` where there is one, as InfluxDB's clients expect."""
    del bucket, org
    points, rejects = parse(body, precision, doors.clock.now())
    if len(points) > _MOST_POINTS:
        raise _too_many(len(points))
    told = [{"pointer": f"/line/{r.line}", "code": r.code, "message": str(r)} for r in rejects]
    line: dict[str, Any] = {"line": rejects[0].line} if rejects else {}
    if told and not points:
        return _none(doors, "UnreadableLines", "no line could be read", told, message=str(rejects[0]), **line)
    places = [f"/point/{k}" for k in range(len(points))]
    if _kept(doors, points, told, places) is None:
        return Response(status_code=204)
    detail = f"{len(told)} line(s) or field(s) were refused, the others are kept: do not send them again"
    return _partly(detail, points, told, message=f"{detail}; {told[0]['message']}", **line)


@router.post("/api/v1/telemetry", status_code=204, response_model=None, openapi_extra=body_of("TelemetryBatch"))
def telemetry(body: Body, doors: Through, _: Writer) -> Response:
    """A JSON batch: 204 when all of it is on the disk, 422 with `accepted` and `rejected` when some of it is not taken
    (the rest is kept: do not send it again), 400 when it is no batch (nothing is kept)."""
    try:
        document = strict_json(body, "the batch")
        if count_of(document) > _MOST_POINTS:
            raise _too_many(count_of(document))
        points, rejected, places = read_batch(document, doors.clock.now())
    except InvalidInput as error:
        return _none(doors, "UnreadableBatch", str(error.faults[0]), fault_rows(error.faults))
    except Unreadable as error:
        row = {"pointer": error.where, "code": error.code, "message": error.message}
        return _none(doors, "UnreadableBatch", str(error), [row])
    told = [one._asdict() for one in rejected]
    if told and not points:
        return _none(doors, "UnreadableBatch", "nothing of it could be read", told)
    if _kept(doors, points, told, places) is None:
        return Response(status_code=204)
    detail = f"{len(told)} value(s) were refused, the others are kept: do not send them again"
    return _partly(detail, points, told)


def _too_many(count: int) -> Refused:
    return Refused(413, "TooManyPoints", f"{count} points; send at most {_MOST_POINTS} at a time")


def _kept(doors: Doors, points: Sequence[Point], told: list[_Row], places: Sequence[str]) -> list[_Row] | None:
    """Keep points; ``told`` with what the store refused as well, None where nothing was refused."""
    if points:
        for refused in doors.intake.accept(points).refused:
            pointer = f"{places[refused.index]}/{refused.field}"
            told.append({"pointer": pointer, "code": refused.code, "message": refused.message})
        doors.metrics.points("accepted", len(points))
    doors.metrics.points("rejected", len(told))
    return told or None


def _none(doors: Doors, code: str, why: str, told: Sequence[_Row], **more: Any) -> Response:
    doors.metrics.points("rejected", len(told))
    detail = why if len(told) < 2 else f"{why}; first of {len(told)}: {told[0]['message']}"
    return problem(400, code, detail, errors=told[:_SHOWN], **more)


def _partly(detail: str, points: Sequence[Point], told: Sequence[_Row], **more: Any) -> Response:
    return problem(
        422,
        "PartlyRefused",
        detail,
        errors=told[:_SHOWN],
        accepted=len(points),
        rejected=told[:_SHOWN],
        rejected_count=len(told),
        **more,
    )
