"""A training job as a tenant hands it in: the body of ``POST /api/v1/jobs`` and of every job source.

Light on purpose: the web process imports this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, Strict

from models.checking import AtLeast0, Checked, Count, Flag, Moment, Name, Whole, whole
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

    def faults(self) -> Iterable[Fault]:
        """Rules between fields."""
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
            )
            for key, bound in others:
                if bound:
                    yield Fault(
                        key, "needs_count_1", f"is not possible with count {self.count}; leave it out or split the job"
                    )
