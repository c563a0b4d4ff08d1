"""The form of a pull: version and lease in headers, so that a 304 has the same body and renews the lease."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from api.caps import Standing
from ingest.ports import Clock
from models.horizon import rfc3339
from models.lease import Version

_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
CACHE = "private, no-cache"
"""No proxy may stretch a lease: every use is asked for again."""


def etag_of(version: Version) -> str:
    """Weak, because bodies of one version mean the same and may be written differently."""
    return f'W/"{version}"'


def matches(request: Request, etag: str) -> bool:
    """Whether ``If-None-Match`` names the tag (weak comparison, RFC 9110 13.1.2)."""
    asked = request.headers.get("if-none-match", "")
    bare = etag.removeprefix("W/")
    return asked.strip() == "*" or bare in (part.strip().removeprefix("W/") for part in asked.split(","))


def matches_version(request: Request, version: Version) -> bool:
    """Whether the asker holds this version already."""
    return matches(request, etag_of(version))


def pulled(request: Request, body: Callable[[Standing], dict[str, Any]], standing: Standing, clock: Clock) -> Response:
    """Answer of a caps or set-point pull; ``body`` is only made where it is sent."""
    headers = {
        "Chergui-Lease-Ttl": str(standing.ttl_s),
        **versioned(standing.version, clock),
        **rejoining(request),
    }
    if not standing.noted:
        del headers["ETag"]
    elif matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return JSONResponse(body(standing), headers=headers)


def rejoining(request: Request) -> dict[str, str]:
    """The token of an agent that wants out of failsafe, given back: the answer was made after the agent fell."""
    token = request.headers.get("chergui-rejoin", "")
    return {"Chergui-Rejoin": token} if _TOKEN.fullmatch(token) else {}


def versioned(version: Version, clock: Clock) -> dict[str, str]:
    """Headers of everything that a version stands for."""
    return {
        "ETag": etag_of(version),
        "Chergui-Plan-Version": str(version),
        "Chergui-Server-Time": rfc3339(clock.now().replace(microsecond=0)),
        "Cache-Control": CACHE,
    }
