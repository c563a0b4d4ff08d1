"""Telemetry out: means per slot of what was measured, forecast or planned. NumPy is loaded by the first question."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel

from api.auth import Reader
from api.doors import Through
from api.query import moment, pair
from ingest.ports import Across
from models.errors import Fault, InvalidInput
from models.horizon import rfc3339

router = APIRouter(prefix="/api/v1/telemetry", tags=["telemetry"])
_MOST_SLOTS = 50_000


class SeriesView(BaseModel):
    """Means of slots of ``step_s`` from ``start``; null where nothing came."""

    metric: str
    unit: str
    start: str
    step_s: float
    values: list[float | None]
    as_of: str | None


@router.get("", response_model=None, responses={200: {"model": SeriesView}})
def series(
    doors: Through,
    _: Reader,
    metric: Annotated[str, Query(description="`measurement.field`, such as `gpu.power_w`")],
    start: Annotated[str, Query(description="first instant, RFC 3339 with an offset")],
    end: Annotated[str, Query(description="first instant after the last slot")],
    step_s: Annotated[int, Query(ge=1, le=31_622_400, description="length of a slot")] = 900,
    tag: Annotated[
        list[str] | None, Query(max_length=32, description="`key=value` that a series must carry; may be repeated")
    ] = None,
    across: Annotated[Across, Query(description="how several series are joined, slot by slot")] = "one",
    as_of: Annotated[str | None, Query(description="what was believed at this instant; none: now")] = None,
) -> Response:
    """Means per slot; a sum over several series is missing (null) where any of them is. 404 where nothing was measured
    in the range, 422 where several series match and `across` says nothing."""
    first, last = moment("start", start), moment("end", end)
    known = None if as_of is None else moment("as_of", as_of)
    if (last - first) / timedelta(seconds=step_s) > _MOST_SLOTS:
        message = f"{(last - first) // timedelta(seconds=step_s)} slots; ask for at most {_MOST_SLOTS} at a time"
        raise InvalidInput("the query", [Fault("/query/step_s", "too_many", message)])
    try:
        found = doors.intake.store.query(
            metric, dict(map(pair, tag or ())), first, last, timedelta(seconds=step_s), across, known
        )
    except ValueError as error:
        raise InvalidInput("the query", [Fault("/query/metric", "no_metric", str(error))]) from None
    told = {
        "metric": metric,
        "unit": found.unit,
        "start": rfc3339(found.start),
        "step_s": step_s,
        "values": [None if value != value else value for value in found.values.tolist()],
        "as_of": None if known is None else rfc3339(known),
    }
    body = json.dumps(told, separators=(",", ":"), allow_nan=False)
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})
