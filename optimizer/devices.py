"""What gives power beside sun, wind and grid: batteries, generating sets, and services that can draw less.

All three are stores to the rest of the planner: power in, power out, a stock. A generating set is a store
of fuel that nothing charges; a service is one of quality, which gives back part of what it draws. So one
set of rows, one netting and one reading of a solution serves them all. Powers and energies in the
problem's unit, money per such unit and hour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.horizon import Horizon
from optimizer import document, upkeep

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Row = Callable[..., Floats]
"""A document's number or list as one value a slot, times a factor."""


def _nothing() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Battery:
    """A battery, or what gives power like one; powers on the AC side, energies at the end of a slot.

    ``most_in`` and ``most_out`` bound what goes in and comes out, slot by slot, and ``out_cost`` is the price of
    what comes out. ``reserve`` is what is to be there above ``soc_min`` at the end of each slot; ``reserve_cost``
    None: it must be there.
    """

    name: str
    power: float
    charge_efficiency: float
    discharge_efficiency: float
    soc_start: float
    soc_min: float
    soc_max: float
    soc_end_min: float
    wear_cost: float = 0.0
    kind: Literal["battery", "generator", "service", "cold"] = "battery"
    most_in: Floats = field(default_factory=_nothing)
    most_out: Floats = field(default_factory=_nothing)
    out_cost: Floats = field(default_factory=_nothing)
    reserve: Floats = field(default_factory=_nothing)
    reserve_cost: float | None = None
    end_value: float = 0.0


@dataclass(frozen=True, eq=False)
class Generator:
    """How a generating set of that name may run: least power, starts, stops, shortest run and pause; when at all."""

    name: str
    power: float
    least: float
    fuel_cost: Floats
    no_load_cost: float
    start_cost: float
    stop_cost: float
    min_up: int
    min_down: int
    on_before: bool
    state_slots: int
    carbon_kg: float
    may_run: Flags

    @property
    def stays(self) -> int:
        """Slots from slot 0 in which it has to stay as it is."""
        return max(0, (self.min_up if self.on_before else self.min_down) - self.state_slots)


@dataclass(frozen=True, eq=False)
class Service:
    """A service that is never paused: its nominal power, and the price of a unit less for an hour."""

    name: str
    nominal: Floats
    quality_cost: float


def batteries(doc: document.Problem, horizon: Horizon, row: Row, unit: float) -> tuple[Battery, ...]:
    """All stores of a document: batteries first, then generating sets, then services."""
    found = [_battery(b, horizon, row, unit) for b in doc.batteries]
    found += [_fuel(g, horizon, row, unit) for g in doc.generators]
    found += [_slack(s, row, unit, horizon.step_h) for s in doc.inference]
    return tuple(found)


def _battery(b: document.Battery, horizon: Horizon, row: Row, unit: float) -> Battery:
    most = row(b.power_mw, 1 / unit) * upkeep.left(b.maintenance, horizon)
    return Battery(
        name=b.name,
        power=b.power_mw / unit,
        charge_efficiency=b.charge_efficiency,
        discharge_efficiency=b.discharge_efficiency,
        soc_start=b.soc_start_mwh / unit,
        soc_min=b.soc_min_mwh / unit,
        soc_max=(b.energy_mwh if b.soc_max_mwh is None else b.soc_max_mwh) / unit,
        soc_end_min=b.soc_end_min_mwh / unit,
        wear_cost=b.wear_cost_per_mwh * unit,
        most_in=most,
        most_out=most,
        out_cost=row(b.wear_cost_per_mwh, unit),
        reserve=row(b.reserve_mwh, 1 / unit),
        reserve_cost=None if b.below_reserve_cost_per_mwh_h is None else b.below_reserve_cost_per_mwh_h * unit,
        end_value=b.soc_end_value_per_mwh * unit,
    )


def _fuel(g: document.Generator, horizon: Horizon, row: Row, unit: float) -> Battery:
    power, cost = row(g.power_mw, 1 / unit) * upkeep.left(g.maintenance, horizon), row(g.fuel_cost_per_mwh, unit)
    stock = float(power.sum()) * horizon.step_h if g.fuel_mwh is None else g.fuel_mwh / unit
    return _store(g.name, "generator", power, cost, stock)


def _slack(s: document.Inference, row: Row, unit: float, step_h: float) -> Battery:
    slack = row(s.power_mw, 1 / unit) - row(s.min_power_mw, 1 / unit)
    return _store(s.name, "service", slack, row(s.below_nominal_cost_per_mwh, unit), float(slack.sum()) * step_h)


def _store(name: str, kind: Literal["generator", "service"], most: Floats, cost: Floats, stock: float) -> Battery:
    whole = dict.fromkeys(("charge_efficiency", "discharge_efficiency"), 1.0)
    return Battery(
        name=name,
        power=float(most.max(initial=0.0)),
        **whole,
        soc_start=stock,
        soc_min=0.0,
        soc_max=stock,
        soc_end_min=0.0,
        kind=kind,
        most_in=np.zeros_like(most),
        most_out=most,
        out_cost=cost,
        reserve=np.zeros_like(most),
    )


def generators(doc: document.Problem, horizon: Horizon, row: Row, unit: float) -> tuple[Generator, ...]:
    """Generating sets of a document."""
    return tuple(
        Generator(
            name=g.name,
            power=g.power_mw / unit,
            least=g.min_power_mw / unit,
            fuel_cost=row(g.fuel_cost_per_mwh, unit),
            no_load_cost=g.no_load_cost_per_h,
            start_cost=g.start_cost,
            stop_cost=g.stop_cost,
            min_up=g.min_up_slots,
            min_down=g.min_down_slots,
            on_before=g.on_before,
            state_slots=g.state_slots,
            carbon_kg=g.carbon_kg_per_mwh * unit,
            may_run=upkeep.left(g.maintenance, horizon) > 0,
        )
        for g in doc.generators
    )


def services(doc: document.Problem, row: Row, unit: float) -> tuple[Service, ...]:
    """Services of a document."""
    return tuple(Service(s.name, row(s.power_mw, 1 / unit), s.below_nominal_cost_per_mwh * unit) for s in doc.inference)
