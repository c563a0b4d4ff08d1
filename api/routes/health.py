"""Health, metrics and version; none of them says anything that a stranger on this machine may not know."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response

from api.auth import page_reader
from api.doors import Through
from api.health import readiness, recency
from api.settings import MAX_BODY

router = APIRouter(tags=["health"])


@router.get("/livez", response_model=None)
async def livez() -> Response:
    """The loop turns."""
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


@router.get("/readyz", response_model=None)
def readyz(doors: Through) -> Response:
    """Requests can be served: state database readable, room on the disk. 503 where not."""
    return _report(*readiness(doors), "unready")


@router.get("/healthz", response_model=None)
def healthz(doors: Through) -> Response:
    """What is served is fresh: age of the plan, signs of life, last round. 503 `degraded` where not."""
    return _report(*recency(doors), "degraded")


@router.get("/ping", status_code=204, response_model=None)
async def ping() -> Response:
    """As InfluxDB's clients ask whether anyone is there."""
    here = f"chergui {version('chergui')}"
    return Response(status_code=204, headers={"X-Influxdb-Version": here, "X-Influxdb-Build": "chergui"})


@router.get("/health", response_model=None)
def health(doors: Through) -> Response:
    """As InfluxDB's clients ask whether writing makes sense; 503 with `fail` where not."""
    ok, checks = readiness(doors)
    told = {
        "name": "chergui",
        "status": "pass" if ok else "fail",
        "message": "ready for writes" if ok else "not ready; see /readyz",
        "checks": [{"name": name, "status": "pass" if one["ok"] else "fail"} for name, one in checks.items()],
        "version": version("chergui"),
        "commit": "",
    }
    return JSONResponse(told, 200 if ok else 503, headers={"Cache-Control": "no-store"})


@router.get("/metrics", response_model=None, dependencies=[Depends(page_reader)])
def metrics(doors: Through) -> Response:
    """Prometheus text format."""
    return Response(doors.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/version", response_model=None)
def versions(doors: Through) -> Response:
    """Versions and the numbers that pullers may rely on."""
    planning = doors.site.planning
    told: dict[str, Any] = {
        "chergui": version("chergui"),
        "tzdata": version("tzdata"),
        "schema_version": "1.0",
        "site": doors.site.name,
        "step_minutes": planning.step_minutes,
        "horizon_h": planning.horizon_h,
        "replan_minutes": planning.replan_minutes,
        "time_limit_s": planning.time_limit_s,
        "max_body_bytes": MAX_BODY,
    }
    return JSONResponse(told)


def _report(ok: bool, checks: dict[str, Any], bad: str) -> Response:
    body = {"status": "ok" if ok else bad, "checks": checks}
    return JSONResponse(body, 200 if ok else 503, headers={"Cache-Control": "no-store"})
