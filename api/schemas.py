"""Shapes of answers for the OpenAPI document; bodies that come in are described by the types that check them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.agent_report import AgentReport
from api.asking import Wish
from api.events import GridEvent
from api.modes import ModeChange
from models.jobs import TrainingJob
from optimizer.document import JobPlan, Plan, Problem

_VERSIONED = {
    "ETag": 'weak, `W/"epoch.seq"`: changes with the plan, the mode and a lapsing lease',
    "Chergui-Plan-Version": "`epoch.seq`; refuse lower ones than you have seen",
    "Chergui-Server-Time": "the service's clock, RFC 3339",
    "Cache-Control": "`private, no-cache`",
}
_LEASED = {
    **_VERSIONED,
    "Chergui-Lease-Ttl": "whole seconds for which the answer holds, from receipt on your monotonic clock",
    "Chergui-Rejoin": "the request's own header, given back: the answer is younger than it",
}


def _headers(told: dict[str, str]) -> dict[str, Any]:
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in told.items()}


PULL: dict[int, dict[str, Any]] = {
    200: {"headers": _headers(_LEASED)},
    304: {
        "description": "The version of `If-None-Match` still holds; the lease is renewed",
        "headers": _headers(_LEASED),
    },
}
READ: dict[int, dict[str, Any]] = {
    200: {"headers": _headers(_VERSIONED)},
    304: {"description": "The version of `If-None-Match` still holds", "headers": _headers(_VERSIONED)},
}
"""A plan is read, not leased: what may be acted on, and how long, is told by pool and asset."""


class VersionView(BaseModel):
    """Number of what is in force."""

    epoch: int
    seq: int


class LeaseView(BaseModel):
    """Lease in full, and how often to ask; what is left of it stands in the headers."""

    ttl_s: float
    poll_s: float
    stale_after_s: float


class Pull(BaseModel):
    """What every pull says."""

    schema_version: Literal["1.0"]
    site: str
    mode: Literal["shadow", "auto", "failsafe"]
    source: Literal["plan", "default"] = Field(description="default: `periods` and `jobs` are empty, `default` holds")
    reason: str | None = Field(
        description="why the default is served: SHADOW, FAILSAFE, NO_PLAN, LEASE_OVER, PLAN_OVER, TELEMETRY, "
        "NO_PLACEMENT"
    )
    plan_version: VersionView
    plan_id: str | None
    rung: str | None
    valid_until: str | None
    lease: LeaseView


class DefaultCaps(BaseModel):
    """What a pool does without a plan: a set of measures."""

    limit_w: float = Field(description="W per GPU at work")
    idle_limit_w: float = Field(description="W per GPU not at work")
    admit_starts: bool
    suspend_order: list[str]
    nodes_may_switch_off: bool


class Clamp(BaseModel):
    """What the device accepts."""

    min_w: float
    max_w: float


class Period(BaseModel):
    """Half-open [start, end): the job runs with this limit on each GPU; null: the plan sets no cap."""

    start: str
    end: str
    limit_w: float | None
    count: int = Field(description="copies that run, of an aggregated job")
    gpus: int | None = Field(None, description="of the gang, where it is another than in the first period; else absent")
    pool: str | None = Field(
        None, description="of a job's schedule: where it runs, if not in its own pool; else absent"
    )


class JobSchedule(BaseModel):
    """When a job runs, and with which limit."""

    job: str
    gpus: int | None
    periods: list[Period]


class _PoolPull(Pull):
    pool: str
    default: DefaultCaps
    clamp: Clamp


class PoolCaps(_PoolPull):
    """Caps of a pool; GPUs without a job get `default.idle_limit_w`."""

    jobs: list[JobSchedule]
    nodes: list[dict[str, Any]] | None = Field(
        None, description="where nodes may be off: how many are `on` from `start` to `end`, booting ones included"
    )


class JobCaps(_PoolPull, JobSchedule):
    """Caps of a job."""


class GpuCap(BaseModel):
    """Cap of one GPU of a node: its job's schedule, and what holds outside of that."""

    index: int
    job: str | None
    limit_w: float
    periods: list[Period]


class NodeCaps(_PoolPull):
    """Caps of a node."""

    node: str
    placement: Literal["unknown", "agent", "scheduler"] = Field(
        description="who says which job has which GPU: the node's own agent, or else the scheduler"
    )
    gpus: list[GpuCap]


class Setpoint(Pull):
    """Schedule of an asset. battery: `power_mw`, charging positive. solar, wind: `limit_mw`, null: no limit. grid:
    `import_mw`, `export_mw` as planned. generator: `on`, `power_mw`. cooling_unit: `heat_mw` that it removes, null: its
    own control decides."""

    asset: str
    kind: Literal["battery", "solar", "wind", "grid", "generator", "cooling_unit"]
    limits: dict[str, float] = {}
    default: dict[str, Any]
    periods: list[dict[str, Any]]


class Saving(BaseModel):
    """Against the yardstick, in the site's currency."""

    baseline_cost: float
    cost: float
    saving: float
    saving_ratio: float | None
    method: str


class SlotPricesView(BaseModel):
    """What power, GPUs and work were worth in the solve, by pool and slot (loads without a pool: ``""``) and by job."""

    start: str
    power_per_mwh: dict[str, list[float]]
    gpu_per_h: dict[str, list[float]]
    work_per_h: dict[str, float]


class Quote(BaseModel):
    """What a run would cost in addition at a plan's slot prices: by start, the cheapest and the dearest of them."""

    plan_id: str
    currency: str | None
    starts: list[str]
    costs: list[float]
    cheapest: str
    dearest: str


class LeadSkill(BaseModel):
    """Skill of a learned forecast for slots `from_h` to `to_h` ahead (null: and more); null where none was scored."""

    from_h: float
    to_h: float | None
    skill: float | None


class ForecastScores(BaseModel):
    """What a learned forecast has been worth, on days that its training did not see.

    Skill is 1 - pinball / pinball of the best baseline (`beside`); unproven until 60 days are scored.
    """

    days: int
    proven: bool
    beside: str
    skill: float
    cover_p05_p95: float
    by_lead: list[LeadSkill]


class PlantStateView(BaseModel):
    """Slow state of the PV: `level` is the share of its physics that it gives, `soiling` what was lost slowly since it
    was last `cleaned` (`rate_per_day`), `working` what losses at once (`lost`: the last) have left; `air` the logarithm
    by which the last day lay off the level, `spread` the level's standard deviation; fitted to `days` until `as_of`."""

    used: bool
    why: str
    as_of: str | None = None
    level: float | None = None
    working: float | None = None
    soiling: float | None = None
    rate_per_day: float | None = None
    air: float | None = None
    spread: float | None = None
    days: int | None = None
    cleaned: str | None = None
    lost: str | None = None


class ForecastView(BaseModel):
    """How sun, wind or a load was forecast: `learned`, by the `physics`, as `usual` or as the site `file` says; from
    which step of the weather (null: from none) and why not a higher one (`reason`); why no model serves
    (`not_learned`)."""

    kind: Literal["learned", "physics", "usual", "file"]
    step: Literal["ensemble", "single run", "last run", "climatology"] | None
    reason: str
    not_learned: str | None
    known_since: str
    scores: ForecastScores | None
    state: PlantStateView | None = None


class CurveView(BaseModel):
    """What a curve of the plan rests on. `error_mw` (cooling): the most by which its power exceeds the straight pieces
    that the plan reckons with; `error_ratio`: of the power at capacity."""

    kind: Literal["gpu", "cooling"]
    name: str
    of: str
    evidence: Literal["measured", "prior", "assumed"]
    source: str
    error_mw: float | None = None
    error_ratio: float | None = None


class WeighedView(BaseModel):
    """Starts that were weighed: what they cost as planned and on average, and the share of courses short of power."""

    name: str = Field(description="plan, find, no headroom, lean, or the course that they are the plan for")
    cost: float
    expected_cost: float
    short_probability: float


class ScenariosView(BaseModel):
    """What the plan's starts cost over courses of sun, wind and load; only `reason` where none were weighed."""

    reason: str | None = Field(description="why no starts were weighed; null where some were")
    courses: int | None = None
    origin: str | None = Field(None, description="where the courses are from")
    chosen: str | None = Field(None, description="name of the starts that the plan has")
    value: float | None = Field(None, description="what was least: the mean, with the weight of the worst tenth")
    expected_cost: float | None = None
    spread: float | None = Field(None, description="standard deviation of the cost over the courses")
    least_cost: float | None = None
    most_cost: float | None = None
    worst_cost: float | None = Field(None, description="mean of the worst tenth of the courses")
    short_probability: float | None = Field(None, description="share of courses in which power is short")
    short_mwh: float | None = Field(None, description="energy short, mean over all courses")
    weighed: list[WeighedView] = Field([], description="all starts, those of the cheapest plan first")


class PlanEdition(BaseModel):
    """A published plan with what was known when it was made."""

    plan_id: str
    plan_version: VersionView
    site: str
    created_at: str
    valid_from: str
    valid_until: str
    problem: Problem
    plan: Plan
    baseline: Plan | None
    baseline_note: str | None
    saving: Saving | None
    sources: list[dict[str, Any]]
    bands: dict[str, dict[str, list[float]]]
    forecasts: dict[str, ForecastView] = {}
    curves: list[CurveView] = []
    temperatures: dict[str, list[float]]
    limits: dict[str, float]
    job_labels: dict[str, dict[str, Any]]
    steadiness: dict[str, float | None] | None = Field(
        None, description="set_point_changes_per_hour of the plan, and moved_starts against the plan before"
    )
    scenarios: ScenariosView | None = None
    prices: SlotPricesView | None = None


class ProgressView(BaseModel):
    """How far a job has come; followed from the plan until a scheduler says."""

    work_left_h: float
    state: Literal["queued", "running", "paused"]
    ran_slots: int
    pool: str | None = Field(description="where a running job that could choose runs; null: as it was handed in")
    gpus: int | None = Field(description="with which gang")


class JobView(TrainingJob):
    """A job with its standing."""

    status: Literal["open", "done", "set_aside"]
    reason: str | None = Field(description="why it was set aside")
    progress: ProgressView
    created_at: str
    updated_at: str
    planned: JobPlan | None = Field(description="what the plan in force does with it")


class JobList(BaseModel):
    """A page of jobs; `next` is the `after` of the next page."""

    jobs: list[JobView]
    next: str | None


class JobTaken(BaseModel):
    """What became of a job; a plan that has seen it answers `plan_request` or a higher one."""

    id: str
    result: Literal["created", "replaced", "unchanged"]
    plan_request: int


class AgentRow(BaseModel):
    """How an agent stands, by its last report."""

    node: str
    pool: str
    seen_at: str
    silent_s: float
    silent: bool = Field(description="no report for a third of a lease")
    state: str
    default_set: bool
    plan_version: VersionView
    behind: bool = Field(description="a newer version is in force")
    lease_remaining_s: float
    clock_skew_s: float | None = Field(description="the machine's wall clock less ours")
    gpus: int
    gpus_lost: int
    gpus_above: int = Field(description="that enforce more than was asked for")


class AgentView(AgentRow):
    """An agent with its last report."""

    report: AgentReport


class AgentList(BaseModel):
    """A page of agents; `counts` by state, of this page."""

    agents: list[AgentRow]
    counts: dict[str, int]
    next: str | None


class JobSlot(BaseModel):
    """A job in a slot, planned and achieved; watts per GPU, means over the agents' reports."""

    start: str
    job: str | None = Field(description="null: GPUs without a job")
    nodes: int
    gpus: int
    plan_id: str | None = Field(description="in force as the slot began")
    planned_limit_w: float | None = Field(description="null: no cap was planned, or the job was not to run")
    planned_power_mw: float | None = Field(description="of the whole job, host share included; null: not to run")
    requested_w: float | None
    enforced_w: float | None
    power_w: float | None
    gpu_power_mw: float | None = Field(description="of all its GPUs, without the host share")
    readings: int
    above: int = Field(description="readings in which more was enforced than asked for")
    uncontrolled_ratio: float | None = Field(description="reports in which the agent did not follow the plan")
    kept: bool | None = Field(description="enforced stayed under asked for and planned; null: nobody told")


class Compliance(BaseModel):
    """How many slots of jobs kept their caps."""

    job_slots: int
    kept: int
    kept_ratio: float | None
    readings: int
    above: int


class JobReport(BaseModel):
    """Plan against actual per job, `from` and `to` on slot borders."""

    jobs: list[JobSlot]
    compliance: Compliance


class AssetSlots(BaseModel):
    """An asset's flow, planned and measured; null: not planned, or not measured."""

    asset: str
    flow: Literal["import", "export", "production", "charge"]
    planned_mw: list[float | None]
    measured_mw: list[float | None]
    slots_counted: int = Field(description="that have both; the energies are theirs")
    planned_mwh: float | None
    measured_mwh: float | None
    mean_error_mw: float | None = Field(description="mean of the absolute difference")


class AssetReport(BaseModel):
    """Plan against actual per asset, `from` and `to` on slot borders."""

    step_minutes: int
    assets: list[AssetSlots]


class EventAnswer(BaseModel):
    """Whether an event can be kept, asked before it is accepted."""

    feasible: bool | None = Field(
        description="true: a refereed plan keeps it; false: proven that none does; null: unknown"
    )
    method: Literal["solve", "plan in force", "bound", "default set"]
    note: str | None = None
    conflicts: list[str] = []
    planned_peak_mw: float | None = Field(None, description="highest import in the window, with it")
    without_event_peak_mw: float | None = Field(None, description="the same, of the plan in force")
    cost_change: float | None = Field(None, description="of the objective, against the plan in force")
    currency: str | None = None
    unmet_h_change: float | None = None
    late_h_change: float | None = None
    gap: float | None = None
    horizon_end: str | None = None


class EventTaken(BaseModel):
    """What became of an event that was handed in."""

    id: str
    result: Literal["accepted", "unchanged", "answered"]
    answer: EventAnswer


class EventStanding(BaseModel):
    """What the plan in force makes of an event."""

    id: str
    kept: bool
    reason: str | None


class EventSlot(BaseModel):
    """A slot of an event that is over; null: the meter said nothing."""

    start: str
    limit_mw: float
    metered_mw: float | None
    baseline_mw: float | None
    kept: bool | None


class EventRecord(BaseModel):
    """What the meter showed; `kept` null: nothing is over yet, or the meter did not say."""

    slots: list[EventSlot]
    kept: bool | None
    highest_mw: float | None = None
    method: str = Field(description="of the baseline")
    reduced_mwh: float | None = Field(description="baseline less meter, over the slots that have both")
    slots_counted: int = 0


class EventRow(GridEvent):
    """An event with its standing."""

    status: Literal["accepted", "withdrawn"]
    answer: EventAnswer
    accepted_at: str
    withdrawn_at: str | None
    planned: EventStanding | None = Field(description="null: no plan has seen it yet, or it lies beyond the horizon")


class EventView(EventRow):
    """An event with its record."""

    record: EventRecord


class EventList(BaseModel):
    """A page of events."""

    events: list[EventRow]
    next: str | None


class ModeView(BaseModel):
    """Mode of a pool or asset."""

    target: str
    mode: Literal["shadow", "auto", "failsafe"]
    lease_s: float


class ModeList(BaseModel):
    """Every mode."""

    modes: list[ModeView]


class ErrorRow(BaseModel):
    """One thing that is wrong."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the body, or the parameter")
    code: str
    message: str


class TelemetryPoint(BaseModel):
    """Fields of one thing at one instant."""

    measurement: str = Field(description="such as `gpu`")
    tags: dict[str, str] = {}
    fields: dict[str, float | bool | str]
    units: dict[str, str] = Field({}, description="unit that a field comes in, where it is not the one that we keep")
    time: str | None = Field(None, description="RFC 3339 with an offset; none: time of arrival")


class TelemetrySeries(BaseModel):
    """Values of one metric at even steps; null: none."""

    metric: str = Field(description="`measurement.field`, such as `site.pv_mw`")
    tags: dict[str, str] = {}
    unit: str = Field("", description="unit that the values come in, where it is not the one that we keep")
    start: str = Field(description="RFC 3339 with an offset: start of the first step")
    step_s: float
    values: list[float | None]


class TelemetryBatch(BaseModel):
    """What was measured; at most 50,000 points."""

    points: list[TelemetryPoint] = []
    series: list[TelemetrySeries] = []


class ProblemDetails(BaseModel):
    """RFC 9457; `code` is stable."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    trace_id: str
    errors: list[ErrorRow] = []


class ToldStatement(BaseModel):
    """One thing that is so; `key` and `facts` are its sentence without words. The last part of a fact's name is its
    unit."""

    key: str
    facts: dict[str, float | int | str | list[str]]
    sentence: str
    reason: str | None = Field(None, description="one of the closed list, where a reason stands behind it")
    reason_text: str | None = None
    money: float | None = Field(None, description="what it weighs in the cost, where that is known")


class Explanation(BaseModel):
    """Why a plan is as it is: sections of statements, the weightiest first."""

    problem_digest: str
    objective: float
    currency: str
    timezone: str
    sections: dict[str, list[ToldStatement]]


INCOMING: dict[str, type[BaseModel]] = {
    "Problem": Problem,
    "TrainingJob": TrainingJob,
    "ModeChange": ModeChange,
    "AgentReport": AgentReport,
    "GridEvent": GridEvent,
    "TelemetryBatch": TelemetryBatch,
    "Wish": Wish,
    "ProblemDetails": ProblemDetails,
}
"""Types that no route names, because their bodies are read by the strict reader."""


def body_of(name: str) -> dict[str, Any]:
    """OpenAPI's request body for one of :data:`INCOMING`."""
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def line_protocol_body() -> dict[str, Any]:
    """OpenAPI's request body for line protocol."""
    return {"requestBody": {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}}


def plan_response() -> dict[int | str, dict[str, Any]]:
    """OpenAPI's answer of a solve."""
    return {200: {"model": Plan}}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's problem documents."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {status: {"description": _PROBLEMS[status], "content": content} for status in statuses}


_PROBLEMS = {
    400: "The body cannot be read at all",
    401: "No key, or one that is not known here",
    403: "The key's scope is too narrow",
    404: "There is no such thing",
    409: "Not as things stand; `code` says what stands against it",
    413: "The body is larger than 8 MiB",
    422: "Refused; `errors` lists everything that is wrong, with its place",
    503: "Not now; see `Retry-After`",
}
