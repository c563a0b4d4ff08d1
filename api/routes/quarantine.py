"""What the quality gate has flagged, with reasons; nothing is removed or mended by looking."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from api.auth import Reader
from api.doors import Through
from ingest.points import from_ns
from ingest.quality_words import WORDS
from ingest.quarantine import Quarantined, quarantined
from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339, rfc3339

router = APIRouter(prefix="/api/v1/quarantine", tags=["telemetry"])
_BACK = timedelta(hours=1)
_AHEAD = timedelta(days=1)
"""Clocks that are ahead are flagged for it, and must be seen."""


class FlaggedView(BaseModel):
    """A flagged value; it stays in the telemetry as it came."""

    metric: str
    tags: dict[str, str]
    time: str
    state: Literal["OK", "MISSING", "BAD"]
    flags: list[str]
    reasons: list[str]
    value: float | int | bool | str | None
    raw: str | None = Field(description="its text, where it was no finite number")
    before: str | None = Field(description="what it replaced, where the same instant came twice")


class QuarantineView(BaseModel):
    """The newest flagged values; `total` counts all of the range."""

    total: int
    since: str
    until: str
    flagged: list[FlaggedView]


@router.get("", response_model=None, responses={200: {"model": QuarantineView}})
def quarantine(
    doors: Through,
    _: Reader,
    since: Annotated[str | None, Query(description="first instant, RFC 3339; none: an hour ago")] = None,
    until: Annotated[str | None, Query(description="first instant after; none: tomorrow")] = None,
    metric: Annotated[str | None, Query(description="of this metric only")] = None,
    flag: Annotated[str | None, Query(description="with this word only, such as `stuck`")] = None,
    bad_only: Annotated[bool, Query(description="leave out flags on values that are good all the same")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Values that were flagged when they came, newest first, with the reasons."""
    now = doors.clock.now()
    first = now - _BACK if since is None else _moment("since", since)
    last = now + _AHEAD if until is None else _moment("until", until)
    if flag is not None and flag not in WORDS:
        message = f"{flag!r} is no flag; known: {', '.join(WORDS)}"
        raise InvalidInput("the query", [Fault("/query/flag", "unknown_flag", message)])
    rows, total = quarantined(doors.intake.store, first, last, metric=metric, flag=flag, bad_only=bad_only, limit=limit)
    body = {"total": total, "since": rfc3339(first), "until": rfc3339(last), "flagged": [_row(row) for row in rows]}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


def _row(one: Quarantined) -> dict[str, Any]:
    return {
        "metric": one.metric,
        "tags": dict(one.tags),
        "time": rfc3339(from_ns(one.time_ns)),
        "state": one.state,
        "flags": list(one.flags),
        "reasons": list(one.reasons),
        "value": one.value,
        "raw": one.raw,
        "before": one.before,
    }


def _moment(name: str, text: str) -> datetime:
    try:
        return parse_rfc3339(text.replace(" ", "+"))  # a + that was not encoded arrives as a space
    except ValueError as error:
        raise InvalidInput("the query", [Fault(f"/query/{name}", "no_instant", str(error))]) from None
