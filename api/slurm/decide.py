"""Everything to be told to Slurm at one moment, from its queue, the policy's word and the plan in force."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from api.slurm.budget import Licences, Window, budget_orders, hold, windows
from api.slurm.order import FIRST, Order
from api.slurm.pauses import resumed, running_orders
from api.slurm.starts import Pace, start_orders
from api.slurm.view import PlanView
from ingest.sources.slurm.note import shown
from ingest.sources.slurm.shape import SlurmJob
from ingest.sources.slurm.source import Seen
from models.job_policy import Judged, earliest_start
from models.job_sources import Slurm


def decide(
    seen: Seen,
    judged: Sequence[Judged],
    plan: PlanView | None,
    following: Collection[str],
    spec: Slurm,
    licences: Licences | None,
    now: datetime,
    *,
    holding: bool = False,
) -> list[Order]:
    """Orders of this moment, what lets jobs run first.

    Args:
        seen: the queue.
        judged: the policy's word on each of its jobs.
        plan: in force; None: there is none.
        following: pools that follow the plan now (mode auto, lease held). In all others Slurm is to behave as
            without us, so that what we had delayed there is let go.
        spec: the site file's.
        licences: None where there is no budget, or no such licence.
        now: the machine's clock, UTC.
        holding: an operator has ordered failsafe, whose default set admits no starts.
    """
    jobs = {one.facts.id: job for one, job in zip(judged, seen.jobs, strict=True)}
    led = [one for one in judged if plan is not None and one.row is not None and _pool(one) in following]
    ids = {one.facts.id for one in led}
    orders = [*release((job for key, job in jobs.items() if key not in ids), now)]
    if plan is not None:
        pace = Pace(timedelta(seconds=spec.period_s), timedelta(seconds=spec.settle_s))
        orders += start_orders(led, jobs, plan, now, pace)
        orders += running_orders(led, jobs, plan, now)
    if licences is not None and spec.budget is not None:
        wanted: list[Window] = []
        if holding:
            wanted = [hold(judged, jobs, licences.total, spec.budget, now)]
        elif plan is not None and following:
            wanted = windows(judged, jobs, plan, licences.total, spec.budget, now)
        orders += budget_orders(wanted, licences.held, now)
    kinds = [*FIRST, "requeue"]
    return sorted(orders, key=lambda order: kinds.index(order.kind))[: spec.most_orders]


def _pool(one: Judged) -> str | None:
    return None if one.job is None else one.job.pool


def release(jobs: Iterable[SlurmJob], now: datetime) -> Iterator[Order]:
    """Undo what still waits because of us; starts that somebody changed since are theirs."""
    for job in jobs:
        note = job.note
        if job.state == "paused" and note.suspended is not None:
            yield resumed(job, now)
        elif job.state == "queued" and note.start is not None and not job.by_hand and _waits(job, now):
            at = max(now, earliest_start(job.facts(None)))
            comment = note.but(start=None, latest=None).comment(f"no longer planned since {shown(now)}")
            yield Order("start", "it is planned no longer", job.number, comment, at)


def _waits(job: SlurmJob, now: datetime) -> bool:
    return job.eligible is not None and job.eligible > now
