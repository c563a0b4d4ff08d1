"""Agents: their reports, and how they stand."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from api.agent_report import report_of
from api.auth import Reader, Writer
from api.body import Body, strict_json
from api.caps import pool_of_node
from api.doors import Doors, Through
from api.schemas import AgentList, AgentView, body_of
from api.store.agents import SeenAgent
from models.horizon import rfc3339
from models.lease import Version, timers_for

router = APIRouter(prefix="/api/v1/agents", tags=["agents"])


@router.post("/{node}/report", status_code=204, response_model=None, openapi_extra=body_of("AgentReport"))
def report(node: str, body: Body, doors: Through, key: Writer) -> Response:
    """How an agent stands, and its GPUs: placement, limits asked for, set and enforced, power. It is a sign of life,
    and moves on the account of what each job achieved. Placement that changes raises the version in force."""
    pool = pool_of_node(doors.site, node)
    told = report_of(strict_json(body, "the report"), node, pool)
    doors.agents.take(node, pool.name, told, key.id)
    return Response(status_code=204)


@router.get("", response_model=None, responses={200: {"model": AgentList}})
def agents(
    doors: Through,
    _: Reader,
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
    after: Annotated[str, Query(description="`next` of the page before", max_length=128)] = "",
) -> Response:
    """Every agent that has reported, by node, and how many are in each state (`SILENT`: none came for a third of a
    lease)."""
    page = doors.agents.page(after, limit)
    rows = [_view(seen, doors) for seen in page]
    counts = Counter("SILENT" if row["silent"] else row["state"] for row in rows)
    told = {"agents": rows, "counts": counts, "next": page[-1].node if len(page) == limit else None}
    return JSONResponse(told)


@router.get("/{node}", response_model=None, responses={200: {"model": AgentView}})
def agent(node: str, doors: Through, _: Reader) -> Response:
    """One agent, with its last report in full."""
    seen = doors.agents.get(node)
    return JSONResponse({**_view(seen, doors), "report": seen.report.model_dump(mode="json")})


def _view(seen: SeenAgent, doors: Doors) -> dict[str, Any]:
    now, held, report = doors.clock.now(), doors.plans.now(), seen.report
    silent_s = max(0.0, (now - seen.seen_at).total_seconds())
    acts_on = Version(report.plan_version.epoch, report.plan_version.seq)
    return {
        "node": seen.node,
        "pool": seen.pool,
        "seen_at": rfc3339(seen.seen_at),
        "silent_s": round(silent_s, 3),
        "silent": silent_s > timers_for(doors.lease_s(seen.pool, held)).stale_after_s,
        "state": report.state,
        "default_set": report.default_set,
        "plan_version": report.plan_version.model_dump(),
        "behind": acts_on < held.version,
        "lease_remaining_s": report.lease_remaining_s,
        "clock_skew_s": _skew_s(report.client_time, seen.seen_at - timedelta(seconds=doors.settings.shift_s)),
        "gpus": len(report.gpus),
        "gpus_lost": sum(gpu.lost is not None for gpu in report.gpus),
        "gpus_above": sum(gpu.exceeds for gpu in report.gpus),
    }


def _skew_s(client: datetime | None, seen: datetime) -> float | None:
    """Machine's wall clock less ours, s; its whole seconds and the way here are in it."""
    return None if client is None else round((client - seen).total_seconds(), 1)
