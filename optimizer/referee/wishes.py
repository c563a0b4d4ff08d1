"""Duties and wishes beside the jobs': by how much each gave, recounted from series and document.

A duty without a price that gave is a violation under its own rule; one with a price is a wish, which the
plan has to list and to pay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from models.horizon import rfc3339
from optimizer.document import PlanSeries

from .day import Day
from .findings import POWER, POWER_FLOOR_MW, Findings, Floats, near_mw
from .thermal import NEAR_K, PoolPower, State, states_of


@dataclass(frozen=True)
class Wish:
    """One duty: ``amount`` in ``unit`` by which it gave, the error that rounding explains, its price or None."""

    id: str
    rule: str
    unit: str
    amount: float
    slack: float
    price: float | None
    source: str
    slot: int | None = None


def wishes_of(day: Day, series: PlanSeries, pool_mw: PoolPower) -> list[Wish]:
    """Every duty and wish of the energy side."""
    flows = _Flows(day, series)
    kinds = _events, _nominations, _budgets, _reserves, _water, _quality
    return [*(wish for kind in kinds for wish in kind(flows)), *_warmth(day, states_of(day, series, pool_mw))]


def check_duties(wishes: list[Wish], findings: Findings) -> None:
    """Duties that have no price gave nothing."""
    for wish in wishes:
        if wish.price is None and wish.amount > wish.slack:
            findings.add(
                wish.rule,
                f"{wish.id} gives by {wish.amount:.9g} {wish.unit}, and no price lets it",
                amount=wish.amount,
                unit=wish.unit,
                slot=wish.slot,
            )


class _Flows:
    """The series that several duties ask for, on the slots."""

    def __init__(self, day: Day, series: PlanSeries) -> None:
        self.day, self.series = day, series
        self.bought, self.sold = day.per_slot(series.import_mw), day.per_slot(series.export_mw)
        self.net = self.bought - self.sold
        self.loose = near_mw(self.bought, self.sold)
        self.heat = day.per_slot(series.heat_mw)
        self.made = _sum(day, series.generator_mw)
        used = self.heat + day.per_slot(series.cooling_mw) + day.per_slot(series.base_load_mw)
        self.used = used + _sum(day, series.inference_mw)

    def slots(self, start: datetime, end: datetime) -> list[int]:
        """Slots whose first instant lies in ``[start, end)``."""
        return [k for k in range(self.day.slots) if start <= self.day.horizon.at(k) < end]


def _sum(day: Day, rows: dict[str, list[float]]) -> Floats:
    return np.asarray(np.sum([np.zeros(day.slots), *(day.per_slot(row) for row in rows.values())], axis=0))


def _events(flows: _Flows) -> Iterator[Wish]:
    h = flows.day.step_h
    for number, event in enumerate(flows.day.problem.events):
        missed, slack, worst, slot = 0.0, 0.0, 0.0, None
        for k in flows.slots(event.start, event.end):
            beyond = 0.0 if event.most_import_mw is None else flows.net[k] - event.most_import_mw
            short = 0.0 if event.least_import_mw is None else event.least_import_mw - flows.net[k]
            here = max(0.0, beyond, short)
            missed += h * here
            slack += h * float(flows.loose[k])
            if here > worst:
                worst, slot = here, k
        source = f"/events/{number}"
        yield Wish(f"event:{event.id}/target", "event.target", "MWh", missed, slack, event.cost_per_mwh, source, slot)


def _nominations(flows: _Flows) -> Iterator[Wish]:
    day, h = flows.day, flows.day.step_h
    for number, promise in enumerate(day.problem.nominations):
        inside = flows.slots(promise.start, promise.end)
        if not inside:
            continue
        counted_to = min(promise.end, day.horizon.end)
        hours = (counted_to - promise.start).total_seconds() / 3600
        taken = promise.elapsed_mwh + h * float(flows.net[inside].sum())
        gap = taken - promise.import_mw * hours
        slack = h * float(flows.loose[inside].sum()) + POWER_FLOOR_MW
        source = f"/nominations/{number}"
        name = f"nomination:{promise.id}"
        yield Wish(f"{name}/over", "", "MWh", max(0.0, gap), slack, promise.over_cost_per_mwh, source)
        yield Wish(f"{name}/under", "", "MWh", max(0.0, -gap), slack, promise.under_cost_per_mwh, source)


def _budgets(flows: _Flows) -> Iterator[Wish]:
    day, h = flows.day, flows.day.step_h
    problem, grid = day.problem, day.problem.grid
    slack = h * float(flows.loose.sum())
    if grid.export_allowance_mwh is not None:
        left = max(0.0, grid.export_allowance_mwh - grid.exported_so_far_mwh)
        beyond = h * float(flows.sold.sum()) - left
        yield Wish("grid/export_allowance", "grid.export_allowance", "MWh", beyond, slack, None, "")
    if grid.carbon_budget_kg is not None:
        rate = day.per_slot(problem.series.carbon_kg_per_mwh)
        kg = h * float((rate * flows.bought).sum())
        for machine in problem.generators:
            kg += h * machine.carbon_kg_per_mwh * sum(flows.series.generator_mw.get(machine.name, []))
        beyond = max(0.0, kg - grid.carbon_budget_kg)
        loose = POWER * (abs(kg) + grid.carbon_budget_kg) + 1e-6
        price = grid.above_carbon_budget_cost_per_kg
        yield Wish("grid/carbon_budget", "grid.carbon_budget", "kg", beyond, loose, price, "/grid/carbon_budget_kg")
    if grid.renewable_share is not None:
        beyond = h * float((flows.bought + flows.made).sum()) - (1 - grid.renewable_share) * h * float(flows.used.sum())
        slack += POWER * h * float(np.abs(flows.used).sum() + flows.made.sum())
        price = grid.below_renewable_share_cost_per_mwh
        name, source = "grid/renewable_share", "/grid/renewable_share"
        yield Wish(name, "grid.renewable_share", "MWh", max(0.0, beyond), slack, price, source)


def _reserves(flows: _Flows) -> Iterator[Wish]:
    day, h = flows.day, flows.day.step_h
    for number, battery in enumerate(day.problem.batteries):
        reserve = day.per_slot(battery.reserve_mwh)
        stock = day.per_slot(flows.series.soc_mwh[battery.name])
        missing = np.where(reserve > 0, np.maximum(0.0, battery.soc_min_mwh + reserve - stock), 0.0)
        worst = int(np.argmax(missing))
        slack = day.slots * h * (POWER * battery.energy_mwh + POWER_FLOOR_MW)
        price, source = battery.below_reserve_cost_per_mwh_h, f"/batteries/{number}/reserve_mwh"
        name = f"battery:{battery.name}/reserve"
        yield Wish(name, "battery.reserve", "MWh h", h * float(missing.sum()), slack, price, source, worst)
    asked = day.problem.reserve
    if asked is not None:
        drop = day.per_slot(asked.drop_mw)
        grid = day.problem.grid
        room = _without_outages(flows, day.per_slot(grid.import_limit_mw) * day.left(grid.maintenance)) - flows.net
        for battery in day.problem.batteries:
            out = day.per_slot(flows.series.discharge_mw[battery.name])
            room = (
                room
                + battery.power_mw * day.left(battery.maintenance)
                - out
                + day.per_slot(flows.series.charge_mw[battery.name])
            )
        missing = np.where(drop > 0, np.maximum(0.0, drop - room), 0.0)
        loose = h * float(near_mw(room, drop, flows.bought).sum())
        amount, worst = h * float(missing.sum()), int(np.argmax(missing))
        yield Wish("reserve/drop", "reserve.drop", "MWh", amount, loose, asked.cost_per_mwh, "/reserve/drop_mw", worst)


def _without_outages(flows: _Flows, limit: Floats) -> Floats:
    kept = limit.copy()
    for outage in flows.day.problem.grid.outages:
        kept[flows.slots(outage.start, outage.end)] = 0.0
    return kept


def check_outages(day: Day, series: PlanSeries, findings: Findings) -> None:
    """Nothing crosses the meter while there is no grid."""
    flows = _Flows(day, series)
    for outage in day.problem.grid.outages:
        for k in flows.slots(outage.start, outage.end):
            crossing = float(flows.bought[k] + flows.sold[k])
            if crossing > POWER_FLOOR_MW:
                text = f"{crossing:.9g} MW cross the meter in an outage that ends at {rfc3339(outage.end)}"
                findings.add("grid.outage", text, amount=crossing, unit="MW", slot=k)


def _water(flows: _Flows) -> Iterator[Wish]:
    day, cooling = flows.day, flows.day.problem.cooling
    if cooling is None:
        return
    gone = flows.heat if not cooling.holds_heat else day.per_slot(flows.series.heat_removed_mw)
    evaporated = day.step_h * day.per_slot(cooling.water_m3_per_mwh) * gone
    for number, limit in enumerate(cooling.water_limits):
        inside = flows.slots(limit.start, limit.end)
        used = float(evaporated[inside].sum())
        left = max(0.0, limit.limit_m3 - limit.so_far_m3)
        slack = POWER * (used + left) + 1e-6
        source, name = f"/cooling/water_limits/{number}", f"water:{limit.id}/limit"
        price = limit.over_cost_per_m3
        if inside:
            yield Wish(name, "cooling.water_limit", "m3", max(0.0, used - left), slack, price, source)


def _warmth(day: Day, states: list[State]) -> Iterator[Wish]:
    for state in states:
        if state.mass.recommended_c is not None:
            above = day.step_h * float(np.maximum(state.true - state.mass.recommended_c, 0.0).sum())
            price, source = state.mass.above_recommended_cost_per_k_h, f"{state.place}/recommended_c"
            yield Wish(state.wish, "", "K h", above, day.step_h * day.slots * NEAR_K, price, source)


def _quality(flows: _Flows) -> Iterator[Wish]:
    day, h = flows.day, flows.day.step_h
    for number, service in enumerate(day.problem.inference):
        nominal, drawn = day.per_slot(service.power_mw), day.per_slot(flows.series.inference_mw[service.name])
        missing, slack = h * float((nominal - drawn).sum()), h * float(near_mw(nominal).sum())
        price = service.below_nominal_cost_per_mwh
        yield Wish(f"inference:{service.name}/quality", "", "MWh", missing, slack, price, f"/inference/{number}")
