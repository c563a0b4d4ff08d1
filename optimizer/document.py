"""The two documents of the contract as types: a problem goes in, a plan comes out.

The published JSON Schemas are generated from these classes. Powers MW, energies MWh, temperatures
degC, times RFC 3339 with offset, prices in ``site.currency``. What a schema cannot say is checked by
:mod:`optimizer.refusals`. Light on purpose: the web process imports this module.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, Strict, StrictBool, ValidationError
from pydantic.fields import FieldInfo

from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339, rfc3339
from models.strict_json import loads, pointer

_M = TypeVar("_M", bound=BaseModel)
SCHEMA_VERSION = "1.1"
_ID = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"


def _whole(value: Any) -> Any:
    """JSON Schema counts 4.0 as an integer, so do we."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if not isinstance(value, str):
        raise ValueError("times are RFC 3339 texts with an offset, such as 2026-06-01T00:00:00Z, never numbers")
    return parse_rfc3339(value)


Id = Annotated[str, Strict(), Field(pattern=_ID)]
Text = Annotated[str, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive0 = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Strict(), Field(gt=0, le=1, allow_inf_nan=False)]
Whole = Annotated[int, Strict(), BeforeValidator(_whole)]
Moment = Annotated[datetime, BeforeValidator(_moment), PlainSerializer(rfc3339, return_type=str, when_used="json")]
PerSlot = Number | list[Number]
CountPerSlot = Whole | list[Whole]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="rust-regex")


def _new(default: Any, description: str, **limits: Any) -> Any:
    """A field of version 1.1; its default leaves the optimum of every 1.0 document as it was."""
    return Field(default, description=description, json_schema_extra={"since": "1.1"}, **limits)


def is_new(field: FieldInfo) -> bool:
    """Whether a field is younger than version 1.0."""
    return isinstance(field.json_schema_extra, dict) and "since" in field.json_schema_extra


class Site(_Part):
    """Who and where; used for tariffs, local days and display only."""

    name: Id
    timezone: Text = Field("UTC", description="IANA name, e.g. Africa/El_Aaiun")
    currency: Annotated[str, Strict()] = Field(
        "USD", pattern=r"^[A-Z]{3}$", description="of every price in the document; never converted"
    )


class Horizon(_Part):
    """Half-open slots [start + k*step, start + (k+1)*step)."""

    start: Moment = Field(description="RFC 3339 with offset; first instant of slot 0")
    step_minutes: Whole = Field(15, ge=1, le=60)
    slots: Whole = Field(ge=1, le=2016)


class SeriesSet(_Part):
    """Mean over each slot; every array has `slots` values. Absent means zero (carbon, price, power) or
    not modelled (weather)."""

    pv_available_mw: list[Number] | None = None
    wind_available_mw: list[Number] | None = None
    base_load_mw: list[Number] | None = Field(
        None,
        description="facility load that nothing here decides, inference included; makes no heat for the cooling part",
    )
    import_price_per_mwh: list[Number] | None = Field(None, description="may be negative")
    export_price_per_mwh: list[Number] | None = Field(
        None, description="paid to the site per MWh exported; may be negative"
    )
    carbon_kg_per_mwh: list[Number] | None = Field(None, description="of imported energy")
    dry_bulb_c: list[Number] | None = None
    wet_bulb_c: list[Number] | None = None


class Outage(_Part):
    """Slots without a grid: neither import nor export."""

    start: Moment = Field(description="on a slot border; may lie before the horizon")
    end: Moment = Field(description="on a slot border; first instant with a grid again")


class Maintenance(_Part):
    """A window in which an asset is out or derated. Where windows of one asset overlap, the least share is left."""

    start: Moment = Field(description="on a slot border; may lie before the horizon")
    end: Moment = Field(description="on a slot border; first instant with the whole asset again")
    left_share: Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        0.0, description="of its power, capacity, limits or GPUs (whole ones); 0: it is out"
    )
    reason: Text = Field("", description="for people: it stands in sentences about what the window forbids")


class Grid(_Part):
    import_limit_mw: PerSlot = 0.0
    export_limit_mw: PerSlot = 0.0
    demand_charge_per_mw: Positive0 = Field(
        0.0, description="for each MW by which the highest import slot exceeds peak_so_far_mw"
    )
    peak_so_far_mw: Positive0 = Field(0.0, description="of the running billing period; sunk")
    import_ramp_mw_per_slot: Positive0 | None = Field(
        None, description="largest change of (import - export) between neighbouring slots"
    )
    carbon_price_per_kg: Positive0 = 0.0
    outages: list[Outage] = _new([], "announced: nothing is imported or exported then, whatever the limits")
    maintenance: list[Maintenance] = _new([], "announced windows in which it is out or derated")
    billing_interval_slots: Whole = _new(
        1,
        "slots over whose mean import the demand charge is measured; an interval that the horizon's end cuts counts "
        "with the slots inside",
        ge=1,
    )
    billing_elapsed_slots: Whole = _new(0, "slots of the running interval that lie before slot 0", ge=0)
    billing_elapsed_mwh: Positive0 = _new(0.0, "imported in those slots")
    export_allowance_mwh: Positive0 | None = _new(None, "most that may be exported in a year; null: no such limit")
    exported_so_far_mwh: Positive0 = _new(0.0, "exported in this year before slot 0")
    carbon_budget_kg: Positive0 | None = _new(
        None, "most that import and generators may emit in this horizon; null: no such limit"
    )
    above_carbon_budget_cost_per_kg: Positive0 | None = _new(None, "null: the budget must be kept")
    renewable_share: Share | None = _new(
        None,
        "share of heat, cooling, base load and inference over the horizon that neither import nor generators may cover",
    )
    below_renewable_share_cost_per_mwh: Positive0 | None = _new(
        None, "per MWh of import and generators beyond it; null: the share must be kept"
    )


class Battery(_Part):
    """Powers on the AC side, positive charging in charge_mw. soc[k] = soc[k-1] + h*(charge*eta_c - discharge/eta_d)
    at the END of slot k."""

    name: Id = "battery"
    power_mw: Positive0
    energy_mwh: Positive0
    charge_efficiency: Share
    discharge_efficiency: Share
    soc_start_mwh: Positive0
    soc_min_mwh: Positive0 = 0.0
    soc_max_mwh: Positive0 | None = Field(None, description="null: energy_mwh")
    soc_end_min_mwh: Positive0 = 0.0
    wear_cost_per_mwh: Positive0 = Field(0.0, description="per MWh discharged")
    reserve_mwh: PerSlot = _new(
        0.0, "ride-through energy above soc_min_mwh that is to be there at the end of each slot"
    )
    below_reserve_cost_per_mwh_h: Positive0 | None = _new(
        None, "per MWh of it missing at the end of a slot, times the slot's hours; null: none may be missing"
    )
    soc_end_value_per_mwh: Positive0 = _new(0.0, "worth of each MWh at the end above soc_start_mwh, loss of each below")
    maintenance: list[Maintenance] = _new([], "announced windows in which it is out or derated")
    published_mw: list[Number] | None = _new(
        None, "discharge less charge as the plan in force has it, one value a slot; from stability.until on unread"
    )
    moved_cost_per_mwh: Positive0 = _new(0.0, "per MWh more or less than that")


class Reserve(_Part):
    """Headroom against a fall of sun and wind within a slot: import below its limit, batteries below their power."""

    drop_mw: PerSlot = Field(description="largest fall to be made up for at once")
    cost_per_mwh: Positive0 | None = Field(None, description="per MW missing and hour; null: none may be missing")


class Event(_Part):
    """A target for import - export in some slots, as a grid operator or an aggregator asks for it."""

    id: Id
    start: Moment = Field(description="on a slot border; may lie before the horizon")
    end: Moment = Field(description="on a slot border; first instant without the target")
    most_import_mw: Number | None = Field(None, description="negative: at least so much must be exported")
    least_import_mw: Number | None = Field(None, description="negative: at most so much may be exported")
    cost_per_mwh: Positive0 | None = Field(None, description="per MWh beyond the target; null: it must be kept")


class Nomination(_Part):
    """A frozen day-ahead promise of the mean of import - export over a block, commonly an hour. A block that begins
    before the horizon counts with elapsed_mwh, one that ends after it with the part inside."""

    id: Id
    start: Moment = Field(description="on a slot border; may lie before the horizon")
    end: Moment = Field(description="on a slot border")
    import_mw: Number = Field(description="mean of import - export over the block")
    over_cost_per_mwh: Positive0 = Field(description="per MWh taken beyond it")
    under_cost_per_mwh: Positive0 = Field(description="per MWh taken less")
    elapsed_mwh: Number = Field(0.0, description="import - export of the block's slots before slot 0")


class Generator(_Part):
    """A generating set: off, or on between its least and its full power."""

    name: Id
    power_mw: Positive0
    min_power_mw: Positive0 = 0.0
    fuel_cost_per_mwh: PerSlot = Field(0.0, description="per MWh generated, upkeep included")
    no_load_cost_per_h: Positive0 = Field(0.0, description="per hour on, whatever the power")
    start_cost: Positive0 = 0.0
    stop_cost: Positive0 = 0.0
    min_up_slots: Whole = Field(1, ge=1, description="of each run that the horizon's end does not cut")
    min_down_slots: Whole = Field(1, ge=1, description="of each pause between two runs")
    on_before: StrictBool = Field(False, description="whether it runs when slot 0 begins")
    state_slots: Whole = Field(1, ge=0, description="slots it has been in that state before slot 0")
    fuel_mwh: Positive0 | None = Field(None, description="what the fuel on site can still generate; null: enough")
    carbon_kg_per_mwh: Positive0 = 0.0
    maintenance: list[Maintenance] = _new([], "announced windows in which it is out or derated")
    published_mw: list[Number] | None = Field(
        None, description="output as the plan in force has it, one value a slot; from stability.until on unread"
    )
    moved_cost_per_mwh: Positive0 = Field(0.0, description="per MWh more or less than that")


class Inference(_Part):
    """A service that is never paused: it draws its forecast, or less at a loss of quality. Like base load its power
    counts with its own cooling."""

    name: Id
    power_mw: list[Number] = Field(description="nominal, one value a slot")
    min_power_mw: PerSlot = Field(description="below which the service does not run; at most power_mw")
    below_nominal_cost_per_mwh: Positive0 = Field(description="per MWh drawn less than nominal")


class WaterLimit(_Part):
    """A limit on the water that cooling evaporates in a period, commonly a day."""

    id: Id
    start: Moment = Field(description="on a slot border; may lie before the horizon")
    end: Moment = Field(description="on a slot border; may lie after the horizon")
    limit_m3: Positive0
    so_far_m3: Positive0 = Field(0.0, description="evaporated in the period before slot 0")
    over_cost_per_m3: Positive0 | None = Field(None, description="null: the limit must be kept")


class ThermalMass(_Part):
    """Heat that hall, loop or tank holds, so that the plant may remove it earlier or later than it is made. With share
    = kept_share: T[k] = share*T[k-1] + (1-share)*surroundings_c[k] + h*(heat - removed)/mwh_per_k at the END of slot
    k."""

    mwh_per_k: Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)] = Field(description="heat for one degree")
    start_c: Number
    lowest_c: Number = Field(description="never below, however cheap cooling is")
    allowable_c: Number = Field(description="never above")
    recommended_c: Number | None = Field(None, description="above it only at a price; null: allowable_c")
    above_recommended_cost_per_k_h: Positive0 = Field(0.0, description="per K above it at the end of a slot, and hour")
    kept_share: Share = Field(1.0, description="what is left after a slot of the distance to the surroundings")
    surroundings_c: PerSlot | None = Field(None, description="null: start_c")
    most_change_k_per_slot: Positive0 | None = Field(None, description="either way; null: any")
    end_most_c: Number | None = Field(None, description="at the end of the horizon; null: allowable_c")


class NamedMass(ThermalMass):
    """One of several masses, such as a hall's air and a liquid loop: its part of the heat goes into it."""

    name: Id
    heat_share: Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        description="of the site's heat, but of pools with heat_shares; what all shares leave is removed as it is made"
    )


class Tank(_Part):
    """Chilled water. What the plant removes more than asked goes into it, what it removes less comes out of it:
    stored[k] = kept_share*stored[k-1] + h*into[k] at the END of slot k, with -draw_mw <= into[k] <= fill_mw."""

    energy_mwh: Positive0 = Field(description="heat that it takes up when it is full of cold")
    fill_mw: Positive0 = Field(description="cold into it, at most")
    draw_mw: Positive0 = Field(description="cold out of it, at most")
    start_mwh: Positive0
    end_min_mwh: Positive0 = Field(0.0, description="at the end of the horizon, at least")
    kept_share: Share = Field(1.0, description="what is left after a slot of what was stored")


class Tangent(_Part):
    """electric_mw >= slope*heat_mw + intercept_mw."""

    slope: PerSlot
    intercept_mw: PerSlot


class FreeCooling(_Part):
    """Outside air or water that cools only when it is cold enough: all of the capacity below one temperature, none
    above another, a straight line between."""

    bulb: Literal["dry_bulb_c", "wet_bulb_c"] = Field(description="series that tells the temperature outside")
    full_below_c: Number
    none_above_c: Number = Field(description="above full_below_c")


class CoolingUnit(_Part):
    """One of several units side by side. The heat is split so that their power in all is least; what a unit draws adds
    to the plant's own tangents. A unit that can remove nothing in a slot is off and draws nothing."""

    name: Id
    capacity_heat_mw: PerSlot
    tangents: list[Tangent] = Field([], description="of this unit's power at its own heat; none: it draws nothing")
    free: FreeCooling | None = Field(None, description="the capacity depends on the weather")
    maintenance: list[Maintenance] = _new([], "announced windows in which it is out or derated")


class Cooling(_Part):
    """Electric power of the plant = the largest of its tangents at the slot's heat (convex); heat may not exceed
    capacity."""

    tangents: list[Tangent] = Field(min_length=1)
    capacity_heat_mw: PerSlot | None = None
    water_m3_per_mwh: PerSlot = _new(0.0, "evaporated per MWh of heat")
    water_price_per_m3: Positive0 = _new(0.0, "of that water")
    water_limits: list[WaterLimit] = _new([], "per day or any other period")
    mass: ThermalMass | None = _new(
        None,
        "one thermal mass that takes all heat; power, capacity and water then follow the heat removed, and "
        "capacity_heat_mw is needed",
    )
    masses: list[NamedMass] = _new([], "several of them in place of mass, each with its share of the heat")
    tank: Tank | None = _new(None, "chilled-water tank; like a mass it needs capacity_heat_mw")

    units: list[CoolingUnit] = _new([], "cooling units; capacity_heat_mw, if given, limits all of them together")
    spare_units: Whole = _new(
        0, "how many of the largest may be lost in any slot while the others carry what is removed (1: N-1)", ge=0
    )

    @property
    def alone(self) -> list[ThermalMass]:
        """The one mass that takes all heat, where there is one."""
        return [] if self.mass is None else [self.mass]

    @property
    def holds_heat(self) -> bool:
        """Whether what the plant removes may differ from the heat that is made."""
        return bool(self.mass is not None or self.masses or self.tank is not None)


class Nodes(_Part):
    """Nodes of a pool that may be switched off. A node that is on and carries no job draws idle_w_per_gpu for each of
    its GPUs, also while it boots; jobs run only on nodes that are up. GPUs beyond whole nodes are not used."""

    gpus_per_node: Whole = Field(ge=1)
    boot_slots: Whole = Field(0, ge=0, description="from its start until jobs can run on it")
    min_up_slots: Whole = Field(
        1, ge=1, description="from its start until it may be off again; a boot at least goes to its end"
    )
    off_w: Positive0 = Field(0.0, description="drawn by a node that is off")
    on_before: Annotated[int, Strict(), Field(ge=0), BeforeValidator(_whole)] | None = Field(
        None, description="nodes that are on when slot 0 begins, booting ones included; null: all"
    )
    started_before: list[Annotated[int, Strict(), Field(ge=0), BeforeValidator(_whole)]] = Field(
        [], description="how many of these were started 1, 2, ... slots before slot 0"
    )


class Partner(_Part):
    """GPUs that are rented elsewhere: what they draw is drawn there, and what they cost is a price for each hour."""

    price_per_gpu_h: PerSlot = Field(description="for each GPU in use")
    quota_gpu_h: Positive0 | None = Field(None, description="most GPU-hours in this horizon; null: no such limit")
    start_delay_slots: Whole = Field(
        0, ge=0, description="slots from slot 0 until a job that has it as an alternative, without ready, can begin"
    )


class Pool(_Part):
    """GPUs that are alike. IT power of a pool = sum of its running jobs + idle_w_per_gpu for each available GPU not in
    use."""

    name: Id
    gpu: Text
    gpus: CountPerSlot = Field(description="available, per slot if a list (maintenance)")
    idle_w_per_gpu: Positive0 = Field(0.0, description="GPU idle plus its share of the host, nodes staying on")
    nodes: Nodes | None = _new(None, "null: all nodes stay on")
    maintenance: list[Maintenance] = _new([], "announced windows in which it is out or derated")
    lever: Literal["power", "clock", "none"] = _new(
        "power", "what slows its GPUs down: a power limit; a clock limit, where power limits do not bind; nothing"
    )
    partner: Partner | None = _new(None, "whose GPUs these are; null: our own")
    jurisdiction: Id | None = _new(None, "whose law holds where its machines stand, e.g. MA; null: not said")
    heat_shares: dict[Id, Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)]] | None = _new(
        None,
        "of its heat, by the name of the mass in cooling.masses that it enters, such as a liquid loop; what they leave "
        "is removed as it is made; null: the heat_share of each mass",
    )


class Feed(_Part):
    """An upper limit on the IT power of some pools (UPS, feeder, transformer after derating)."""

    name: Id
    pools: list[Id]
    limit_mw: PerSlot
    maintenance: list[Maintenance] = _new([], "announced windows in which it is out or derated")


class Level(_Part):
    """One measured or assumed operating point of the whole job. Between two levels the straight line may be used; speed
    is concave in power."""

    power_mw: Positive0 = Field(description="drawn by the whole gang, host overhead included")
    speed: Positive0 = Field(
        description="share of uncapped speed; 1.0 at the highest level by convention; a level with power 0 and speed 0 "
        "makes the load continuous"
    )
    limit_w: Positive0 | None = Field(
        None, description="power limit per GPU that yields this point; null: no cap lever"
    )
    clock_mhz: Positive0 | None = _new(None, "clock limit per GPU that yields this point, in a pool whose lever it is")


class Alternative(_Part):
    """Another way to run a job: in another pool, or as a gang of another size."""

    pool: Id | None = Field(None, description="null: the job's own")
    gpus: Whole | None = Field(None, ge=0, description="gang size; null: the job's own")
    levels: list[Level] | None = Field(
        None, min_length=1, description="of that gang there, speeds as shares of the job's own; null: the job's own"
    )
    ready: Moment | None = Field(
        None,
        description="first instant at which it can run so, on a slot border; null: at once, or after a partner's delay",
    )
    egress_cost: Positive0 = Field(0.0, description="once, if it runs so in this horizon (data moved there and back)")


class PublishedRun(_Part):
    """A run of the plan in force; touching runs may differ in power."""

    start: Moment = Field(description="on a slot border; may lie before the horizon")
    end: Moment = Field(description="on a slot border")
    power_mw: Positive0 = Field(description="of the whole gang")


class Published(_Part):
    """What the plan in force has a single job do until stability.until, and what doing otherwise costs."""

    runs: list[PublishedRun] = Field(description="in order; none: the plan in force has it off")
    moved_cost_per_h: Positive0 = Field(
        0.0, description="per hour in which it is on where that is off, or off where on"
    )
    frozen_cost_per_h: Positive0 = Field(0.0, description="the same before stability.frozen_until, in its place")
    frozen_cost_per_mwh: Positive0 = Field(
        0.0,
        description="per MWh drawn beside the published power before stability.frozen_until, while it is on in both",
    )


class Stability(_Part):
    """How far the plan in force reaches, and until when it is best left as it is."""

    until: Moment = Field(description="on a slot border; what is published ends here")
    frozen_until: Moment | None = Field(None, description="on a slot border, at most until; null: nothing is frozen")


class Job(_Part):
    id: Id
    pool: Id | None = Field(None, description="null: an electric load without GPUs")
    gpus: Whole = Field(0, ge=0, description="gang size; all or nothing in every slot")
    count: Whole = Field(1, ge=1, description="number of identical jobs described by this entry")
    tenant: Id | None = None
    work_h: Positive0 = Field(description="run hours at speed 1.0 still to do")
    due_h: Positive0 | None = Field(
        None, description="of it, to be done inside the horizon and before the deadline; default: all of work_h"
    )
    levels: list[Level] = Field(min_length=1)
    release: Moment = Field(description="on a slot border; may lie before the horizon")
    deadline: Moment | None = Field(None, description="on a slot border; null: end of the horizon")
    late_cost_per_h: Positive0 | None = Field(
        None, description="per hour of work done after the deadline; null: nothing may run after it"
    )
    unmet_cost_per_h: Positive0 | None = Field(
        None, description="per hour of due work not done by the end of the horizon; null: must be done"
    )
    work_value_per_h: Positive0 = Field(0.0, description="reward per hour of work done beyond due_h, up to work_h")
    preemptible: StrictBool = False
    restart_loss_h: Positive0 = Field(0.0, description="work lost at each start that resumes earlier work")
    start_cost: Positive0 = Field(0.0, description="per start inside the horizon, a continued run in slot 0 excepted")
    min_run_slots: Whole = Field(1, ge=1)
    min_pause_slots: Whole = Field(1, ge=1)
    max_pauses: Annotated[int, Strict(), Field(ge=0), BeforeValidator(_whole)] | None = None
    state: Literal["queued", "running", "paused"] = "queued"
    ran_slots: Whole = Field(0, ge=0, description="slots of the current run before slot 0, if running")
    pinned_start: Moment | None = Field(None, description="an operator's order: first start exactly here")
    held: StrictBool = Field(False, description="an operator's order: may not run in this horizon")
    checkpoint_gb: Positive0 = _new(
        0.0,
        "written in the slot in which it is off first, paused or done, and read in the slot of each start but the "
        "first of a queued job",
    )
    after: list[Id] = _new(
        [], "jobs that have to be done first: it runs in no slot before which one of them has work left"
    )
    alternatives: list[Alternative] = _new(
        [],
        "other ways to run it; each session stays in one pool and may change its gang there, and a running job goes on "
        "in its own pool",
    )
    surplus: StrictBool = _new(
        False,
        "runs only on what would be curtailed: while it is on nothing is imported, discharged, generated or taken from "
        "a service, and what can be sold at a price is; it is stopped first",
    )
    residency: list[Id] = _new(
        [], "jurisdictions in which alone it may run, in pools that say theirs; empty: it may run anywhere"
    )
    resize_loss_h: Positive0 = _new(0.0, "work lost at each change of the gang within a session")
    published: Published | None = _new(None, "in the plan in force; null: it does not know the job")


class Storage(_Part):
    """What the storage takes of checkpoints, written and read together: GB of a slot <= gb_per_s times its seconds."""

    gb_per_s: PerSlot
    over_cost_per_gb: Positive0 | None = Field(None, description="per GB beyond it in a slot; null: it must be kept")
    most_slots: Whole = Field(
        1,
        ge=1,
        description="a checkpoint larger than the most that a slot takes is written, and read, in equal parts over as "
        "many slots as it needs, at most these; until it is written its job does not resume",
    )


class Problem(_Part):
    """Everything one plan needs. Powers MW, energies MWh, temperatures degC, times RFC 3339, prices in
    site.currency."""

    schema_version: Literal["1.0", "1.1"]
    name: Id
    site: Site
    horizon: Horizon
    series: SeriesSet = SeriesSet()
    grid: Grid = Grid()
    batteries: list[Battery] = []
    cooling: Cooling | None = None
    distribution_efficiency: Share = Field(1.0, description="IT power / power drawn for it (UPS, PDU)")
    pools: list[Pool] = []
    feeds: list[Feed] = []
    jobs: list[Job] = []
    gap: Positive0 = Field(0.001, description="relative gap wanted")
    time_limit_s: Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)] = 60.0
    reserve: Reserve | None = _new(None, "headroom against a fall of sun and wind within a slot; null: none")
    events: list[Event] = _new([], "targets for import - export")
    nominations: list[Nomination] = _new([], "frozen promises of import - export")
    generators: list[Generator] = _new([], "generating sets")
    storage: Storage | None = _new(None, "bandwidth of the storage for jobs' checkpoints; null: enough")
    inference: list[Inference] = _new([], "services that are never paused; not part of base_load_mw")
    stability: Stability | None = _new(None, "the plan in force; null: nothing is published yet")


class PlanSeries(_Part):
    import_mw: list[Number]
    export_mw: list[Number]
    pv_used_mw: list[Number]
    wind_used_mw: list[Number]
    it_mw: list[Number]
    heat_mw: list[Number] = Field(description="it_mw / distribution_efficiency")
    cooling_mw: list[Number]
    base_load_mw: list[Number]
    charge_mw: dict[str, list[Number]] = {}
    discharge_mw: dict[str, list[Number]] = {}
    soc_mwh: dict[str, list[Number]] = Field({}, description="at the END of each slot")
    generator_mw: dict[str, list[Number]] = _new({}, "what each generator gives")
    generator_on: dict[str, list[Whole]] = _new({}, "1 where it is on, else 0")
    inference_mw: dict[str, list[Number]] = _new({}, "what each service draws")
    heat_removed_mw: list[Number] | None = _new(None, "by the cooling plant, where there is a thermal mass or a tank")
    temperature_c: list[Number] | None = _new(None, "of the one thermal mass, at the END of each slot")
    mass_removed_mw: dict[str, list[Number]] = _new({}, "from each of several masses")
    mass_c: dict[str, list[Number]] = _new({}, "temperature of each of several masses, at the END of each slot")
    nodes_on: dict[str, list[Whole]] = _new({}, "nodes on, booting ones included, of each pool whose nodes may be off")
    unit_heat_mw: dict[str, list[Number]] = _new({}, "removed by each cooling unit")
    tank_mwh: list[Number] | None = _new(None, "cold in the tank, at the END of each slot")


class Run(_Part):
    """Constant operation in [start, end). Touching runs of one job are one session."""

    start: Moment
    end: Moment
    power_mw: Number
    speed: Number
    limit_w: Number | None = None
    count: Whole = Field(1, ge=1, description="how many of an aggregated entry's jobs run like this")
    clock_mhz: Number | None = _new(None, "clock limit per GPU, in a pool whose lever it is")
    pool: Id | None = _new(None, "where it runs; null: without a pool")
    gpus: Whole | None = _new(None, "GPUs of one gang; null: as the job says")


class JobPlan(_Part):
    id: Id
    runs: list[Run]
    work_done_h: Number = Field(description="speed x hours, less restart losses; summed over count")
    late_h: Number = 0.0
    unmet_h: Number = 0.0


class Unmet(_Part):
    requirement: Text = Field(description="e.g. job:llm-7/due")
    amount: Number
    unit: Text
    price: Number
    sentence: Text
    source: Text | None = _new(None, "JSON pointer of the wish in the problem document")


class Plan(_Part):
    schema_version: Literal["1.0", "1.1"] = Field(description="that of the problem")
    name: Id
    problem_digest: Text = Field(
        description="sha256 of the problem document as canonical JSON (sorted keys, no spaces)"
    )
    status: Literal["optimal", "feasible", "infeasible"]
    rung: Literal["MILP", "INCUMBENT", "LP", "GREEDY", "LAST", "SAFE"]
    objective: Number | None = None
    bound: Number | None = Field(None, description="proven lower bound of the objective")
    gap: Number | None = Field(None, description="(objective - bound) / max(1, |objective|)")
    solve_seconds: Number
    terms: dict[str, Number] = Field(
        {},
        description="import, export (negative when paid), demand_charge, carbon, wear, starts, late, unmet, work_value "
        "(negative); they sum to the objective; version 1.1 adds fuel, water, partner (GPUs rented and data moved), "
        "stored (negative when worth more than before), change (what differs from the plan in force, at its price) and "
        "wishes (amount times price of what else is listed under unmet in other units than h)",
    )
    series: PlanSeries | None = None
    jobs: list[JobPlan] = []
    unmet: list[Unmet] = []
    conflicts: list[Text] = Field([], description="sentences, when infeasible")


@dataclass(frozen=True)
class ReceivedProblem:
    """A problem as it came: parsed, checked against the schema, with its digest over the raw document."""

    document: Problem
    raw: dict[str, Any]
    digest: str


def digest(raw: Any) -> str:
    """SHA-256 of a document as received, in canonical JSON (sorted keys, no spaces, ASCII-escaped)."""
    return hashlib.sha256(json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def schema(which: Literal["problem", "plan"]) -> dict[str, Any]:
    """JSON Schema of one of the two documents."""
    return (Problem if which == "problem" else Plan).model_json_schema()


def parse_problem(raw: Any) -> ReceivedProblem:
    """Type-check parsed JSON as a problem document; rules beyond the schema are not looked at here.

    Raises:
        InvalidInput: with a fault and JSON pointer for everything that the schema refuses.
    """
    document = _validated(Problem, raw, "the problem document")
    return ReceivedProblem(document, raw, digest(raw))


def parse_plan(raw: Any) -> Plan:
    """Type-check parsed JSON as a plan document.

    Raises:
        InvalidInput: with a fault and JSON pointer for everything that the schema refuses.
    """
    return _validated(Plan, raw, "the plan document")


def read_plan(data: bytes | str) -> Plan:
    """Strictly read a plan document from JSON text; raises as :func:`parse_plan` and the strict reader."""
    return parse_plan(loads(data, "the plan document"))


def dump_plan(plan: Plan) -> dict[str, Any]:
    """Plan as plain JSON values; one of version 1.0 has no field that is younger."""
    return plan.model_dump(mode="json", exclude=_YOUNGER if plan.schema_version == "1.0" else None)


def _younger(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if is_new(field)}


_YOUNGER: Any = {
    "series": _younger(PlanSeries),
    "jobs": {"__all__": {"runs": {"__all__": _younger(Run)}}},
    "unmet": {"__all__": _younger(Unmet)},
}


def _validated(model: type[_M], raw: Any, what: str) -> _M:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise InvalidInput(what, _faults(error, raw)) from None


_SENTENCES = {
    "missing": "this field is required; add it",
    "extra_forbidden": "this field is unknown; remove it or mend its name",
}


def _faults(error: ValidationError, raw: Any) -> list[Fault]:
    """Pydantic's complaints with real JSON pointers, one a place."""
    found: dict[str, Fault] = {}
    for item in error.errors(include_url=False):
        path, value, branch_fits = _locate(item["loc"], raw, item["type"] == "missing")
        if not branch_fits:
            continue
        shown = "" if item["type"] == "missing" else f"{_shown(value)}: "
        message = _SENTENCES.get(item["type"]) or str(item["msg"]).removeprefix("Value error, ")
        place = pointer(*path)
        found.setdefault(place, Fault(place, item["type"], shown + message))
    return sorted(found.values(), key=lambda fault: fault.pointer)


def _locate(loc: Iterable[str | int], raw: Any, missing: bool) -> tuple[list[str | int], Any, bool]:
    """Follow a pydantic location through the raw document, dropping the names of union branches.

    The last item tells whether the branch complained about suits the value's kind: of
    ``number | list`` only the branch that the author meant is worth a sentence.
    """
    path: list[str | int] = []
    value = raw
    fits = True
    steps = list(loc)
    for index, step in enumerate(steps):
        if isinstance(value, dict) and (step in value or (missing and index == len(steps) - 1)):
            path.append(step)
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            path.append(step)
            value = value[step]
        elif isinstance(step, str):
            fits = fits and step.startswith("list") == isinstance(value, list)
    return path, value, fits


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
