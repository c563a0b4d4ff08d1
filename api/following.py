"""What has happened since the last plan, as far as nobody tells: everything went as planned.

True for a sample site and for one in shadow mode that has no meters yet; the page says *assumed*. A scheduler that
hands a job in again, with what is left of it, overrules what was followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from api.placed import partners_of, place_of, placed_runs
from api.plan_store import Edition
from api.store.jobs import KnownJob, Progress, Status
from models.horizon import Horizon, parse_rfc3339, rfc3339
from models.job_ways import chooses
from models.jobs import TrainingJob
from models.site import Site

_DONE_H = 1e-6


@dataclass(frozen=True, slots=True)
class Memory:
    """What one cycle leaves for the next: state of the site at the start of its horizon."""

    as_of: datetime
    soc_mwh: Mapping[str, float]
    peak_mw: float
    rented_gpu_h: Mapping[str, float] = field(default_factory=dict)
    """GPU-hours of this month by partner."""

    def to_json(self) -> dict[str, Any]:
        """As it is kept with the plan."""
        told = {"as_of": rfc3339(self.as_of), "soc_mwh": dict(self.soc_mwh), "peak_mw": self.peak_mw}
        return told | ({"rented_gpu_h": dict(self.rented_gpu_h)} if self.rented_gpu_h else {})

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Memory:
        """As it was kept."""
        return cls(parse_rfc3339(raw["as_of"]), raw["soc_mwh"], raw["peak_mw"], raw.get("rented_gpu_h", {}))


def horizon_of(edition: Edition) -> Horizon:
    """Slots of an edition."""
    told = edition["problem"]["horizon"]
    return Horizon(parse_rfc3339(told["start"]), timedelta(minutes=told.get("step_minutes", 15)), told["slots"])


def followed_memory(site: Site, memory: Memory, edition: Edition, start: datetime) -> Memory:
    """State at ``start`` if the plan of ``edition`` was carried out from ``memory`` on.

    Beyond the plan's end its last state holds. A new billing period begins with the peak that the site file assumes.
    """
    series = edition["plan"].get("series")
    horizon = horizon_of(edition)
    passed = min(max(0, (start - horizon.start) // horizon.step), horizon.slots)
    soc, peak, rented = dict(memory.soc_mwh), memory.peak_mw, dict(memory.rented_gpu_h)
    if _period(site, memory.as_of) != _period(site, start):
        peak, rented = site.grid.peak_assumed_mw, {}
    if series is None:
        return Memory(start, soc, peak, rented)
    this_month = [horizon.at(k) for k in range(passed) if _period(site, horizon.at(k)) == _period(site, start)]
    for name, gpu_h in _rented_gpu_h(edition, horizon, this_month):
        rented[name] = round(rented.get(name, 0.0) + gpu_h, 9)
    if passed:
        soc |= {name: values[passed - 1] for name, values in series["soc_mwh"].items()}
    told = _interval_means(edition, horizon, passed)
    billed = [mean for k, mean in told if _period(site, horizon.at(k)) == _period(site, start)]
    return Memory(start, soc, max([peak, *billed]), rented)


def _rented_gpu_h(edition: Edition, horizon: Horizon, slots: Sequence[datetime]) -> Iterator[tuple[str, float]]:
    """GPU-hours that each run at a partner took in these slots."""
    partners = partners_of(edition["problem"])
    for _, run, pool, gpus in placed_runs(edition):
        if pool in partners:
            start, end = parse_rfc3339(run["start"]), parse_rfc3339(run["end"])
            taken = sum(start <= at < end for at in slots)
            yield pool, taken * horizon.step_h * gpus * run.get("count", 1)


def _interval_means(edition: Edition, horizon: Horizon, passed: int) -> Iterator[tuple[int, float]]:
    """Mean import of each billing interval that ended among the first ``passed`` slots, with its last slot."""
    grid = edition["problem"].get("grid") or {}
    length, slots = grid.get("billing_interval_slots", 1), grid.get("billing_elapsed_slots", 0)
    energy_mwh = grid.get("billing_elapsed_mwh", 0.0)
    for k in range(passed):
        slots, energy_mwh = slots + 1, energy_mwh + horizon.step_h * edition["plan"]["series"]["import_mw"][k]
        if slots >= length:
            yield k, energy_mwh / (slots * horizon.step_h)
            slots, energy_mwh = 0, 0.0


def _period(site: Site, moment: datetime) -> tuple[int, int]:
    """Billing period of the demand charge: the month of the site's clock."""
    clock = moment.astimezone(site.zone)
    return clock.year, clock.month


def followed_job(known: KnownJob, edition: Edition | None, start: datetime) -> tuple[Progress, Status, str | None]:
    """How far a job has come at ``start`` if the plan was carried out, and what that makes of it."""
    progress = known.progress
    if edition is not None:
        plan = next((job for job in edition["plan"]["jobs"] if job["id"] == known.job.id), None)
        jobs: list[dict[str, Any]] = edition["problem"].get("jobs", [])
        asked = next((job for job in jobs if job["id"] == known.job.id), {})
        if plan is not None:
            progress = _through(known.job, progress, _placed(asked, plan["runs"]), horizon_of(edition), start)
    if progress.work_left_h <= _DONE_H:
        return progress, "done", None
    return progress, known.status, known.reason


def _placed(asked: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Runs with pool and gang."""
    return [{**run, **dict(zip(("pool", "gpus"), place_of(asked, run), strict=True))} for run in runs]


def _through(
    job: TrainingJob, progress: Progress, runs: list[dict[str, Any]], horizon: Horizon, start: datetime
) -> Progress:
    """A job that was told to run, not where, runs as planned where it was said. A gang that changes costs its loss."""
    spans = [(horizon.border(parse_rfc3339(r["start"])), horizon.border(parse_rfc3339(r["end"])), r) for r in runs]
    first = 0
    if progress.as_of is not None:  # a slot that had begun when this was said is left out
        first = max(0, -((horizon.start - progress.as_of) // horizon.step))
    left, state, ran = progress.work_left_h, progress.state, progress.ran_slots
    said = None if progress.as_of is None else horizon.slot(progress.as_of)
    way = progress.way or next(
        (_way(run) for begin, end, run in spans if said is not None and begin <= said < end), None
    )
    last = min(horizon.slots, (start - horizon.start) // horizon.step)
    for k in range(first, last):
        on = [(run["speed"], run.get("count", 1)) for begin, end, run in spans if begin <= k < end]
        copies = sum(count for _, count in on)
        took = next((_way(run) for begin, end, run in spans if begin <= k < end), None)
        left -= sum(speed * count for speed, count in on) * horizon.step_h / job.count
        if copies == job.count:
            if state == "paused":
                left += job.restart_loss_h
            if state == "running" and took is not None and way not in (None, took):
                left += job.restart_loss_h if job.resize_loss_h is None else job.resize_loss_h
            ran = ran + 1 if state == "running" else 1
            state, way = "running", took
        else:
            state, way = _off(job, state), None
            ran = 0
    told = way if state == "running" and chooses(job) else None
    return Progress(max(0.0, left), state, ran, max(start, progress.as_of or start), told)


def _way(run: Mapping[str, Any]) -> tuple[str, int] | None:
    return None if run["pool"] is None else (run["pool"], run["gpus"])


def _off(job: TrainingJob, state: str) -> Literal["queued", "running", "paused"]:
    """State of a job, not all of whose copies run.

    Entries of several copies are "queued" then: the contract knows no half-running entry.
    """
    if job.count > 1 or state == "queued":
        return "queued"
    return "paused"


def as_it_stands(known: KnownJob) -> TrainingJob:
    """The job with what is left of it."""
    told, job = known.progress, known.job
    pool, gpus = (told.way or job.where) if told.state == "running" else (job.pool, job.gpus)
    where = {"running_pool": None if pool == job.pool else pool, "running_gpus": None if gpus == job.gpus else gpus}
    state = {"work_h": told.work_left_h, "state": told.state, "ran_slots": told.ran_slots}
    return job.model_copy(update={**state, **where})


def arrived(job: TrainingJob, start: datetime) -> Progress | None:
    """Standing of a made-up job whose window began before the service did: done in proportion, or over (None)."""
    if job.deadline is None or job.release >= start:
        return Progress(job.work_h, job.state, job.ran_slots)
    if job.deadline <= start:
        return None
    share = (job.deadline - start) / (job.deadline - job.release)
    return Progress(round(job.work_h * share, 6), "queued", 0)
