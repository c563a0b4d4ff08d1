"""The planner's desk: one round from what is known to a published plan with its drawings. Heavy."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from api import logs
from api.export_counter import Exports, counted, followed_exports
from api.following import as_it_stands
from api.gathering import gather, horizon_at, made_up_jobs, wants_made_up_jobs
from api.knowledge import Knowledge
from api.measured import measured_memory
from api.metered_plant import metered_plant
from api.plan_store import Edition, PlanStore
from api.settings import Settings
from api.store.events import EventStore
from api.store.jobs import JobStore
from api.write_back import write_back
from ingest.ports import Clock, TelemetryStore
from models.errors import InvalidInput
from models.horizon import parse_rfc3339
from models.site import Planning, Site

if TYPE_CHECKING:
    from models.series import Series
    from optimizer.replay import Previous

_FIRST_SHARE = 0.75
"""Of the time limit, for the solve of a site's first plan: it is waited for, and start-up and drawing take the rest."""
_LEAST_LIMIT_S = 2.0
_log = logs.get("planner")


class Desk:
    """The planner's desk: stores, site and clock, and the round between them."""

    def __init__(
        self,
        settings: Settings,
        site: Site,
        plans: PlanStore,
        jobs: JobStore,
        events: EventStore,
        clock: Clock,
        telemetry: TelemetryStore,
        knowledge: Knowledge,
    ) -> None:
        self._settings = settings
        self._site = site
        self._plans = plans
        self._jobs = jobs
        self._events = events
        self._clock = clock
        self._telemetry = telemetry
        self._knowledge = knowledge
        self._last_prices: dict[str, Series] = {}

    def round(self) -> Edition:
        """Gather, plan, draw, publish; returns the edition in force."""
        from api.planner import Task, cycle

        now = self._clock.now()
        wanted, _ = self._plans.wanted()
        horizon = horizon_at(self._site, now)
        if wants_made_up_jobs(self._site):
            self._jobs.add_new(made_up_jobs(self._site, horizon))
        gathered = gather(self._site, self._plans, self._jobs.open(), horizon.start)
        self._jobs.follow(gathered.changed)
        base = self._settings.site_path.parent
        share = _FIRST_SHARE if self._plans.now().plan_id is None else 1.0
        limit_s = time_limit_s(self._site.planning, self._settings.speed) * share
        before = previous_of(self._plans.current())
        queue = [as_it_stands(k) for k in gathered.jobs]
        events = self._events.in_force(horizon.start)
        memory, note = measured_memory(self._site, self._telemetry, gathered, now)
        plant, exports, told = self._plant(horizon.start, now)
        note = "; ".join([note, *told])
        known = self._knowledge
        task = Task(self._site, queue, memory, base, limit_s, before, events, self._last_prices, note, known, plant)
        outcome = cycle(task, now)
        if outcome.set_aside:
            _log.warning("jobs_set_aside", jobs=dict(outcome.set_aside))
            blamed = [k for k in gathered.jobs if k.job.id in outcome.set_aside]
            self._jobs.follow({k.job.id: (k, k.progress, "set_aside", outcome.set_aside[k.job.id]) for k in blamed})
        edition = {**outcome.edition, "charts": drawn(outcome.edition)}
        kept = memory.to_json() | ({} if exports is None else {"exports": exports.to_json()})
        published = self._plans.publish(edition, kept, wanted)
        write_back(self._telemetry, published)
        return published

    def _plant(self, start: datetime, now: datetime) -> tuple[dict[str, Any], Exports | None, list[str]]:
        """State of the plant and of the year's exports, the counter to be kept, and where each figure is from."""
        current = self._plans.current()
        planned_at = None if current is None else parse_rfc3339(current["created_at"])
        plant, told = metered_plant(self._site, self._telemetry, now, planned_at)
        if self._site.grid.export_limit_mw <= 0:
            return plant, None, told
        followed = followed_exports(self._site, self._plans.memory(), current, start)
        exports, plant["exported_mwh"], how = counted(self._site, self._telemetry, followed)
        asked = self._site.budgets.export_allowance_mwh is not None
        return plant, exports, [*told, how] if asked else told


def previous_of(edition: Edition | None) -> Previous | None:
    """The plan in force as the optimizer takes it; None where there is none, or none that can be read any more."""
    from optimizer.document import parse_plan
    from optimizer.kept_prices import KeptPrices
    from optimizer.replay import Previous

    if edition is None or edition["plan"].get("objective") is None:
        return None
    try:
        # editions of before version 1.1 kept no prices
        prices = None if edition.get("prices") is None else KeptPrices.from_json(edition["prices"])
        return Previous(
            parse_plan(edition["plan"]),
            parse_rfc3339(edition["problem"]["horizon"]["start"]),
            prices,
            edition["problem"],
        )
    except InvalidInput:
        _log.exception("plan_in_force_not_readable", plan_id=edition.get("plan_id"))
        return None


def time_limit_s(planning: Planning, speed: float) -> float:
    """The site's limit, and in a simulation half of what a round's turn takes there: a later plan would be stale."""
    return min(planning.time_limit_s, max(_LEAST_LIMIT_S, planning.replan_minutes * 30 / speed))


def drawn(edition: Edition) -> dict[str, Any]:
    """Charts of an edition; none where drawing fails, because a plan without pictures is still a plan."""
    from api.pages.render import charts

    try:
        return charts(edition)
    except Exception:
        _log.exception("charts_not_drawn")
        return {}
