"""Set-points of everything that is not a GPU: batteries, PV and wind curtailment, the grid connection."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api import caps
from api.answers import pulled
from api.auth import Reader
from api.doors import Through
from api.schemas import PULL, Setpoint

router = APIRouter(prefix="/api/v1/setpoints", tags=["setpoints"])


@router.get("/{asset}", response_model=None, responses={200: {"model": Setpoint, **PULL[200]}, 304: PULL[304]})
def setpoint(asset: str, request: Request, doors: Through, _: Reader) -> Response:
    """Schedule and default of an asset of the site file, or of `grid`; lease and version as for caps."""
    caps.asset_of(doors.site, asset)
    standing = doors.standing(asset)
    return pulled(request, lambda held: caps.setpoint(doors.site, asset, held), standing, doors.clock)
