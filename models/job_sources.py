"""What a site file says about where its jobs come from and what may be done to them.

Checked alone, this knows no file; :mod:`ingest.job_rules` looks those up. Secrets never stand in a site file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, Strict

from models.checking import Above0, AtLeast0, Checked, Count, Flag, Name, Share, Text
from models.errors import Fault


class JobList(Checked):
    """A file or address with jobs, as CSV or JSON."""

    name: Name
    path: Text | None = Field(None, description="a file, relative to the site file")
    url: Text | None = Field(None, description="an http address")
    format: Literal["csv", "json"] = "json"
    period_s: Above0 = 60.0
    timeout_s: Above0 = 10.0
    username: Text | None = None
    password_file: Text | None = None
    token_file: Text | None = None
    ca_file: Text | None = None
    pool: Name | None = Field(None, description="of jobs that name none")
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """Neither a file nor an address, or both; logins that do not fit."""
        if (self.path is None) == (self.url is None):
            yield Fault("path", "one_place", "a list has a path or a url; write one of the two")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            yield Fault("url", "no_address", f"{self.url!r} is no http address; write one such as http://queue/jobs")
        if (self.username is None) != (self.password_file is None):
            yield Fault("username", "missing", "username and password_file belong together; add or remove one")


class SlurmPool(Checked):
    """Which of Slurm's partitions and nodes are a pool of ours.

    Nodes are named in Slurm's short way; the k-th of them is our ``<pool>-n<k>``.
    """

    pool: Name
    partitions: tuple[Text, ...] = ()
    nodes: Text = ""


class PowerBudget(Checked):
    """A licence of Slurm's that counts power: what the plan does not grant is reserved away, window by window."""

    licence: Annotated[str, Strict(), Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,30}$")] = "kw"
    spare: Annotated[int, Strict(), Field(ge=0)] = Field(
        0, description="licences left free in every window, for jobs that the plan does not know"
    )
    lookahead_h: Above0 = Field(
        2.0, le=12, description="windows are written so far ahead, and lapse so soon without us"
    )


class Slurm(Checked):
    """A Slurm cluster: read, and where ``act`` says so, told when to start jobs."""

    act: Flag = Field(False, description="false: only read, whatever mode its pools are in")
    period_s: Above0 = 15.0
    timeout_s: Above0 = 20.0
    conf: Text | None = Field(None, description="slurm.conf for the commands; none: the machine's")
    rest_url: Text | None = Field(None, description="slurmrestd, to read the queue by: http://host:port or unix:/path")
    rest_user: Text | None = None
    rest_token_file: Text | None = None
    rest_version: Annotated[str, Strict(), Field(pattern=r"^v0\.0\.\d+$")] | None = None
    pools: tuple[SlurmPool, ...] = ()
    budget: PowerBudget | None = None
    deadman: Flag = Field(False, description="the timer that resumes suspended jobs without us is installed")
    most_orders: Count = Field(200, description="changes told to Slurm in one round")
    settle_s: AtLeast0 = Field(60.0, description="a start that moves by less is not told anew")
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """A token without a user, an address that is none, a pool twice."""
        if (self.rest_token_file is None) != (self.rest_user is None):
            yield Fault("rest_user", "missing", "rest_user and rest_token_file belong together; add or remove one")
        if self.rest_url is not None and not self.rest_url.startswith(("http://", "https://", "unix:/")):
            yield Fault("rest_url", "no_address", f"{self.rest_url!r}: write http://host:port or unix:/path")
        seen: set[str] = set()
        for k, one in enumerate(self.pools):
            if one.pool in seen:
                yield Fault(f"pools[{k}].pool", "duplicate_name", f"{one.pool!r} stands twice; join its rows")
            seen.add(one.pool)


class Jobs(Checked):
    """Every source of jobs of a site; jobs handed in over the API need no entry."""

    policy: Text | None = Field(None, description="the policy table, a TOML file beside the site file")
    lists: tuple[JobList, ...] = ()
    slurm: Slurm | None = None
    accounting: Text | None = Field(
        None, description="what sacct printed of ended jobs, a file beside the site file; none: time limits count"
    )
    expected_level: Share = Field(0.9, description="quantile of the learned run time that is planned with")
    power_from: Literal["telemetry", "gpu_energy", "node_energy"] | None = Field(
        None,
        description="what tells the power of ended jobs: telemetry of the GPUs of their nodes, or the accounting's "
        "ConsumedEnergyRaw, of GPUs alone or of whole nodes; none: levels draw what the curves say",
    )
    drawn_level: Share = Field(0.9, description="quantile of the learned power that is planned with")

    def faults(self) -> Iterable[Fault]:
        """A name twice, sources without a policy."""
        seen: set[str] = {"slurm"} if self.slurm else set()
        for k, one in enumerate(self.lists):
            if one.name in seen:
                yield Fault(f"lists[{k}].name", "duplicate_name", f"{one.name!r} stands twice; rename one")
            seen.add(one.name)
        if self.policy is None and (self.lists or self.slurm):
            yield Fault(
                "policy", "missing", "no job is planned unless a row of the policy names it; add the table's file"
            )

    @property
    def any(self) -> bool:
        """Whether there is anything to read."""
        return self.slurm is not None or bool(self.lists)
