"""An independent oracle for tiny days, written from the contract and nothing else of ours.

Every on/off pattern of every job is written out and judged slot by slot in plain Python (window,
sessions, pauses, losses, starts); what remains (which pattern, the point on each curve, the energy
system) goes to SciPy's MILP with a binary wherever the contract is not convex: the segment of a
curve, the active cooling tangent, the direction of a battery and of the grid. Meant for up to four
jobs, six slots and two copies.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import brute_duties
import brute_nodes
import brute_stability
import brute_ways
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

Linear = dict[int, float]  # column -> coefficient; column -1 is the constant


@dataclass(frozen=True)
class Pattern:
    """How many copies are on in each slot, and what follows from that alone."""

    on: tuple[int, ...]
    starts: int
    loss_h: float
    must_end: bool  # allowed only because the job ends in its (too short) last session
    way: tuple[int, ...] = ()  # of a job with other ways: which one in each slot, -1 where it is off

    def runs(self, t: int, lane: int) -> bool:
        """Whether it is on in a lane: in that way, or with more copies than that."""
        return self.way[t] == lane if self.way else self.on[t] > lane


@dataclass(frozen=True)
class Answer:
    """``objective`` None: proven infeasible. ``plan`` is a plan document for the optimum."""

    objective: float | None
    plan: dict[str, Any] | None


@dataclass
class _Program:
    cost: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    rows: list[tuple[Linear, float, float]] = field(default_factory=list)
    constant: float = 0.0

    def column(self, low: float = 0.0, high: float = np.inf, cost: float = 0.0, whole: bool = False) -> int:
        self.cost.append(cost)
        self.low.append(low)
        self.high.append(high)
        self.whole.append(int(whole))
        return len(self.cost) - 1

    def row(self, expression: Linear, low: float = -np.inf, high: float = np.inf) -> None:
        constant = expression.get(-1, 0.0)
        self.rows.append(({c: v for c, v in expression.items() if c >= 0}, low - constant, high - constant))

    def solve(self) -> tuple[float, np.ndarray] | None:
        data, row_of, column_of = [], [], []
        for number, (expression, _, _) in enumerate(self.rows):
            for column, value in expression.items():
                data.append(value)
                row_of.append(number)
                column_of.append(column)
        matrix = csr_matrix((data, (row_of, column_of)), shape=(len(self.rows), len(self.cost)))
        found = milp(
            np.array(self.cost),
            integrality=np.array(self.whole),
            bounds=Bounds(np.array(self.low), np.array(self.high)),
            constraints=LinearConstraint(
                matrix, np.array([low for _, low, _ in self.rows]), np.array([high for _, _, high in self.rows])
            ),
            options={"mip_rel_gap": 1e-10, "time_limit": 100.0},
        )
        if found.status == 2:
            return None
        if found.status != 0:
            raise RuntimeError(f"the oracle did not finish: {found.message}")
        return float(found.fun) + self.constant, found.x


def add(*parts: tuple[float, Linear]) -> Linear:
    """Weighted sum of linear expressions."""
    total: Linear = {}
    for weight, expression in parts:
        for column, value in expression.items():
            total[column] = total.get(column, 0.0) + weight * value
    return total


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class _Grid:
    def __init__(self, problem: dict[str, Any]) -> None:
        self.start = _moment(problem["horizon"]["start"])
        self.minutes = problem["horizon"].get("step_minutes", 15)
        self.slots = problem["horizon"]["slots"]
        self.hours = self.minutes / 60
        partners = {pool["name"]: pool["partner"] for pool in problem.get("pools", []) if pool.get("partner")}
        self.rent = {name: self.row(partner["price_per_gpu_h"]) for name, partner in partners.items()}
        self.delay = {name: partner.get("start_delay_slots", 0) for name, partner in partners.items()}
        self.law = {pool["name"]: pool.get("jurisdiction") for pool in problem.get("pools", [])}

    def slot(self, text: str) -> int:
        return round((_moment(text) - self.start).total_seconds() / 60 / self.minutes)

    def text(self, slot: int) -> str:
        return (self.start + timedelta(minutes=self.minutes * slot)).isoformat()

    def row(self, value: Any, absent: float = 0.0) -> list[float]:
        if value is None:
            value = absent
        return list(value) if isinstance(value, list) else [value] * self.slots


def patterns(job: dict[str, Any], grid: _Grid) -> list[Pattern]:
    """Every on/off pattern that the contract allows this job, whatever the others do."""
    if brute_ways.chooses(job):
        return brute_ways.patterns(job, grid, _judge)
    count = job.get("count", 1)
    found = []
    for on in itertools.product(range(count + 1), repeat=grid.slots):
        pattern = _judge(job, grid, on)
        if pattern is not None:
            found.append(pattern)
    return found


def _judge(job: dict[str, Any], grid: _Grid, on: tuple[int, ...]) -> Pattern | None:
    slots, state = grid.slots, job.get("state", "queued")
    active = [t for t in range(slots) if on[t]]
    if job.get("held", False):
        return Pattern(on, 0, 0.0, False) if not active else None
    if state != "running" and any(t < grid.slot(job["release"]) for t in active):
        return None
    last = None if job.get("late_cost_per_h") is not None else job.get("deadline")
    if last is not None and any(t >= grid.slot(last) for t in active):
        return None
    if job.get("pinned_start") is not None:
        pinned = grid.slot(job["pinned_start"])
        if pinned >= slots and active:
            return None
        if 0 <= pinned < slots:
            if active and active[0] != pinned:
                return None
            if not active and job["work_h"] > 0:
                return None
    loss = job.get("restart_loss_h", 0.0)
    if job.get("count", 1) > 1:
        return _judge_copies(job, on, loss)
    sessions = []
    for t in active:
        if sessions and sessions[-1][1] == t:
            sessions[-1][1] = t + 1
        else:
            sessions.append([t, t + 1])
    continued = state == "running" and bool(sessions) and sessions[0][0] == 0
    was_stopped = state == "running" and not continued and job["work_h"] > 0
    shortest, pause = job.get("min_run_slots", 1), job.get("min_pause_slots", 1)
    if not job.get("preemptible", False) and (len(sessions) > 1 or was_stopped):
        return None
    pauses = list(zip([s[1] for s in sessions], [s[0] for s in sessions[1:]], strict=False))
    if was_stopped:
        if max(1, job.get("ran_slots", 0)) < shortest:
            return None
        pauses.insert(0, (0, sessions[0][0] if sessions else slots + pause))
    if any(end - begin < pause for begin, end in pauses):
        return None
    if job.get("max_pauses") is not None and len(pauses) > job["max_pauses"]:
        return None
    must_end = False
    for number, (first, end) in enumerate(sessions):
        ran = job.get("ran_slots", 0) if number == 0 and continued else 0
        if ran + end - first < shortest and end != slots:
            if number != len(sessions) - 1:
                return None
            must_end = True
    free = 1 if state == "queued" or continued else 0
    resumed = max(0, len(sessions) - free)
    return Pattern(on, len(sessions) - continued, resumed * loss, must_end)


def _judge_copies(job: dict[str, Any], on: tuple[int, ...], loss: float) -> Pattern | None:
    count, state = job["count"], job.get("state", "queued")
    before = count if state == "running" else 0
    starts = 0
    for now in on:
        starts += max(0, now - before)
        before = now
    if not job.get("preemptible", False) and starts > (0 if state == "running" else count):
        return None
    resumed = max(0, starts - count) if state == "queued" else starts
    return Pattern(on, starts, resumed * loss, False)


@dataclass
class _JobColumns:
    choice: list[tuple[int, Pattern]]
    lanes: list[dict[str, Any]]  # copies, or ways of a single job: pool, gpus, levels
    points: list[list[list[tuple[int, float, float]]]]  # slot, lane -> (column, power, speed)
    on: list[Linear]
    gpus: dict[str | None, list[Linear]]  # by pool
    power: dict[str | None, list[Linear]]
    work: list[Linear]


def _job(program: _Program, problem: dict[str, Any], job: dict[str, Any], grid: _Grid) -> _JobColumns:
    writing = brute_duties.checkpoint_slots(problem, job)
    job = job | {"min_pause_slots": max(writing, job.get("min_pause_slots", 1))}
    count, hours = job.get("count", 1), grid.hours
    start_cost = job.get("start_cost", 0.0)
    in_force = brute_stability.InForce(problem, grid, job)
    lanes = brute_ways.ways(job) if brute_ways.chooses(job) else brute_ways.ways(job)[:1] * count
    choice = [
        (program.column(0, 1, p.starts * start_cost + in_force.cost(p.on) + brute_ways.rent(grid, lanes, p), True), p)
        for p in patterns(job, grid)
    ]
    program.row({column: 1.0 for column, _ in choice}, 1.0, 1.0)
    points, on, work = [], [], []
    gpus, power = ({lane["pool"]: [{} for _ in range(grid.slots)] for lane in lanes} for _ in range(2))
    for t in range(grid.slots):
        slot_points, slot_work = [], {}
        on.append({column: float(p.on[t]) for column, p in choice if p.on[t]})
        for number, lane in enumerate(lanes):
            levels = [(level["power_mw"], level["speed"]) for level in lane["levels"]]
            lane_on = {column: 1.0 for column, p in choice if p.runs(t, number)}
            columns = [program.column(0, 1) for _ in levels]
            program.row(add((1.0, dict.fromkeys(columns, 1.0)), (-1.0, lane_on)), 0.0, 0.0)
            if len(levels) > 2:
                segments = [program.column(0, 1, whole=True) for _ in levels[1:]]
                program.row(dict.fromkeys(segments, 1.0), 1.0, 1.0)
                for k, column in enumerate(columns):
                    near = [segments[i] for i in (k - 1, k) if 0 <= i < len(segments)]
                    program.row(add((1.0, {column: 1.0}), (-1.0, dict.fromkeys(near, 1.0))), high=0.0)
            slot_points.append([(c, p, s) for c, (p, s) in zip(columns, levels, strict=True)])
            slot_work = add((1.0, slot_work), *((s * hours, {c: 1.0}) for c, _, s in slot_points[-1]))
            there = lane["pool"]
            power[there][t] = add((1.0, power[there][t]), *((p, {c: 1.0}) for c, p, _ in slot_points[-1]))
            gpus[there][t] = add((1.0, gpus[there][t]), (float(lane["gpus"]), lane_on))
        points.append(slot_points)
        work.append(slot_work)
    _hours(program, job, grid, choice, work)
    in_force.levels(program, on, [add(*((1.0, there[t]) for there in power.values())) for t in range(grid.slots)])
    return _JobColumns(choice, lanes, points, on, gpus, power, work)


def _hours(
    program: _Program, job: dict[str, Any], grid: _Grid, choice: list[tuple[int, Pattern]], work: list[Linear]
) -> None:
    count = job.get("count", 1)
    owed = count * (job["work_h"] if job.get("due_h") is None else job["due_h"])
    whole = count * job["work_h"]
    done = add(*((1.0, w) for w in work), (-1.0, {c: p.loss_h for c, p in choice if p.loss_h}))
    top = max(level["speed"] for way in brute_ways.ways(job) for level in way["levels"])
    program.row(done, high=whole + count * top * grid.hours)
    most_lost = max((p.loss_h for _, p in choice), default=0.0)
    must_end = {c: whole + most_lost for c, p in choice if p.must_end}
    program.row(add((1.0, done), (-1.0, must_end)), low=-most_lost)
    unmet: Linear = {}
    if job.get("unmet_cost_per_h") is None:
        program.row(done, low=owed)
    else:
        unmet = {program.column(cost=job["unmet_cost_per_h"]): 1.0}
        program.row(add((1.0, done), (1.0, unmet)), low=owed)
    if job.get("work_value_per_h", 0.0) > 0:
        beyond = {program.column(0.0, whole - owed, -job["work_value_per_h"]): 1.0}
        program.row(add((1.0, done), (1.0, unmet), (-1.0, beyond)), low=owed)
    if job.get("late_cost_per_h") is not None and job.get("deadline") is not None:
        for t in range(max(0, grid.slot(job["deadline"])), grid.slots):
            for column, value in work[t].items():
                program.cost[column] += job["late_cost_per_h"] * value


def solve(problem: dict[str, Any]) -> Answer:
    """Optimum of a tiny problem document."""
    grid, program = _Grid(problem), _Program()
    jobs = {job["id"]: _job(program, problem, job, grid) for job in problem.get("jobs", [])}
    _order(program, problem, grid, jobs)
    choices: dict[str, list[brute_nodes.Choice]] = {}
    it, by_pool = _it(program, problem, grid, jobs, choices)
    flows = _energy(program, problem, grid, it, by_pool) | {"nodes": choices}
    brute_ways.surplus(program, problem, grid, jobs, flows)
    brute_duties.store(program, problem, grid, flows["asked"], {i: job.choice for i, job in jobs.items()})
    found = program.solve()
    if found is None:
        return Answer(None, None)
    return Answer(found[0], _plan(problem, grid, jobs, flows, found[1], found[0]))


def _order(program: _Program, problem: dict[str, Any], grid: _Grid, jobs: dict[str, _JobColumns]) -> None:
    """A job is on only in slots before which all the work of those that it waits for is done."""
    for job in problem.get("jobs", []):
        for name in job.get("after", []):
            other = jobs[name]
            work = next(one["work_h"] for one in problem["jobs"] if one["id"] == name)
            lost = {column: p.loss_h for column, p in other.choice if p.loss_h}
            most = max(lost.values(), default=0.0)
            for t in range(grid.slots):
                before = add(*((1.0, w) for w in other.work[:t]), (-1.0, lost))
                program.row(add((1.0, before), (-(work + most), jobs[job["id"]].on[t])), low=-most)


def _it(
    program: _Program,
    problem: dict[str, Any],
    grid: _Grid,
    jobs: dict[str, _JobColumns],
    choices: dict[str, list[brute_nodes.Choice]],
) -> tuple[list[Linear], dict[str, list[Linear]]]:
    """IT power per slot, of the site and of each pool; pools and feeds are rows on the way."""
    total = [add(*((1.0, j.power[None][t]) for j in jobs.values() if None in j.power)) for t in range(grid.slots)]
    by_pool: dict[str, list[Linear]] = {}
    for pool in problem.get("pools", []):
        mine = [j for j in jobs.values() if pool["name"] in j.gpus]
        by_pool[pool["name"]] = []
        if pool.get("nodes") is not None:
            in_use = [add(*((1.0, j.gpus[pool["name"]][t]) for j in mine)) for t in range(grid.slots)]
            nodes, choices[pool["name"]] = brute_nodes.choose(program, pool, grid.slots, grid.row(pool["gpus"]), in_use)
        for t, gpus in enumerate(grid.row(pool["gpus"])):
            used = add(*((1.0, j.gpus[pool["name"]][t]) for j in mine))
            program.row(used, high=gpus)
            idle = pool.get("idle_w_per_gpu", 0.0) / 1e6
            beside = add((idle, {-1: float(gpus)}), (-idle, used))
            if pool.get("nodes") is not None:
                beside = nodes[t]
            load = add((1.0, beside), *((1.0, j.power[pool["name"]][t]) for j in mine))
            by_pool[pool["name"]].append(load)
            if pool["name"] not in grid.rent:
                total[t] = add((1.0, total[t]), (1.0, load))
        if pool["name"] in grid.rent and pool["partner"].get("quota_gpu_h") is not None:
            held = add(*((grid.hours, row) for j in mine for row in j.gpus[pool["name"]]))
            program.row(held, high=pool["partner"]["quota_gpu_h"])
    for feed in problem.get("feeds", []):
        for t, limit in enumerate(grid.row(feed["limit_mw"])):
            program.row(add(*((1.0, by_pool[name][t]) for name in feed["pools"])), high=limit)
    return total, by_pool


def _cooling(program: _Program, problem: dict[str, Any], t: int, grid: _Grid, heat: Linear, most_heat: float) -> Linear:
    cooling = problem.get("cooling")
    if cooling is None:
        return {}
    if cooling.get("capacity_heat_mw") is not None:
        program.row(heat, high=grid.row(cooling["capacity_heat_mw"])[t])
    lines = [(0.0, 0.0)]
    lines += [(grid.row(x["slope"])[t], grid.row(x["intercept_mw"])[t]) for x in cooling["tangents"]]
    power = program.column()
    active = [program.column(0, 1, whole=True) for _ in lines]
    program.row(dict.fromkeys(active, 1.0), 1.0, 1.0)
    for a, (slope, intercept) in zip(active, lines, strict=True):
        line = add((slope, heat), (intercept, {-1: 1.0}))
        above = add((1.0, {power: 1.0}), (-1.0, line))
        program.row(above, low=0.0)
        big = max((s - slope) * h + i - intercept for s, i in lines for h in (0.0, most_heat)) + 1e-3
        program.row(add((1.0, above), (big, {a: 1.0})), high=big)
    return {power: 1.0}


def _energy(
    program: _Program, problem: dict[str, Any], grid: _Grid, it: list[Linear], by_pool: dict[str, list[Linear]]
) -> dict[str, Any]:
    given, connection, hours = problem.get("series", {}), problem.get("grid", {}), grid.hours
    efficiency = problem.get("distribution_efficiency", 1.0)
    most_heat = sum(
        j.get("count", 1) * max(x["power_mw"] for way in brute_ways.ways(j) for x in way["levels"])
        for j in problem.get("jobs", [])
    )
    most_heat += sum(p.get("idle_w_per_gpu", 0.0) * max(grid.row(p["gpus"])) / 1e6 for p in problem.get("pools", []))
    most_heat /= efficiency
    names = ("pv_available_mw", "wind_available_mw", "base_load_mw")
    prices = ("import_price_per_mwh", "export_price_per_mwh", "carbon_kg_per_mwh")
    rows = {name: grid.row(given.get(name)) for name in (*names, *prices)}
    buy, sell = (
        brute_duties.without_outages(grid, connection, grid.row(connection.get(name)))
        for name in ("import_limit_mw", "export_limit_mw")
    )
    carbon = connection.get("carbon_price_per_kg", 0.0)
    pool_heat = {name: [add((1 / efficiency, load)) for load in loads] for name, loads in by_pool.items()}
    asked = brute_duties.Flows(soc=[[] for _ in problem.get("batteries", [])], pool_heat=pool_heat)
    brute_duties.machines(program, problem, grid, asked)
    stock = [{-1: b["soc_start_mwh"]} for b in problem.get("batteries", [])]
    flows: dict[str, Any] = {"pv": [], "wind": [], "charge": [], "discharge": [], "asked": asked}
    before: Linear | None = None
    for t in range(grid.slots):
        price = rows["import_price_per_mwh"][t] + carbon * rows["carbon_kg_per_mwh"][t]
        bought = program.column(0, buy[t], hours * price)
        sold = program.column(0, sell[t], -hours * rows["export_price_per_mwh"][t])
        buying = program.column(0, 1, whole=True)
        program.row({bought: 1.0, buying: -buy[t]}, high=0.0)
        program.row({sold: 1.0, buying: sell[t]}, high=sell[t])
        net = {bought: 1.0, sold: -1.0}
        ramp = connection.get("import_ramp_mw_per_slot")
        if ramp is not None and before is not None:
            program.row(add((1.0, net), (-1.0, before)), -ramp, ramp)
        before = net
        pv, wind = program.column(0, rows["pv_available_mw"][t]), program.column(0, rows["wind_available_mw"][t])
        heat = add((1 / efficiency, it[t]))
        balance = add((1.0, net), (1.0, {pv: 1.0, wind: 1.0}), (-1.0, heat))
        removed = brute_duties.removes(program, problem, grid, t, heat)
        most = most_heat if removed is heat else grid.row(problem["cooling"]["capacity_heat_mw"])[t]
        cooling = _cooling(program, problem, t, grid, removed, most)
        balance = add((1.0, balance), (-1.0, cooling), (-rows["base_load_mw"][t], {-1: 1.0}))
        balance = add((1.0, balance), *((1.0, {row[t]: 1.0}) for row in (*asked.made, *asked.missing)))
        balance = add((1.0, balance), *((-s["power_mw"][t], {-1: 1.0}) for s in problem.get("inference", [])))
        charging, discharging = [], []
        for k, battery in enumerate(problem.get("batteries", [])):
            power = battery["power_mw"]
            charge = program.column(0, power)
            discharge = program.column(0, power, hours * battery.get("wear_cost_per_mwh", 0.0))
            direction = program.column(0, 1, whole=True)
            program.row({charge: 1.0, direction: -power}, high=0.0)
            program.row({discharge: 1.0, direction: power}, high=power)
            top = battery.get("soc_max_mwh")
            soc = program.column(battery.get("soc_min_mwh", 0.0), battery["energy_mwh"] if top is None else top)
            change = {
                charge: hours * battery["charge_efficiency"],
                discharge: -hours / battery["discharge_efficiency"],
            }
            program.row(add((1.0, {soc: 1.0}), (-1.0, stock[k]), (-1.0, change)), 0.0, 0.0)
            if t == grid.slots - 1:
                program.low[soc] = max(program.low[soc], battery.get("soc_end_min_mwh", 0.0))
                if program.low[soc] > program.high[soc]:
                    program.row({soc: 1.0}, low=program.low[soc])
                    program.low[soc] = 0.0
            stock[k] = {soc: 1.0}
            asked.soc[k].append(soc)
            balance = add((1.0, balance), (1.0, {discharge: 1.0, charge: -1.0}))
            charging.append(charge)
            discharging.append(discharge)
        program.row(balance, 0.0, 0.0)
        flows["pv"].append(pv)
        flows["wind"].append(wind)
        flows["charge"].append(charging)
        flows["discharge"].append(discharging)
        asked.bought.append(bought)
        asked.sold.append(sold)
        asked.heat.append(heat)
        asked.removed.append(removed)
        asked.cooling.append(cooling)
    asked.charge, asked.discharge = flows["charge"], flows["discharge"]
    brute_duties.warm(program, problem, grid, asked)
    brute_duties.ask(program, problem, grid, asked)
    brute_stability.devices(program, problem, grid, asked)
    return flows


def _plan(
    problem: dict[str, Any],
    grid: _Grid,
    jobs: dict[str, _JobColumns],
    flows: dict[str, Any],
    x: np.ndarray,
    objective: float,
) -> dict[str, Any]:
    """A plan document, numbers computed anew from the solution's decisions."""
    entries, unmet, it = [], [], [0.0] * grid.slots
    busy = {pool["name"]: [0] * grid.slots for pool in problem.get("pools", [])}
    changes = brute_stability.told_devices(problem, grid, flows["asked"], x)
    terms = dict.fromkeys(("starts", "late", "unmet", "work_value", "partner"), 0.0)
    for job in problem.get("jobs", []):
        columns = jobs[job["id"]]
        pattern = next(p for c, p in columns.choice if x[c] > 0.5)
        runs, done, late, drawn = [], -pattern.loss_h, 0.0, [0.0] * grid.slots
        first_late = grid.slots if job.get("deadline") is None else grid.slot(job["deadline"])
        for t in range(grid.slots):
            for number, lane in enumerate(columns.lanes):
                if not pattern.runs(t, number):
                    continue
                power = sum(x[c] * p for c, p, _ in columns.points[t][number])
                rows = lane["levels"]
                powers = [level["power_mw"] for level in rows]
                power = min(max(power, powers[0]), powers[-1])
                speed = float(np.interp(power, powers, [level["speed"] for level in rows]))
                run = {"start": grid.text(t), "end": grid.text(t + 1), "power_mw": float(power), "speed": speed}
                if rows[0].get("limit_w") is not None:
                    run["limit_w"] = float(np.interp(power, powers, [level["limit_w"] for level in rows]))
                if rows[0].get("clock_mhz") is not None:
                    run["clock_mhz"] = float(np.interp(power, powers, [level["clock_mhz"] for level in rows]))
                if job.get("alternatives"):
                    run |= {"pool": lane["pool"], "gpus": lane["gpus"]}
                if lane["pool"] is not None:
                    busy[lane["pool"]][t] += lane["gpus"]
                runs.append(run)
                it[t] += power if lane["pool"] not in grid.rent else 0.0
                drawn[t] += power
                done += speed * grid.hours
                late += speed * grid.hours * (t >= first_late)
        owed = job.get("count", 1) * (job["work_h"] if job.get("due_h") is None else job["due_h"])
        short = max(0.0, owed - done)
        changes += brute_stability.InForce(problem, grid, job).told(pattern.on, drawn)
        entry = {"id": job["id"], "runs": runs, "work_done_h": done, "late_h": late, "unmet_h": short}
        entries.append(entry)
        wishes = (("due", short, job.get("unmet_cost_per_h")), ("deadline", late, job.get("late_cost_per_h")))
        for wish, amount, price in wishes:
            if price is not None and amount > 1e-4:
                sentence = f"{amount:g} h of job {job['id']} give way"
                requirement = f"job:{job['id']}/{wish}"
                unmet.append(
                    {"requirement": requirement, "amount": amount, "unit": "h", "price": price, "sentence": sentence}
                )
        terms["starts"] += pattern.starts * job.get("start_cost", 0.0)
        terms["partner"] += brute_ways.rent(grid, columns.lanes, pattern)
        terms["late"] += late * (job.get("late_cost_per_h") or 0.0)
        terms["unmet"] += short * (job.get("unmet_cost_per_h") or 0.0)
        beyond = max(0.0, min(done, job.get("count", 1) * job["work_h"]) - owed)
        terms["work_value"] -= beyond * job.get("work_value_per_h", 0.0)
    nodes_on = {name: brute_nodes.told(choice, x, grid.slots) for name, choice in flows["nodes"].items()}
    for pool in problem.get("pools", []):
        for t, gpus in enumerate(grid.row(pool["gpus"])):
            used, idle = busy[pool["name"]][t], pool.get("idle_w_per_gpu", 0.0)
            beside = (gpus - used) * idle
            if pool.get("nodes") is not None:
                size, on = pool["nodes"]["gpus_per_node"], nodes_on[pool["name"]][t]
                beside = (size * on - used) * idle + pool["nodes"].get("off_w", 0.0) * (gpus // size - on)
            it[t] += beside / 1e6
    new = problem["schema_version"] == "1.1"
    if not terms["partner"]:
        del terms["partner"]
    series = _series(problem, grid, it, flows, x) | ({"nodes_on": nodes_on} if new else {})
    terms.update(_energy_terms(problem, grid, series))
    if new:
        more = brute_duties.told_terms(problem, grid, flows["asked"], x, series)
        terms |= more | {"carbon": terms["carbon"] + more["carbon"]}
        unmet += brute_duties.told_wishes(flows["asked"], x)
        unmet += [gave for gave in changes if gave["amount"] > 1e-4 and gave["price"] > 0]
        terms["change"] = sum(gave["amount"] * gave["price"] for gave in changes)
    total = sum(terms.values())
    document = json.dumps(problem, sort_keys=True, separators=(",", ":"))
    return {
        "schema_version": problem["schema_version"],
        "name": problem["name"],
        "problem_digest": hashlib.sha256(document.encode()).hexdigest(),
        "status": "optimal",
        "rung": "MILP",
        "objective": total,
        "bound": min(objective, total),
        "gap": (total - min(objective, total)) / max(1.0, abs(total)),
        "solve_seconds": 0.0,
        "terms": terms,
        "series": series,
        "jobs": entries,
        "unmet": unmet,
        "conflicts": [],
    }


def _series(
    problem: dict[str, Any], grid: _Grid, it: list[float], flows: dict[str, Any], x: np.ndarray
) -> dict[str, Any]:
    heat = [value / problem.get("distribution_efficiency", 1.0) for value in it]
    more = brute_duties.told_series(problem, flows["asked"], x)
    cooling = [0.0] * grid.slots
    if problem.get("cooling") is not None:
        tangents = [(grid.row(c["slope"]), grid.row(c["intercept_mw"])) for c in problem["cooling"]["tangents"]]
        gone = more.get("heat_removed_mw", heat)
        cooling = [max(0.0, *(s[t] * gone[t] + i[t] for s, i in tangents)) for t in range(grid.slots)]
    base = grid.row(problem.get("series", {}).get("base_load_mw"))
    pv, wind = ([max(0.0, float(x[c])) for c in flows[name]] for name in ("pv", "wind"))
    names = [battery.get("name", "battery") for battery in problem.get("batteries", [])]
    charge = {name: [max(0.0, float(x[row[k]])) for row in flows["charge"]] for k, name in enumerate(names)}
    discharge = {name: [max(0.0, float(x[row[k]])) for row in flows["discharge"]] for k, name in enumerate(names)}
    stock = {}
    for battery, name in zip(problem.get("batteries", []), names, strict=True):
        level, stock[name] = battery["soc_start_mwh"], []
        for t in range(grid.slots):
            level += grid.hours * (
                battery["charge_efficiency"] * charge[name][t] - discharge[name][t] / battery["discharge_efficiency"]
            )
            stock[name].append(level)
    net = [
        sum(row[t] for row in more["inference_mw"].values())
        - sum(row[t] for row in more["generator_mw"].values())
        + heat[t]
        + cooling[t]
        + base[t]
        + sum(row[t] for row in charge.values())
        - sum(row[t] for row in discharge.values())
        - pv[t]
        - wind[t]
        for t in range(grid.slots)
    ]
    return {
        "import_mw": [max(0.0, value) for value in net],
        "export_mw": [max(0.0, -value) for value in net],
        "pv_used_mw": pv,
        "wind_used_mw": wind,
        "it_mw": it,
        "heat_mw": heat,
        "cooling_mw": cooling,
        "base_load_mw": base,
        "charge_mw": charge,
        "discharge_mw": discharge,
        "soc_mwh": stock,
        **(more if problem["schema_version"] == "1.1" else {}),
    }


def _energy_terms(problem: dict[str, Any], grid: _Grid, series: dict[str, Any]) -> dict[str, float]:
    given, connection = problem.get("series", {}), problem.get("grid", {})

    def priced(power: list[float], name: str) -> float:
        return grid.hours * sum(p * v for p, v in zip(power, grid.row(given.get(name)), strict=True))

    length, gone = connection.get("billing_interval_slots", 1), connection.get("billing_elapsed_slots", 0)
    taken = [connection.get("billing_elapsed_mwh", 0.0) / grid.hours, *([0.0] * (gone - 1))][:gone]
    taken += series["import_mw"]
    means = [sum(part) / len(part) for part in (taken[k : k + length] for k in range(0, len(taken), length))]
    peak = max(means) - connection.get("peak_so_far_mw", 0.0)
    wear = 0.0
    for battery in problem.get("batteries", []):
        discharged = sum(series["discharge_mw"][battery.get("name", "battery")])
        wear += battery.get("wear_cost_per_mwh", 0.0) * grid.hours * discharged
    return {
        "import": priced(series["import_mw"], "import_price_per_mwh"),
        "export": -priced(series["export_mw"], "export_price_per_mwh"),
        "carbon": connection.get("carbon_price_per_kg", 0.0) * priced(series["import_mw"], "carbon_kg_per_mwh"),
        "demand_charge": connection.get("demand_charge_per_mw", 0.0) * max(0.0, peak),
        "wear": wear,
    }
