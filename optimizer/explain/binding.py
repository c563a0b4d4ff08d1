"""Limits that a plan uses to the last watt: told from the two documents alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from optimizer.explain.seen import Seen
from optimizer.explain.statement import Reason
from optimizer.problem import Flags, Floats

TIGHT = 1e-5
"""Share of a limit within which it counts as fully used: the referee's tolerance on power."""

FLOOR = 1e-6


@dataclass(frozen=True)
class Binding:
    """A limit that is fully used in a slot. ``row`` is its rule as the referee names it, ``name`` what it limits.

    A thermal mass that is the only one has no name; its row ends in ``_alone``.
    """

    row: str
    name: str
    slot: int
    value: float
    limit: float
    unit: str
    reason: Reason | None

    @property
    def slack(self) -> float:
        """What is left of the limit; about 0."""
        return abs(self.limit - self.value)


def binding(seen: Seen) -> list[Binding]:
    """Every limit that is fully used, slot by slot."""
    parts = (_grid, _pools, _feeds, _cooling, _masses, _batteries)
    return sorted((found for part in parts for found in part(seen)), key=_where)


def spans(found: list[Binding]) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Half-open slot ranges by limit."""
    slots: dict[tuple[str, str], set[int]] = {}
    for b in found:
        slots.setdefault((b.row, b.name), set()).add(b.slot)
    return {key: _ranges(sorted(here)) for key, here in slots.items()}


def _ranges(slots: list[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for t in slots:
        if ranges and ranges[-1][1] == t:
            ranges[-1] = (ranges[-1][0], t + 1)
        else:
            ranges.append((t, t + 1))
    return ranges


def _where(b: Binding) -> tuple[int, str, str]:
    return b.slot, b.row, b.name


def _upper(
    row: str, name: str, values: Floats, limit: Floats, unit: str, reason: Reason | None, where: Flags | None = None
) -> Iterator[Binding]:
    """Slots in which values stand at an upper limit; a limit of nothing says nothing."""
    near = np.abs(limit - values) <= TIGHT * np.abs(limit) + FLOOR
    open_ = limit > FLOOR if where is None else where
    for t in np.flatnonzero(near & open_):
        yield Binding(row, name, int(t), float(values[t]), float(limit[t]), unit, reason)


def _grid(seen: Seen) -> Iterator[Binding]:
    p, mw = seen.problem, seen.problem.unit_mw
    yield from _upper("grid.import_limit", "", seen.imported, p.connection * mw, "MW", Reason.IMPORT_LIMIT)
    yield from _events(seen)
    exported = np.array(seen.series.export_mw)
    yield from _upper("grid.export_limit", "", exported, p.export_limit * mw, "MW", None)
    highest = max(seen.peak_mw, p.peak_so_far * mw)
    if p.demand_rate > 0 and highest > FLOOR and seen.received.document.grid.demand_charge_per_mw > 0:
        at_peak = seen.imported if _by_the_slot(seen) else np.zeros(p.slots)
        peak = np.full(p.slots, highest)
        yield from _upper("grid.demand_charge", "", at_peak, peak, "MW", Reason.PEAK_CHARGE)
    if p.ramp is not None:
        net = seen.imported - exported
        change = np.abs(np.diff(net, prepend=net[:1]))
        limit = np.full(p.slots, p.ramp * mw)
        yield from _upper("grid.ramp", "", change, limit, "MW", Reason.IMPORT_LIMIT, np.arange(p.slots) > 0)


def _events(seen: Seen) -> Iterator[Binding]:
    """Targets of events that the net import stands at, kept or priced."""
    p, mw = seen.problem, seen.problem.unit_mw
    net = seen.imported - np.array(seen.series.export_mw)
    slots = np.arange(p.slots)
    for e in p.events:
        inside = (slots >= e.first) & (slots < e.last)
        for target in (e.most, e.least):
            if target is not None:
                yield from _upper(
                    "event.target", e.id, net, np.full(p.slots, target * mw), "MW", Reason.DR_EVENT, inside
                )


def _by_the_slot(seen: Seen) -> bool:
    """Whether the demand charge looks at single slots, not at the mean of a longer interval."""
    return seen.received.document.grid.billing_interval_slots == 1


def _pools(seen: Seen) -> Iterator[Binding]:
    for k, pool in enumerate(seen.problem.pools):
        used, there = seen.gpus[k].astype(float), pool.gpus.astype(float)
        yield from _upper("pool.gpus", pool.name, used, there, "GPUs", Reason.GANG_FIT)


def _feeds(seen: Seen) -> Iterator[Binding]:
    for feed in seen.problem.feeds:
        drawn = seen.pool_mw[list(feed.pools)].sum(axis=0)
        limit = feed.limit * seen.problem.unit_mw
        yield from _upper("feed.limit", feed.name, drawn, limit, "MW", Reason.FEEDER_LIMIT)


def _cooling(seen: Seen) -> Iterator[Binding]:
    plant = seen.problem.cooling
    if plant is not None and plant.capacity is not None:
        series, capacity = seen.series, plant.capacity * seen.problem.unit_mw
        removed = np.array(series.heat_mw if series.heat_removed_mw is None else series.heat_removed_mw)
        row = "cooling.spare" if plant.spare else "cooling.capacity"
        yield from _upper(row, "", removed, capacity, "MW", Reason.COOLING_LIMIT)


def _masses(seen: Seen) -> Iterator[Binding]:
    cold = seen.problem.cold
    for m in () if cold is None else cold.masses:
        warm = np.array(seen.series.temperature_c if m.alone else seen.series.mass_c[m.name])
        top = np.full(len(warm), m.allowable_c)
        top[-1] = min(m.allowable_c, m.end_most_c)
        row, name = ("thermal.allowable_alone", "") if m.alone else ("thermal.allowable", m.name)
        always = np.ones(len(warm), dtype=bool)
        yield from _upper(row, name, warm, top, "degC", Reason.TEMP_MARGIN, always)


def _batteries(seen: Seen) -> Iterator[Binding]:
    for b in seen.received.document.batteries:
        stock = np.array(seen.series.soc_mwh[b.name])
        always = np.ones(len(stock), dtype=bool)
        full = np.full(len(stock), b.energy_mwh if b.soc_max_mwh is None else b.soc_max_mwh)
        least = np.full(len(stock), b.soc_min_mwh)
        yield from _upper("battery.soc_max", b.name, stock, full, "MWh", None)
        yield from _upper("battery.soc_min", b.name, stock, least, "MWh", Reason.SOC_RESERVE, always)
        reserve = np.broadcast_to(np.asarray(b.reserve_mwh), len(stock))
        asked = least + reserve
        yield from _upper("battery.reserve", b.name, stock, asked, "MWh", Reason.SOC_RESERVE, reserve > 0)
        end = np.arange(len(stock)) == len(stock) - 1
        if b.soc_end_min_mwh > b.soc_min_mwh:
            final = np.full(len(stock), b.soc_end_min_mwh)
            yield from _upper("battery.soc_end", b.name, stock, final, "MWh", Reason.SOC_RESERVE, end)
