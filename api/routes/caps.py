"""Power caps: what schedulers and agents pull, by job, node and pool."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api import caps
from api.answers import pulled
from api.auth import Reader
from api.doors import Through
from api.schemas import PULL, JobCaps, NodeCaps, PoolCaps

router = APIRouter(prefix="/api/v1/caps", tags=["caps"])


def _pull(model: type[Any]) -> Any:
    return {"response_model": None, "responses": {200: {"model": model, **PULL[200]}, 304: PULL[304]}}


@router.get("/pools/{pool}", **_pull(PoolCaps))
def pool(pool: str, request: Request, doors: Through, _: Reader) -> Response:
    """Default set, limits and the schedule of each job of a pool. `If-None-Match` renews the lease by a 304."""
    found = doors.site.pool(pool)
    standing = doors.standing(pool)
    return pulled(request, caps.pool_caps(doors.site, found, standing), standing, doors.clock)


@router.get("/jobs/{job}", **_pull(JobCaps))
def job(job: str, request: Request, doors: Through, _: Reader) -> Response:
    """Limit of every GPU of one job's gang, by period; no period: the default holds and the job does not run."""
    found = doors.site.pool(doors.jobs.get(job).job.pool)
    standing = doors.standing(found.name)
    return pulled(request, caps.job_caps(doors.site, found, job, standing), standing, doors.clock)


@router.get("/nodes/{node}", **_pull(NodeCaps))
def node(node: str, request: Request, doors: Through, _: Reader) -> Response:
    """Limit of every GPU of one node, `<pool>-n<number>`: the pool's default while no placement is known."""
    found = caps.pool_of_node(doors.site, node)
    standing = doors.standing(found.name)
    return pulled(request, caps.node_caps(doors.site, found, node, standing), standing, doors.clock)
