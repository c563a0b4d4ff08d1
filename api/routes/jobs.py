"""Jobs: handed in, listed with their standing, withdrawn."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from api.auth import Reader, Writer
from api.body import Body, strict_json
from api.doors import Doors, Through
from api.job_door import read_job
from api.schemas import JobList, JobTaken, JobView, body_of
from api.store.jobs import KnownJob

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])


@router.get("", response_model=None, responses={200: {"model": JobList}})
def jobs(
    doors: Through,
    _: Reader,
    status: Annotated[Literal["open", "done", "set_aside"] | None, Query(description="only these")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
    after: Annotated[str, Query(description="`next` of the page before", max_length=128)] = "",
) -> Response:
    """Every job that is known, by id, with what the plan in force does with it."""
    page = doors.jobs.page(after, limit, status)
    plans = _planned(doors)
    rows = [_view(known, plans.get(known.job.id)) for known in page]
    return JSONResponse({"jobs": rows, "next": page[-1].job.id if len(page) == limit else None})


@router.get("/{job}", response_model=None, responses={200: {"model": JobView}})
def job(job: str, doors: Through, _: Reader) -> Response:
    """One job."""
    return JSONResponse(_view(doors.jobs.get(job), _planned(doors).get(job)))


@router.post(
    "",
    status_code=201,
    response_model=None,
    responses={
        200: {"model": JobTaken, "description": "Known already: replaced or unchanged"},
        201: {"model": JobTaken},
    },
    openapi_extra=body_of("TrainingJob"),
)
def put(body: Body, doors: Through, key: Writer) -> Response:
    """Hand in a job; its id makes it idempotent. A new or changed one sets off a new plan."""
    found = read_job(strict_json(body, "the job"), doors.site)
    result = doors.jobs.put(found, key.id)
    wanted, _ = doors.plans.wanted()
    told = {"id": found.id, "result": result, "plan_request": wanted}
    headers = {"Location": f"/api/v1/jobs/{found.id}"}
    return JSONResponse(told, 201 if result == "created" else 200, headers)


@router.delete("/{job}", status_code=204, response_model=None)
def withdraw(job: str, doors: Through, key: Writer) -> Response:
    """Forget a job; sets off a new plan."""
    doors.jobs.withdraw(job, key.id)
    return Response(status_code=204)


def _planned(doors: Doors) -> dict[str, Any]:
    edition = doors.plans.current()
    return {} if edition is None else {job["id"]: job for job in edition["plan"]["jobs"]}


def _view(known: KnownJob, planned: dict[str, Any] | None) -> dict[str, Any]:
    pool, gpus = known.progress.way or (None, None)
    return {
        **known.job.model_dump(mode="json"),
        "status": known.status,
        "reason": known.reason,
        "progress": {
            "work_left_h": known.progress.work_left_h,
            "state": known.progress.state,
            "ran_slots": known.progress.ran_slots,
            "pool": pool,
            "gpus": gpus,
        },
        "created_at": known.created_at,
        "updated_at": known.updated_at,
        "planned": planned,
    }
