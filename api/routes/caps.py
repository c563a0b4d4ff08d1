"""Power caps: what schedulers and agents pull, by job, node and pool; at once, or when something has changed."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api import caps
from api.answers import matches_version, pulled
from api.auth import Reader
from api.caps import Body, Standing
from api.doors import Doors, Through
from api.schemas import PULL, JobCaps, NodeCaps, PoolCaps
from models.lease import timers_for

router = APIRouter(prefix="/api/v1/caps", tags=["caps"])
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,5})\"?(?:$|[,;\s])", re.IGNORECASE)
_TURN_S = 0.05
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=N` (RFC 7240) with `If-None-Match`: hold the 304 back for up to N seconds, never longer than "
    "`lease.poll_s`, and answer at once when something changes",
    "schema": {"type": "string"},
}


def _pull(model: type[Any]) -> Any:
    responses = {200: {"model": model, **PULL[200]}, 304: PULL[304]}
    return {"response_model": None, "responses": responses, "openapi_extra": {"parameters": [_PREFER]}}


@router.get("/pools/{pool}", **_pull(PoolCaps))
async def pool(pool: str, request: Request, doors: Through, _: Reader) -> Response:
    """Default set, limits and the schedule of each job of a pool. `If-None-Match` renews the lease by a 304."""
    found = doors.site.pool(pool)
    return await _answer(request, doors, found.name, lambda held: caps.pool_caps(doors.site, found, held))


@router.get("/jobs/{job}", **_pull(JobCaps))
async def job(job: str, request: Request, doors: Through, _: Reader) -> Response:
    """Limit of every GPU of one job's gang, by period; no period: the default holds and the job does not run. A period
    in another pool than `pool` says which; runs at a partner are not in it."""
    known = await to_thread.run_sync(doors.jobs.get, job)
    found = doors.site.pool(known.job.pool)

    def body(held: Standing) -> Body:
        others = {name: doors.standing(name) for name in known.job.pools if name != found.name}
        return caps.job_caps(doors.site, found, job, held, others)

    return await _answer(request, doors, found.name, body)


@router.get("/nodes/{node}", **_pull(NodeCaps))
async def node(node: str, request: Request, doors: Through, _: Reader) -> Response:
    """Limit of every GPU of one node, `<pool>-n<number>`: its job's schedule where the node's agent, or else the
    scheduler, says which job has which GPU; the pool's default where nobody does."""
    found = caps.pool_of_node(doors.site, node)

    def body(held: Standing) -> Body:
        told = doors.agents.rows(node)
        if told is not None:
            return caps.node_caps(doors.site, found, node, held, told[1])
        placed = doors.placements.rows(node, found.gpus_per_node)
        return caps.node_caps(doors.site, found, node, held, placed, "scheduler")

    return await _answer(request, doors, found.name, body)


async def _answer(request: Request, doors: Doors, pool: str, body: Callable[[Standing], Body]) -> Response:
    standing = await to_thread.run_sync(doors.standing, pool)
    asked = _WAIT.search(request.headers.get("prefer", ""))
    if asked and standing.noted and matches_version(request, standing.version):
        # Never longer than a poll, so that waiting costs no lease; and never past the end of this one.
        wait_s = min(float(asked[1]), timers_for(standing.lease_s).poll_s, standing.ttl_s + 0.2)
        until = time.monotonic() + wait_s
        while matches_version(request, standing.version) and (left_s := until - time.monotonic()) > 0:
            began = time.monotonic()
            await doors.watch.changed(standing.version, left_s)
            # A turn that was over as it began says nothing; the next begins a look later.
            await asyncio.sleep(max(0.0, min(_TURN_S - (time.monotonic() - began), until - time.monotonic())))
            standing = await to_thread.run_sync(doors.standing, pool)
    answer = await to_thread.run_sync(lambda: pulled(request, body, standing, doors.clock))
    if asked:
        answer.headers["Preference-Applied"] = f"wait={asked[1]}"
    return answer
