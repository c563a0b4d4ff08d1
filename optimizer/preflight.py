"""Contradictions that no price can mend, found before any solver starts, each with its exact sentence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.horizon import rfc3339
from optimizer.problem import Entry, Floats, Problem
from optimizer.upkeep import told

TOLERANCE_H = 1e-6


def conflicts(problem: Problem) -> list[str]:
    """Sentences naming job or battery, limit, amount and mend; empty where nothing is found yet."""
    found = [sentence for e in problem.entries for sentence in _entry(problem, e)]
    return [
        *found,
        *_batteries(problem),
        *_generators(problem),
        *_tank(problem),
        *_nodes(problem),
        *_reserves(problem),
        *_events(problem),
    ]


def _entry(problem: Problem, e: Entry) -> Iterator[str]:
    at = problem.horizon.at
    must_work = e.due_h > 0 and e.unmet_cost is None
    if e.held and e.on_before and problem.storage is not None and problem.storage.cost is None:
        most, part = float(problem.storage.most_gb[0]), e.checkpoint_gb / e.checkpoint_slots
        if part > most * (1 + 1e-9):
            yield (
                f"job {e.id} is running and held, so that it writes {part:g} GB in the first slot, in which the "
                f"storage takes {most:g} GB; release it, raise storage/gb_per_s or storage/most_slots, or give "
                "storage/over_cost_per_gb"
            )
    if e.held:
        if must_work:
            yield (
                f"job {e.id} is held by an operator and owes {e.count * e.due_h:g} h; "
                "release it, lower due_h or give unmet_cost_per_h"
            )
        return
    if e.exiled:
        if must_work or e.must_stay or e.pinned is not None:
            yield (
                f"job {e.id} must run and its residency forbids each pool that it names; add an alternative in a pool "
                "of a jurisdiction that residency names, widen residency, or give unmet_cost_per_h"
            )
        return
    if e.must_stay and not e.may_run:
        yield (
            f"job {e.id} is running and may not stop in slot 0, yet its window or its pinned start forbids slot 0; "
            "move its deadline, give late_cost_per_h or make it preemptible"
        )
        return
    if e.pinned is not None and e.work_h > 0:
        when = rfc3339(at(e.pinned))
        if not e.first <= e.pinned < e.last:
            yield (
                f"job {e.id} is pinned to start at {when}, outside its window "
                f"[{rfc3339(at(e.first))}, {rfc3339(at(e.last))}); move pinned_start, release or deadline"
            )
            return
        if e.must_stay and e.pinned > 0:
            yield f"job {e.id} is running and may not stop, yet it is pinned to start at {when}; unpin it"
            return
    if must_work:
        first = max(e.first, e.pinned or 0)
        slots = max(0, e.last - first)
        loss = e.loss_h if e.state == "paused" else 0.0
        most = e.count * max(0.0, slots * problem.step_h * e.top_speed - loss)
        if e.last <= e.first and e.deadline <= e.first:
            yield (
                f"job {e.id} owes {e.count * e.due_h:g} h and its deadline {rfc3339(at(e.deadline))} is not after "
                f"{rfc3339(at(e.first))}, the earliest that it may start; move its deadline or release, lower due_h, "
                "or give late_cost_per_h or unmet_cost_per_h"
            )
            return
        if most < e.count * e.due_h - TOLERANCE_H:
            yield (
                f"job {e.id} owes {e.count * e.due_h:g} h but its window [{rfc3339(at(first))}, "
                f"{rfc3339(at(max(first, e.last)))}) holds at most {most:g} h at top speed; "
                "move its deadline or release, lower due_h, or give late_cost_per_h or unmet_cost_per_h"
            )
            return
        yield from _gangs(problem, e, first)
        yield from _quotas(problem, e)


def _gangs(problem: Problem, e: Entry, first: int) -> Iterator[str]:
    """A gang that is larger than its pool ever is in its window, in each way that is open to it."""
    needs = []
    for way in e.options:
        if way.pool is None:
            return
        pool = problem.pools[way.pool]
        widest = pool.widest(max(first, way.first), e.last)
        if way.gpus <= widest:
            return
        upkeep = _upkeep(problem, f"pool {pool.name}", max(first, way.first), e.last)
        needs.append(f"{way.gpus} GPUs at once, pool {pool.name} has at most {widest} in its window{upkeep}")
    yield (
        f"job {e.id} needs {', or '.join(needs)}; move it to a larger pool, shrink the gang or give unmet_cost_per_h"
    )


def _generators(problem: Problem) -> Iterator[str]:
    """A set that has to run on into a window in which it is out."""
    for g in problem.generators:
        if g.on_before and not g.may_run[: g.stays].all():
            asset = f"generator {g.name}"
            yield (
                f"{asset} has run for {g.state_slots} of its {g.min_up} slots (min_up_slots) and must run on, but is"
                f"{told(problem.upkeep, asset, problem.horizon, 0, g.stays)}; move the window or lower min_up_slots"
            )


def _nodes(problem: Problem) -> Iterator[str]:
    """Nodes that may not be off yet in a slot in which they are not there."""
    for pool in problem.pools:
        if pool.nodes is None:
            continue
        staying = np.array([pool.nodes.staying_before(t) for t in range(problem.slots)])
        short = np.flatnonzero(staying > pool.nodes.there)
        if len(short):
            t = int(short[0])
            yield (
                f"{staying[t]} nodes of pool {pool.name} may not be off at {rfc3339(problem.horizon.at(t))} yet "
                f"(min_up_slots), {int(pool.nodes.there[t])} are there"
                f"{_upkeep(problem, f'pool {pool.name}', t, t + 1)}; move the window or lower min_up_slots"
            )


def _tank(problem: Problem) -> Iterator[str]:
    """A tank that has to end fuller than filling it all day makes it."""
    tank = None if problem.cold is None else problem.cold.tank
    if tank is None:
        return
    mw, reach = problem.unit_mw, tank.start
    for _ in range(problem.slots):
        reach = min(tank.most, tank.kept * reach + problem.step_h * tank.fill)
    if tank.end_least > reach + 1e-9:
        yield (
            f"the tank must end with {tank.end_least * mw:g} MWh (end_min_mwh) but can reach at most {reach * mw:g} "
            "MWh; lower it or raise fill_mw"
        )


def _upkeep(problem: Problem, asset: str, first: int = 0, last: int | None = None) -> str:
    said = told(problem.upkeep, asset, problem.horizon, first, problem.slots if last is None else last)
    return f",{said}" if said else ""


def _quotas(problem: Problem, e: Entry) -> Iterator[str]:
    """A job that may run with partners alone and owes more GPU-hours than the quotas of all of them."""
    pools = {way.pool for way in e.options if way.pool is not None}
    quotas = [problem.pools[k].quota_gpu_h for k in pools]
    if not pools or any(quota is None for quota in quotas) or any(way.pool is None for way in e.options):
        return
    least = min(e.count * e.due_h * way.gpus / max(way.top_speed, 1e-9) for way in e.options)
    most = sum(quota for quota in quotas if quota is not None)
    if least > most + TOLERANCE_H:
        yield (
            f"job {e.id} needs {least:g} GPU-hours, its partners' quotas hold {most:g}; raise quota_gpu_h, name a "
            "pool of our own or give unmet_cost_per_h"
        )


def _batteries(problem: Problem) -> Iterator[str]:
    mw = problem.unit_mw
    for b in problem.batteries:
        reach = b.soc_start + problem.step_h * float(b.most_in.sum()) * b.charge_efficiency
        reach = min(reach, b.soc_max)
        if b.soc_end_min > reach + 1e-9:
            yield (
                f"battery {b.name} must end at {b.soc_end_min * mw:g} MWh (soc_end_min_mwh) but can reach at most "
                f"{reach * mw:g} MWh{_upkeep(problem, f'battery {b.name}')}; lower soc_end_min_mwh or give it more "
                "power or energy"
            )


def _reserves(problem: Problem) -> Iterator[str]:
    """A ride-through reserve that must be there and that charging at full power cannot reach in time."""
    mw, h = problem.unit_mw, problem.step_h
    for b in problem.batteries:
        if b.kind != "battery" or b.reserve_cost is not None:
            continue
        reach = b.soc_start + h * b.charge_efficiency * np.cumsum(b.most_in)
        asked = np.where(b.reserve > 0, b.soc_min + b.reserve, 0.0)
        short = np.flatnonzero(asked > np.minimum(reach, b.soc_max) + 1e-9)
        if len(short):
            t = int(short[0])
            when, upkeep = rfc3339(problem.horizon.at(t + 1)), _upkeep(problem, f"battery {b.name}", 0, t + 1)
            yield (
                f"battery {b.name} must hold {asked[t] * mw:g} MWh at {when} (soc_min_mwh and reserve_mwh) but can "
                f"reach at most {reach[t] * mw:g} MWh by then{upkeep}; lower reserve_mwh there or "
                "give below_reserve_cost_per_mwh_h"
            )


def _least_need(problem: Problem) -> Floats:
    """Power per slot that is drawn whatever is decided: base load with services at their least, less local supply."""
    local = problem.pv + problem.wind
    for b in problem.batteries:
        if b.kind != "cold":
            local = local + b.most_out
    need: Floats = problem.base - local
    return need


def _events(problem: Problem) -> Iterator[str]:
    """A target that must be kept below what has to be imported."""
    mw, need = problem.unit_mw, _least_need(problem)
    for e in problem.events:
        if e.cost is not None or e.most is None:
            continue
        over = need[e.first : e.last] - e.most
        if over.max() > 1e-9:
            t = e.first + int(np.argmax(over))
            when = rfc3339(problem.horizon.at(t))
            yield (
                f"event {e.id} allows {e.most * mw:g} MW of net import at {when}, but base load and services draw "
                f"{need[t] * mw:g} MW more than sun, wind, batteries and generators can give; raise most_import_mw or "
                "give the event a cost_per_mwh"
            )
