"""A schedule and its energy as a plan document: runs, hours, terms, wishes that gave, in the document's units."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from models.horizon import rfc3339
from optimizer.accounts import TRIFLE_H, Hours, hours_of, terms_of
from optimizer.changes import changes
from optimizer.commitment import on_slots
from optimizer.document import JobPlan, Plan, PlanSeries, Run, Unmet
from optimizer.problem import Entry, Floats, Problem
from optimizer.schedule import Energy, Schedule, in_pools, nodes_on
from optimizer.sessions import taken
from optimizer.ways import Way
from optimizer.wishes import Gave, cooling_power, gave, removed

Rung = Literal["MILP", "INCUMBENT", "LP", "GREEDY", "LAST", "SAFE"]

SNAP = 1e-7
"""Relative distance within which a bound is as good as the objective: what a solver's tolerances can tell apart."""


def extract(problem: Problem, schedule: Schedule, energy: Energy, rung: Rung, seconds: float) -> Plan:
    """Plan document of a schedule; nothing is proven about it yet (see :func:`with_bound`)."""
    hours = hours_of(problem, schedule)
    jobs = [_job_plan(problem, e, schedule, hours[e.id]) for e in problem.entries]
    terms = terms_of(problem, schedule, energy, hours)
    mw = problem.unit_mw
    batteries = [b.name for b in problem.batteries if b.kind == "battery"]
    taken = removed(problem, energy)
    services = {s.name: s.nominal - energy.discharge[s.name] for s in problem.services}
    return Plan(
        schema_version=problem.version,
        name=problem.name,
        problem_digest=problem.digest,
        status="feasible",
        rung=rung,
        objective=sum(terms.values()),
        solve_seconds=seconds,
        terms=terms,
        series=PlanSeries(
            import_mw=_list(energy.import_ * mw),
            export_mw=_list(energy.export * mw),
            pv_used_mw=_list(energy.pv * mw),
            wind_used_mw=_list(energy.wind * mw),
            it_mw=_list(energy.it * mw),
            heat_mw=_list(energy.heat * mw),
            cooling_mw=_list(cooling_power(problem, energy) * mw),
            base_load_mw=_list((problem.base - sum(s.nominal for s in problem.services)) * mw),
            charge_mw={name: _list(energy.charge[name] * mw) for name in batteries},
            discharge_mw={name: _list(energy.discharge[name] * mw) for name in batteries},
            soc_mwh={name: _list(energy.soc[name] * mw) for name in batteries},
            generator_mw={g.name: _list(energy.discharge[g.name] * mw) for g in problem.generators},
            generator_on={
                g.name: on_slots(g, energy.discharge[g.name], problem.step_h).tolist() for g in problem.generators
            },
            inference_mw={name: _list(power * mw) for name, power in services.items()},
            heat_removed_mw=None if problem.cold is None else _list(taken * mw),
            nodes_on=_nodes(problem, schedule),
            **_held_heat(problem, energy),
            unit_heat_mw=_units(problem, taken),
        ),
        jobs=jobs,
        unmet=[
            *_wishes_that_gave(problem, jobs),
            *_told([*gave(problem, energy, schedule.pattern), *changes(problem, schedule, energy)]),
        ],
    )


def with_bound(plan: Plan, bound: float | None, gap_wanted: float) -> Plan:
    """The plan with what is proven about it: bound, gap, and ``optimal`` where the gap is the one asked."""
    assert plan.objective is not None
    if bound is None:
        return plan.model_copy(update={"bound": None, "gap": None, "status": "feasible"})
    scale = max(1.0, abs(plan.objective))
    if plan.objective - bound <= SNAP * scale:
        bound = plan.objective
    gap = (plan.objective - bound) / scale
    status = "optimal" if gap <= gap_wanted else "feasible"
    return plan.model_copy(update={"bound": bound, "gap": gap, "status": status})


def infeasible_plan(problem: Problem, conflicts: list[str], seconds: float) -> Plan:
    """Plan document that says that there is none, and why."""
    return Plan(
        schema_version=problem.version,
        name=problem.name,
        problem_digest=problem.digest,
        status="infeasible",
        rung="MILP",
        solve_seconds=seconds,
        conflicts=conflicts,
    )


def _held_heat(problem: Problem, energy: Energy) -> dict[str, Any]:
    """Series of masses and tank, where there are any."""
    cold, removal = problem.cold, energy.removal
    if cold is None or removal is None:
        return {}
    warm = {m.name: _list(m.temperature(removal.entering[m.name], removal.by_mass[m.name])) for m in cold.masses}
    told: dict[str, Any] = {"mass_c": warm}
    if any(m.alone for m in cold.masses):
        told = {"temperature_c": next(iter(warm.values()))}
    else:
        told["mass_removed_mw"] = {name: _list(taken * problem.unit_mw) for name, taken in removal.by_mass.items()}
    if cold.tank is not None:
        told["tank_mwh"] = _list(cold.tank.stored(removal.into_tank, problem.step_h) * problem.unit_mw)
    return told


def _nodes(problem: Problem, schedule: Schedule) -> dict[str, list[int]]:
    """Nodes on in each pool whose nodes may be off."""
    used, _, _ = in_pools(problem, schedule)
    return {p.name: nodes_on(p, schedule, used[k]).tolist() for k, p in enumerate(problem.pools) if p.nodes is not None}


def _units(problem: Problem, removed: Floats) -> dict[str, list[float]]:
    """Heat that each cooling unit removes."""
    split = {} if problem.cooling is None else problem.cooling.split(removed)
    return {name: _list(heat * problem.unit_mw) for name, heat in split.items()}


def _list(values: Floats) -> list[float]:
    return [float(v) + 0.0 for v in values]


def _setting(way: Entry | Way, settings: tuple[float | None, ...], power: float) -> float | None:
    """Limit per GPU (W or MHz) at a power of one copy: on the line between two levels, rounded down to a whole one."""
    if not settings:
        return None
    k = min(max(int(np.searchsorted(way.power, power, side="right")) - 1, 0), len(way.power) - 1)
    low = settings[k]
    if k == len(way.power) - 1 or power == way.power[k]:
        return low
    high = settings[k + 1]
    if low is None or high is None:
        return None
    share = (power - way.power[k]) / (way.power[k + 1] - way.power[k])
    exact = low + share * (high - low)
    return float(max(np.floor(exact + 1e-9), min(low, high)))


def _runs(problem: Problem, e: Entry, schedule: Schedule) -> list[Run]:
    """Runs of an entry: neighbouring slots with the same way and the same groups become one run a group."""
    slots = schedule.groups[e.id]
    options, named = taken(e, schedule.pattern), problem.version != "1.0"
    way = np.argmax([on for _, on in options], axis=0)
    runs: list[Run] = []
    start = 0
    for t in range(1, len(slots) + 1):
        if t < len(slots) and slots[t] == slots[start] and way[t] == way[start]:
            continue
        here = options[way[start]][0]
        runs.extend(
            Run(
                start=problem.horizon.at(start),
                end=problem.horizon.at(t),
                power_mw=power * problem.unit_mw,
                speed=speed,
                limit_w=_setting(here, here.limit_w, power),
                clock_mhz=_setting(here, here.clock_mhz, power),
                count=count,
                pool=problem.pools[here.pool].name if named and here.pool is not None else None,
                gpus=here.gpus if named else None,
            )
            for count, power, speed in slots[start]
        )
        start = t
    return runs


def _job_plan(problem: Problem, e: Entry, schedule: Schedule, hours: Hours) -> JobPlan:
    return JobPlan(
        id=e.id,
        runs=_runs(problem, e, schedule),
        work_done_h=hours.done,
        late_h=hours.late,
        unmet_h=hours.unmet,
    )


def _wishes_that_gave(problem: Problem, jobs: list[JobPlan]) -> list[Unmet]:
    gave: list[Unmet] = []
    for place, (e, job) in enumerate(zip(problem.entries, jobs, strict=True)):
        if job.unmet_h > 0 and e.unmet_cost is not None:
            gave.append(
                Unmet(
                    requirement=f"job:{e.id}/due",
                    amount=job.unmet_h,
                    unit="h",
                    price=e.unmet_cost,
                    sentence=f"job {e.id} leaves {job.unmet_h:.6g} h of its {e.count * e.due_h:g} h of due work undone",
                    source=f"/jobs/{place}/due_h",
                )
            )
        if job.late_h > TRIFLE_H and e.late_cost is not None:
            deadline = rfc3339(problem.horizon.at(e.deadline))
            gave.append(
                Unmet(
                    requirement=f"job:{e.id}/deadline",
                    amount=job.late_h,
                    unit="h",
                    price=e.late_cost,
                    sentence=f"job {e.id} does {job.late_h:.6g} h of work after its deadline {deadline}",
                    source=f"/jobs/{place}/deadline",
                )
            )
    return gave


def _told(wishes: list[Gave]) -> list[Unmet]:
    return [
        Unmet(
            requirement=wish.id,
            amount=wish.amount,
            unit=wish.unit,
            price=wish.price,
            sentence=wish.sentence,
            source=wish.source,
        )
        for wish in wishes
    ]
