"""A training job as a tenant hands it in: the body of ``POST /api/v1/jobs`` and of every job source.

Light on purpose: the web process imports this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, Strict

from models.checking import Above0, AtLeast0, Checked, Count, Flag, Moment, Name, Share, Whole, whole
from models.errors import Fault

Workload = Literal["pretrain", "finetune", "inference"]
Priority = Literal["low", "normal", "high"]
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high")


class TrainingJob(Checked):
    """A gang of GPUs that must all run, or none, until the work is done.

    Times may be any instant with an offset; planning moves ``release`` up and ``deadline`` down to the
    next slot border, never the other way, so that no promise is stretched.
    """

    id: Name = Field(description="unique in the site; a scheduler's job number or a name", examples=["llm-7"])
    pool: Name = Field(description="GPU pool of the site that it runs on", examples=["h100-a"])
    gpus: Count = Field(description="gang size: all of them or none in every slot", examples=[64])
    count: Count = Field(1, description="number of identical jobs described by this entry")
    workload: Workload = Field(
        "pretrain", description="which power-to-speed curve it follows: pretrain, finetune or inference (batch)"
    )
    work_h: AtLeast0 = Field(description="hours at full speed still to do, per copy", examples=[6.0])
    release: Moment = Field(description="may not start before; RFC 3339 with offset", examples=["2026-06-01T08:00:00Z"])
    deadline: Moment | None = Field(None, description="wanted by; none: end of the horizon; RFC 3339 with offset")
    priority: Priority = Field("normal", description="which prices of late and unmet hours the site charges")
    preemptible: Flag = Field(False, description="may be paused and resumed from a checkpoint")
    restart_loss_h: AtLeast0 = Field(0.0, description="hours at full speed lost at each resume")
    min_run_slots: Count = Field(1, description="shortest session, in slots")
    min_pause_slots: Count = Field(1, description="shortest pause, in slots")
    max_pauses: Annotated[int, Strict(), Field(ge=0), BeforeValidator(whole)] | None = Field(
        None, description="most pauses inside a horizon; none: any number"
    )
    start_cost: AtLeast0 = Field(0.0, description="in the site's currency, per start")
    tenant: Name | None = Field(None, description="whose job it is")
    state: Literal["queued", "running", "paused"] = Field("queued", description="what it does now")
    ran_slots: Whole = Field(0, ge=0, description="slots of the current session so far, if running")
    pinned_start: Moment | None = Field(None, description="an operator's order: start exactly here")
    held: Flag = Field(False, description="an operator's order: do not run")
    cap_floor_w: AtLeast0 = Field(
        0.0, description="W per GPU; the plan caps it no lower (above the GPU's most: not at all)"
    )
    source: Literal["api", "synthetic", "csv", "json", "slurm"] = Field("api", description="where the job came from")
    submitted_at: Moment | None = Field(None, description="when it was handed in; set by the service if none")
    drawn_w: Above0 | None = Field(
        None, description="W per GPU that it draws at full power, as its likes did; none: what its GPU's curve says"
    )
    pools: tuple[Name, ...] = Field((), max_length=8, description="pools that it may run in as well, a session in one")
    may_rent: Flag = Field(False, description="may run on a partner's GPUs, where residency and its tenant allow it")
    gang_sizes: tuple[Count, ...] = Field((), max_length=8, description="sizes that its gang may have besides gpus")
    gpus_min: Count | None = Field(None, description="its gang may be halved as often as it stays at or above this")
    gpus_max: Count | None = Field(None, description="its gang may be doubled as often as it stays at or below this")
    gang_exponent: Share | None = Field(
        None, description="a gang of k times the GPUs works k to the power of this times as fast; none: the site's"
    )
    resizable: Flag = Field(False, description="its gang may change while it runs; false: only from start to start")
    resize_loss_h: AtLeast0 | None = Field(
        None, description="hours at full speed lost at each change of a running gang; none: restart_loss_h"
    )
    checkpoint_gb: AtLeast0 = Field(
        0.0, description="written when it stops and read when it resumes; counts where the site tells its storage"
    )
    surplus: Flag = Field(False, description="runs only on what would be curtailed, is promised nothing, stops first")
    residency: tuple[Name, ...] = Field(
        (), max_length=32, description="jurisdictions in which alone it may run; none: any that its tenant allows"
    )
    running_pool: Name | None = Field(None, description="pool or partner that it runs in now; none: pool")
    running_gpus: Count | None = Field(None, description="gang that it runs with now; none: gpus")

    @property
    def where(self) -> tuple[str, int]:
        """Pool and gang that it runs in, or would run in if it could not choose."""
        return self.running_pool or self.pool, self.running_gpus or self.gpus

    def faults(self) -> Iterable[Fault]:
        """Rules between fields."""
        yield from self._way_faults()
        if self.deadline is not None and self.deadline <= self.release:
            yield Fault(
                "deadline",
                "before_release",
                f"{self.deadline.isoformat()} is not after the release {self.release.isoformat()}; move one of them",
            )
        if self.state != "running" and self.ran_slots:
            yield Fault(
                "ran_slots", "not_running", f"{self.ran_slots} slots, but the job is {self.state}; write 0 or running"
            )
        if self.count > 1:
            others = (
                ("min_run_slots", self.min_run_slots != 1),
                ("min_pause_slots", self.min_pause_slots != 1),
                ("max_pauses", self.max_pauses is not None),
                ("pinned_start", self.pinned_start is not None),
                ("pools", bool(self.pools)),
                ("may_rent", self.may_rent),
                ("gang_sizes", bool(self.gang_sizes)),
                ("gpus_min", self.gpus_min is not None),
                ("gpus_max", self.gpus_max is not None),
                ("checkpoint_gb", self.checkpoint_gb > 0),
            )
            for key, bound in others:
                if bound:
                    yield Fault(
                        key, "needs_count_1", f"is not possible with count {self.count}; leave it out or split the job"
                    )

    def _way_faults(self) -> Iterable[Fault]:
        """Ways told twice or against each other, a surplus job that could not give way."""
        for key, told in (("pools", self.pools), ("gang_sizes", self.gang_sizes), ("residency", self.residency)):
            for k, value in enumerate(told):
                if value in told[:k]:
                    yield Fault(f"{key}[{k}]", "duplicate", f"{value!r} stands twice; keep one")
        for key, bound in (("gpus_min", self.gpus_min), ("gpus_max", self.gpus_max)):
            if bound is None:
                continue
            if self.gang_sizes:
                yield Fault(key, "two_lists", "gang_sizes lists the sizes already; keep one of the two")
            if bound > self.gpus if key == "gpus_min" else bound < self.gpus:
                side = "above" if key == "gpus_min" else "below"
                yield Fault(key, "outside", f"{bound} is {side} gpus {self.gpus}; move one of them")
        for key, at in (("running_pool", self.running_pool), ("running_gpus", self.running_gpus)):
            if at is not None and self.state != "running":
                yield Fault(key, "not_running", f"{at}, but the job is {self.state}; leave it out or write running")
        for key, wrong, mend in (
            ("preemptible", not self.preemptible, "true"),
            ("min_run_slots", self.min_run_slots > 1, "1"),
            ("max_pauses", self.max_pauses is not None, "none"),
        ):
            if self.surplus and wrong:
                message = f"a job on surplus stops whenever there is none; write {mend}, or surplus = false"
                yield Fault(key, "surplus_stops", message)


SINCE_WAYS = frozenset(
    {
        *("pools", "may_rent", "gang_sizes", "gpus_min", "gpus_max", "gang_exponent", "resizable", "resize_loss_h"),
        *("checkpoint_gb", "surplus", "residency", "running_pool", "running_gpus"),
    }
)
"""Fields that jobs kept by an earlier version do not have; kept texts name them only where they say something."""
