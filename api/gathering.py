"""What a round starts from: jobs and state as they stand now. Reads stores, writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from api.following import Memory, arrived, followed_job, followed_memory
from api.plan_store import Edition, PlanStore
from api.store.jobs import KnownJob, Progress, Status
from ingest.sources.synthetic_jobs import synthetic_jobs
from models.horizon import Horizon
from models.jobs import TrainingJob
from models.site import Site
from optimizer.compose import assumed_state

Standings = dict[str, tuple[KnownJob, Progress, Status, str | None]]


@dataclass(frozen=True, slots=True)
class Gathered:
    """``jobs`` want to be planned, as they stand at the start; ``changed`` is what following made of some.

    ``followed`` gives the state at another instant by the same following, from what was known at ``known_at``; None:
    there is no plan to follow yet.
    """

    jobs: list[KnownJob]
    changed: Standings
    memory: Memory
    followed: Callable[[datetime], Memory]
    known_at: datetime | None


def gather(site: Site, plans: PlanStore | None, known: Sequence[KnownJob], start: datetime) -> Gathered:
    """Standing at ``start`` if the last plan was carried out; ``plans`` None: there has been none yet."""
    last = None if plans is None else plans.current()
    kept: list[KnownJob] = []
    changed: Standings = {}
    for job in known:
        progress, status, reason = followed_job(job, last, start)
        if status == "open" and _too_late(site, job.job, start):
            status, reason = "set_aside", "its deadline has passed, and its priority may not run late"
        if (progress, status) != (job.progress, job.status):
            changed[job.job.id] = (job, progress, status, reason)
        if status == "open":
            kept.append(replace(job, progress=progress))
    since = None if plans is None or last is None else plans.memory()
    followed = partial(_remembered, site, last, since)
    return Gathered(kept, changed, followed(start), followed, None if since is None else Memory.from_json(since).as_of)


def _too_late(site: Site, job: TrainingJob, start: datetime) -> bool:
    return job.deadline is not None and job.deadline <= start and job.priority not in site.wishes.late_per_gpu_h


def first_memory(site: Site, start: datetime) -> Memory:
    """State of a site of which nothing is known yet: what its file assumes."""
    state = assumed_state(site)
    return Memory(start, state.soc_mwh, state.peak_so_far_mw)


def _remembered(site: Site, last: Edition | None, kept: Mapping[str, Any] | None, start: datetime) -> Memory:
    assumed = first_memory(site, start)
    if last is None or kept is None:
        return assumed
    memory = followed_memory(site, Memory.from_json(kept), last, start)
    # A battery that the site file has got since begins as assumed; one whose limits have changed is held to them.
    soc = {name: memory.soc_mwh.get(name, mwh) for name, mwh in assumed.soc_mwh.items()}
    for battery in site.batteries:
        soc[battery.name] = min(max(soc[battery.name], battery.soc_min_mwh), battery.top_mwh)
    return replace(memory, soc_mwh=soc)


def horizon_at(site: Site, now: datetime) -> Horizon:
    """Slots from the one that ``now`` lies in."""
    step = site.planning.step
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Horizon(midnight + (now - midnight) // step * step, step, site.planning.slots)


def wants_made_up_jobs(site: Site) -> bool:
    """Whether the site file asks for made-up jobs; they are never mixed into a site that does not."""
    return "synthetic" in site.model_fields_set


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
