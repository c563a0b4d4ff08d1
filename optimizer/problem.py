"""Everything one solve needs, as arrays on one horizon.

Powers are multiples of ``unit_mw`` and energies of ``unit_mw`` hours, so that the numbers are near
one for a hall of 100 kW and a campus of 500 MW alike and a solver's absolute tolerances mean the
same for both. Prices are per such unit; money is money. ``unit_mw`` is a power of two, so that
going back and forth is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.horizon import Horizon
from optimizer import devices, document, duties, plant, stability, thermal, upkeep
from optimizer.devices import Battery, Generator, Service
from optimizer.duties import Budgets, Event, Headroom, Interval, Nomination, Storage, Water
from optimizer.nodes import Nodes, nodes
from optimizer.plant import Cooling
from optimizer.refusals import horizon_of
from optimizer.stability import Published, SetPoint
from optimizer.thermal import Cold
from optimizer.upkeep import Window
from optimizer.ways import Way, clocks, told_ways, ways_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

__all__ = ["Battery", "Cooling", "Entry", "Feed", "Flags", "Floats", "Ints", "Pool", "Problem", "compile_problem"]


@dataclass(frozen=True, eq=False)
class Entry:
    """One entry of the job list: ``count`` identical gangs with their curve, window and prices.

    ``first`` and ``last`` bound the slots ``[first, last)`` in which it may run (empty: it may not).
    ``deadline`` is the slot from which work is late; it may lie before the horizon or after it.
    ``on_before`` is the number of copies that run when slot 0 begins. ``share``: least and most on-slots of each
    copy, where the copies are jobs of their own (:mod:`optimizer.aggregate`); None where they share their work.
    ``ways`` is empty where there is no choice; else ``pool``, ``gpus`` and the curve are those of the first.
    ``exiled``: its residency leaves it no pool at all.
    """

    id: str
    pool: int | None
    gpus: int
    count: int
    work_h: float
    due_h: float
    power: Floats
    speed: Floats
    limit_w: tuple[float | None, ...]
    first: int
    last: int
    deadline: int
    late_cost: float | None
    unmet_cost: float | None
    value: float
    preemptible: bool
    loss_h: float
    start_cost: float
    min_run: int
    min_pause: int
    max_pauses: int | None
    state: str
    on_before: int
    ran: int
    pinned: int | None
    held: bool
    tenant: str | None
    after: tuple[str, ...] = ()
    share: tuple[int, int] | None = None
    published: Published | None = None
    ways: tuple[Way, ...] = ()
    resize_loss_h: float = 0.0
    checkpoint_gb: float = 0.0
    checkpoint_slots: int = 1
    exiled: bool = False
    clock_mhz: tuple[float | None, ...] = ()
    surplus: bool = False

    @property
    def key(self) -> str:
        """Its name as its only way."""
        return self.id

    @property
    def options(self) -> tuple[Entry | Way, ...]:
        """Its ways, and itself where there is no choice; the first is where it goes when nobody chooses."""
        return self.ways or (self,)

    def in_way(self, way: Entry | Way) -> Entry:
        """The entry as if one of its ways were the only one."""
        if isinstance(way, Entry):
            return self
        return replace(
            self,
            pool=way.pool,
            gpus=way.gpus,
            power=way.power,
            speed=way.speed,
            limit_w=way.limit_w,
            clock_mhz=way.clock_mhz,
            first=max(self.first, way.first),
            ways=(),
        )

    @property
    def opens(self) -> int:
        """First slot in which it may run in the first of its ways."""
        return max(self.first, self.ways[0].first) if self.ways else self.first

    @property
    def may_run(self) -> bool:
        """Whether any slot is open to it."""
        return self.first < self.last

    @property
    def top_speed(self) -> float:
        """Speed at the fastest level of its fastest way."""
        return max(float(option.speed.max()) for option in self.options)

    @property
    def must_stay(self) -> bool:
        """A running gang that may not stop in slot 0: no pause is allowed it, or its run is too short yet."""
        if self.state != "running" or self.held or self.work_h <= 0:
            return False
        return not self.preemptible or self.max_pauses == 0 or max(1, self.ran) < self.min_run

    @property
    def must_start(self) -> bool:
        """An entry that has to run somewhere: it may not stop, or an operator pinned its start."""
        return self.must_stay or (self.pinned is not None and self.work_h > 0)

    @property
    def free_starts(self) -> int:
        """Starts that lose nothing: the first of each queued copy."""
        return self.count if self.state == "queued" else 0

    def outlasts(self, step_h: float) -> bool:
        """Whether the plan in force has it on for longer than its work can last, where a restart loses some."""
        if self.published is None or self.loss_h <= 0:
            return False
        slowest = float(self.speed[self.speed > 0].min(initial=self.top_speed))
        return sum(self.published.on) * step_h * slowest > self.work_h + step_h * self.top_speed

    def most_work_h(self, step_h: float) -> float:
        """Work after which every copy is off: the work left and one slot at top speed each."""
        return self.count * (self.work_h + step_h * self.top_speed)


@dataclass(frozen=True, eq=False)
class Pool:
    """GPUs that are alike: available per slot, idle power of one that no job uses; nodes where they may be off.

    A partner's have a ``rent`` per GPU and hour, and perhaps a quota of GPU-hours; what they draw is none of our power.
    """

    name: str
    gpus: Ints
    idle: float
    nodes: Nodes | None = None
    rent: Floats | None = None
    quota_gpu_h: float | None = None

    @property
    def ours(self) -> bool:
        """Whether its power is drawn on our site."""
        return self.rent is None

    @property
    def within_reach(self) -> Ints:
        """GPUs that a job could use in each slot."""
        return self.gpus if self.nodes is None else self.nodes.within_reach

    def widest(self, first: int, last: int) -> int:
        """Most GPUs that one gang could use in a slot of ``[first, last)``."""
        return int(self.within_reach[first:last].max(initial=0))

    def idle_power(self, used: Floats, on: Ints | None) -> Floats:
        """Power drawn beside the jobs, with so many GPUs in use and nodes on (None: by rule)."""
        if self.nodes is None:
            return np.asarray(self.idle * (self.gpus - used), dtype=np.float64)
        return self.nodes.idle(self.nodes.by_rule(used) if on is None else on, used, self.idle)


@dataclass(frozen=True, eq=False)
class Feed:
    """Upper limit per slot on the IT power of some pools (indices)."""

    name: str
    pools: tuple[int, ...]
    limit: Floats


@dataclass(frozen=True, eq=False)
class Problem:
    """A problem document as arrays; every array has one value a slot.

    ``base`` holds the nominal power of services. ``connection`` is the import limit of the grid itself,
    ``import_limit`` what is left of it under events that must be kept.
    """

    name: str
    digest: str
    horizon: Horizon
    unit_mw: float
    gap: float
    time_limit_s: float
    pv: Floats
    wind: Floats
    base: Floats
    import_price: Floats
    export_price: Floats
    carbon_cost: Floats
    carbon_price: float
    import_limit: Floats
    export_limit: Floats
    demand_rate: float
    peak_so_far: float
    ramp: float | None
    batteries: tuple[Battery, ...]
    cooling: Cooling | None
    efficiency: float
    pools: tuple[Pool, ...]
    feeds: tuple[Feed, ...]
    entries: tuple[Entry, ...]
    version: Literal["1.0", "1.1"]
    connection: Floats
    events: tuple[Event, ...]
    nominations: tuple[Nomination, ...]
    intervals: tuple[Interval, ...]
    budgets: Budgets
    headroom: Headroom | None
    water: Water | None
    cold: Cold | None
    generators: tuple[Generator, ...]
    services: tuple[Service, ...]
    upkeep: tuple[Window, ...]
    storage: Storage | None
    set_points: tuple[SetPoint, ...] = ()

    @property
    def slots(self) -> int:
        """Number of slots."""
        return self.horizon.slots

    @property
    def step_h(self) -> float:
        """Hours in a slot."""
        return self.horizon.step_h

    @property
    def has_surplus_jobs(self) -> bool:
        """Whether a job runs only on what would be curtailed."""
        return any(e.surplus and e.may_run for e in self.entries)

    @property
    def rents(self) -> bool:
        """Whether a job may run with a partner."""
        pools = (self.pools[way.pool] for e in self.entries for way in e.options if way.pool is not None)
        return any(not pool.ours for pool in pools)

    @property
    def chooses(self) -> bool:
        """Whether a job has several ways to run, of which slot prices know the first alone."""
        return any(e.ways for e in self.entries)

    @property
    def burning_may_pay(self) -> bool:
        """Whether drawing power for nothing could ever help: paid import, must-take generation, a ramp, a least
        power of a generator, a wish for more import or for a share of what is used, a battery's
        published power. So does an order of jobs, whose rows only the whole model has.

        Only then must a model forbid it by binaries; elsewhere a plan that burns energy can be mended
        at no cost, because supply may always be curtailed.
        """
        paid = bool(np.any(self.import_price + self.carbon_cost < 0))
        must_take = bool(np.any(self.base < 0)) or any(g.least > 0 for g in self.generators)
        more = any(e.least is not None for e in self.events) or any(n.under_cost > 0 for n in self.nominations)
        ordered = any(e.after for e in self.entries)
        # a battery that burns can keep a published power, a feigned loss a job on for longer than its work
        kept = any(p.kind == "battery" for p in self.set_points) or any(e.outlasts(self.step_h) for e in self.entries)
        return (
            paid
            or must_take
            or more
            or ordered
            or kept
            or self.ramp is not None
            or self.budgets.renewable_share is not None
        )

    @property
    def feigning_may_pay(self) -> bool:
        """Whether a restart loss that is none could help: it keeps a job on for longer than its work, so that it writes
        no checkpoint while the storage has no room.

        That is a question of which slots are on; where they are given, losses are true.
        """
        return self.storage is not None and any(e.checkpoint_gb > 0 and e.loss_h > 0 for e in self.entries)

    def cooling_power(self, heat: Floats) -> Floats:
        """Electric power of the cooling plant per slot; zeros where there is none."""
        return np.zeros_like(heat) if self.cooling is None else self.cooling.power(heat)


def compile_problem(received: document.ReceivedProblem) -> Problem:
    """Arrays of a problem document that has passed :func:`optimizer.refusals.check_problem`."""
    doc = received.document
    horizon = horizon_of(doc)
    unit = _unit_mw(doc)

    def row(value: Any, scale: float = 1.0) -> Floats:
        values: Floats = (
            np.broadcast_to(np.asarray(0.0 if value is None else value, dtype=float), horizon.slots) * scale
        )
        return values

    s, g = doc.series, doc.grid
    asked = duties.events(doc, horizon, unit)
    grid_left = upkeep.left(g.maintenance, horizon)
    connection = duties.without_grid(row(g.import_limit_mw, 1 / unit) * grid_left, g.outages, horizon)
    served = devices.services(doc, row, unit)
    stored = duties.storage(doc, row, horizon.step_h)
    cooling = plant.cooling(doc, horizon, row, unit)
    cold = thermal.cold(doc, cooling, row, unit, horizon.step_h)
    stores = devices.batteries(doc, horizon, row, unit)
    pool_index = {pool.name: k for k, pool in enumerate(doc.pools)}
    return Problem(
        name=doc.name,
        digest=received.digest,
        horizon=horizon,
        unit_mw=unit,
        gap=doc.gap,
        time_limit_s=doc.time_limit_s,
        pv=row(s.pv_available_mw, 1 / unit),
        wind=row(s.wind_available_mw, 1 / unit),
        base=row(s.base_load_mw, 1 / unit) + sum(service.nominal for service in served),
        import_price=row(s.import_price_per_mwh, unit),
        export_price=row(s.export_price_per_mwh, unit),
        carbon_cost=row(s.carbon_kg_per_mwh, unit) * g.carbon_price_per_kg,
        carbon_price=g.carbon_price_per_kg,
        import_limit=duties.under_events(connection, asked),
        export_limit=duties.without_grid(row(g.export_limit_mw, 1 / unit) * grid_left, g.outages, horizon),
        demand_rate=g.demand_charge_per_mw * unit,
        peak_so_far=g.peak_so_far_mw / unit,
        ramp=None if g.import_ramp_mw_per_slot is None else g.import_ramp_mw_per_slot / unit,
        batteries=stores if cold is None else (*stores, thermal.store(cold, horizon.step_h, _most_heat(doc) / unit)),
        cooling=cooling,
        efficiency=doc.distribution_efficiency,
        pools=tuple(_pool(p, row, upkeep.left(p.maintenance, horizon), unit) for p in doc.pools),
        feeds=tuple(
            Feed(
                f.name,
                tuple(pool_index[p] for p in f.pools),
                row(f.limit_mw, 1 / unit) * upkeep.left(f.maintenance, horizon),
            )
            for f in doc.feeds
        ),
        entries=_in_force(
            _waiting(
                [_stored(_entry(job, horizon, doc.pools, pool_index, unit), stored) for job in doc.jobs], horizon.step_h
            ),
            *(doc, horizon, unit),
        ),
        version=doc.schema_version,
        connection=connection,
        events=asked,
        nominations=duties.nominations(doc, horizon, unit),
        intervals=duties.intervals(g, horizon, unit),
        budgets=duties.budgets(doc, row, unit),
        headroom=duties.headroom(doc, row, unit),
        water=duties.water(doc, horizon, row, unit),
        cold=cold,
        generators=devices.generators(doc, horizon, row, unit),
        services=served,
        upkeep=upkeep.windows(doc, horizon),
        storage=stored,
        set_points=stability.set_points(doc, horizon, row, unit),
    )


def _pool(p: document.Pool, row: Callable[..., Floats], left: Floats, unit: float) -> Pool:
    gpus = np.floor(np.rint(row(p.gpus)) * left + 1e-9).astype(np.int64)
    rent, quota = (None, None) if p.partner is None else (row(p.partner.price_per_gpu_h), p.partner.quota_gpu_h)
    return Pool(p.name, gpus, p.idle_w_per_gpu / 1e6 / unit, nodes(p, gpus, unit), rent, quota)


def _most_heat(doc: document.Problem) -> float:
    """Heat in MW with every job at its top level and every GPU idle besides."""
    it_mw = sum(job.count * max(way.levels[-1].power_mw for way in told_ways(job)) for job in doc.jobs)
    it_mw += sum(pool.idle_w_per_gpu * float(np.max(pool.gpus)) / 1e6 for pool in doc.pools)
    return it_mw / doc.distribution_efficiency


def _unit_mw(doc: document.Problem) -> float:
    """Power of two nearest to the largest single load, battery or base load of the document."""
    sizes = [job.count * job.levels[-1].power_mw for job in doc.jobs]
    sizes += [battery.power_mw for battery in doc.batteries]
    sizes += [generator.power_mw for generator in doc.generators]
    sizes += [max(service.power_mw, default=0.0) for service in doc.inference]
    sizes += [abs(value) for value in doc.series.base_load_mw or ()]
    largest = max(sizes, default=0.0)
    return 2.0 ** round(math.log2(largest)) if largest > 0 else 1.0


def _entry(
    job: document.Job, horizon: Horizon, pools: Sequence[document.Pool], pool_index: dict[str, int], unit: float
) -> Entry:
    e = _own(job, horizon, pool_index, unit)
    return _placed(e, ways_of(job, horizon, pools, unit, e.first)) if job.alternatives or job.residency else e


def _own(job: document.Job, horizon: Horizon, pool_index: dict[str, int], unit: float) -> Entry:
    """A job in its own pool."""
    slots = horizon.slots
    deadline = slots if job.deadline is None else horizon.border(job.deadline)
    first = 0 if job.state == "running" else max(0, horizon.border(job.release))
    last = slots if job.late_cost_per_h is not None else max(0, min(slots, deadline))
    pinned = None if job.pinned_start is None else horizon.border(job.pinned_start)
    if pinned is not None and pinned < 0:
        pinned = None
    if job.held or (pinned is not None and pinned >= slots):
        first = last = 0
        pinned = None
    return Entry(
        id=job.id,
        pool=None if job.pool is None else pool_index[job.pool],
        gpus=job.gpus,
        count=job.count,
        work_h=job.work_h,
        due_h=job.work_h if job.due_h is None else job.due_h,
        power=np.array([level.power_mw for level in job.levels]) / unit,
        speed=np.array([level.speed for level in job.levels]),
        limit_w=tuple(level.limit_w for level in job.levels),
        first=first,
        last=last,
        deadline=deadline,
        late_cost=job.late_cost_per_h,
        unmet_cost=job.unmet_cost_per_h,
        value=job.work_value_per_h,
        preemptible=job.preemptible,
        loss_h=job.restart_loss_h,
        start_cost=job.start_cost,
        min_run=job.min_run_slots,
        min_pause=job.min_pause_slots,
        max_pauses=job.max_pauses,
        state=job.state,
        on_before=job.count if job.state == "running" else 0,
        ran=job.ran_slots,
        pinned=pinned,
        held=job.held,
        tenant=job.tenant,
        after=tuple(job.after),
        resize_loss_h=job.resize_loss_h,
        clock_mhz=clocks(job.levels),
        surplus=job.surplus,
        checkpoint_gb=job.checkpoint_gb,
    )


def _stored(e: Entry, storage: duties.Storage | None) -> Entry:
    """An entry that resumes no earlier than its checkpoint is written."""
    lasts = 1 if storage is None else storage.slots_of(e.checkpoint_gb)
    return e if lasts == 1 else replace(e, checkpoint_slots=lasts, min_pause=max(e.min_pause, lasts))


def _placed(e: Entry, ways: tuple[Way, ...]) -> Entry:
    """An entry with the ways that are open to it; as it is in its only one, where there is one."""
    if not ways:
        return replace(e, first=0, last=0, exiled=True)
    at_home = e.in_way(ways[0])
    if len(ways) == 1 and not ways[0].egress:
        return at_home
    return replace(at_home, first=e.first, ways=ways)


def _in_force(entries: Sequence[Entry], doc: document.Problem, horizon: Horizon, unit: float) -> tuple[Entry, ...]:
    """The entries with what the plan in force has them do, and a level at each power that they are frozen at."""
    if doc.stability is None:
        return tuple(entries)
    found = []
    for e, job in zip(entries, doc.jobs, strict=True):
        said = stability.published(job, doc.stability, horizon, unit)
        ways = tuple(replace(way, **_with_published_levels(said, way)) for way in e.ways)
        found.append(replace(e, published=said, ways=ways, **_with_published_levels(said, e)))
    return tuple(found)


def _with_published_levels(said: Published | None, way: Entry | Way) -> dict[str, Any]:
    power, speed, limit_w = stability.with_published_levels(said, way.power, way.speed, way.limit_w)
    _, _, clock_mhz = stability.with_published_levels(said, way.power, way.speed, way.clock_mhz or way.limit_w)
    return {"power": power, "speed": speed, "limit_w": limit_w, "clock_mhz": clock_mhz if way.clock_mhz else ()}


def _waiting(entries: list[Entry], step_h: float) -> tuple[Entry, ...]:
    """The entries with windows that begin no earlier than what they wait for can be done."""
    by_id = {e.id: e for e in entries}
    settled: dict[str, Entry] = {}

    def settle(e: Entry) -> Entry:
        if e.id not in settled:
            ends = [_earliest_end(settle(by_id[i]), step_h) for i in e.after]
            settled[e.id] = replace(e, first=min(max([e.first, *ends]), max(e.first, e.last))) if ends else e
        return settled[e.id]

    return tuple(settle(e) for e in entries)


def _earliest_end(e: Entry, step_h: float) -> int:
    """First slot in which an entry can have no work left."""
    if e.work_h <= 0:
        return 0
    if not e.may_run or e.top_speed <= 0:
        return e.last if e.may_run else 1 << 30
    return e.first + math.ceil(e.work_h / (step_h * e.top_speed) - 1e-9)
