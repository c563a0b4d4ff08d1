"""Plan against actual: per job as agents reported, per asset as meters told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from api.auth import Reader
from api.carried_out import asset_rows, compliance, in_force_at, job_rows
from api.doors import Doors, Through
from api.schemas import AssetReport, JobReport
from models.errors import Fault, InvalidInput, NotFound
from models.horizon import parse_rfc3339, rfc3339

router = APIRouter(prefix="/api/v1/reports", tags=["reports"])
_LONGEST = timedelta(days=2)
From = Annotated[str, Query(alias="from", description="RFC 3339 with an offset; put down to a slot border")]
To = Annotated[str, Query(description="RFC 3339 with an offset; at most two days later, put up to a slot border")]
Job = Annotated[str | None, Query(description="only this job", max_length=128)]


@router.get("/jobs", response_model=None, responses={200: {"model": JobReport}})
def jobs(doors: Through, _: Reader, start: From, to: To, job: Job = None) -> Response:
    """For each slot and job: limit and power planned, limits asked for and enforced, power achieved, whether the cap
    was kept; in sum the compliance record."""
    first, end = _range(start, to, doors.site.planning.step)
    made = in_force_at(doors.plans.made_between(first, end), doors.plans.edition)
    achieved = [row for row in doors.agents.achieved(first, end) if job is None or row.job == job]
    rows = job_rows(achieved, made)
    return JSONResponse({"from": rfc3339(first), "to": rfc3339(end), "jobs": rows, "compliance": compliance(rows)})


@router.get("/assets", response_model=None, responses={200: {"model": AssetReport}})
def assets(doors: Through, _: Reader, start: From, to: To) -> Response:
    """For grid, sun, wind and each battery: MW planned and measured per slot, and the energies of the slots that have
    both."""
    step = doors.site.planning.step
    first, end = _range(start, to, step)
    made = in_force_at(doors.plans.made_between(first, end), doors.plans.edition)
    slots = (end - first) // step

    def meter(metric: str, tags: Mapping[str, str]) -> list[float]:
        return _metered(doors, metric, tags, first, end, step)

    rows = asset_rows(doors.site, first, slots, step, made, meter)
    head: dict[str, Any] = {
        "from": rfc3339(first),
        "to": rfc3339(end),
        "step_minutes": doors.site.planning.step_minutes,
    }
    return JSONResponse({**head, "assets": rows})


def _metered(
    doors: Doors, metric: str, tags: Mapping[str, str], start: datetime, end: datetime, step: timedelta
) -> list[float]:
    try:
        found = doors.telemetry.query(metric, {"site": doors.site.name, **tags}, start, end, step)
    except NotFound:
        return [math.nan] * ((end - start) // step)
    return [float(value) for value in found.values]


def _range(start: str, to: str, step: timedelta) -> tuple[datetime, datetime]:
    faults: list[Fault] = []
    moments: list[datetime] = []
    for name, text in (("from", start), ("to", to)):
        try:
            moments.append(parse_rfc3339(text))
        except ValueError as error:
            faults.append(Fault(f"/query/{name}", "not_time", str(error)))
    if not faults:
        first, end = _down(moments[0], step), _down(moments[1] + step - timedelta(microseconds=1), step)
        if not timedelta(0) < end - first <= _LONGEST:
            told = f"from {start} to {to} is no range of up to {_LONGEST.days} days"
            faults.append(Fault("/query/to", "not_range", told))
        else:
            return first, end
    raise InvalidInput("the range", faults)


def _down(moment: datetime, step: timedelta) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // step * step
