"""What a node agent says of itself: checked at the door, every fault at once. Watts at the GPU."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from models.checking import AtLeast0, Flag, Moment, Name, Number, Text, Whole, faults_of
from models.errors import Fault, InvalidInput
from models.site import GpuPool

_SAME_W = 1.0
"""Devices round down and answer in milliwatts: less than a watt above is not above."""


class GpuReport(BaseModel):
    """One GPU. ``requested_w`` is the agent's decision, ``applied_w`` and ``enforced_w`` were read back."""

    model_config = ConfigDict(frozen=True)
    index: Whole = Field(ge=0, le=1023)
    uuid: Text | None = Field(None, max_length=128)
    jobs: list[Name] = Field([], max_length=64, description="those that are placed on it, as the machine knows")
    requested_w: AtLeast0 | None = None
    applied_w: AtLeast0 | None = None
    enforced_w: AtLeast0 | None = None
    power_w: AtLeast0 | None = None
    temp_c: Number | None = None
    lost: Text | None = Field(None, description="why it cannot be reached; null: it can")
    overwritten: Whole = Field(0, ge=0, description="how often another writer's limit was found")

    @property
    def exceeds(self) -> bool:
        """Whether the device enforces more than was asked for."""
        return None not in (self.requested_w, self.enforced_w) and self.enforced_w > self.requested_w + _SAME_W  # type: ignore[operator]


class ReportedVersion(BaseModel):
    """Version that the agent acts on."""

    model_config = ConfigDict(frozen=True)
    epoch: Whole = Field(ge=0)
    seq: Whole = Field(ge=0)


class AgentReport(BaseModel):
    """An agent's state, and that of its GPUs. Further fields are passed over."""

    model_config = ConfigDict(frozen=True)
    schema_version: Annotated[str, Strict(), Field(pattern=r"^1\.\d+$")] = "1.0"
    node: Text | None = Field(None, description="where it is given, that of the path")
    state: Literal["INIT_FAILSAFE", "CONTROLLED", "STALE", "FAILSAFE", "LOCAL_OVERRIDE", "DISABLED"]
    plan_version: ReportedVersion
    lease_remaining_s: AtLeast0 = 0.0
    default_set: Flag = Field(False, description="whether the whole default set holds")
    source: Literal["plan", "default"] | None = None
    reason: Text | None = None
    placement: Flag = Field(False, description="whether `jobs` say which job each GPU works for; else nobody knows")
    client_time: Moment | None = Field(None, description="the machine's wall clock")
    gpus: list[GpuReport] = Field(max_length=64)

    @model_validator(mode="after")
    def _indices_once(self) -> AgentReport:
        indices = [gpu.index for gpu in self.gpus]
        if len(set(indices)) < len(indices):
            raise PydanticCustomError("twice", "a GPU stands twice; give each index once")
        return self


def report_of(raw: Any, node: str, pool: GpuPool) -> AgentReport:
    """Report of parsed JSON for a node of a pool.

    Raises:
        InvalidInput: anything wrong with it.
    """
    try:
        report = AgentReport.model_validate(raw)
    except ValidationError as error:
        raise InvalidInput("the report", faults_of(error, AgentReport, "pointer")) from None
    if faults := list(_faults(report, node, pool)):
        raise InvalidInput("the report", faults)
    return report


def _faults(report: AgentReport, node: str, pool: GpuPool) -> Iterable[Fault]:
    if report.node not in (None, node):
        yield Fault("/node", "another_node", f"{report.node!r} reports at the door of {node!r}; name one node in both")
    for k, gpu in enumerate(report.gpus):
        if gpu.index >= pool.gpus_per_node:
            told = f"a node of {pool.name!r} has {pool.gpus_per_node} GPUs, counted from 0; there is no GPU {gpu.index}"
            yield Fault(f"/gpus/{k}/index", "no_such_gpu", told)
