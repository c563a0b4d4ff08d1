"""Setting a mode: from a request or from the command line, by the same rules."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.caps import target_names
from api.plan_store import PlanStore
from models.checking import Above0, faults_of
from models.errors import Fault, InvalidInput, NotFound
from models.lease import Mode, Version
from models.site import Site


class ModeChange(BaseModel):
    """A wish for a mode."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    mode: Mode = Field(description="shadow, auto or failsafe")
    lease_s: Above0 | None = Field(None, ge=1, le=86400, description="seconds; none: the site file's")


def change_of(raw: Any) -> ModeChange:
    """Wish of parsed JSON.

    Raises:
        InvalidInput: anything wrong with it.
    """
    try:
        return ModeChange.model_validate(raw)
    except ValidationError as error:
        raise InvalidInput("the mode", faults_of(error, ModeChange, "pointer")) from None


def grant(plans: PlanStore, site: Site, target: str, wanted: ModeChange, actor: str) -> Version:
    """Put a mode in force.

    Raises:
        NotFound: the site has no such pool or asset.
        InvalidInput: a pool is to follow plans, and the site's defaults do not bring it under its firm limit: then
            nothing safe would hold when plan or planner are lost.
    """
    if target not in target_names(site):
        raise NotFound("pool or asset", target)
    if wanted.mode is Mode.AUTO and any(pool.name == target for pool in site.pools):
        from models.safety import default_proof  # brings NumPy, which the web process starts without

        if not (proof := default_proof(site)).holds:
            raise InvalidInput("the mode", [Fault("/mode", "defaults_exceed_firm", proof.sentence)])
    return plans.set_mode(target, wanted.mode, wanted.lease_s, actor)
