"""The policy table: what jobs that say nothing mean here, and which jobs may be planned at all.

Rows are tried in their order and the first that fits counts. It gives a job its class, longest delay, pausability,
cap floor and tenant. A job that no row names, that a row excludes, or that says ``chergui=off`` is left alone: it is
never delayed, paused or slowed. While it runs the plan counts it at full power, because the meter does too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import Field, Strict

from models.checking import Above0, AtLeast0, Checked, Count, Flag, Name, Share, Text, validated
from models.errors import Fault, InvalidInput
from models.jobs import SINCE_WAYS, Priority, TrainingJob, Workload
from models.queued_job import QueuedJob

_DEADLINE_MARGIN = timedelta(minutes=2)
"""A scheduler ends a job that cannot meet its deadline any more; the latest start stays clear of that."""
_LEAST_H = 0.05
_CHOICES = ("pools", "gpus_min", "rent", "residency", "checkpoint_gb", "surplus")
_FACTS = {"running_pool", "running_gpus"}
UNTOUCHED_W = 1e5
"""A cap floor above every GPU: the plan gives full power only."""


class PolicyRow(Checked):
    """Jobs that fit all criteria that are given; patterns as in a shell, ``*`` for any text, case counts."""

    name: Annotated[str, Strict(), Field(pattern=r"^[^\x00-\x1f\x7f]{1,80}$")]
    partitions: tuple[Text, ...] = ()
    qos: tuple[Text, ...] = ()
    accounts: tuple[Text, ...] = ()
    users: tuple[Text, ...] = ()
    job_names: tuple[Text, ...] = ()
    sources: tuple[Literal["slurm", "csv", "json"], ...] = ()
    opt_in: Flag = Field(False, description="only jobs that say chergui=on")
    plan: Flag = Field(True, description="false: jobs that fit are left alone")
    pool: Name | None = Field(None, description="none: by partition or nodes, or the only pool")
    workload: Workload = "pretrain"
    priority: Priority = "normal"
    longest_delay_h: AtLeast0 = Field(0.0, description="a start may be put off by so much, from the earliest possible")
    work_h: Above0 | None = Field(None, description="run time at full speed of jobs without a time limit")
    used_share: Share = Field(1.0, description="of its time limit that a job of this row needs")
    stretch: Annotated[float, Strict(), Field(ge=1.0, le=10.0)] = Field(
        1.2, description="how many times its work a job may take under caps before it counts as late"
    )
    pausable: Flag = Field(False, description="may be stopped while it runs and go on later")
    pause: Literal["requeue", "suspend"] = "requeue"
    checkpoint_signal: Annotated[str, Strict(), Field(pattern=r"^[A-Z][A-Z0-9+]{1,15}$")] | None = Field(
        None, description="sent before a job is stopped, such as USR1"
    )
    checkpoint_to: Literal["batch", "steps", "all"] = Field(
        "batch", description="whom it reaches: the batch script, its steps (srun), or every process of the job"
    )
    checkpoint_s: AtLeast0 = Field(0.0, le=3600, description="between the signal and the stop")
    keeps_work: Flag = Field(True, description="a stopped job goes on from its checkpoint; false: begins anew")
    restart_loss_h: AtLeast0 = 0.0
    min_run_slots: Count = 1
    max_pauses: Annotated[int, Strict(), Field(ge=0)] | None = None
    cap_floor_w: AtLeast0 = Field(0.0, description="W per GPU; never capped below")
    tenant: Name | None = None
    tenant_from: Literal["account", "user", "partition", "qos"] | None = None
    residency: tuple[Name, ...] = Field((), description="jurisdictions in which alone such jobs may run")
    pools: tuple[Name, ...] = Field((), description="pools that they may run in as well; not for jobs of Slurm")
    may_rent: Flag = Field(False, description="they may run on a partner's GPUs; not for jobs of Slurm")
    least_gang_share: Share | None = Field(
        None, description="their gangs may be halved down to this share of what they ask for; not for jobs of Slurm"
    )
    gang_exponent: Share | None = Field(None, description="how speed follows the gang; none: the site's")
    resizable: Flag = Field(False, description="gangs may change while they run")
    checkpoint_gb_per_gpu: AtLeast0 = 0.0
    surplus: Flag = Field(False, description="until their latest start they run on what would be curtailed alone")
    note: Text = ""

    @property
    def offers_ways(self) -> bool:
        """Whether jobs get other ways to run."""
        return bool(self.pools) or self.may_rent or self.least_gang_share is not None

    def faults(self) -> Iterable[Fault]:
        """Keys that contradict each other."""
        for key, wrong in (("pausable", not self.pausable), ("min_run_slots", self.min_run_slots > 1)):
            if self.surplus and wrong:
                mend = "write pausable = true" if key == "pausable" else "write 1"
                yield Fault(key, "surplus_stops", f"jobs on surplus stop whenever there is none; {mend}")
        if self.surplus and self.max_pauses is not None:
            yield Fault("max_pauses", "surplus_stops", "jobs on surplus stop whenever there is none; remove it")
        if self.offers_ways and self.sources == ("slurm",):
            message = "a job of Slurm stays in its partition with its GPUs; remove pools, may_rent and least_gang_share"
            yield Fault("sources", "not_in_slurm", message)
        if self.tenant is not None and self.tenant_from is not None:
            yield Fault("tenant_from", "two_tenants", "tenant says it already; keep one of the two")
        if self.checkpoint_s > 0 and self.checkpoint_signal is None:
            yield Fault("checkpoint_signal", "missing", "checkpoint_s waits after a signal; say which, such as USR1")
        if not self.plan and self.opt_in:
            yield Fault("opt_in", "not_used", "a row with plan = false leaves jobs alone anyway; remove it")

    def fits(self, job: QueuedJob) -> bool:
        """Whether a job is one of these."""
        pairs = (
            (self.partitions, job.partition),
            (self.qos, job.qos),
            (self.accounts, job.account),
            (self.users, job.user),
            (self.job_names, job.name),
        )
        if not all(any(fnmatchcase(text, p) for p in patterns) for patterns, text in pairs if patterns):
            return False
        if self.sources and job.source not in self.sources:
            return False
        return not self.opt_in or job.words.takes_part is True


class Policy(Checked):
    """Rows in their order."""

    rows: tuple[PolicyRow, ...] = ()

    def faults(self) -> Iterable[Fault]:
        """A name twice; a row that can never be reached."""
        seen: dict[str, int] = {}
        for k, row in enumerate(self.rows):
            if row.name in seen:
                message = f"{row.name!r} already stands at rows[{seen[row.name]}]; rename one"
                yield Fault(f"rows[{k}].name", "duplicate_name", message)
            seen.setdefault(row.name, k)

    def row_for(self, job: QueuedJob) -> PolicyRow | None:
        """The first row that fits."""
        return next((row for row in self.rows if row.fits(job)), None)


def read_policy(raw: Mapping[str, Any], what: str) -> Policy:
    """Policy of plain data.

    Raises:
        InvalidInput: every fault at once, by dotted path.
    """
    return validated(Policy, raw, what)


@dataclass(frozen=True, slots=True)
class Judged:
    """A job and what the policy makes of it.

    ``job`` is what the planner gets: None where it cannot be planned. ``row`` None: left alone, ``why`` says why.
    ``latest_start`` is the instant beyond which it must not wait; for a job that ran, must not stand still.
    """

    facts: QueuedJob
    row: PolicyRow | None
    why: str
    job: TrainingJob | None = None
    latest_start: datetime | None = None


def judge(facts: QueuedJob, policy: Policy, pools: Mapping[str, int], now: datetime) -> Judged:
    """What the policy makes of a job at ``now``; ``pools`` are sizes in GPUs by name."""
    row = policy.row_for(facts)
    if row is None:
        return _left(facts, pools, now, "no row of the policy names it")
    if not row.plan:
        return _left(facts, pools, now, f"row {row.name!r} leaves such jobs alone")
    if facts.words.takes_part is False:
        return _left(facts, pools, now, "it says chergui=off")
    if facts.bars is not None:
        return _left(facts, pools, now, facts.bars)
    if facts.source == "slurm" and facts.words.ways:
        why = f"it says {', '.join(facts.words.ways)}, and a job of Slurm stays in its partition with its GPUs"
        return _left(facts, pools, now, why)
    work_h = _work_h(facts, row)
    if work_h is None:
        return _left(facts, pools, now, f"it has no time limit, and row {row.name!r} gives no work_h")
    try:
        pool = _pool(facts, row, pools)
        latest = _latest_start(facts, row, work_h)
        job = _job(facts, row, pool, work_h, latest, now)
    except InvalidInput as error:
        return _left(facts, pools, now, "; ".join(str(fault) for fault in error.faults))
    stays = "; its other ways are not for jobs of Slurm" if facts.source == "slurm" and row.offers_ways else ""
    return Judged(facts, row, f"row {row.name!r}{stays}", job, latest)


def _left(facts: QueuedJob, pools: Mapping[str, int], now: datetime, why: str) -> Judged:
    """Left alone; while it runs it is a load that the plan must know, at full power and to its time limit."""
    if facts.state != "running" or facts.gpus == 0:
        return Judged(facts, None, why)
    row = PolicyRow(name="left-alone", cap_floor_w=UNTOUCHED_W, stretch=1.0, work_h=24.0)
    asked = {key: value for key, value in facts.given.items() if key not in SINCE_WAYS - _FACTS}
    facts = replace(facts, words=replace(facts.words, **dict.fromkeys(_CHOICES)), given=asked)
    try:
        pool = _pool(facts, row, pools)
        job = _job(facts, row, pool, _work_h(facts, row) or 24.0, now, now)
    except InvalidInput:
        return Judged(facts, None, why)
    return Judged(facts, None, why, job)


def _work_h(facts: QueuedJob, row: PolicyRow) -> float | None:
    """Hours at full speed of the whole job."""
    if facts.words.work_h is not None:
        return facts.words.work_h
    if facts.expected_h is not None:
        return facts.expected_h if facts.limit_h is None else min(facts.expected_h, facts.limit_h)
    return row.work_h if facts.limit_h is None else facts.limit_h * row.used_share


def _pool(facts: QueuedJob, row: PolicyRow, pools: Mapping[str, int]) -> str:
    pool = facts.pool or row.pool or (next(iter(pools)) if len(pools) == 1 else None)
    if pool is None:
        message = f"partition {facts.partition!r} belongs to no pool; name it in the site file or in the row"
        raise InvalidInput(f"job {facts.id}", [Fault("pool", "unknown_pool", message)])
    if pool not in pools:
        raise InvalidInput(f"job {facts.id}", [Fault("pool", "unknown_pool", f"there is no pool {pool!r}")])
    if facts.gpus > pools[pool]:
        message = f"{facts.gpus} GPUs, but pool {pool!r} has {pools[pool]}"
        raise InvalidInput(f"job {facts.id}", [Fault("gpus", "larger_than_pool", message)])
    return pool


def earliest_start(facts: QueuedJob) -> datetime:
    """From when on its waiting counts."""
    return max(facts.submitted_at, facts.eligible_at or facts.submitted_at)


def _latest_start(facts: QueuedJob, row: PolicyRow, work_h: float) -> datetime:
    """Earliest start plus the longest delay plus what it has run; never so late that its deadline kills it."""
    delay_h = row.longest_delay_h if facts.words.delay_h is None else facts.words.delay_h
    earliest = earliest_start(facts)
    found = earliest + timedelta(hours=delay_h + facts.done_h)
    if facts.words.deadline is not None:
        found = min(found, facts.words.deadline - timedelta(hours=max(0.0, work_h - facts.done_h)))
    if facts.deadline is not None:
        limit = timedelta(hours=work_h if facts.limit_h is None else facts.limit_h)
        found = min(found, facts.deadline - limit - _DEADLINE_MARGIN)
    return max(found, earliest)


def _job(facts: QueuedJob, row: PolicyRow, pool: str, work_h: float, latest: datetime, now: datetime) -> TrainingJob:
    words = facts.words
    left_h = max(_LEAST_H, work_h - facts.done_h - facts.ran_h)
    begin = max(latest, now) if facts.state != "running" else now
    pausable = row.pausable if words.pausable is None else words.pausable
    told: dict[str, Any] = {
        "id": facts.id,
        "pool": pool,
        "gpus": facts.gpus,
        "count": facts.count,
        "workload": words.workload or row.workload,
        "work_h": round(left_h, 4),
        "release": earliest_start(facts),
        "deadline": begin + timedelta(hours=max(0.5, left_h * row.stretch)),
        "priority": row.priority,
        "preemptible": pausable and facts.count == 1,
        "restart_loss_h": row.restart_loss_h if pausable else 0.0,
        "min_run_slots": row.min_run_slots if facts.count == 1 else 1,
        "max_pauses": row.max_pauses if facts.count == 1 else None,
        "tenant": row.tenant or (getattr(facts, row.tenant_from) or None if row.tenant_from else None),
        "state": "paused" if facts.state == "queued" and facts.done_h > 0 and facts.count == 1 else facts.state,
        "held": facts.held,
        "cap_floor_w": max(row.cap_floor_w, words.floor_w or 0.0),
        "drawn_w": None if facts.drawn_w is None else round(facts.drawn_w, 1),
        "source": facts.source,
        "submitted_at": facts.submitted_at,
        **_ways(facts, row, latest, now),
    }
    return validated(TrainingJob, {**told, **facts.given}, f"job {facts.id}", "dotted")


def _ways(facts: QueuedJob, row: PolicyRow, latest: datetime, now: datetime) -> dict[str, Any]:
    """Fields of version 1.1: the job's words, else the row's. A job of Slurm stays where and as large as it is."""
    words = facts.words
    waits_until = latest + timedelta(hours=facts.ran_h)
    found: dict[str, Any] = {
        "residency": row.residency if words.residency is None else words.residency,
        "surplus": (row.surplus if words.surplus is None else words.surplus) and now < waits_until,
    }
    if facts.count > 1:
        return found
    per_gpu_gb = row.checkpoint_gb_per_gpu * facts.gpus
    found["checkpoint_gb"] = per_gpu_gb if words.checkpoint_gb is None else words.checkpoint_gb
    if facts.source == "slurm":
        return found
    least = words.gpus_min
    if least is None and row.least_gang_share is not None and "gang_sizes" not in facts.given:
        least = max(1, math.ceil(row.least_gang_share * facts.gpus))
    return found | {
        "pools": row.pools if words.pools is None else words.pools,
        "may_rent": row.may_rent if words.rent is None else words.rent,
        "gpus_min": least,
        "gang_exponent": row.gang_exponent,
        "resizable": row.resizable,
    }
