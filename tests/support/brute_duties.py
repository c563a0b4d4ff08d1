"""The oracle's hand for what version 1.1 asks of the energy side, written from the contract and nothing else of ours.

Runs of a generating set are written out, every on/off pattern of the horizon, and judged in plain Python; all other
duties are sums over slots. Used by :mod:`brute_force`, which keeps the power balance.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

Linear = dict[int, float]


@dataclass
class Flows:
    """Columns and sums per slot that :mod:`brute_force` has made; soc is by battery and slot."""

    bought: list[int] = field(default_factory=list)
    sold: list[int] = field(default_factory=list)
    heat: list[Linear] = field(default_factory=list)
    pool_heat: dict[str, list[Linear]] = field(default_factory=dict)
    removed: list[Linear] = field(default_factory=list)
    temperature: dict[str, list[int]] = field(default_factory=dict)
    taken: dict[str, list[int]] = field(default_factory=dict)
    tank: list[int] = field(default_factory=list)
    cooling: list[Linear] = field(default_factory=list)
    charge: list[list[int]] = field(default_factory=list)
    discharge: list[list[int]] = field(default_factory=list)
    soc: list[list[int]] = field(default_factory=list)
    made: list[list[int]] = field(default_factory=list)
    missing: list[list[int]] = field(default_factory=list)
    patterns: dict[str, list[tuple[int, tuple[int, ...]]]] = field(default_factory=dict)
    wishes: dict[str, Wish] = field(default_factory=dict)


@dataclass
class Wish:
    """Columns that count by how much a wish gave, each with its factor; unit and price of one."""

    unit: str
    price: float
    columns: Linear = field(default_factory=dict)


def total(*parts: tuple[float, Linear]) -> Linear:
    """Weighted sum of linear expressions."""
    found: Linear = {}
    for weight, expression in parts:
        for column, value in expression.items():
            found[column] = found.get(column, 0.0) + weight * value
    return found


def inside(grid: Any, period: dict[str, Any]) -> range:
    """Slots of a period with ``start`` and ``end`` that lie in the horizon."""
    return range(max(0, grid.slot(period["start"])), max(0, min(grid.slots, grid.slot(period["end"]))))


def without_outages(grid: Any, connection: dict[str, Any], limit: list[float]) -> list[float]:
    """A limit that is zero while there is no grid."""
    gone = {t for outage in connection.get("outages", []) for t in inside(grid, outage)}
    return [0.0 if t in gone else value for t, value in enumerate(limit)]


def machines(program: Any, problem: dict[str, Any], grid: Any, flows: Flows) -> None:
    """Columns of generators and services, with what holds their slots together."""
    for g in problem.get("generators", []):
        fuel = grid.row(g.get("fuel_cost_per_mwh", 0.0))
        carbon = problem.get("grid", {}).get("carbon_price_per_kg", 0.0) * g.get("carbon_kg_per_mwh", 0.0)
        out = [program.column(0, g["power_mw"], grid.hours * (fuel[t] + carbon)) for t in range(grid.slots)]
        choice = []
        for on in itertools.product((0, 1), repeat=grid.slots):
            if runs_long_enough(g, on):
                choice.append((program.column(0, 1, _money(g, on, grid.hours), whole=True), on))
        program.row({column: 1.0 for column, _ in choice}, 1.0, 1.0)
        for t in range(grid.slots):
            running = {column: 1.0 for column, on in choice if on[t]}
            program.row(total((1.0, {out[t]: 1.0}), (-g["power_mw"], running)), high=0.0)
            program.row(total((1.0, {out[t]: 1.0}), (-g.get("min_power_mw", 0.0), running)), low=0.0)
        if g.get("fuel_mwh") is not None:
            program.row(dict.fromkeys(out, grid.hours), high=g["fuel_mwh"])
        flows.made.append(out)
        flows.patterns[g["name"]] = choice
    for s in problem.get("inference", []):
        least = grid.row(s["min_power_mw"])
        price = grid.hours * s["below_nominal_cost_per_mwh"]
        flows.missing.append([program.column(0, s["power_mw"][t] - least[t], price) for t in range(grid.slots)])
        counted = dict.fromkeys(flows.missing[-1], grid.hours)
        flows.wishes[f"inference:{s['name']}/quality"] = Wish("MWh", s["below_nominal_cost_per_mwh"], counted)


def runs_long_enough(g: dict[str, Any], on: tuple[int, ...]) -> bool:
    """Whether every stretch that something follows has its least length."""
    before = int(g.get("on_before", False))
    history = [before] * g.get("state_slots", 1) + list(on)
    stretches = [(state, len(list(run))) for state, run in itertools.groupby(history)]
    if g.get("state_slots", 1) == 0 and (not on or on[0] != before):
        stretches.insert(0, (before, 0))
    least = {1: g.get("min_up_slots", 1), 0: g.get("min_down_slots", 1)}
    return all(length >= least[state] for state, length in stretches[:-1])


def _money(g: dict[str, Any], on: tuple[int, ...], hours: float) -> float:
    money, before = 0.0, int(g.get("on_before", False))
    for now in on:
        money += hours * g.get("no_load_cost_per_h", 0.0) * now
        money += g.get("start_cost", 0.0) * (now > before) + g.get("stop_cost", 0.0) * (now < before)
        before = now
    return money


def ask(program: Any, problem: dict[str, Any], grid: Any, flows: Flows) -> None:
    """Rows and prices of every duty."""
    _billing(program, problem, grid, flows)
    _targets(program, problem, grid, flows)
    _budgets(program, problem, grid, flows)
    _stores(program, problem, grid, flows)
    _water(program, problem, grid, flows)


def _net(flows: Flows, t: int) -> Linear:
    return {flows.bought[t]: 1.0, flows.sold[t]: -1.0}


class _Duty:
    """Rows of one wish: an amount stays within a limit, or what is beyond, times ``factor``, costs its price."""

    def __init__(self, program: Any, flows: Flows, name: str, unit: str, price: float | None, factor: float = 1.0):
        self.program, self.price, self.factor = program, price, factor
        self.wish = None if price is None else flows.wishes.setdefault(name, Wish(unit, price))

    def at_most(self, amount: Linear, limit: float) -> None:
        beyond: Linear = {}
        if self.wish is not None and self.price is not None:
            column = self.program.column(cost=self.price * self.factor)
            self.wish.columns[column] = self.factor
            beyond = {column: -1.0}
        self.program.row(total((1.0, amount), (1.0, beyond)), high=limit)


def _billing(program: Any, problem: dict[str, Any], grid: Any, flows: Flows) -> None:
    connection = problem.get("grid", {})
    rate, so_far = connection.get("demand_charge_per_mw", 0.0), connection.get("peak_so_far_mw", 0.0)
    above = program.column(cost=rate)
    length, gone = connection.get("billing_interval_slots", 1), connection.get("billing_elapsed_slots", 0)
    energy, slots, taken = connection.get("billing_elapsed_mwh", 0.0), gone, []
    for t in range(grid.slots):
        taken.append(flows.bought[t])
        slots += 1
        if slots == length or t == grid.slots - 1:
            mean = total((1 / slots, dict.fromkeys(taken, 1.0)), (1.0, {-1: energy / (slots * grid.hours)}))
            program.row(total((1.0, mean), (-1.0, {above: 1.0})), high=so_far)
            energy, slots, taken = 0.0, 0, []


def _targets(program: Any, problem: dict[str, Any], grid: Any, flows: Flows) -> None:
    for event in problem.get("events", []):
        name = f"event:{event['id']}/target"
        duty = _Duty(program, flows, name, "MWh", event.get("cost_per_mwh"), grid.hours)
        for t in inside(grid, event):
            if event.get("most_import_mw") is not None:
                duty.at_most(_net(flows, t), event["most_import_mw"])
            if event.get("least_import_mw") is not None:
                duty.at_most(total((-1.0, _net(flows, t))), -event["least_import_mw"])
    for promise in problem.get("nominations", []):
        slots = inside(grid, promise)
        if len(slots):
            due = promise["import_mw"] * grid.hours * (slots.stop - grid.slot(promise["start"]))
            due -= promise.get("elapsed_mwh", 0.0)
            taken = total(*((grid.hours, _net(flows, t)) for t in slots))
            for side, sign in (("over", 1.0), ("under", -1.0)):
                price = promise[f"{side}_cost_per_mwh"]
                duty = _Duty(program, flows, f"nomination:{promise['id']}/{side}", "MWh", price)
                duty.at_most(total((sign, taken)), sign * due)


def _budgets(program: Any, problem: dict[str, Any], grid: Any, flows: Flows) -> None:
    connection, slots, hours = problem.get("grid", {}), range(grid.slots), grid.hours
    if connection.get("export_allowance_mwh") is not None:
        left = max(0.0, connection["export_allowance_mwh"] - connection.get("exported_so_far_mwh", 0.0))
        program.row(dict.fromkeys(flows.sold, hours), high=left)
    sets = list(zip(problem.get("generators", []), flows.made, strict=True))
    if connection.get("carbon_budget_kg") is not None:
        rate = grid.row(problem.get("series", {}).get("carbon_kg_per_mwh"))
        kg = {flows.bought[t]: hours * rate[t] for t in slots}
        kg |= {out[t]: hours * g.get("carbon_kg_per_mwh", 0.0) for g, out in sets for t in slots}
        price = connection.get("above_carbon_budget_cost_per_kg")
        _Duty(program, flows, "grid/carbon_budget", "kg", price).at_most(kg, connection["carbon_budget_kg"])
    if connection.get("renewable_share") is not None:
        base = grid.row(problem.get("series", {}).get("base_load_mw"))
        used = total(
            *((hours, flows.heat[t]) for t in slots),
            *((hours, flows.cooling[t]) for t in slots),
            (hours, {-1: sum(base)}),
            *((hours, {-1: sum(s["power_mw"])}) for s in problem.get("inference", [])),
            *((-hours, {row[t]: 1.0}) for row in flows.missing for t in slots),
        )
        bought = dict.fromkeys((*flows.bought, *(c for _, out in sets for c in out)), hours)
        short = total((1.0, bought), (connection["renewable_share"] - 1.0, used))
        price = connection.get("below_renewable_share_cost_per_mwh")
        _Duty(program, flows, "grid/renewable_share", "MWh", price).at_most(short, 0.0)


def _stores(program: Any, problem: dict[str, Any], grid: Any, flows: Flows) -> None:
    batteries, slots = problem.get("batteries", []), range(grid.slots)
    for k, battery in enumerate(batteries):
        worth = battery.get("soc_end_value_per_mwh", 0.0)
        program.cost[flows.soc[k][-1]] -= worth
        program.constant += worth * battery["soc_start_mwh"]
        price = battery.get("below_reserve_cost_per_mwh_h")
        reserve = grid.row(battery.get("reserve_mwh", 0.0))
        duty = _Duty(program, flows, f"battery:{battery['name']}/reserve", "MWh h", price, grid.hours)
        for t in slots:
            if reserve[t] > 0:
                least = battery.get("soc_min_mwh", 0.0) + reserve[t]
                duty.at_most({flows.soc[k][t]: -1.0}, -least)
    asked = problem.get("reserve")
    if asked is not None:
        limit = without_outages(grid, problem["grid"], grid.row(problem["grid"].get("import_limit_mw", 0.0)))
        duty = _Duty(program, flows, "reserve/drop", "MWh", asked.get("cost_per_mwh"), grid.hours)
        for t, drop in enumerate(grid.row(asked["drop_mw"])):
            if drop > 0:
                flow = total(
                    (1.0, _net(flows, t)),
                    *((1.0, {flows.discharge[t][k]: 1.0, flows.charge[t][k]: -1.0}) for k in range(len(batteries))),
                )
                most = limit[t] + sum(b["power_mw"] for b in batteries) - drop
                duty.at_most(flow, most)


def _water(program: Any, problem: dict[str, Any], grid: Any, flows: Flows) -> None:
    cooling = problem.get("cooling")
    if cooling is None:
        return
    rate = grid.row(cooling.get("water_m3_per_mwh", 0.0))
    evaporated = [total((grid.hours * rate[t], flows.removed[t])) for t in range(grid.slots)]
    for column, value in total(*((cooling.get("water_price_per_m3", 0.0), m3) for m3 in evaporated)).items():
        if column == -1:
            program.constant += value
        else:
            program.cost[column] += value
    for limit in cooling.get("water_limits", []):
        left = max(0.0, limit["limit_m3"] - limit.get("so_far_m3", 0.0))
        used = total(*((1.0, evaporated[t]) for t in inside(grid, limit)))
        if inside(grid, limit):
            name = f"water:{limit['id']}/limit"
            _Duty(program, flows, name, "m3", limit.get("over_cost_per_m3")).at_most(used, left)


def checkpoint_slots(problem: dict[str, Any], job: dict[str, Any]) -> int:
    """Slots in which a job's checkpoint is written: the fewest whose parts the storage takes in its best slot."""
    storage = problem.get("storage") or {}
    rates = storage.get("gb_per_s", 0.0)
    best = max(rates if isinstance(rates, list) else [rates]) * 60 * problem["horizon"].get("step_minutes", 15)
    most = int(storage.get("most_slots", 1))
    return next((n for n in range(1, most) if job.get("checkpoint_gb", 0.0) / n <= best * (1 + 1e-9)), most)


def store(program: Any, problem: dict[str, Any], grid: Any, flows: Flows, choices: dict[str, Any]) -> None:
    """Checkpoints of all jobs in a slot are no more than the storage takes in it; a large one is moved part by part."""
    storage = problem.get("storage")
    if storage is None:
        return
    duty = _Duty(program, flows, "storage/bandwidth", "GB", storage.get("over_cost_per_gb"))
    rate, moved = grid.row(storage["gb_per_s"]), [[] for _ in range(grid.slots)]
    for job in problem["jobs"]:
        parts_n = checkpoint_slots(problem, job)
        size = job.get("checkpoint_gb", 0.0) / parts_n
        for column, pattern in choices[job["id"]]:
            on, fresh = job.get("state") == "running", job.get("state", "queued") == "queued"
            for t, now in enumerate(pattern.on):
                if (now and not on and not fresh) or (on and not now):
                    for later in moved[t : t + parts_n]:
                        later.append((size, {column: 1.0}))
                fresh, on = fresh and not now, bool(now)
    for t, parts in enumerate(moved):
        duty.at_most(total(*parts), rate[t] * 3600 * grid.hours)


def removes(program: Any, problem: dict[str, Any], grid: Any, t: int, heat: Linear) -> Linear:
    """What the plant removes in a slot: the heat itself, or where heat is held anything up to its capacity."""
    cooling = problem.get("cooling")
    if cooling is None or not (cooling.get("mass") or cooling.get("masses") or cooling.get("tank")):
        return heat
    return {program.column(0, grid.row(cooling["capacity_heat_mw"])[t]): 1.0}


def warm(program: Any, problem: dict[str, Any], grid: Any, flows: Flows) -> None:
    """Temperatures of thermal masses, the tank, and that all heat goes somewhere."""
    cooling = problem.get("cooling") or {}
    masses = [("", "cooling/recommended", flows.heat, cooling["mass"])] if cooling.get("mass") else []
    for mass in cooling.get("masses", []):
        entering = [_entering(problem, flows, mass, t) for t in range(grid.slots)]
        masses.append((mass["name"], f"mass:{mass['name']}/recommended", entering, mass))
    tank = cooling.get("tank")
    if not masses and tank is None:
        return
    for name, wish, entering, mass in masses:
        flows.taken[name] = [program.column(0) for _ in range(grid.slots)]
        _temperature(program, grid, flows, mass, (name, wish, entering))
    before: Linear = {-1: 0.0 if tank is None else tank["start_mwh"]}
    for t in range(grid.slots):
        into: Linear = {}
        if tank is not None:
            low = tank.get("end_min_mwh", 0.0) if t == grid.slots - 1 else 0.0
            stored, flow = program.column(low, tank["energy_mwh"]), program.column(-tank["draw_mw"], tank["fill_mw"])
            into, now = {flow: 1.0}, {stored: 1.0}
            kept = total((tank.get("kept_share", 1.0), before), (grid.hours, into))
            program.row(total((1.0, now), (-1.0, kept)), 0.0, 0.0)
            flows.tank.append(stored)
            before = now
        at_once = total((1.0, flows.heat[t]), *((-1.0, entering[t]) for _, _, entering, _ in masses))
        gone = total((1.0, at_once), (1.0, into), *((1.0, {row[t]: 1.0}) for row in flows.taken.values()))
        program.row(total((1.0, flows.removed[t]), (-1.0, gone)), 0.0, 0.0)


def _entering(problem: dict[str, Any], flows: Flows, mass: dict[str, Any], t: int) -> Linear:
    """Heat that a mass takes in: of pools with shares of their own by those, of the rest by the mass's."""
    own = {p["name"]: p["heat_shares"] for p in problem.get("pools", []) if p.get("heat_shares") is not None}
    rest = total((1.0, flows.heat[t]), *((-1.0, flows.pool_heat[name][t]) for name in own))
    parts = [(shares.get(mass["name"], 0.0), flows.pool_heat[name][t]) for name, shares in own.items()]
    return total((mass["heat_share"], rest), *parts)


def _temperature(
    program: Any, grid: Any, flows: Flows, mass: dict[str, Any], about: tuple[str, str, list[Linear]]
) -> None:
    name, wish, entering = about
    around = grid.row(mass.get("surroundings_c"), mass["start_c"])
    kept, before = mass.get("kept_share", 1.0), {-1: mass["start_c"]}
    duty, columns = None, flows.temperature.setdefault(name, [])
    if mass.get("recommended_c") is not None:
        price = mass.get("above_recommended_cost_per_k_h", 0.0)
        duty = _Duty(program, flows, wish, "K h", price, grid.hours)
    for t in range(grid.slots):
        top = mass["allowable_c"]
        if t == grid.slots - 1 and mass.get("end_most_c") is not None:
            top = min(top, mass["end_most_c"])
        column = program.column(mass["lowest_c"], top)
        now = {column: 1.0}
        inside = total((1.0, entering[t]), (-1.0, {flows.taken[name][t]: 1.0}))
        next_ = total((kept, before), ((1 - kept) * around[t], {-1: 1.0}), (grid.hours / mass["mwh_per_k"], inside))
        program.row(total((1.0, now), (-1.0, next_)), 0.0, 0.0)
        if mass.get("most_change_k_per_slot") is not None:
            most = mass["most_change_k_per_slot"]
            program.row(total((1.0, now), (-1.0, before)), -most, most)
        if duty is not None:
            duty.at_most(now, mass["recommended_c"])
        columns.append(column)
        before = now


# ---- the plan's own words


def told_series(problem: dict[str, Any], flows: Flows, x: Any) -> dict[str, Any]:
    """The series of generators and services."""
    made, on, drawn = {}, {}, {}
    for g, out in zip(problem.get("generators", []), flows.made, strict=True):
        made[g["name"]] = [max(0.0, float(x[column])) for column in out]
        on[g["name"]] = next(list(pattern) for column, pattern in flows.patterns[g["name"]] if x[column] > 0.5)
    for s, row in zip(problem.get("inference", []), flows.missing, strict=True):
        drawn[s["name"]] = [nominal - float(x[c]) for nominal, c in zip(s["power_mw"], row, strict=True)]
    told = {"generator_mw": made, "generator_on": on, "inference_mw": drawn}
    if flows.temperature or flows.tank:
        told["heat_removed_mw"] = [
            sum(v * (float(x[c]) if c >= 0 else 1.0) for c, v in e.items()) for e in flows.removed
        ]
    if "" in flows.temperature:
        told["temperature_c"] = [float(x[c]) for c in flows.temperature[""]]
    else:
        told["mass_c"] = {name: [float(x[c]) for c in row] for name, row in flows.temperature.items()}
        told["mass_removed_mw"] = {name: [float(x[c]) for c in row] for name, row in flows.taken.items()}
    if flows.tank:
        told["tank_mwh"] = [float(x[c]) for c in flows.tank]
    return told


def told_terms(problem: dict[str, Any], grid: Any, flows: Flows, x: Any, series: dict[str, Any]) -> dict[str, float]:
    """The terms of version 1.1, and carbon of generators."""
    connection, cooling = problem.get("grid", {}), problem.get("cooling") or {}
    fuel = carbon = stored = 0.0
    for g in problem.get("generators", []):
        given = series["generator_mw"][g["name"]]
        price = grid.row(g.get("fuel_cost_per_mwh", 0.0))
        fuel += grid.hours * sum(p * v for p, v in zip(price, given, strict=True))
        fuel += _money(g, tuple(series["generator_on"][g["name"]]), grid.hours)
        rate = g.get("carbon_kg_per_mwh", 0.0) * connection.get("carbon_price_per_kg", 0.0)
        carbon += grid.hours * rate * sum(given)
    for battery in problem.get("batteries", []):
        more = series["soc_mwh"][battery["name"]][-1] - battery["soc_start_mwh"]
        stored -= battery.get("soc_end_value_per_mwh", 0.0) * more
    rate = grid.row(cooling.get("water_m3_per_mwh", 0.0))
    gone = series.get("heat_removed_mw") or series["heat_mw"]
    m3 = grid.hours * sum(r * heat for r, heat in zip(rate, gone, strict=True))
    wishes = sum(w.price * f * float(x[c]) for w in flows.wishes.values() for c, f in w.columns.items())
    water = cooling.get("water_price_per_m3", 0.0) * m3
    return {"fuel": fuel, "carbon": carbon, "stored": stored, "water": water, "wishes": wishes}


def told_wishes(flows: Flows, x: Any) -> list[dict[str, Any]]:
    """Every wish that gave."""
    found = []
    for name, wish in flows.wishes.items():
        amount = sum(factor * float(x[column]) for column, factor in wish.columns.items())
        if amount > 1e-4:
            said = {"requirement": name, "amount": amount, "unit": wish.unit, "price": wish.price}
            found.append(said | {"sentence": f"{name} gives by {amount:g} {wish.unit}"})
    return found
