"""Refusals about fields of version 1.1: grid, budgets, reserves, machines; see :mod:`optimizer.refusals`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from models.errors import Fault
from models.horizon import Horizon, rfc3339
from models.strict_json import pointer
from optimizer.document import Job, Maintenance, Problem, ThermalMass, is_new


def per_slot(problem: Problem) -> Iterator[tuple[tuple[str | int, ...], Any, bool]]:
    """Fields that may hold one value a slot: path, value, and whether it may be negative."""
    if problem.cooling is not None:
        yield ("cooling", "water_m3_per_mwh"), problem.cooling.water_m3_per_mwh, False
        if problem.cooling.mass is not None:
            yield ("cooling", "mass", "surroundings_c"), problem.cooling.mass.surroundings_c, True
        for k, unit in enumerate(problem.cooling.units):
            yield ("cooling", "units", k, "capacity_heat_mw"), unit.capacity_heat_mw, False
            for i, tangent in enumerate(unit.tangents):
                yield ("cooling", "units", k, "tangents", i, "slope"), tangent.slope, True
                yield ("cooling", "units", k, "tangents", i, "intercept_mw"), tangent.intercept_mw, True
        for k, mass in enumerate(problem.cooling.masses):
            yield ("cooling", "masses", k, "surroundings_c"), mass.surroundings_c, True
    for k, battery in enumerate(problem.batteries):
        yield ("batteries", k, "reserve_mwh"), battery.reserve_mwh, False
        yield ("batteries", k, "published_mw"), battery.published_mw, True
    if problem.storage is not None:
        yield ("storage", "gb_per_s"), problem.storage.gb_per_s, False
    for k, pool in enumerate(problem.pools):
        if pool.partner is not None:
            yield ("pools", k, "partner", "price_per_gpu_h"), pool.partner.price_per_gpu_h, False
    if problem.reserve is not None:
        yield ("reserve", "drop_mw"), problem.reserve.drop_mw, False
    for k, generator in enumerate(problem.generators):
        yield ("generators", k, "fuel_cost_per_mwh"), generator.fuel_cost_per_mwh, False
        yield ("generators", k, "published_mw"), generator.published_mw, False
    for k, service in enumerate(problem.inference):
        yield ("inference", k, "power_mw"), service.power_mw, False
        yield ("inference", k, "min_power_mw"), service.min_power_mw, False


def _version(problem: Problem) -> Iterator[Fault]:
    if problem.schema_version == "1.0":
        for path in _younger(problem, ()):
            message = "this field is new in version 1.1; write schema_version 1.1 or leave it out"
            yield Fault(pointer(*path), "newer_version", message)


def _younger(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Paths of all fields that are given and younger than version 1.0."""
    if isinstance(value, BaseModel):
        for name in sorted(value.model_fields_set):
            if is_new(type(value).model_fields[name]):
                yield (*path, name)
            else:
                yield from _younger(getattr(value, name), (*path, name))
    elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
        for k, item in enumerate(value):
            yield from _younger(item, (*path, k))


def _names(problem: Problem) -> Iterator[Fault]:
    """Each device has a name of its own, each wish an id of its own kind."""
    devices: list[tuple[tuple[str | int, ...], str]] = []
    for part in ("batteries", "generators", "inference"):
        devices += [((part, k, "name"), device.name) for k, device in enumerate(getattr(problem, part))]
    lists: list[list[tuple[tuple[str | int, ...], str]]] = [devices]
    for part in ("events", "nominations"):
        lists.append([((part, k, "id"), item.id) for k, item in enumerate(getattr(problem, part))])
    limits = [] if problem.cooling is None else problem.cooling.water_limits
    lists.append([(("cooling", "water_limits", k, "id"), limit.id) for k, limit in enumerate(limits)])
    for part in ("masses", "units"):
        there = [] if problem.cooling is None else getattr(problem.cooling, part)
        lists.append([(("cooling", part, k, "name"), device.name) for k, device in enumerate(there)])
    for named in lists:
        first: dict[str, tuple[str | int, ...]] = {}
        for path, name in named:
            # two batteries of one name are refused by the rules of version 1.0
            if name in first and path[0] != "batteries":
                message = f"{name!r} stands at {pointer(*first[name])} already; give each its own"
                yield Fault(pointer(*path), "duplicate", message)
            first.setdefault(name, path)


def _reserves(problem: Problem) -> Iterator[Fault]:
    for k, b in enumerate(problem.batteries):
        top = b.energy_mwh if b.soc_max_mwh is None else b.soc_max_mwh
        most = max([0.0, *b.reserve_mwh] if isinstance(b.reserve_mwh, list) else [b.reserve_mwh])
        if b.soc_min_mwh <= top < b.soc_min_mwh + most:
            message = f"{most:g} MWh above soc_min_mwh {b.soc_min_mwh:g} exceed the highest stock {top:g}; lower it"
            yield Fault(pointer("batteries", k, "reserve_mwh"), "too_high", message)


def _spans(problem: Problem) -> Iterator[tuple[tuple[str | int, ...], datetime, datetime]]:
    """Everything with a start and an end: its path and both."""
    for k, outage in enumerate(problem.grid.outages):
        yield ("grid", "outages", k), outage.start, outage.end
    for path, windows in _maintained(problem):
        for k, window in enumerate(windows):
            yield (*path, "maintenance", k), window.start, window.end
    for k, event in enumerate(problem.events):
        yield ("events", k), event.start, event.end
    for k, nomination in enumerate(problem.nominations):
        yield ("nominations", k), nomination.start, nomination.end
    for k, limit in enumerate([] if problem.cooling is None else problem.cooling.water_limits):
        yield ("cooling", "water_limits", k), limit.start, limit.end
    for k, job in enumerate(problem.jobs):
        for i, run in enumerate([] if job.published is None else job.published.runs):
            yield ("jobs", k, "published", "runs", i), run.start, run.end


def _maintained(problem: Problem) -> Iterator[tuple[tuple[str | int, ...], list[Maintenance]]]:
    """Every asset that may be under maintenance: its path and its windows."""
    yield ("grid",), problem.grid.maintenance
    for part in ("batteries", "generators", "pools", "feeds"):
        for k, asset in enumerate(getattr(problem, part)):
            yield (part, k), asset.maintenance
    for k, unit in enumerate([] if problem.cooling is None else problem.cooling.units):
        yield ("cooling", "units", k), unit.maintenance


def _periods(problem: Problem) -> Iterator[Fault]:
    h = problem.horizon
    horizon = Horizon(h.start, timedelta(minutes=h.step_minutes), h.slots)
    for path, start, end in _spans(problem):
        for field, moment in (("start", start), ("end", end)):
            try:
                horizon.border(moment)
            except ValueError as error:
                yield Fault(pointer(*path, field), "off_border", f"{error}; move it to a border")
        if end <= start:
            message = f"{rfc3339(end)} is not after the start {rfc3339(start)}; move it"
            yield Fault(pointer(*path, "end"), "not_after_start", message)


def _targets(problem: Problem) -> Iterator[Fault]:
    for k, event in enumerate(problem.events):
        least, most = event.least_import_mw, event.most_import_mw
        if most is None and least is None:
            message = "neither most_import_mw nor least_import_mw is given; give one"
            yield Fault(pointer("events", k), "no_target", message)
        elif most is not None and least is not None and least > most:
            message = f"{least:g} MW is above most_import_mw {most:g}; lower it"
            yield Fault(pointer("events", k, "least_import_mw"), "too_high", message)
    for k, n in enumerate(problem.nominations):
        if n.elapsed_mwh and n.start >= problem.horizon.start:
            message = f"{n.elapsed_mwh:g} MWh in slots before slot 0, yet the block begins later; write 0"
            yield Fault(pointer("nominations", k, "elapsed_mwh"), "nothing_elapsed", message)
    g = problem.grid
    if g.billing_elapsed_slots >= g.billing_interval_slots:
        message = f"{g.billing_elapsed_slots} slots, an interval has {g.billing_interval_slots}; write fewer"
        yield Fault("/grid/billing_elapsed_slots", "too_high", message)
    if g.billing_elapsed_mwh > 0 and g.billing_elapsed_slots == 0:
        message = f"{g.billing_elapsed_mwh:g} MWh in no slots; give billing_elapsed_slots or write 0"
        yield Fault("/grid/billing_elapsed_mwh", "nothing_elapsed", message)


def _machines(problem: Problem) -> Iterator[Fault]:
    for k, g in enumerate(problem.generators):
        if g.min_power_mw > g.power_mw:
            message = f"{g.min_power_mw:g} MW exceeds power_mw {g.power_mw:g}; lower it"
            yield Fault(pointer("generators", k, "min_power_mw"), "too_high", message)
    for k, s in enumerate(problem.inference):
        least = s.min_power_mw if isinstance(s.min_power_mw, list) else [s.min_power_mw] * len(s.power_mw)
        for i, (low, nominal) in enumerate(zip(least, s.power_mw, strict=False)):
            if low > nominal:
                message = f"{low:g} MW exceeds power_mw {nominal:g} of slot {i}; lower it"
                yield Fault(pointer("inference", k, "min_power_mw"), "too_high", message)
                break


def _nodes(problem: Problem) -> Iterator[Fault]:
    """Nodes that fit their pool, their state before slot 0, and the jobs that run on them."""
    for k, pool in enumerate(problem.pools):
        nodes = pool.nodes
        if nodes is None:
            continue
        place = ("pools", k, "nodes")
        most = max([0, *pool.gpus] if isinstance(pool.gpus, list) else [0, pool.gpus])
        whole = most // nodes.gpus_per_node
        if not whole and most:
            message = f"a node of {nodes.gpus_per_node} GPUs is larger than the pool of {most}; lower it"
            yield Fault(pointer(*place, "gpus_per_node"), "too_high", message)
            continue
        on = whole if nodes.on_before is None else nodes.on_before
        if on > whole:
            message = f"{on} nodes are on, the pool has {whole}; mend the state or the pool"
            yield Fault(pointer(*place, "on_before"), "too_high", message)
        started = sum(nodes.started_before)
        if started > on:
            message = f"{started} nodes were started, {on} are on; mend the state"
            yield Fault(pointer(*place, "started_before"), "too_high", message)
        idle_w = pool.idle_w_per_gpu * nodes.gpus_per_node
        if nodes.off_w > idle_w:
            message = f"a node that is off draws {nodes.off_w:g} W, one that is idle {idle_w:g} W; lower it"
            yield Fault(pointer(*place, "off_w"), "too_high", message)
        up = (on - sum(nodes.started_before[: max(0, nodes.boot_slots - 1)])) * nodes.gpus_per_node
        running = sum(j.gpus * j.count for j in problem.jobs if j.state == "running" and j.pool == pool.name)
        if running > up:
            message = f"running jobs hold {running} GPUs, nodes that are up have {up}; mend the states"
            yield Fault(pointer(*place, "on_before"), "more_running_than_gpus", message)


def _mass(problem: Problem) -> Iterator[Fault]:
    cooling = problem.cooling
    if cooling is None or not cooling.holds_heat:
        return
    if cooling.capacity_heat_mw is None and not cooling.units:
        message = "a thermal mass or a tank needs the heat that the plant can remove at most; give it"
        yield Fault("/cooling/capacity_heat_mw", "missing", message)
    if cooling.mass is not None:
        yield from _temperatures(("cooling", "mass"), cooling.mass)
        if cooling.masses:
            yield Fault("/cooling/masses", "twice", "mass takes all heat already; give one of the two")
    for k, mass in enumerate(cooling.masses):
        yield from _temperatures(("cooling", "masses", k), mass)
    shares = sum(mass.heat_share for mass in cooling.masses)
    if shares > 1 + 1e-9:
        message = f"the heat shares add up to {shares:g}; lower them to 1 in all"
        yield Fault("/cooling/masses", "too_high", message)
    tank = cooling.tank
    if tank is not None:
        for field in ("start_mwh", "end_min_mwh"):
            value: float = getattr(tank, field)
            if value > tank.energy_mwh:
                message = f"{value:g} MWh exceeds energy_mwh {tank.energy_mwh:g}; lower it"
                yield Fault(f"/cooling/tank/{field}", "too_high", message)


def _heat_shares(problem: Problem) -> Iterator[Fault]:
    """Heat of a pool that goes nowhere, or whose pool is not ours."""
    masses = [] if problem.cooling is None else [mass.name for mass in problem.cooling.masses]
    for k, pool in enumerate(problem.pools):
        place = ("pools", k, "heat_shares")
        if pool.heat_shares is None:
            continue
        if pool.partner is not None:
            yield Fault(pointer(*place), "partner", "what a partner's GPUs heat is not ours; leave it out")
        for name in pool.heat_shares:
            if name not in masses:
                known = ", ".join(masses) or "none"
                message = f"{name!r} is no mass of cooling/masses; known: {known}"
                yield Fault(pointer(*place, name), "unknown_mass", message)
        whole = sum(pool.heat_shares.values())
        if whole > 1 + 1e-9:
            yield Fault(pointer(*place), "too_high", f"the shares add up to {whole:g}; lower them to 1 in all")


def _units(problem: Problem) -> Iterator[Fault]:
    cooling = problem.cooling
    if cooling is None:
        return
    if cooling.spare_units and cooling.spare_units >= len(cooling.units):
        message = f"{cooling.spare_units} of {len(cooling.units)} units leave none; write fewer"
        yield Fault("/cooling/spare_units", "too_high", message)
    for k, unit in enumerate(cooling.units):
        if unit.free is None:
            continue
        if getattr(problem.series, unit.free.bulb) is None:
            message = f"the series {unit.free.bulb} is not given; add it or leave free out"
            yield Fault(pointer("cooling", "units", k, "free", "bulb"), "missing", message)
        if unit.free.none_above_c <= unit.free.full_below_c:
            message = f"{unit.free.none_above_c:g} degC is not above full_below_c {unit.free.full_below_c:g}; raise it"
            yield Fault(pointer("cooling", "units", k, "free", "none_above_c"), "too_low", message)


def _temperatures(path: tuple[str | int, ...], m: ThermalMass) -> Iterator[Fault]:
    if not m.lowest_c <= m.start_c <= m.allowable_c:
        message = f"{m.start_c:g} degC is outside [{m.lowest_c:g}, {m.allowable_c:g}]; check the reading or the limits"
        yield Fault(pointer(*path, "start_c"), "outside_limits", message)
    for field in ("recommended_c", "end_most_c"):
        value: float | None = getattr(m, field)
        if value is not None and not m.lowest_c <= value <= m.allowable_c:
            message = f"{value:g} degC is outside [{m.lowest_c:g}, {m.allowable_c:g}]; move it inside"
            yield Fault(pointer(*path, field), "outside_limits", message)


def _orders(problem: Problem) -> Iterator[Fault]:
    """Jobs that wait for others: single ones, queued, in no circle."""
    jobs = {job.id: job for job in problem.jobs}
    for k, job in enumerate(problem.jobs):
        if not job.after:
            continue
        place = pointer("jobs", k, "after")
        if job.state != "queued":
            yield Fault(place, "has_begun", f"the job is {job.state}, so what it waited for is done; leave it out")
        if job.count > 1:
            yield Fault(place, "needs_count_1", f"after needs count 1, here it is {job.count}; write single jobs")
        for i, name in enumerate(job.after):
            here = pointer("jobs", k, "after", i)
            if name not in jobs:
                yield Fault(here, "unknown_job", f"there is no job {name!r}; leave out what is done or mend the id")
            elif jobs[name].count > 1:
                yield Fault(
                    here, "needs_count_1", f"job {name!r} stands for {jobs[name].count} copies; write single jobs"
                )
            elif job.id in _before(jobs, name):
                yield Fault(here, "circle", f"job {name!r} waits for {job.id!r} itself; break the circle")


def _before(jobs: dict[str, Job], name: str) -> set[str]:
    """A job and all that it waits for."""
    found, open_ = set(), [name]
    while open_:
        job = open_.pop()
        if job not in found:
            found.add(job)
            open_ += jobs[job].after if job in jobs else []
    return found


def _in_force(problem: Problem) -> Iterator[Fault]:
    """What is said of the plan in force: how far it reaches, and runs of single jobs in order."""
    h, stability = problem.horizon, problem.stability
    horizon = Horizon(h.start, timedelta(minutes=h.step_minutes), h.slots)
    if stability is not None:
        for field in ("until", "frozen_until"):
            moment: datetime | None = getattr(stability, field)
            try:
                horizon.border(horizon.start if moment is None else moment)
            except ValueError as error:
                yield Fault(pointer("stability", field), "off_border", f"{error}; move it to a border")
        if stability.frozen_until is not None and stability.frozen_until > stability.until:
            message = f"{rfc3339(stability.frozen_until)} is after until {rfc3339(stability.until)}; move it"
            yield Fault("/stability/frozen_until", "too_late", message)
    said: list[tuple[tuple[str | int, ...], bool]] = []
    for part in ("batteries", "generators"):
        said += [((part, k, "published_mw"), d.published_mw is not None) for k, d in enumerate(getattr(problem, part))]
    said += [(("jobs", k, "published"), job.published is not None) for k, job in enumerate(problem.jobs)]
    for path, there in said:
        if there and stability is None:
            message = "nothing says how far the plan in force reaches; give stability or leave this out"
            yield Fault(pointer(*path), "no_plan_in_force", message)
    for k, job in enumerate(problem.jobs):
        if job.published is None:
            continue
        if job.count > 1:
            message = f"published needs count 1, here it is {job.count}; write single jobs"
            yield Fault(pointer("jobs", k, "published"), "needs_count_1", message)
        if (job.alternatives or job.residency) and job.published.frozen_cost_per_mwh > 0:
            message = "a job with alternatives or residency has no one curve to hold it on; write 0"
            yield Fault(pointer("jobs", k, "published", "frozen_cost_per_mwh"), "has_alternatives", message)
        for i, (one, other) in enumerate(itertools.pairwise(job.published.runs), 1):
            if other.start < one.end:
                message = f"{rfc3339(other.start)} is before the end of the run before it; sort them, one at a time"
                yield Fault(pointer("jobs", k, "published", "runs", i, "start"), "out_of_order", message)


RULES: tuple[Callable[[Problem], Iterator[Fault]], ...] = (
    _version,
    _names,
    _reserves,
    _periods,
    _targets,
    _machines,
    _nodes,
    _mass,
    _heat_shares,
    _units,
    _orders,
    _in_force,
)
