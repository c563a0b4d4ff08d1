"""``python -m api.planner_process SETTINGS PARENT``: plans at every slot and whenever somebody asks.

Asking is coalesced: what came in while a round ran is answered by the next one. A round that fails is logged and
counted, and the last plan stays. The sign of life is given by a thread of its own, because a solve takes longer than
a short lease, but only while the round keeps its time: a planner that hangs falls silent, and its leases lapse.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from datetime import datetime, timedelta
from typing import Any

from api import logs
from api.following import Memory, arrived, as_it_stands, followed_job, followed_memory
from api.guard import die_with_parent
from api.plan_store import Cycle, Edition, PlanStore
from api.settings import Settings
from api.sign_of_life import SignOfLife
from api.store.jobs import JobStore, KnownJob, Progress, Status
from ingest.ports import Clock
from ingest.sources.synthetic_jobs import synthetic_jobs
from models.horizon import Horizon, use_packaged_time_zones
from models.jobs import TrainingJob
from models.site import Site

_LOOK_S = 0.3
_SIGN_S = 0.5
_RETRY_S = 20.0
_OVERDUE = timedelta(seconds=120)
_log = logs.get("planner")


class Desk:
    """The planner's desk: stores, site and clock, and the round between them."""

    def __init__(self, settings: Settings, site: Site, plans: PlanStore, jobs: JobStore, clock: Clock) -> None:
        self._settings = settings
        self._site = site
        self._plans = plans
        self._jobs = jobs
        self._clock = clock

    def round(self) -> Edition:
        """Gather, plan, draw, publish; returns the edition in force."""
        from api.planner import Task, cycle, horizon_at

        now = self._clock.now()
        wanted, _ = self._plans.wanted()
        horizon = horizon_at(self._site, now)
        last = self._plans.current()
        if self._is_sample:
            self._jobs.add_new(made_up_jobs(self._site, horizon))
        memory = self._remembered(last, horizon.start)
        known = self._followed(last, horizon.start)
        task = Task(self._site, [as_it_stands(k) for k in known], memory, self._settings.site_path.parent)
        outcome = cycle(task, now)
        standings: dict[str, tuple[KnownJob, Progress, Status, str | None]] = {
            k.job.id: (k, k.progress, "set_aside", outcome.set_aside[k.job.id])
            for k in known
            if k.job.id in outcome.set_aside
        }
        if standings:
            _log.warning("jobs_set_aside", jobs=dict(outcome.set_aside))
            self._jobs.follow(standings)
        edition = {**outcome.edition, "charts": drawn(outcome.edition)}
        return self._plans.publish(edition, memory.to_json(), wanted)

    @property
    def _is_sample(self) -> bool:
        """Whether the site file asks for made-up jobs; they are never mixed into a site that does not."""
        return "synthetic" in self._site.model_fields_set

    def _remembered(self, last: Edition | None, start: datetime) -> Memory:
        from api.planner import first_memory

        kept = self._plans.memory()
        if last is None or kept is None:
            return first_memory(self._site, start)
        memory = followed_memory(self._site, Memory.from_json(kept), last, start)
        assumed = first_memory(self._site, start)  # a battery that the file has got since
        return Memory(
            start, {name: memory.soc_mwh.get(name, mwh) for name, mwh in assumed.soc_mwh.items()}, memory.peak_mw
        )

    def _followed(self, last: Edition | None, start: datetime) -> list[KnownJob]:
        """Open jobs as they stand now; those that ended or that may no longer run are noted and left out."""
        kept: list[KnownJob] = []
        noted: dict[str, tuple[KnownJob, Progress, Status, str | None]] = {}
        for known in self._jobs.open():
            progress, status, reason = followed_job(known, last, start)
            if status == "open" and _too_late(self._site, known.job, start):
                status, reason = "set_aside", "its deadline has passed, and its priority may not run late"
            if (progress, status) != (known.progress, known.status):
                noted[known.job.id] = (known, progress, status, reason)
            if status == "open":
                kept.append(KnownJob(known.job, progress, status, reason, known.created_at, known.updated_at))
        if noted:
            self._jobs.follow(noted)
        return kept


def _too_late(site: Site, job: TrainingJob, start: datetime) -> bool:
    return job.deadline is not None and job.deadline <= start and job.priority not in site.wishes.late_per_gpu_h


def made_up_jobs(site: Site, horizon: Horizon) -> list[tuple[TrainingJob, Progress]]:
    """Jobs of a sample site that touch a horizon, each as it stands at its start."""
    first = horizon.start.astimezone(site.zone).date() - timedelta(days=1)
    last = horizon.end.astimezone(site.zone).date()
    found = []
    for day in (first + timedelta(days=k) for k in range((last - first).days + 1)):
        for job in synthetic_jobs(site, day):
            progress = arrived(job, horizon.start) if job.release < horizon.end else None
            if progress is not None:
                found.append((job, progress))
    return found


def drawn(edition: Edition) -> dict[str, Any]:
    """Charts of an edition; none where drawing fails, because a plan without pictures is still a plan."""
    from api.pages.render import charts

    stand_in = {"plan_id": "", "plan_version": {"epoch": 0, "seq": 0}}
    try:
        return charts({**stand_in, **edition})
    except Exception:
        _log.exception("charts_not_drawn")
        return {}


class Heart:
    """Gives the sign of life while the work keeps its time."""

    def __init__(self, sign: SignOfLife, parent_gone: threading.Event) -> None:
        self._sign = sign
        self._stop = parent_gone
        self._until = float("inf")

    def busy_for(self, seconds: float) -> None:
        """What comes now takes at most this long; beyond it the heart stops."""
        self._until = time.monotonic() + seconds

    def at_rest(self) -> None:
        """Nothing is going on that could hang."""
        self._until = float("inf")

    def beat(self) -> None:
        """Until the process ends."""
        while not self._stop.wait(_SIGN_S):
            if time.monotonic() <= self._until:
                self._sign.give()


class Loop:
    """When to plan: at the first moment, at each re-planning time, when asked, and again after a failure."""

    def __init__(self, desk: Desk, plans: PlanStore, site: Site, clock: Clock, heart: Heart) -> None:
        self._desk = desk
        self._plans = plans
        self._clock = clock
        self._heart = heart
        self._every = timedelta(minutes=site.planning.replan_minutes)
        self._budget_s = site.planning.time_limit_s * 4 + _OVERDUE.total_seconds()
        self._planned_for: datetime | None = None
        self._retry_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            if self._due():
                self.once()
            stop.wait(_LOOK_S)

    def _due(self) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        wanted, answered = self._plans.wanted()
        return wanted > answered or self._planned_for != self._slot()

    def _slot(self) -> datetime:
        now = self._clock.now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + (now - midnight) // self._every * self._every

    def once(self) -> None:
        """One round; a failure is logged and counted, and the last plan stays in force."""
        started, begun = self._clock.now(), time.monotonic()
        slot = self._slot()
        self._heart.busy_for(self._budget_s)
        try:
            edition = self._desk.round()
        except Exception as error:
            self._retry_at = time.monotonic() + _RETRY_S
            _log.exception("cycle_failed")
            told = Cycle(started, time.monotonic() - begun, "failed", reason=f"{type(error).__name__}: {error}"[:2000])
        else:
            self._planned_for = slot
            plan = edition["plan"]
            told = Cycle(started, time.monotonic() - begun, "published", plan["rung"], plan["gap"])
            _log.info(
                "published",
                plan_id=edition["plan_id"],
                rung=plan["rung"],
                gap=plan["gap"],
                objective=plan["objective"],
                seconds=round(told.seconds, 2),
            )
        finally:
            self._heart.at_rest()
        self._plans.note_cycle(told)


def main() -> None:
    """Plan until told to stop."""
    settings = Settings.from_json(sys.argv[1])
    die_with_parent(int(sys.argv[2]))
    use_packaged_time_zones()
    logs.configure("planner")
    from api.wiring import desk_for, sign_of

    stop = threading.Event()

    def leave(*_: object) -> None:
        stop.set()
        raise SystemExit(0)  # also out of a solve, whose child is killed on the way

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    desk, plans, site, clock = desk_for(settings)
    heart = Heart(sign_of(settings, "planner"), stop)
    threading.Thread(target=heart.beat, name="sign of life", daemon=True).start()
    loop = Loop(desk, plans, site, clock, heart)
    loop.once()
    bundle_charts(settings)  # after the first plan, which people wait for
    loop.run(stop)


def bundle_charts(settings: Settings) -> None:
    """Write the script of the interactive charts beside the data where the set-up has not done it."""
    from api.pages import bundle

    if bundle.script_path().is_file():
        return
    try:
        bundle.build(settings.data_dir / "charts")
    except OSError:
        _log.exception("chart_script_not_written")


if __name__ == "__main__":
    main()
