"""Cooling units: what each removes, what it draws for it, that no split would draw less, and that some may be lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optimizer.document import Cooling, CoolingUnit, Tangent

from .day import Day
from .findings import POWER, POWER_FLOOR_MW, Findings, Floats, near_mw

STEEPER = 1e-4  # difference of two slopes (MW per MW) below which neither of two units is the cheaper one


def curve(day: Day, tangents: Sequence[Tangent], heat: Floats) -> Floats:
    """Largest tangent at the heat, never below 0."""
    return np.asarray(np.max(_lines(day, tangents, heat), axis=0), dtype=np.float64)


def _lines(day: Day, tangents: Sequence[Tangent], heat: Floats) -> Floats:
    lines = [day.per_slot(t.slope) * heat + day.per_slot(t.intercept_mw) for t in tangents]
    return np.array([np.zeros(day.slots), *lines])


def capacity_of(day: Day, unit: CoolingUnit) -> Floats:
    """Heat that a unit can remove in each slot, weather and maintenance taken into account."""
    most = day.per_slot(unit.capacity_heat_mw) * day.left(unit.maintenance)
    if unit.free is None:
        return most
    outside = day.per_slot(getattr(day.problem.series, unit.free.bulb))
    share = (unit.free.none_above_c - outside) / (unit.free.none_above_c - unit.free.full_below_c)
    return np.asarray(most * np.minimum(1.0, np.maximum(0.0, share)), dtype=np.float64)


def check_units(day: Day, cooling: Cooling, said: dict[str, list[float]], heat: Floats, findings: Findings) -> Floats:
    """Power of all units at what the plan lets each remove; ``heat`` is what they remove together."""
    most = np.array([capacity_of(day, unit) for unit in cooling.units])
    parts = np.array([day.per_slot(said[unit.name]) for unit in cooling.units])
    for unit, part, limit in zip(cooling.units, parts, most, strict=True):
        what = f"heat of unit {unit.name}"
        findings.limits("cooling.unit", what, part, limit, near_mw(limit), "MW")
        findings.limits(
            "cooling.unit", f"what is missing in the {what}", -part, np.zeros(day.slots), near_mw(limit), "MW"
        )
    findings.same("cooling.units", "the heat of all units", parts.sum(axis=0), heat, near_mw(heat), "MW")
    # the largest of a slot are lost: what is left has to carry the heat
    left = most.sum(axis=0) - np.sort(most, axis=0)[len(most) - cooling.spare_units :].sum(axis=0)
    findings.limits("cooling.spare", "heat with the largest units lost", heat, left, near_mw(left, heat), "MW")
    _check_split(day, cooling, parts, most, findings)
    powers = [
        np.where(limit > 0, curve(day, unit.tangents, part), 0.0)
        for unit, part, limit in zip(cooling.units, parts, most, strict=True)
    ]
    return np.asarray(np.sum(powers, axis=0), dtype=np.float64)


def _check_split(day: Day, cooling: Cooling, parts: Floats, most: Floats, findings: Findings) -> None:
    """No unit gives up heat that another would take for less: for convex curves that is the cheapest split."""
    more, less = np.full(parts.shape, np.inf), np.full(parts.shape, -np.inf)
    for k, unit in enumerate(cooling.units):
        near = POWER * most[k] + POWER_FLOOR_MW
        slopes = np.array([np.zeros(day.slots), *(day.per_slot(t.slope) for t in unit.tangents)])
        # slopes of the curve a hair to each side of where the plan has the unit
        up, down = parts[k] + 3 * near, parts[k] - 3 * near
        rising = np.take_along_axis(slopes, _lines(day, unit.tangents, up).argmax(axis=0)[None], axis=0)[0]
        falling = np.take_along_axis(slopes, _lines(day, unit.tangents, down).argmax(axis=0)[None], axis=0)[0]
        more[k] = np.where(up < most[k], rising, np.inf)
        less[k] = np.where(down > 0, falling, -np.inf)
    dearer = less.max(axis=0) - more.min(axis=0)
    for t in np.flatnonzero(dearer > STEEPER):
        text = (
            f"unit {cooling.units[int(less[:, t].argmax())].name} removes heat that unit "
            f"{cooling.units[int(more[:, t].argmin())].name} would remove for {dearer[t]:.9g} MW less per MW"
        )
        findings.add("cooling.split", text, amount=dearer[t], unit="MW per MW", slot=int(t))
