"""A source's jobs, judged by the policy and kept for the planner. Reads sources, writes the job store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from api.store.jobs import JobStore, Progress, Told, told_way
from models.errors import InvalidInput
from models.job_policy import Judged, Policy, judge
from models.queued_job import QueuedJob
from models.site import Site


def judged_jobs(facts: Iterable[QueuedJob], policy: Policy, site: Site, now: datetime) -> list[Judged]:
    """The policy's word on each job; one that a fault of the table's touches is left alone, and says so."""
    pools = {pool.name: pool.gpus for pool in site.pools}
    found = []
    for one in facts:
        try:
            found.append(judge(one, policy, pools, now))
        except InvalidInput as error:
            found.append(Judged(one, None, "; ".join(str(fault) for fault in error.faults)))
    return found


def keep(store: JobStore, source: str, judged: Sequence[Judged], site: Site, now: datetime) -> Told:
    """Let the planner know the jobs that it is to plan, and the loads that it is to reckon with."""
    step_h = site.planning.step.total_seconds() / 3600
    found = {}
    for one in judged:
        if one.job is not None:
            ran = int(one.facts.ran_h / step_h) if one.job.state == "running" else 0
            found[one.job.id] = (one.job, Progress(one.job.work_h, one.job.state, ran, now, told_way(one.job)))
    return store.tell(source, found)
