"""What the quality gate has flagged, with reasons, and the release of what an operator has looked at."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from api.auth import Admin, Reader
from api.doors import Doors, Through
from api.query import moment, pair
from ingest.points import from_ns
from ingest.quality_words import WORDS
from ingest.quarantine import Quarantined, Released, Which, quarantined
from models.errors import Fault, InvalidInput
from models.horizon import rfc3339

router = APIRouter(prefix="/api/v1/quarantine", tags=["telemetry"])
_BACK = timedelta(hours=1)
_AHEAD = timedelta(days=1)
"""Clocks that are ahead are flagged for it, and must be seen."""


_Since = Annotated[str | None, Query(description="first instant, RFC 3339; none: an hour ago")]
_Until = Annotated[str | None, Query(description="first instant after; none: tomorrow")]
_Tags = Annotated[
    list[str] | None, Query(max_length=32, description="`key=value` that a series must carry; may be repeated")
]
_Flag = Annotated[str | None, Query(description="with this word only, such as `stuck`")]


class ReleaseView(BaseModel):
    """Who said that a flagged value is good, when and why; `by` is the key's id."""

    by: str
    at: str
    why: str


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
    released: ReleaseView | None = Field(description="since then it counts as good")


class ReleasedView(BaseModel):
    """What a release came to; `released` counts values that were not released before."""

    released: int


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
    since: _Since = None,
    until: _Until = None,
    metric: Annotated[str | None, Query(description="of this metric only")] = None,
    tag: _Tags = None,
    flag: _Flag = None,
    bad_only: Annotated[bool, Query(description="leave out flags on values that are good all the same")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Values that were flagged when they came, newest first, with the reasons."""
    which = _which(doors, since, until, metric, tag, flag, bad_only=bad_only)
    rows, total = quarantined(doors.intake.store, which, limit=limit)
    span = {"since": rfc3339(which.start), "until": rfc3339(which.end)}
    body = {"total": total, **span, "flagged": [_row(row) for row in rows]}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.post("/releases", response_model=None, responses={200: {"model": ReleasedView}})
def release(
    doors: Through,
    key: Admin,
    metric: Annotated[str, Query(description="of this metric")],
    why: Annotated[str, Query(min_length=3, max_length=200, pattern=r"^[^\x00-\x1f]+$", description="for the record")],
    since: _Since = None,
    until: _Until = None,
    tag: _Tags = None,
    flag: _Flag = None,
) -> Response:
    """Let flagged values count as good: those that the list has for the same query. Value and flags stay as they are;
    who released them, when and why stands beside them and in the audit trail. 404 where nothing is flagged, 422 for
    more than 10,000 at a time."""
    which = _which(doors, since, until, metric, tag, flag, bad_only=False)
    return JSONResponse({"released": doors.releases.release(which, key.id, why)})


def _which(
    doors: Doors,
    since: str | None,
    until: str | None,
    metric: str | None,
    tag: list[str] | None,
    flag: str | None,
    *,
    bad_only: bool,
) -> Which:
    if flag is not None and flag not in WORDS:
        message = f"{flag!r} is no flag; known: {', '.join(WORDS)}"
        raise InvalidInput("the query", [Fault("/query/flag", "unknown_flag", message)])
    now = doors.clock.now()
    first = now - _BACK if since is None else moment("since", since)
    last = now + _AHEAD if until is None else moment("until", until)
    return Which(first, last, metric, dict(map(pair, tag or ())), flag, bad_only)


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
        "released": _release(one.released),
    }


def _release(told: Released | None) -> dict[str, str] | None:
    return None if told is None else {"by": told.by, "at": told.at, "why": told.why}
