"""The thermal mass: its temperature recomputed from heat made and heat removed, and held against its limits."""

from __future__ import annotations

import numpy as np

from optimizer.document import PlanSeries

from .day import Day
from .findings import Findings, Floats

NEAR_K = 1e-3  # a thousandth of a degree: below what any sensor tells


def temperature_of(day: Day, series: PlanSeries) -> Floats | None:
    """Temperature at the end of each slot; None without a thermal mass."""
    cooling = day.problem.cooling
    if cooling is None or cooling.mass is None:
        return None
    mass = cooling.mass
    made, gone = day.per_slot(series.heat_mw), day.per_slot(series.heat_removed_mw)
    around = day.per_slot(mass.surroundings_c, absent=mass.start_c)
    warm, found = mass.start_c, []
    for k in range(day.slots):
        cooled = around[k] + mass.kept_share * (warm - around[k])
        warm = cooled + day.step_h * (made[k] - gone[k]) / mass.mwh_per_k
        found.append(warm)
    return np.array(found)


def check_temperature(day: Day, series: PlanSeries, findings: Findings) -> None:
    """The temperature that is told, its hard limits, and how fast it moves."""
    true = temperature_of(day, series)
    if true is None or day.problem.cooling is None or day.problem.cooling.mass is None:
        return
    mass, near = day.problem.cooling.mass, np.full(day.slots, NEAR_K)
    gone = day.per_slot(series.heat_removed_mw)
    for k in np.flatnonzero(gone < -1e-6):
        text = f"the plant is said to remove {gone[k]:.9g} MW of heat"
        findings.add("thermal.removed", text, amount=-gone[k], unit="MW", slot=int(k))
    findings.same("thermal.temperature", "temperature", day.per_slot(series.temperature_c), true, near, "degC")
    top = day.per_slot(mass.allowable_c).copy()
    if mass.end_most_c is not None:
        top[-1] = min(top[-1], mass.end_most_c)
    findings.limits("thermal.allowable", "temperature", true, top, near, "degC")
    for k in np.flatnonzero(mass.lowest_c - true > near):
        text = f"temperature is {true[k]:.9g} degC, the lowest is {mass.lowest_c:.9g} degC"
        findings.add("thermal.lowest", text, amount=mass.lowest_c - true[k], unit="K", slot=int(k))
    if mass.most_change_k_per_slot is not None:
        step = np.abs(np.diff(true, prepend=mass.start_c))
        limit = day.per_slot(mass.most_change_k_per_slot)
        findings.limits("thermal.change", "the step of the temperature", step, limit, near, "K")
