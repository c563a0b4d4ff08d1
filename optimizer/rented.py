"""What the plan in force has ordered from partners, so that a wait there does not begin anew with every round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from models.horizon import Horizon, parse_rfc3339, rfc3339
from optimizer.replay import Previous


def with_orders(document: Mapping[str, Any], horizon: Horizon, previous: Previous | None) -> dict[str, Any]:
    """A composed document in which a job that the plan in force has at a partner can begin there when it could then.

    What is ordered is what a run of that plan takes; a plan that does not share the horizon's borders orders nothing.
    """
    if previous is None or previous.problem is None or (previous.start - horizon.start) % horizon.step:
        return dict(document)
    ready = dict(_ready(previous, previous.problem))
    jobs = [
        job | {"alternatives": [_alternative(job["id"], way, ready) for way in job["alternatives"]]}
        if job.get("alternatives")
        else job
        for job in document["jobs"]
    ]
    return {**document, "jobs": jobs}


def _alternative(job: str, way: dict[str, Any], ready: Mapping[tuple[str, str], datetime]) -> dict[str, Any]:
    at = ready.get((job, way["pool"]))
    return way if at is None else way | {"ready": rfc3339(at)}


def _ready(previous: Previous, problem: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], datetime]]:
    """Jobs with a run at a partner, and from when on each could run there."""
    step = timedelta(minutes=problem["horizon"].get("step_minutes", 15))
    delay = {
        pool["name"]: pool["partner"].get("start_delay_slots", 0) for pool in problem["pools"] if "partner" in pool
    }
    asked: dict[str, Mapping[str, Any]] = {job["id"]: job for job in problem["jobs"]}
    for planned in previous.plan.jobs:
        job = asked.get(planned.id, {})
        pools: set[str] = {run.pool or job.get("pool") or "" for run in planned.runs}
        for pool in sorted(pools & set(delay)):
            told = [way.get("ready") for way in job.get("alternatives", ()) if way["pool"] == pool]
            if not told:  # it ran there already
                yield (planned.id, pool), previous.start
            elif told[0] is not None:
                yield (planned.id, pool), parse_rfc3339(told[0])
            else:
                yield (planned.id, pool), previous.start + delay[pool] * step
