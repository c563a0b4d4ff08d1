"""Addresses of the pages of readings that are held back: to see for all who may read, released with an admin key only.

A release names its key in the form itself, so that no other site's page can send one with what a browser remembers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import key_of
from api.body import Body
from api.doors import Doors, Through
from api.errors import Refused
from api.pages.quarantine_page import list_page, series_page
from api.pages.routes import answer_html, asset, words_of
from api.pages.words import LANGUAGES
from api.query import moment, pair
from ingest.errors import StoreUnavailable
from ingest.points import from_ns
from ingest.quarantine import Which, by_series, quarantined
from models.errors import Fault, InvalidInput, NotFound

router = APIRouter(prefix="/quarantine", include_in_schema=False)
AHEAD = timedelta(days=1)
"""Clocks that are ahead are flagged for it, and must be seen."""
_SHOWN = 50
_SHORTEST, _LONGEST = 3, 200
_Hours = Annotated[int, Query(ge=1, le=168)]


@router.get("")
def listed(request: Request, doors: Through, hours: _Hours = 24, lang: str | None = None) -> Response:
    """Every series with flagged values, those that are held back first."""
    now, tongue, site = doors.clock.now(), words_of(request, lang), doors.site
    try:
        held, silent = by_series(doors.telemetry, now - timedelta(hours=hours), now + AHEAD), None
    except StoreUnavailable as error:
        held, silent = [], str(error)
    page = list_page(site.name, site.zone, held, hours, tongue, asset, silent)
    return answer_html(page, tongue, lang, status=200 if silent is None else 503)


@router.get("/series")
def one(
    request: Request,
    doors: Through,
    metric: str,
    tag: Annotated[list[str] | None, Query(max_length=32)] = None,
    hours: _Hours = 24,
    lang: str | None = None,
) -> Response:
    """One series: its newest flagged values, and the form that releases them."""
    now = doors.clock.now()
    which = Which(now - timedelta(hours=hours), now + AHEAD, metric, dict(map(pair, tag or ())))
    return _series(request, doors, which, None, lang)


@router.post("/release")
def release(request: Request, body: Body, doors: Through, lang: str | None = None) -> Response:
    """Let the values that were shown count as good; they and their flags stay as they came."""
    form = _form_of(body)
    try:
        key = key_of(form.key, doors, "admin")
        if not (_SHORTEST <= len(form.why) <= _LONGEST and form.why.isprintable()):
            message = f"say why in a line of {_SHORTEST} to {_LONGEST} characters"
            raise InvalidInput("the release", [Fault("why", "not_said", message)])
        doors.releases.release(form.which, key.id, form.why)
    except Refused as error:
        return _series(request, doors, form.which, str(error), lang, error.status)
    except InvalidInput as error:
        return _series(request, doors, form.which, error.faults[0].message, lang, 422)
    except NotFound as error:
        return _series(request, doors, form.which, str(error), lang, 404)
    told = [("metric", form.which.metric or ""), *(("tag", f"{k}={v}") for k, v in (form.which.tags or {}).items())]
    more = [("lang", lang)] if lang in LANGUAGES else []
    return RedirectResponse(f"/quarantine/series?{urlencode([*told, *more])}", status_code=303)


@dataclass(frozen=True, slots=True)
class _Form:
    which: Which
    why: str
    key: str


def _form_of(body: bytes) -> _Form:
    """What the form of a series held.

    Raises:
        InvalidInput: it is no form of ours.
    """
    try:
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=50)
        first = {name: values[-1].strip() for name, values in fields.items()}
        start, end, metric = moment("since", first["since"]), moment("until", first["until"]), first["metric"]
    except (KeyError, ValueError) as error:
        raise InvalidInput("the form", [Fault("", "no_form", f"{error}; send the page's own fields")]) from None
    tags = dict(map(pair, fields.get("tag", ())))
    return _Form(Which(start, end, metric, tags), first.get("why", ""), first.get("key", ""))


def _series(
    request: Request, doors: Doors, which: Which, refused: str | None, lang: str | None, status: int = 200
) -> Response:
    tongue, site = words_of(request, lang), doors.site
    rows, total = quarantined(doors.telemetry, which, limit=_SHOWN)
    # What comes while somebody reads is not what they release.
    until: datetime = from_ns(rows[0].time_ns) + timedelta(microseconds=1) if rows else which.end
    page = series_page(site.name, site.zone, which, rows, total, until, refused, tongue, asset)
    return answer_html(page, tongue, lang, status=status)
