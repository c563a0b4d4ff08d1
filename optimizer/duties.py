"""What grid, law and nature ask of the energy side, on the slots of a horizon and in the problem's unit.

Targets and promises for the net import, the billing interval of the demand charge, budgets of export,
carbon and renewable share, headroom against a fall of sun and wind, water; and what a storage takes of the jobs'
checkpoints. A cost of None means that the duty must be kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.horizon import Horizon
from optimizer import document

NEAR = 1e-9
"""Relative distance within which a checkpoint is what so many slots take."""

Floats = NDArray[np.float64]
Row = Callable[..., Floats]


@dataclass(frozen=True)
class Event:
    """Target for import - export in slots ``[first, last)``; ``place`` is its number in the document."""

    id: str
    place: int
    first: int
    last: int
    most: float | None
    least: float | None
    cost: float | None


@dataclass(frozen=True)
class Nomination:
    """``energy`` is what the slots ``[first, last)`` are still to import less export to keep the promise."""

    id: str
    place: int
    first: int
    last: int
    energy: float
    over_cost: float
    under_cost: float


@dataclass(frozen=True)
class Interval:
    """A billing interval's slots ``[first, last)``, its hours, and what it imported before slot 0."""

    first: int
    last: int
    hours: float
    elapsed: float


@dataclass(frozen=True, eq=False)
class Budgets:
    """Limits over the whole horizon; None: there is none."""

    export_left: float | None
    import_kg: Floats
    carbon_kg: float | None
    carbon_cost: float | None
    renewable_share: float | None
    renewable_cost: float | None


@dataclass(frozen=True, eq=False)
class Headroom:
    """Power that sun and wind may lose within a slot, and the price of each unit that could not be made up for."""

    drop: Floats
    cost: float | None


@dataclass(frozen=True, eq=False)
class WaterLimit:
    """Water of slots ``[first, last)`` that is left, in m3."""

    id: str
    place: int
    first: int
    last: int
    left_m3: float
    cost: float | None


@dataclass(frozen=True, eq=False)
class Water:
    """Water that cooling evaporates per unit of heat and hour, its price, its limits."""

    m3: Floats
    price: float
    limits: tuple[WaterLimit, ...]


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _inside(horizon: Horizon, start: datetime, end: datetime) -> tuple[int, int]:
    return max(0, horizon.border(start)), min(horizon.slots, horizon.border(end))


def events(doc: document.Problem, horizon: Horizon, unit: float) -> tuple[Event, ...]:
    """Events that touch the horizon."""
    found = []
    for place, e in enumerate(doc.events):
        first, last = _inside(horizon, e.start, e.end)
        if first < last:
            most, least = _scaled(e.most_import_mw, 1 / unit), _scaled(e.least_import_mw, 1 / unit)
            found.append(Event(e.id, place, first, last, most, least, _scaled(e.cost_per_mwh, unit)))
    return tuple(found)


def nominations(doc: document.Problem, horizon: Horizon, unit: float) -> tuple[Nomination, ...]:
    """Nominations that touch the horizon."""
    found = []
    for place, n in enumerate(doc.nominations):
        first, last = _inside(horizon, n.start, n.end)
        if first < last:
            promised = n.import_mw * horizon.step_h * (last - horizon.border(n.start))
            left = (promised - n.elapsed_mwh) / unit
            costs = n.over_cost_per_mwh * unit, n.under_cost_per_mwh * unit
            found.append(Nomination(n.id, place, first, last, left, *costs))
    return tuple(found)


def intervals(grid: document.Grid, horizon: Horizon, unit: float) -> tuple[Interval, ...]:
    """Billing intervals from the running one to the one that the horizon's end cuts."""
    found, first = [], 0
    length, gone = grid.billing_interval_slots, grid.billing_elapsed_slots
    while first < horizon.slots:
        last = min(first + length - gone, horizon.slots)
        elapsed = grid.billing_elapsed_mwh / unit if first == 0 else 0.0
        found.append(Interval(first, last, (gone + last - first) * horizon.step_h, elapsed))
        first, gone = last, 0
    return tuple(found)


def budgets(doc: document.Problem, row: Row, unit: float) -> Budgets:
    """Budgets of a document; an export allowance that is used up leaves nothing."""
    g = doc.grid
    left = None if g.export_allowance_mwh is None else max(0.0, g.export_allowance_mwh - g.exported_so_far_mwh) / unit
    return Budgets(
        export_left=left,
        import_kg=row(doc.series.carbon_kg_per_mwh, unit),
        carbon_kg=g.carbon_budget_kg,
        carbon_cost=g.above_carbon_budget_cost_per_kg,
        renewable_share=g.renewable_share,
        renewable_cost=_scaled(g.below_renewable_share_cost_per_mwh, unit),
    )


def headroom(doc: document.Problem, row: Row, unit: float) -> Headroom | None:
    """Headroom that a document asks for."""
    reserve = doc.reserve
    return None if reserve is None else Headroom(row(reserve.drop_mw, 1 / unit), _scaled(reserve.cost_per_mwh, unit))


def water(doc: document.Problem, horizon: Horizon, row: Row, unit: float) -> Water | None:
    """Water of a document's cooling; None where nothing evaporates."""
    cooling = doc.cooling
    if cooling is None or not np.any(cooling.water_m3_per_mwh):
        return None
    limits = []
    for place, w in enumerate(cooling.water_limits):
        first, last = _inside(horizon, w.start, w.end)
        if first < last:
            left = max(0.0, w.limit_m3 - w.so_far_m3)
            limits.append(WaterLimit(w.id, place, first, last, left, w.over_cost_per_m3))
    return Water(row(cooling.water_m3_per_mwh, unit), cooling.water_price_per_m3, tuple(limits))


def without_grid(limit: Floats, outages: Iterable[document.Outage], horizon: Horizon) -> Floats:
    """A limit of import or export, zero during outages."""
    kept = limit.copy()
    for outage in outages:
        first, last = _inside(horizon, outage.start, outage.end)
        kept[first : max(first, last)] = 0.0
    return kept


def under_events(limit: Floats, asked: Iterable[Event]) -> Floats:
    """An import limit, lowered where an event that must be kept leaves no more."""
    kept = limit.copy()
    for e in asked:
        if e.cost is None and e.most is not None:
            kept[e.first : e.last] = np.minimum(kept[e.first : e.last], max(0.0, e.most))
    return kept


@dataclass(frozen=True, eq=False)
class Storage:
    """GB that can be written and read in each slot; ``cost`` of a GB beyond, None: there may be none.

    ``most_slots`` is over how many slots one checkpoint may be written or read.
    """

    most_gb: Floats
    cost: float | None
    most_slots: int = 1

    def slots_of(self, gb: float) -> int:
        """Slots over which a checkpoint is written: as few as it needs where the storage takes the most."""
        best = float(self.most_gb.max())
        if gb > best * self.most_slots:
            return self.most_slots
        return max(1, math.ceil(gb / best * (1 - NEAR))) if gb else 1


def storage(doc: document.Problem, row: Row, step_h: float) -> Storage | None:
    """Storage of a document; None where nothing is said of it."""
    given = doc.storage
    if given is None:
        return None
    return Storage(row(given.gb_per_s, 3600 * step_h), given.over_cost_per_gb, given.most_slots)
