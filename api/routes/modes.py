"""What each pool and asset lets the planner do."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from api.auth import Admin, Reader
from api.body import Body, strict_json
from api.caps import target_names
from api.doors import Doors, Through
from api.modes import change_of, grant
from api.schemas import ModeList, ModeView, body_of

router = APIRouter(prefix="/api/v1/modes", tags=["modes"])


@router.get("", response_model=None, responses={200: {"model": ModeList}})
def modes(doors: Through, _: Reader) -> Response:
    """Mode and lease of every pool and asset of the site file."""
    return JSONResponse({"modes": [_view(doors, name) for name in target_names(doors.site)]})


@router.put("/{target}", response_model=None, responses={200: {"model": ModeView}}, openapi_extra=body_of("ModeChange"))
def change(target: str, body: Body, doors: Through, key: Admin) -> Response:
    """Set a mode: `shadow` and `failsafe` serve the default set, `auto` the plan while its lease holds."""
    wanted = change_of(strict_json(body, "the mode"))
    grant(doors.plans, doors.site, target, wanted, key.id)
    return JSONResponse(_view(doors, target))


def _view(doors: Doors, name: str) -> dict[str, object]:
    held = doors.plans.now()
    return {"target": name, "mode": held.target(name).mode.value, "lease_s": doors.lease_s(name, held)}
