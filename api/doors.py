"""What the routes work with: one bundle, put together by :mod:`api.wiring`, handed in by FastAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from api import logs
from api.caps import Reason, Standing
from api.explaining import Explainer
from api.known import Known
from api.plan_store import InForce, PlanStore
from api.releases import Releases
from api.settings import Settings
from api.sign_of_life import SignOfLife
from api.solving import Solver
from api.store.agents import AgentStore
from api.store.engine import StateUnavailable
from api.store.events import EventStore
from api.store.jobs import JobStore
from api.store.keys import KeyStore
from api.store.placements import PlacementStore
from api.watch import Watch
from ingest.intake import Intake
from ingest.ports import Clock, TelemetryStore
from models.lease import Mode, lease_left_s
from models.site import Site

_DEFAULT_LEASE_S = 900.0
_NOT_AUTO: dict[Mode, Reason] = {Mode.SHADOW: "SHADOW", Mode.FAILSAFE: "FAILSAFE"}
_log = logs.get("web")


@dataclass(frozen=True, slots=True)
class Doors:
    """Stores and facts behind the routes of one site."""

    settings: Settings
    site: Site
    clock: Clock
    plans: PlanStore
    jobs: JobStore
    keys: KeyStore
    intake: Intake
    agents: AgentStore
    events: EventStore
    telemetry: TelemetryStore
    releases: Releases
    placements: PlacementStore
    planner: SignOfLife
    collector: SignOfLife
    solver: Solver
    explainer: Explainer
    watch: Watch
    known: Known
    metrics: Any

    def lease_s(self, name: str, held: InForce) -> float:
        """Lease of a pool or asset: its mode's, else the service's, else the site file's."""
        own = held.target(name).lease_s
        if own is not None:
            return own
        if self.settings.lease_s is not None:
            return self.settings.lease_s
        pool = next((pool for pool in self.site.pools if pool.name == name), None)
        return _DEFAULT_LEASE_S if pool is None else pool.lease_s

    def standing(self, name: str) -> Standing:
        """What a pool or asset gets now.

        A lease that has lapsed, or come back, since the last asking is noted first, under a new version: an
        answer with the old ETag would tell a puller that nothing has changed. A lease also lapses while telemetry does
        not carry a plan: what is granted on values that nobody can believe is no grant.
        """
        held = self.plans.now()
        target = held.target(name)
        lease_s = self.lease_s(name, held)
        edition = self.plans.edition(held.plan_id) if held.plan_id else None
        reason = _NOT_AUTO.get(target.mode) or (None if edition else "NO_PLAN")
        if reason or held.valid_until is None:
            return Standing(target.mode, held.version, lease_s, int(lease_s), edition, reason)
        valid_left_s = (held.valid_until - self.clock.now()).total_seconds()
        left_s = lease_left_s(lease_s, self.planner.silent_s(), valid_left_s)
        blind = left_s > 0 and not self.known.enough()
        left_s = 0.0 if blind else left_s
        noted = True
        if target.lapsed != (left_s <= 0):
            try:
                self.plans.set_lapsed(name, left_s <= 0)
                held = self.plans.now()
            except StateUnavailable as error:  # a full disk must not keep the default from being served
                _log.error("lapse_not_noted", target=name, reason=error.reason)
                noted = False
        if left_s <= 0:
            reason = "PLAN_OVER" if valid_left_s <= 0 else "TELEMETRY" if blind else "LEASE_OVER"
        return Standing(Mode.AUTO, held.version, lease_s, int(left_s), edition, reason, noted)


def doors_of(request: Request) -> Doors:
    """The bundle of the running app."""
    doors: Doors = request.app.state.doors
    return doors


Through = Annotated[Doors, Depends(doors_of)]
