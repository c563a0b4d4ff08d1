"""The web application: routers put together, nothing else."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.types import ASGIApp

from api import errors
from api.auth import page_reader
from api.caps import target_names
from api.doors import Doors
from api.metrics import SiteCollector
from api.pages import router as pages
from api.pages.event_routes import router as event_pages
from api.pages.quarantine_routes import router as quarantine_pages
from api.pages.source import StoreSource
from api.routes import (
    agents,
    caps,
    events,
    explanations,
    health,
    jobs,
    modes,
    plans,
    quarantine,
    reports,
    setpoints,
    solve,
    telemetry,
    write,
)
from api.schemas import INCOMING, problem_responses
from api.shell import Shell

DESCRIPTION = """Plans of a GPU site, and what its machines pull from them.

Times are RFC 3339 with an offset on the way in, `Z` on the way out; slots are half-open. Powers are MW, energies MWh,
limits W per GPU; consumption, import and charging are positive. Errors are problem documents (RFC 9457)."""


def create_app(doors: Doors) -> ASGIApp:
    """The application with its outer shell."""
    app = bare_app()
    settings = doors.settings
    app.state.doors = doors
    app.state.day_source = StoreSource(
        doors.plans,
        doors.clock,
        tuple(target_names(doors.site)),
        (doors.site.name, doors.intake.store),
        {"scenario": settings.scenario, "speed": settings.speed} if settings.scenario else None,
    )
    app.state.explain = doors.explainer.explain_soon
    app.state.chart_folder = doors.settings.data_dir / "charts"
    doors.metrics.registry.register(SiteCollector(doors))
    return Shell(app, doors.settings, doors.metrics)


def bare_app() -> FastAPI:
    """Routes and error forms without a site behind them; enough for the OpenAPI document."""
    # The default pages of FastAPI fetch their scripts from elsewhere; no request may leave this host.
    app = FastAPI(
        title="Chergui",
        version=version("chergui"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    guarded = problem_responses(401, 403, 404, 422, 503)
    for module in (plans, caps, setpoints, modes, reports):
        app.include_router(module.router, responses=guarded)
    for module in (agents, explanations, jobs, solve):
        app.include_router(module.router, responses=guarded | problem_responses(413))
    app.include_router(events.router, responses=guarded | problem_responses(409, 413))
    app.include_router(write.router, responses=problem_responses(400, 401, 403, 413, 422, 503))
    app.include_router(telemetry.router, responses=guarded)
    app.include_router(quarantine.router, responses=guarded)
    app.include_router(health.router)
    app.include_router(pages, dependencies=[Depends(page_reader)])
    app.include_router(event_pages, dependencies=[Depends(page_reader)])
    app.include_router(quarantine_pages, dependencies=[Depends(page_reader)])
    errors.install(app)
    app.openapi = lambda: openapi(app)  # type: ignore[method-assign]
    return app


def openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document; made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    _, incoming = models_json_schema(
        [(model, "validation") for model in INCOMING.values()], ref_template="#/components/schemas/{model}"
    )
    schemas = document["components"]["schemas"]
    for name, schema in incoming["$defs"].items():
        schemas.setdefault(name, schema)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "`chergui_...`; make one with `chergui key new`"}
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/api/"):
                operation["security"] = [{"key": []}]
            answer = operation["responses"].get("422", {})
            if "application/json" in answer.get("content", {}):
                answer["content"].pop("application/json")
    app.openapi_schema = document
    return document
