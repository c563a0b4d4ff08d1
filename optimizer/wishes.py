"""Wishes of the energy side that have a price: what each gave in a plan, in the document's units.

A wish has an id, a unit, a price, the place in the document that states it, and a sentence. Those of jobs
(due work, deadlines) are told by :mod:`optimizer.extract`; what must be kept is no wish and stands in rows
without a price.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.horizon import rfc3339
from optimizer.problem import Floats, Problem
from optimizer.schedule import Energy
from optimizer.sessions import Pattern
from optimizer.storage import beyond_gb
from optimizer.thermal import NAME

TRIFLE = 1e-7
"""Amount below which a wish has not given: a solver's last digits."""


@dataclass(frozen=True)
class Gave:
    """One wish that gave: ``amount`` of ``unit`` at ``price`` each."""

    id: str
    unit: str
    amount: float
    price: float
    source: str
    sentence: str

    @property
    def cost(self) -> float:
        """Money."""
        return self.amount * self.price


def gave(problem: Problem, energy: Energy, pattern: Pattern) -> list[Gave]:
    """Every priced wish of the energy side and of the storage that gave something."""
    found = (*_events(problem, energy), *_nominations(problem, energy), *_budgets(problem, energy))
    more = (*_reserves(problem, energy), *_headroom(problem, energy), *_water(problem, energy))
    more += (*_warmth(problem, energy), *_storage(problem, pattern))
    return [wish for wish in (*found, *more, *_services(problem, energy)) if wish.amount > TRIFLE]


def _events(problem: Problem, energy: Energy) -> Iterator[Gave]:
    h, mw = problem.step_h, problem.unit_mw
    net = energy.import_ - energy.export
    for e in problem.events:
        if e.cost is None:
            continue
        inside = net[e.first : e.last]
        above = np.zeros_like(inside) if e.most is None else np.maximum(inside - e.most, 0.0)
        below = np.zeros_like(inside) if e.least is None else np.maximum(e.least - inside, 0.0)
        amount = h * mw * float((above + below).sum())
        span = _span(problem, e.first, e.last)
        yield Gave(
            f"event:{e.id}/target",
            "MWh",
            amount,
            e.cost / mw,
            f"/events/{e.place}",
            f"event {e.id} asks for a target {span} that the net import misses by {amount:.6g} MWh",
        )


def _nominations(problem: Problem, energy: Energy) -> Iterator[Gave]:
    h, mw = problem.step_h, problem.unit_mw
    for n in problem.nominations:
        taken = h * float((energy.import_ - energy.export)[n.first : n.last].sum())
        span = _span(problem, n.first, n.last)
        for word, side, amount, cost in (
            ("more", "over", max(0.0, taken - n.energy) * mw, n.over_cost / mw),
            ("less", "under", max(0.0, n.energy - taken) * mw, n.under_cost / mw),
        ):
            sentence = f"nomination {n.id} {span} is missed: {amount:.6g} MWh {word} than promised"
            yield Gave(f"nomination:{n.id}/{side}", "MWh", amount, cost, f"/nominations/{n.place}", sentence)


def _budgets(problem: Problem, energy: Energy) -> Iterator[Gave]:
    b, h, mw = problem.budgets, problem.step_h, problem.unit_mw
    if b.carbon_kg is not None and b.carbon_cost is not None:
        kg = h * float(b.import_kg @ energy.import_)
        kg += h * sum(g.carbon_kg * float(energy.discharge[g.name].sum()) for g in problem.generators)
        amount = max(0.0, kg - b.carbon_kg)
        sentence = f"{kg:.6g} kg are emitted, {amount:.6g} kg above the budget of {b.carbon_kg:g} kg"
        yield Gave("grid/carbon_budget", "kg", amount, b.carbon_cost, "/grid/carbon_budget_kg", sentence)
    if b.renewable_share is not None and b.renewable_cost is not None:
        fossil = energy.import_ + sum(energy.discharge[g.name] for g in problem.generators)
        used = (
            energy.heat
            + cooling_power(problem, energy)
            + problem.base
            - sum(energy.discharge[s.name] for s in problem.services)
        )
        amount = max(0.0, h * mw * float((fossil - (1.0 - b.renewable_share) * used).sum()))
        sentence = f"import and generators give {amount:.6g} MWh more than a share of {b.renewable_share:g} leaves them"
        yield Gave("grid/renewable_share", "MWh", amount, b.renewable_cost / mw, "/grid/renewable_share", sentence)


def _reserves(problem: Problem, energy: Energy) -> Iterator[Gave]:
    h, mw = problem.step_h, problem.unit_mw
    for k, b in enumerate(problem.batteries):
        if b.kind != "battery" or b.reserve_cost is None:
            continue
        missing = np.where(b.reserve > 0, np.maximum(b.soc_min + b.reserve - energy.soc[b.name], 0.0), 0.0)
        amount = h * mw * float(missing.sum())
        sentence = f"battery {b.name} holds less than its reserve, {amount:.6g} MWh times hours in all"
        source = f"/batteries/{k}/reserve_mwh"
        yield Gave(f"battery:{b.name}/reserve", "MWh h", amount, b.reserve_cost / mw, source, sentence)


def _headroom(problem: Problem, energy: Energy) -> Iterator[Gave]:
    asked, h, mw = problem.headroom, problem.step_h, problem.unit_mw
    if asked is None or asked.cost is None:
        return
    room = problem.connection - energy.import_ + energy.export
    for b in problem.batteries:
        if b.kind == "battery":
            room = room + b.most_out - energy.discharge[b.name] + energy.charge[b.name]
    amount = h * mw * float(np.where(asked.drop > 0, np.maximum(asked.drop - room, 0.0), 0.0).sum())
    sentence = f"{amount:.6g} MWh of a fall of sun and wind could not be made up for at once"
    yield Gave("reserve/drop", "MWh", amount, asked.cost / mw, "/reserve/drop_mw", sentence)


def _water(problem: Problem, energy: Energy) -> Iterator[Gave]:
    water = problem.water
    for w in () if water is None else water.limits:
        if water is None or w.cost is None:
            continue
        inside = slice(w.first, w.last)
        amount = max(0.0, problem.step_h * float(water.m3[inside] @ removed(problem, energy)[inside]) - w.left_m3)
        sentence = f"cooling evaporates {amount:.6g} m3 more than limit {w.id} leaves"
        yield Gave(f"water:{w.id}/limit", "m3", amount, w.cost, f"/cooling/water_limits/{w.place}", sentence)


def cooling_power(problem: Problem, energy: Energy) -> Floats:
    """Electric power of the plant: at the slot's heat, and what masses and tank make it draw more or less."""
    if problem.cold is None:
        return energy.cooling
    more: Floats = energy.cooling + energy.charge[NAME] - energy.discharge[NAME]
    return more


def removed(problem: Problem, energy: Energy) -> Floats:
    """Heat that the plant removes."""
    if problem.cold is None or energy.removal is None:
        return energy.heat
    return problem.cold.plant(energy.heat, energy.removal)


def _warmth(problem: Problem, energy: Energy) -> Iterator[Gave]:
    for m in () if problem.cold is None else problem.cold.masses:
        if m.recommended_c is None or energy.removal is None:
            continue
        above = np.maximum(
            m.temperature(energy.removal.entering[m.name], energy.removal.by_mass[m.name]) - m.recommended_c, 0.0
        )
        amount = problem.step_h * float(above.sum())
        sentence = f"{m.label} is warmer than {m.recommended_c:g} degC, {amount:.6g} K times hours in all"
        yield Gave(m.wish, "K h", amount, m.cost, f"{m.place}/recommended_c", sentence)


def _storage(problem: Problem, pattern: Pattern) -> Iterator[Gave]:
    storage = problem.storage
    if storage is not None and storage.cost is not None:
        amount = beyond_gb(problem, pattern)
        sentence = f"jobs write and read {amount:.6g} GB of checkpoints more than the storage takes in their slots"
        yield Gave("storage/bandwidth", "GB", amount, storage.cost, "/storage/gb_per_s", sentence)


def _services(problem: Problem, energy: Energy) -> Iterator[Gave]:
    h, mw = problem.step_h, problem.unit_mw
    for k, s in enumerate(problem.services):
        amount = h * mw * float(energy.discharge[s.name].sum())
        sentence = f"service {s.name} draws {amount:.6g} MWh less than its forecast, at a loss of quality"
        yield Gave(f"inference:{s.name}/quality", "MWh", amount, s.quality_cost / mw, f"/inference/{k}", sentence)


def _span(problem: Problem, first: int, last: int) -> str:
    return f"from {rfc3339(problem.horizon.at(first))} to {rfc3339(problem.horizon.at(last))}"
