"""Every error as ``application/problem+json`` (RFC 9457), with a stable ``code`` and a trace id.

Domain errors know no HTTP; here each family gets its status.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api import logs
from api.store.engine import StateUnavailable
from ingest.errors import StoreFull, StoreUnavailable
from models.errors import CherguiError, Fault, InvalidInput, NoPlanInTime, NotFound
from models.strict_json import pointer

PROBLEM = "application/problem+json"
_log = logs.get("web")


class Refused(CherguiError):
    """A request that is answered with a status of its own; ``status`` and ``code`` say which."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        super().__init__(detail)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """A problem document as a response; ``errors`` have ``pointer``, ``code`` and ``message``."""
    body: dict[str, Any] = {
        "type": f"urn:chergui:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "trace_id": secrets.token_hex(8),
        **more,
    }
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status, dict(headers or {}) | {"Cache-Control": "no-store"}, PROBLEM)


def influx_words(request: Request, detail: str) -> dict[str, Any]:
    """What clients of InfluxDB look for in an error beside ``code``: its text as ``message``. Only on their paths."""
    return {"message": detail} if request.url.path.startswith("/api/v2/") else {}


def fault_rows(faults: Sequence[Fault]) -> list[dict[str, str]]:
    """Faults as a problem document lists them."""
    return [{"pointer": f.pointer, "code": f.code, "message": f.message} for f in faults]


def install(app: FastAPI) -> None:
    """Let every error of ``app`` leave as a problem document."""

    @app.exception_handler(Refused)
    async def _refused(request: Request, error: Refused) -> JSONResponse:
        words = influx_words(request, str(error))
        return problem(error.status, error.code, str(error), headers=error.headers, **words)

    @app.exception_handler(InvalidInput)
    async def _invalid(_: Request, error: InvalidInput) -> JSONResponse:
        count = len(error.faults)
        detail = f"{error.what} was refused, {count} fault{'s' if count != 1 else ''}: {error.faults[0]}"
        return problem(422, error.code, detail, errors=fault_rows(error.faults[:1000]))

    @app.exception_handler(RequestValidationError)
    async def _parameters(request: Request, error: RequestValidationError) -> JSONResponse:
        rows = [
            {"pointer": pointer(*item["loc"]), "code": item["type"], "message": str(item["msg"])}
            for item in error.errors()
        ]
        words = influx_words(request, "; ".join(f"{row['pointer']}: {row['message']}" for row in rows))
        return problem(422, "InvalidInput", "the request's parameters were refused", errors=rows, **words)

    @app.exception_handler(NotFound)
    async def _missing(_: Request, error: NotFound) -> JSONResponse:
        return problem(404, error.code, str(error))

    @app.exception_handler(NoPlanInTime)
    async def _no_plan(_: Request, error: NoPlanInTime) -> JSONResponse:
        return problem(503, error.code, str(error), headers={"Retry-After": "5"}, tried=list(error.tried))

    @app.exception_handler(StoreUnavailable)
    @app.exception_handler(StateUnavailable)
    async def _store(request: Request, error: StoreUnavailable | StateUnavailable) -> JSONResponse:
        _log.error("store_unavailable", code=error.code, reason=error.reason)
        wait = "60" if isinstance(error, StoreFull) else "2"
        told = f"the store cannot be used now: {error.reason}"
        return problem(503, error.code, told, headers={"Retry-After": wait}, **influx_words(request, told))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "NotFound", 405: "MethodNotAllowed"}
        detail = str(error.detail)
        if error.status_code == 404 and detail == "Not Found":
            detail = f"there is nothing at {request.url.path}"
        elif error.status_code == 405:
            detail = f"{request.method} is not possible at {request.url.path}"
        code = codes.get(error.status_code, HTTPStatus(error.status_code).phrase.replace(" ", ""))
        return problem(error.status_code, code, detail, headers=error.headers)

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        told = problem(500, "InternalError", "something went wrong here; the log has the trace id")
        _log.error("unexpected", path=request.url.path, exc_info=error, answer=bytes(told.body).decode())
        return told
