"""When jobs may start: the plan's windows as Slurm's own ``StartTime``.

Slurm keeps the instant itself, and it is never later than the job's latest start: if we fall silent the moment after,
the job starts then all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.slurm.order import Order
from api.slurm.view import PlanView
from ingest.sources.slurm.note import shown
from ingest.sources.slurm.shape import SlurmJob
from models.job_policy import Judged, earliest_start

_SAME = timedelta(seconds=2)
_CHEAPER, _GREENER = 0.97, 0.03


@dataclass(frozen=True, slots=True)
class Pace:
    """``soon``: what is due within it is due now, as the next look comes too late; ``settle``: smaller moves of a
    start are not told."""

    soon: timedelta = timedelta(seconds=15)
    settle: timedelta = timedelta(seconds=60)


def start_orders(
    judged: Iterable[Judged], jobs: Mapping[str, SlurmJob], plan: PlanView, now: datetime, pace: Pace = Pace()
) -> Iterator[Order]:
    """Starts to be told. Jobs that no row names, that are held, or that the plan does not know are not spoken of."""
    for one in judged:
        job = jobs[one.facts.id]
        if one.row is None or one.latest_start is None or job.state != "queued" or job.held:
            continue
        if one.facts.id in plan.runs:
            order = _start(one, job, plan, now, pace)
            if order is not None:
                yield order


def _start(one: Judged, job: SlurmJob, plan: PlanView, now: datetime, pace: Pace) -> Order | None:
    latest = one.latest_start
    assert latest is not None
    coming = plan.coming(one.facts.id, now)
    wanted = coming[0].start if coming else latest
    target = max(min(wanted, latest), earliest_start(one.facts))
    stands = job.eligible or now
    if target <= now + pace.soon:
        if stands <= now + _SAME:
            return None
        note = job.note.but(start=None)
        return Order("start", f"due {shown(target)}", job.number, note.comment(f"may start since {shown(now)}"), now)
    if target <= earliest_start(one.facts) and job.note.start is None:
        return None  # the user's own wish, and no word of ours
    if abs(stands - target) <= max(_SAME, pace.settle) and stands <= latest + _SAME and job.note.start is not None:
        return None
    why = _why(one, plan, target, now) if target < latest else "no earlier window"
    note = job.note.but(
        start=int(target.timestamp()),
        begin=int(earliest_start(one.facts).timestamp()),
        latest=int(latest.timestamp()),
        restarts=job.restarts,
    )
    # A start that was written before counts to the second: what we note must be what Slurm keeps.
    at = datetime.fromtimestamp(int(target.timestamp()), target.tzinfo)
    sentence = f"starts {shown(target)}, {why}; at the latest {shown(latest)}"
    return Order("start", why, job.number, note.comment(sentence), at)


def _why(one: Judged, plan: PlanView, target: datetime, now: datetime) -> str:
    """What is better then than now, from the plan's own series."""
    assert one.job is not None
    then, today = plan.means(target, one.job.work_h), plan.means(max(now, plan.horizon.start), one.job.work_h)
    if then is None or today is None:
        return "as planned"
    better = []
    if then[1] > today[1] + _GREENER:
        better.append(f"{then[1]:.0%} sun and wind instead of {today[1]:.0%}")
    if then[0] < today[0] * _CHEAPER:
        better.append(f"power {1 - then[0] / today[0]:.0%} cheaper" if today[0] > 0 else "cheaper power")
    return " and ".join(better) or "no room for it before"
