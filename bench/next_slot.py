"""The problem that a site has one slot later, when its plan has been followed for that slot."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from models.horizon import rfc3339
from optimizer.document import Job, JobPlan, Plan, ReceivedProblem
from optimizer.refusals import horizon_of

DONE_H = 1e-6


def one_slot_later(problem: ReceivedProblem, plan: Plan) -> dict[str, Any]:
    """Raw problem document of the same length that starts one slot later.

    Work done in slot 0 is taken off, jobs that ran there are running now, running ones that did not are paused,
    and what is finished or past its deadline is gone; so is a gang that may not pause and that the plan stopped.
    The battery stands where the plan left it and the peak counts. Every row of slot values moves on and ends
    with the value that left at its front (the same hour of the next day).

    Raises:
        ValueError: the plan has no series (it is infeasible), or an entry has a count above 1, whose copies a
            plan does not tell apart.
    """
    document, horizon = problem.document, horizon_of(problem.document)
    if plan.series is None:
        raise ValueError(f"the plan {plan.name!r} is {plan.status}; only a plan with series can be followed")
    if crowd := next((job for job in document.jobs if job.count > 1), None):
        raise ValueError(f"entry {crowd.id} has count {crowd.count}; give single jobs")
    raw = copy.deepcopy(problem.raw)
    raw["horizon"]["start"] = rfc3339(horizon.at(1))
    for holder in (raw.get("series", {}), raw.get("grid", {}), *raw.get("pools", []), *raw.get("feeds", [])):
        _move_on(holder, horizon.slots)
    cooling = raw.get("cooling") or {}
    for holder in (cooling, *cooling.get("tangents", [])):
        _move_on(holder, horizon.slots)
    grid = raw.setdefault("grid", {})
    grid["peak_so_far_mw"] = max(document.grid.peak_so_far_mw, plan.series.import_mw[0])
    for battery, before in zip(raw.get("batteries", []), document.batteries, strict=True):
        top = before.energy_mwh if before.soc_max_mwh is None else before.soc_max_mwh
        stored = plan.series.soc_mwh[before.name][0]
        battery["soc_start_mwh"] = min(max(stored, before.soc_min_mwh), top)
    planned = {job.id: job for job in plan.jobs}
    jobs = zip(raw["jobs"], document.jobs, strict=True)
    followed = [_followed(told, job, planned[job.id], horizon.at(1), horizon.step_h) for told, job in jobs]
    raw["jobs"] = [job for job in followed if job is not None]
    return raw


def _move_on(holder: dict[str, Any], slots: int) -> None:
    for name, value in holder.items():
        # lists of other things (the pools of a feed, tangents) are no rows of slot values
        if isinstance(value, list) and len(value) == slots and all(isinstance(v, int | float) for v in value):
            holder[name] = value[1:] + value[:1]


def _followed(told: dict[str, Any], job: Job, planned: JobPlan, now: datetime, step_h: float) -> dict[str, Any] | None:
    """The job as it stands at ``now``; None where nothing is left to plan."""
    if job.deadline is not None and job.deadline <= now and job.late_cost_per_h is None:
        return None
    run = next((run for run in planned.runs if run.start < now <= run.end), None)
    if run is None:
        return {**told, "state": "paused"} if job.state == "running" else told
    done = run.speed * step_h - (job.restart_loss_h if job.state == "paused" else 0.0)
    work = job.work_h - done
    goes_on = run.end > now or any(other.start == now for other in planned.runs)
    if work <= DONE_H or not (goes_on or job.preemptible):
        return None
    due = job.work_h if job.due_h is None else job.due_h
    return {
        **told,
        "state": "running",
        "ran_slots": 1 + (job.ran_slots if job.state == "running" else 0),
        "work_h": work,
        "due_h": min(work, max(0.0, due - done)),
    }
