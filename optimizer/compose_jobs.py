"""Jobs put into the contract's words: what they owe inside a horizon, every way to run with its levels, and what of the
site their ways need (partners, jurisdictions, checkpoint storage).

A job that has one way and asks for nothing of version 1.1 gets the document that it had.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from models.errors import Fault
from models.gpu_power import GpuModel, full_w, levels
from models.horizon import Horizon, rfc3339
from models.job_ways import JobWay, residency_of, way_faults, ways_of
from models.jobs import TrainingJob
from models.site import GpuPool, Site
from models.site_jobs import Partner

_DIGITS = 9


def up(horizon: Horizon, moment: datetime) -> datetime:
    """The slot border at or after an instant."""
    return horizon.at(-((horizon.start - moment) // horizon.step))


def _down(horizon: Horizon, moment: datetime) -> datetime:
    return horizon.at(horizon.slot(moment))


def due_h(job: TrainingJob, horizon: Horizon) -> float:
    """Hours at full speed, per copy, that a job owes inside the horizon.

    Nothing where it runs on surplus alone. All of its work where the deadline lies inside or there is none; else the
    part of the work that corresponds to the part of its window (from release or slot 0, whichever is later, to the
    deadline) inside the horizon; nothing where it is released after the horizon.
    """
    if job.surplus:
        return 0.0
    if job.deadline is None or job.deadline <= horizon.end:
        return job.work_h if job.release < horizon.end else 0.0
    first = max(up(horizon, job.release), horizon.start)
    if first >= horizon.end:
        return 0.0
    return job.work_h * ((horizon.end - first) / (job.deadline - first))


def job_document(site: Site, horizon: Horizon, job: TrainingJob) -> dict[str, Any]:
    """A job of the contract. It is told in the way that it runs in, or in its own; other ways are alternatives.

    Hours and speeds count at full speed in its own pool and gang, whatever way it is told in. The job has passed
    :func:`job_faults`.
    """
    first, *others = ways_of(job, site)
    late = site.wishes.late_per_gpu_h.get(job.priority)
    unmet, value = site.wishes.unmet_per_gpu_h[job.priority], site.wishes.value_per_gpu_h
    if job.surplus:
        value = site.wishes.surplus_value_per_gpu_h
        unmet = max(unmet, value)
    told = {
        "id": job.id,
        "pool": first.place.name,
        "gpus": first.gpus,
        "count": job.count,
        "tenant": job.tenant,
        "work_h": job.work_h,
        "due_h": min(job.work_h, round(due_h(job, horizon), _DIGITS)),
        "levels": _levels(site, job, first),
        "release": rfc3339(up(horizon, job.release)),
        "deadline": None if job.deadline is None else rfc3339(_down(horizon, job.deadline)),
        "late_cost_per_h": None if late is None else late * job.gpus,
        "unmet_cost_per_h": unmet * job.gpus,
        "work_value_per_h": value * job.gpus,
        "preemptible": job.preemptible,
        "restart_loss_h": job.restart_loss_h,
        "start_cost": job.start_cost,
        "min_run_slots": job.min_run_slots,
        "min_pause_slots": job.min_pause_slots,
        "max_pauses": job.max_pauses,
        "state": job.state,
        "ran_slots": job.ran_slots,
        "pinned_start": None if job.pinned_start is None else rfc3339(up(horizon, job.pinned_start)),
        "held": job.held,
    }
    if others:
        told["alternatives"] = [_alternative(site, job, way) for way in others]
    if len({way.gpus for way in (first, *others)}) > 1:
        told["resize_loss_h"] = _resize_loss_h(job, horizon)
    if site.storage is not None and job.checkpoint_gb > 0:
        told["checkpoint_gb"] = job.checkpoint_gb
    if job.surplus:
        told["surplus"] = True
    residency = residency_of(job, site)
    if residency is not None:
        told["residency"] = list(residency)
    return told


def _alternative(site: Site, job: TrainingJob, way: JobWay) -> dict[str, Any]:
    told: dict[str, Any] = {"pool": way.place.name, "gpus": way.gpus, "levels": _levels(site, job, way)}
    if isinstance(way.place, Partner):
        told["egress_cost"] = way.place.egress_cost_per_job
    return told


def _levels(site: Site, job: TrainingJob, way: JobWay) -> list[dict[str, float]]:
    """Levels at or above the job's cap floor, the highest always; a partner's GPUs run at that, for we cap none there.

    Speeds are shares of the job's own.
    """
    gpu = site.gpu(way.place.gpu)
    host_w = site.host_w(way.place) if isinstance(way.place, GpuPool) else gpu.host_w_per_gpu
    every = levels(way.gpus, gpu, job.workload, host_w, _drawn_w(site, job, gpu))
    if way.speed != 1.0:
        every = [level | {"speed": round(level["speed"] * way.speed, 12)} for level in every]
    if way.rented:
        top = every[-1]
        return [{"power_mw": top["power_mw"], "speed": top["speed"]}]
    return [level for level in every[:-1] if level["limit_w"] >= job.cap_floor_w] + every[-1:]


def _drawn_w(site: Site, job: TrainingJob, gpu: GpuModel) -> float | None:
    """W that the job draws per GPU of that kind, in proportion to what it draws on those of its own pool."""
    if job.drawn_w is None:
        return None
    own = site.gpu(site.pool(job.pool).gpu)
    return job.drawn_w * full_w(gpu, job.workload) / full_w(own, job.workload)


def _resize_loss_h(job: TrainingJob, horizon: Horizon) -> float:
    """A gang that may not change while it runs loses more by it than the horizon could give."""
    if not job.resizable:
        return math.ceil(job.work_h + 2 * horizon.slots * horizon.step_h)
    return job.restart_loss_h if job.resize_loss_h is None else job.resize_loss_h


def with_ways(
    document: Mapping[str, Any], site: Site, horizon: Horizon, rented_gpu_h: Mapping[str, float]
) -> dict[str, Any]:
    """A document with what its jobs' ways need of the site; as it was where they need nothing.

    Args:
        document: composed, its jobs by :func:`job_document`.
        site: partners, jurisdiction, storage.
        horizon: its slots.
        rented_gpu_h: GPU-hours of this month by partner. What runs there and may not be stopped runs on in slot 0,
            whatever is left of the quota.
    """
    jobs: Sequence[Mapping[str, Any]] = document["jobs"]
    found: dict[str, Any] = {}
    named = {job["pool"] for job in jobs} | {way["pool"] for job in jobs for way in job.get("alternatives", ())}
    partners = [one for one in site.partners if one.name in named]
    bound = any(job.get("residency") for job in jobs)
    pools = [dict(pool) for pool in document["pools"]]
    if bound and site.jurisdiction is not None:
        pools = [pool | {"jurisdiction": site.jurisdiction} for pool in pools]
    if bound or partners:
        found["pools"] = [*pools, *(_rented(one, jobs, horizon, rented_gpu_h) for one in partners)]
    if site.storage is not None and any(job.get("checkpoint_gb") for job in jobs):
        found["storage"] = site.storage.model_dump(exclude={"note"}, exclude_none=True)
    newer = any(key in job for job in jobs for key in ("alternatives", "residency", "surplus", "checkpoint_gb"))
    if found or newer:
        found["schema_version"] = "1.1"
    return {**document, **found}


def _rented(
    partner: Partner, jobs: Sequence[Mapping[str, Any]], horizon: Horizon, rented_gpu_h: Mapping[str, float]
) -> dict[str, Any]:
    rent: dict[str, Any] = {"price_per_gpu_h": partner.price_per_gpu_h}
    if partner.quota_gpu_h_per_month is not None:
        staying = [job for job in jobs if job["pool"] == partner.name and job["state"] == "running"]
        least = horizon.step_h * sum(job["gpus"] * job["count"] for job in staying if not job["preemptible"])
        left = partner.quota_gpu_h_per_month - rented_gpu_h.get(partner.name, 0.0)
        rent["quota_gpu_h"] = round(max(left, least, 0.0), _DIGITS)
    if partner.start_delay_minutes > 0:
        rent["start_delay_slots"] = -(-timedelta(minutes=partner.start_delay_minutes) // horizon.step)
    told = {"name": partner.name, "gpu": partner.gpu, "gpus": partner.gpus, "idle_w_per_gpu": 0.0, "lever": "none"}
    law = {} if partner.jurisdiction is None else {"jurisdiction": partner.jurisdiction}
    return {**told, "partner": rent, **law}


def job_faults(site: Site, jobs: Sequence[TrainingJob], gpus: Mapping[str, Sequence[int]]) -> Iterable[Fault]:
    """Jobs that the site cannot have, and more running GPUs than a pool has; ``gpus`` are those under maintenance."""
    there = {pool.name: max(gpus[pool.name], default=0) if pool.name in gpus else pool.gpus for pool in site.pools}
    there |= {partner.name: partner.gpus for partner in site.partners}
    running = dict.fromkeys(there, 0)
    seen: set[str] = set()
    for k, job in enumerate(jobs):
        if job.id in seen:
            yield Fault(f"jobs[{k}].id", "duplicate_name", f"{job.id!r} stands twice; rename one")
        seen.add(job.id)
        for fault in way_faults(job, site):
            yield Fault(f"jobs[{k}].{fault.pointer}", fault.code, fault.message)
        pool, gang = job.where
        if job.state == "running" and pool in running:
            running[pool] += gang * job.count
    for name, used in running.items():
        if used > there[name]:
            message = f"running jobs hold {used} GPUs, but the pool has {there[name]}; mend the states or the pool"
            yield Fault(f"pools.{name}", "more_running_than_gpus", message)
