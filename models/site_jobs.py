"""What a site file says of jobs that can choose: partners who rent out GPUs, tenants, checkpoints, elastic gangs.

Data only, in the words of the problem document (version 1.1); prices in the site's currency.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from models.checking import Above0, AtLeast0, Checked, Count, Flag, Name, Share, Text
from models.errors import Fault


class Storage(Checked):
    """What the storage takes of checkpoints, written and read together."""

    gb_per_s: Above0
    over_cost_per_gb: AtLeast0 | None = Field(None, description="per GB beyond it in a slot; none: it must be kept")
    note: Text = ""


class Partner(Checked):
    """GPUs that are rented elsewhere: their power is drawn there, each hour of a GPU has its price, no cap is ours."""

    name: Name
    title: Text = ""
    gpu: Name = Field(description="row of the GPU catalogue")
    gpus: Count
    price_per_gpu_h: AtLeast0 = Field(description="for each GPU in use")
    quota_gpu_h_per_month: AtLeast0 | None = Field(None, description="of a month of the site's clock; none: no limit")
    start_delay_minutes: AtLeast0 = Field(0.0, description="from the plan that orders it until a job can begin there")
    egress_cost_per_job: AtLeast0 = Field(0.0, description="once for each job that goes there, its data both ways")
    jurisdiction: Name | None = Field(None, description="whose law holds there; none: closed to jobs that name some")
    relative_speed: Above0 | None = Field(None, description="as in pools; needed where their GPUs are others")
    note: Text = ""


class Tenant(Checked):
    """A rule for all jobs of a tenant; jobs may narrow it."""

    name: Name
    residency: tuple[Name, ...] = Field((), description="jurisdictions in which alone its jobs may run; none: any")
    may_rent: Flag = Field(True, description="false: none of its jobs goes to a partner")
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """A rule that says nothing."""
        if not self.residency and self.may_rent:
            yield Fault("residency", "no_rule", "neither residency nor may_rent = false; give one or remove the tenant")


class Elastic(Checked):
    """How the speed of a gang follows its size."""

    gang_exponent: Share = Field(
        0.9, description="a gang of k times the GPUs works k to the power of this times as fast; 1: in proportion"
    )
    note: Text = ""
