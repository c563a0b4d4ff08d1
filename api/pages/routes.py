"""Addresses of the operators' pages. Each parses, asks the day's source once, and forms the answer."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse

from api.pages import bundle
from api.pages.charts import CHARTS, specs
from api.pages.charts.plant import PLANT
from api.pages.page import day_page, waiting_page, why_page
from api.pages.source import DaySource
from api.pages.tables import csv_text, tables
from api.pages.view import day_view, plan_view
from api.pages.words import Words, choose_language, words
from api.question import about

router = APIRouter(include_in_schema=False)
STATIC = Path(__file__).parent / "static"
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR_S = 31_536_000
WHY_S = 60.0
PATIENCE_S = 1.0
"""Seconds that the page of a job's reasons waits for them before it shows itself without."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Vary": "Accept-Language, Cookie",
}


@router.get("/")
def day(request: Request, lang: str | None = None) -> Response:
    """The day in force, or word that the first plan is being made."""
    source, tongue = _source(request), words_of(request, lang)
    edition = source.current()
    if edition is None:
        return answer_html(waiting_page(source.modes(), tongue, asset), tongue, lang, status=200)
    page = day_page(
        edition,
        source.modes(),
        source.now(),
        tongue,
        asset,
        script(request),
        actual=source.actual(),
        held_back=source.held_back(),
        simulated=source.simulated(),
    )
    return answer_html(page, tongue, lang)


@router.get("/plans/{plan_id}")
def published(request: Request, plan_id: str, lang: str | None = None) -> Response:
    """A published plan as it stands in the history."""
    source, tongue = _source(request), words_of(request, lang)
    edition = source.edition(plan_id)
    page = day_page(edition, source.modes(), source.now(), tongue, asset, script(request), archived=True)
    return answer_html(page, tongue, lang)


@router.get("/plans/{plan_id}/why/{job}")
async def why(request: Request, plan_id: str, job: str, lang: str | None = None) -> Response:
    """Why a job starts and draws as it does in a plan; while that is being found, a page that comes back for it."""
    source, tongue = _source(request), words_of(request, lang)
    edition = await to_thread.run_sync(source.edition, plan_id)
    explanation = await request.app.state.explain(edition, about(edition["problem"], job), WHY_S, PATIENCE_S)
    return answer_html(why_page(edition, job, explanation, tongue, asset), tongue, lang)


@router.get("/day.json")
def day_json(request: Request) -> Response:
    """The page's view model: the same facts without words."""
    source = _source(request)
    view = day_view(_in_force(source), source.modes(), source.now())
    return JSONResponse(view | {"actual": source.actual(), "simulated": source.simulated()}, headers=HEADERS)


@router.get("/status.json")
def status_json(request: Request, lang: str | None = None) -> Response:
    """Which plan holds and how old it is; what an open page asks every few seconds."""
    source, tongue = _source(request), words_of(request, lang)
    edition = _in_force(source)
    age = day_view(edition, source.modes(), source.now())["live"]["plan_age_s"]
    facts = {"plan_id": edition["plan_id"], "age": tongue.t("status.age", age=tongue.age(age))}
    return JSONResponse(facts, headers=HEADERS)


@router.get("/charts.json")
def charts_json(request: Request, lang: str | None = None, plan: str | None = None) -> Response:
    """Specifications of all charts in one language, as kept with the plan."""
    source, tongue = _source(request), words_of(request, lang)
    edition = source.edition(plan) if plan else _in_force(source)
    kept = {name: chart["spec"][tongue.language] for name, chart in (edition.get("charts") or {}).items()}
    drawn = kept or specs(plan_view(edition), tongue.language)
    return JSONResponse({"plan_id": edition["plan_id"], "specs": drawn}, headers=HEADERS)


@router.get("/tables/{chart}.csv")
def table_csv(request: Request, chart: str, lang: str | None = None, plan: str | None = None) -> Response:
    """A chart's table twin as CSV."""
    if chart not in CHARTS | PLANT:
        raise HTTPException(404, f"there is no table {chart!r}; there are {', '.join(CHARTS | PLANT)}")
    source, tongue = _source(request), words_of(request, lang)
    edition = source.edition(plan) if plan else _in_force(source)
    made = tables(plan_view(edition), tongue)
    if chart not in made:
        raise HTTPException(404, f"this plan has no table {chart!r}; there are {', '.join(made)}")
    text = csv_text(made[chart])
    name = f"{edition['plan_id']}-{chart}.csv"
    return PlainTextResponse(
        text, media_type="text/csv", headers=HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
    )


@router.get("/static/{name}")
def static(request: Request, name: str) -> Response:
    """Our own style, script and sign, and the bundle that was built at set-up."""
    path = _bundle(request) if name == bundle.script_path().name else STATIC / name
    if path is None or path.suffix not in _KINDS or path.name != name or not path.is_file():
        raise HTTPException(404, f"there is no file {name!r}")
    fresh = {"Cache-Control": f"public, max-age={_YEAR_S}, immutable"}
    return Response(path.read_bytes(), media_type=_KINDS[path.suffix], headers=HEADERS | fresh)


@cache
def asset(name: str) -> str:
    """Address of one of our own files; it changes with the file, so that browsers may keep it for good."""
    mark = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={mark}"


def script(request: Request) -> str | None:
    """Address of the interactive bundle; None while it is not built: the page works without."""
    path = _bundle(request)
    return None if path is None else f"/static/{path.name}"


def _bundle(request: Request) -> Path | None:
    folders = [folder for folder in (getattr(request.app.state, "chart_folder", None), bundle.PACKAGED) if folder]
    return next((path for path in map(bundle.script_path, folders) if path.is_file()), None)


def _source(request: Request) -> DaySource:
    source: DaySource = request.app.state.day_source
    return source


def _in_force(source: DaySource) -> dict[str, Any]:
    edition = source.current()
    if edition is None:
        raise HTTPException(503, "the first plan is being made", headers={"Retry-After": "3"})
    return edition


def words_of(request: Request, lang: str | None) -> Words:
    """The language that a request wants."""
    return words(choose_language(lang, request.cookies.get("lang"), request.headers.get("accept-language")))


def answer_html(text: str, tongue: Words, asked: str | None, status: int = 200) -> Response:
    """A page as an answer; a language that was asked for is remembered."""
    answer = HTMLResponse(text, status_code=status, headers=HEADERS | {"Content-Language": tongue.language})
    if asked == tongue.language:
        answer.set_cookie("lang", tongue.language, max_age=_YEAR_S, httponly=True, samesite="lax")
    return answer
