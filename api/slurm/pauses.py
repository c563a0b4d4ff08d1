"""Jobs that run: stopped and brought back where their row allows it, and given the time that caps cost them.

A job is stopped by ``requeue`` (it goes on from a checkpoint, and Slurm itself keeps when) or, where the site has the
dead-man's timer, by ``suspend``. Before either it gets its row's signal and time to save itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from api.slurm.order import Order
from api.slurm.view import PlanView, Run
from ingest.sources.slurm.note import shown
from ingest.sources.slurm.shape import SlurmJob
from models.job_policy import Judged, PolicyRow

_FORGOTTEN = timedelta(minutes=15)
_SPARE_MIN = 2
_FULL_SPEED = 0.999


def running_orders(
    judged: Iterable[Judged], jobs: Mapping[str, SlurmJob], plan: PlanView, now: datetime
) -> Iterator[Order]:
    """Orders for named jobs that run or stand still by our order."""
    for one in judged:
        job = jobs[one.facts.id]
        if job.state == "paused" and job.note.suspended is not None:
            runs = plan.runs.get(one.facts.id)
            if runs is None or any(run.covers(now) for run in runs) or _is_due(job, now):
                yield resumed(job, now)
        elif job.state == "running" and one.row is not None and one.facts.id in plan.runs:
            coming = plan.coming(one.facts.id, now)
            if any(run.covers(now) for run in coming):
                if job.note.signalled is not None:  # what it saved then is old when it is stopped another time
                    kept = job.note.but(signalled=None).comment("goes on after all")
                    yield Order("note", "the plan has it running again", job.number, kept)
                yield from _more_time(job, coming)
            elif one.job is not None and one.job.preemptible and (coming or one.job.surplus):
                # With nothing to come the plan reckoned with its end by now; it is not stopped for needing longer.
                # One on surplus is: no sun may come before its waiting is used up.
                yield from _stop(one, one.row, job, coming, plan, now)


def resumed(job: SlurmJob, now: datetime) -> Order:
    """Let a job go on that stands still by our order."""
    note = job.note.but(suspended=None, latest=None)
    return Order("resume", "its pause is over", job.number, note.comment(f"goes on since {shown(now)}"))


def _is_due(job: SlurmJob, now: datetime) -> bool:
    return job.note.latest is None or job.note.latest <= now.timestamp()


def due_resumes(jobs: Iterable[SlurmJob], now: datetime) -> Iterator[Order]:
    """Jobs that we suspended and that stood still long enough; what the dead-man's timer does without us."""
    for job in jobs:
        if job.state == "paused" and job.note.suspended is not None and _is_due(job, now):
            yield resumed(job, now)


def _more_time(job: SlurmJob, coming: tuple[Run, ...]) -> Iterator[Order]:
    """A capped job works slower; its time limit must not end it for that."""
    slowest = min(run.speed for run in coming)
    if job.limit_min is None or not 0 < slowest < _FULL_SPEED:
        return
    asked = job.note.limit or job.limit_min
    needed = math.ceil(asked / slowest) + _SPARE_MIN
    if job.deadline is not None and job.started is not None:
        needed = min(needed, int((job.deadline - job.started).total_seconds() // 60))
    if needed <= job.limit_min:
        return
    why = f"its power is capped at times; {needed - asked} min more than asked for"
    yield Order("limit", why, job.number, job.note.but(limit=asked).comment(why), minutes=needed)


def _stop(
    one: Judged, row: PolicyRow, job: SlurmJob, coming: tuple[Run, ...], plan: PlanView, now: datetime
) -> Iterator[Order]:
    assert one.latest_start is not None
    if not (job.batch and (job.requeue or row.pause == "suspend")):
        return
    grace = timedelta(seconds=row.checkpoint_s)
    by = one.latest_start + timedelta(hours=one.facts.ran_h)
    back = min(coming[0].start, by) if coming else by
    if back - now < plan.horizon.step + grace:
        return  # not worth it, or its waiting is used up
    said = None if job.note.signalled is None else now - datetime.fromtimestamp(job.note.signalled, now.tzinfo)
    if row.checkpoint_signal is not None and (said is None or said > grace + _FORGOTTEN):
        note = job.note.but(signalled=int(now.timestamp()))
        sentence = f"is to save itself; stops at {shown(now + grace)}, goes on at {shown(back)}"
        whom = {"signal": row.checkpoint_signal, "reaches": row.checkpoint_to}
        yield Order("signal", "before a pause", job.number, note.comment(sentence), **whom)  # type: ignore[arg-type]
    elif said is None or said >= grace:
        yield _stopped(one, row, job, back, by, now)


def _stopped(one: Judged, row: PolicyRow, job: SlurmJob, back: datetime, by: datetime, now: datetime) -> Order:
    sentence = f"paused since {shown(now)}; goes on at {shown(back)}, at the latest {shown(by)}"
    if row.pause == "suspend":
        note = job.note.but(signalled=None, suspended=int(now.timestamp()), latest=int(by.timestamp()))
        return Order("suspend", "a pause of the plan", job.number, note.comment(sentence))
    done_min = round(60 * (one.facts.done_h + one.facts.ran_h)) if row.keeps_work else job.note.done
    note = job.note.but(
        start=int(back.timestamp()),
        begin=job.note.begin or int(job.submitted.timestamp()),
        latest=int(by.timestamp()),
        restarts=job.restarts + 1,
        signalled=None,
        done=done_min,
    )
    at = datetime.fromtimestamp(int(back.timestamp()), back.tzinfo)
    return Order("requeue", "a pause of the plan", job.number, note.comment(sentence), at)
