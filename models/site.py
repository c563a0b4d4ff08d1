"""A site as data: pools, supply, cooling, tariff and what its operators promise; frozen and light.

Read from a file by :func:`ingest.site_file.read_site`, which lists every error at once. Powers MW, energies
MWh, watts at the GPU, temperatures degC, prices in ``currency``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, Strict, ValidationError

from models.checking import (
    Above0,
    AtLeast0,
    Celsius,
    Checked,
    Count,
    Flag,
    Fraction,
    Name,
    Number,
    Share,
    Text,
    Whole,
    Zone,
    faults_of,
)
from models.cooling_plant import CoolingPlant
from models.errors import Fault, InvalidInput, NotFound
from models.gpu_power import GpuModel
from models.horizon import Horizon
from models.job_sources import Jobs
from models.jobs import PRIORITIES, Priority
from models.market import Market
from models.site_asks import Budgets, Generator, Maintenance, Nodes, Service
from models.site_jobs import Elastic, Partner, Storage, Tenant
from models.site_rules import cross_faults
from models.supply import Battery, Feed, Grid, Solar, Wind
from models.tariff import Tariff
from models.telemetry import Telemetry


class Phase(Checked):
    """A step of building a campus; only what is built is planned."""

    name: Name
    year: Whole = Field(ge=1990, le=2100)
    it_mw: AtLeast0 = Field(description="IT power of this step")
    status: Literal["built", "building", "planned"]
    note: Text = ""


class DefaultSet(Checked):
    """What a pool does without a valid plan: a set of measures, because caps alone do not reach a firm limit."""

    limit_w: Above0 = Field(description="power limit per GPU at work")
    idle_limit_w: Above0 | None = Field(None, description="power limit per GPU not at work; none: limit_w")
    admit_starts: Flag = Field(False, description="whether new jobs may start")
    suspend_order: tuple[Priority, ...] = Field(
        ("low", "normal", "high"), description="which preemptible jobs are suspended first when power must fall"
    )
    nodes_may_switch_off: Flag = False


class GpuPool(Checked):
    """GPUs that are alike and reach each other in one fabric domain: a gang fits into one pool."""

    name: Name
    title: Text = ""
    gpu: Name = Field(description="row of the GPU catalogue")
    gpus: Count
    gpus_per_node: Count = 8
    fabric_domain: Name | None = Field(None, description="NVLink or InfiniBand island; none: the pool's name")
    phase: Name | None = None
    host_w_per_gpu: AtLeast0 | None = Field(None, description="host share per GPU at work; none: the catalogue's")
    idle_w_per_gpu: AtLeast0 | None = Field(
        None, description="GPU idle plus idle host share; none: catalogue idle + 60 % of the host share"
    )
    relative_speed: Above0 | None = Field(
        None, description="work of a GPU at full speed in an hour, in one unit for all pools; needed where jobs choose"
    )
    job_share: Fraction = Field(1.0, description="weight of this pool in the synthetic jobs")
    default: DefaultSet
    lease_s: Above0 = Field(900.0, description="how long a cap holds without contact")
    nodes: Nodes | None = Field(None, description="nodes that plans may switch off and on; none: all stay on")
    heat_shares: dict[Name, Fraction] | None = Field(
        None, description="of its heat, by the mass in cooling.masses that it enters; none: each mass's heat_share"
    )
    maintenance: tuple[Maintenance, ...] = ()
    note: Text = ""

    @property
    def domain(self) -> str:
        """Fabric domain."""
        return self.fabric_domain or self.name


class ShedGroup(Checked):
    """Pools that are stopped together when power must fall, and how long that takes.

    ``suspend`` ends every job of the pools, preemptible ones by a checkpoint, the others hard, in the order of the
    pools' ``suspend_order``; nodes stay on. ``switch_off`` takes the nodes' power too, where the pool allows it.
    """

    name: Name
    pools: tuple[Name, ...] = Field(min_length=1)
    action: Literal["suspend", "switch_off"] = "suspend"
    seconds: Above0
    note: Text = ""


class Wishes(Checked):
    """What it is worth to finish work, per GPU-hour at full speed, by priority."""

    note: Text = ""
    unmet_per_gpu_h: dict[Priority, AtLeast0] = Field(description="price of due work left undone")
    late_per_gpu_h: dict[Priority, AtLeast0] = Field(
        {}, description="price of work done after the deadline; a priority that is missing may not run late"
    )
    value_per_gpu_h: AtLeast0 = Field(
        0.0, description="worth of work on jobs due after the horizon, beyond their fair part"
    )
    surplus_value_per_gpu_h: Above0 = Field(0.01, description="worth of work on jobs that run on surplus alone")

    def faults(self) -> Iterable[Fault]:
        """Missing priorities, a value above the price of leaving due work."""
        for priority in PRIORITIES:
            price = self.unmet_per_gpu_h.get(priority)
            if price is None:
                yield Fault(f"unmet_per_gpu_h.{priority}", "missing", "this key is required; add it")
            elif price < self.value_per_gpu_h:
                yield Fault(
                    f"unmet_per_gpu_h.{priority}",
                    "below_value",
                    f"{price:g} is below value_per_gpu_h {self.value_per_gpu_h:g}: leaving due work undone would pay; "
                    "raise it or lower the value",
                )


class BaseLoad(Checked):
    """Facility load that no plan decides: inference, offices, network."""

    mean_mw: AtLeast0 = 0.0
    by_hour: tuple[AtLeast0, ...] = Field((), description="24 factors of the mean, by hour of the local clock")
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """Anything but 24 factors."""
        if self.by_hour and len(self.by_hour) != 24:
            yield Fault("by_hour", "not_24", f"{len(self.by_hour)} factors; write 24, one an hour, or none")


class SyntheticJobs(Checked):
    """What the made-up jobs of a sample day look like; never mixed into a real queue."""

    jobs_per_day: Count = 60
    utilisation: Fraction = Field(0.65, description="of the pools' GPU-hours that a day's jobs ask for")
    median_run_h: Above0 = 5.0
    note: Text = ""


class WeatherSource(Checked):
    """Where weather comes from; nothing outside is asked unless ``kind`` says so."""

    kind: Literal["synthetic", "open_meteo", "epw", "tmy3", "csv"] = "synthetic"
    url: Text | None = Field(None, description="of an Open-Meteo service, for kind open_meteo")
    path: Text | None = Field(None, description="of a weather file, relative to the site file")
    climate: Name | None = Field(None, description="row of the climate table for kind synthetic; none: the site's name")
    ensemble: Text | None = Field(None, description="Open-Meteo's ensemble service, or the path of a stored answer")
    ensemble_model: Text | None = Field(None, description="asked for by name, such as gfs_seamless")
    runs: Text | None = Field(None, description="folder of stored single runs, named like 20260601T00.json")
    run_delay_h: Above0 = Field(7.0, description="hours from a run's initialisation until it can be had")
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """A source without the address that it needs, or with one that it does not read."""
        if self.kind == "open_meteo" and not self.url:
            yield Fault("url", "missing", "open_meteo needs the address of the service; add url")
        for key in ("ensemble", "runs"):
            if self.kind != "open_meteo" and getattr(self, key):
                yield Fault(key, "unused", f"only kind open_meteo reads it, and this is {self.kind}; remove it")
        if self.kind in ("epw", "tmy3", "csv") and not self.path:
            yield Fault("path", "missing", f"{self.kind} needs a file; add path")


class Planning(Checked):
    """How plans are made."""

    step_minutes: Count = 15
    horizon_h: Above0 = 36.0
    replan_minutes: Count = 15
    time_limit_s: Above0 = 15.0
    gap: AtLeast0 = Field(0.01, description="relative gap wanted")
    threads: Count = 1
    reserve_price_per_mwh: AtLeast0 | None = Field(
        None,
        description="per MW and hour that is missing of the headroom (import below its limit, batteries below their "
        "power, energy stored until the next plan) against a fall of sun and wind to their P10; none: no headroom",
    )
    scenarios: Whole = Field(
        0,
        ge=0,
        le=40,
        description="courses of sun, wind and load that several plans' starts are weighed over; 0: none",
    )
    scenario_risk: Fraction = Field(
        0.0, description="weight of the mean of the worst tenth of the courses against the mean of all"
    )
    frozen_minutes: AtLeast0 = Field(
        0.0,
        description="how long from a plan's first slot on starts and limits stay as published, if physics lets them",
    )
    moved_price_per_gpu_h: AtLeast0 = Field(
        0.0, description="per GPU-hour run otherwise than the plan in force has it, beyond frozen_minutes"
    )

    def faults(self) -> Iterable[Fault]:
        """A horizon that is no number of slots the contract knows."""
        slots = self.horizon_h * 60 / self.step_minutes
        if not slots.is_integer() or not 1 <= slots <= 2016:
            yield Fault(
                "horizon_h",
                "not_whole_slots",
                f"{self.horizon_h:g} h is {slots:g} slots of {self.step_minutes} min; write a whole number, 1 to 2016",
            )
        if 0 < self.scenarios < 4:
            yield Fault("scenarios", "too_few", f"{self.scenarios} courses weigh nothing; write 4 to 40, or 0 for none")
        if 60 % self.step_minutes:
            yield Fault("step_minutes", "not_in_hour", f"{self.step_minutes} min does not divide an hour; write 15")

    @property
    def slots(self) -> int:
        """Slots of a horizon."""
        return round(self.horizon_h * 60 / self.step_minutes)

    @property
    def step(self) -> timedelta:
        """Length of a slot."""
        return timedelta(minutes=self.step_minutes)


class Site(Checked):
    """Everything about a place that a plan needs and that does not change from hour to hour."""

    name: Name
    title: Text = ""
    note: Text = ""
    timezone: Zone
    currency: Annotated[str, Strict(), Field(pattern=r"^[A-Z]{3}$")]
    latitude_deg: Number = Field(ge=-90, le=90)
    longitude_deg: Number = Field(ge=-180, le=180)
    altitude_m: Number = Field(0.0, ge=-430, le=6000)
    distribution_efficiency: Share = Field(0.95, description="IT power / power drawn for it (UPS, PDU)")
    design_dry_bulb_c: Celsius = Field(35.0, description="hot day for which the defaults are proven")
    design_wet_bulb_c: Celsius = 24.0
    phases: tuple[Phase, ...] = ()
    pools: tuple[GpuPool, ...] = Field(min_length=1)
    feeds: tuple[Feed, ...] = ()
    shed_groups: tuple[ShedGroup, ...] = ()
    solar: tuple[Solar, ...] = ()
    wind: tuple[Wind, ...] = ()
    batteries: tuple[Battery, ...] = ()
    generators: tuple[Generator, ...] = ()
    services: tuple[Service, ...] = ()
    budgets: Budgets = Budgets()
    jurisdiction: Name | None = Field(None, description="whose law holds where its pools stand, e.g. MA")
    partners: tuple[Partner, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    storage: Storage | None = None
    elastic: Elastic = Elastic()
    grid: Grid
    tariff: Tariff
    cooling: CoolingPlant | None = None
    base_load: BaseLoad = BaseLoad()
    wishes: Wishes
    weather: WeatherSource = WeatherSource()
    market: Market = Market()
    telemetry: Telemetry = Telemetry()
    jobs: Jobs = Jobs()
    planning: Planning = Planning()
    synthetic: SyntheticJobs = SyntheticJobs()
    gpu_models: tuple[GpuModel, ...] = Field(
        (), description="rows of the GPU catalogue that the pools use; own rows, e.g. measured ones, win"
    )

    def faults(self) -> Iterable[Fault]:
        """References between sections; nodes that draw more off than on."""
        yield from cross_faults(self.model_dump())
        known = {model.key for model in self.gpu_models}
        for k, pool in enumerate(self.pools):
            if pool.nodes is not None and pool.gpu in known:
                idle_w = self.idle_w(pool) * pool.gpus_per_node
                if pool.nodes.off_w > idle_w:
                    message = f"{pool.nodes.off_w:g} W is above the {idle_w:g} W of a node that is idle; lower it"
                    yield Fault(f"pools[{k}].nodes.off_w", "too_high", message)

    @property
    def zone(self) -> ZoneInfo:
        """The site's clock."""
        return ZoneInfo(self.timezone)

    def pool(self, name: str) -> GpuPool:
        """Pool by name.

        Raises:
            NotFound: there is none.
        """
        found = next((pool for pool in self.pools if pool.name == name), None)
        if found is None:
            raise NotFound("pool", name)
        return found

    def partner(self, name: str) -> Partner | None:
        """Partner by name; None where it is none's."""
        return next((partner for partner in self.partners if partner.name == name), None)

    def gpu(self, key: str) -> GpuModel:
        """Catalogue row by key.

        Raises:
            NotFound: there is none.
        """
        found = next((model for model in self.gpu_models if model.key == key), None)
        if found is None:
            raise NotFound("GPU model", key)
        return found

    def host_w(self, pool: GpuPool) -> float:
        """Host W per GPU at work."""
        return self.gpu(pool.gpu).host_w_per_gpu if pool.host_w_per_gpu is None else pool.host_w_per_gpu

    def idle_w(self, pool: GpuPool) -> float:
        """W per GPU not at work, its share of the host included (a host at rest draws some 60 % of a busy one:
        Acme's nodes, 0.94 of 1.58 kW)."""
        return (
            self.gpu(pool.gpu).idle_w + 0.6 * self.host_w(pool) if pool.idle_w_per_gpu is None else pool.idle_w_per_gpu
        )

    def base_load_mw(self, horizon: Horizon) -> list[float]:
        """Load that no plan decides, per slot, by the local hour that each slot begins in."""
        shape = self.base_load.by_hour or (1.0,) * 24
        return [self.base_load.mean_mw * shape[at.astimezone(self.zone).hour] for at in horizon.starts()]

    def import_limit_mw(self, horizon: Horizon) -> list[float]:
        """Import limit per slot, windows of the local clock applied."""
        limits = []
        for at in horizon.starts():
            clock = at.astimezone(self.zone)
            hour = clock.hour + clock.minute / 60
            day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[clock.weekday()]
            tight = [
                w.import_limit_mw
                for w in self.grid.windows
                if clock.month in w.months and day in w.days and any(a <= hour < b for a, b in w.hours)
            ]
            limits.append(min([self.grid.import_limit_mw, *tight]))
        return limits


def site_from(raw: Mapping[str, Any], what: str) -> Site:
    """A site from plain data, catalogue rows already in place.

    Raises:
        InvalidInput: every fault at once, references between sections included, by dotted path.
    """
    try:
        return Site.model_validate(raw)
    except ValidationError as error:
        found = faults_of(error, Site, "dotted")
        seen = {fault.pointer for fault in found}
        found += [fault for fault in cross_faults(raw) if fault.pointer not in seen]
        raise InvalidInput(what, sorted(found, key=lambda fault: fault.pointer)) from None
