"""What differs from the plan in force, recounted from runs, series and document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from optimizer.document import PlanSeries

from .day import Day
from .findings import HOURS_FLOOR_H, POWER, POWER_FLOOR_MW, near_mw
from .runs import Track
from .wishes import Wish


def changes_of(day: Day, tracks: Sequence[Track], series: PlanSeries) -> list[Wish]:
    """Every priced change; none where nothing is published."""
    if day.problem.stability is None:
        return []
    known = max(0, min(day.slots, day.first_slot_from(day.problem.stability.until)))
    found = [wish for track in tracks for wish in _job(day, track, known)]
    found += _devices(day, series, known)
    return [wish for wish in found if wish.price]


def _job(day: Day, track: Track, known: int) -> Iterator[Wish]:
    said, stability, h = track.job.published, day.problem.stability, day.step_h
    if said is None or stability is None:
        return
    until = stability.frozen_until
    frozen = 0 if until is None else max(0, min(known, day.first_slot_from(until)))
    power = np.zeros(day.slots)
    on = np.zeros(day.slots, dtype=bool)
    for run in said.runs:
        inside = slice(max(0, day.first_slot_from(run.start)), max(0, day.first_slot_from(run.end)))
        on[inside], power[inside] = True, run.power_mw
    runs = track.copies > 0
    differs = h * (runs != on).astype(float)
    both = (runs & on)[:frozen]
    away = np.abs(track.power_mw - power)[:frozen][both]
    loose = h * float((POWER * np.maximum(track.power_mw, power)[:frozen][both] + POWER_FLOOR_MW).sum())
    source = f"/jobs/{day.problem.jobs.index(track.job)}/published"
    name = f"job:{track.job.id}"
    yield Wish(
        f"{name}/moved", "", "h", float(differs[frozen:known].sum()), HOURS_FLOOR_H, said.moved_cost_per_h, source
    )
    yield Wish(f"{name}/frozen", "", "h", float(differs[:frozen].sum()), HOURS_FLOOR_H, said.frozen_cost_per_h, source)
    yield Wish(f"{name}/frozen_power", "", "MWh", h * float(away.sum()), loose, said.frozen_cost_per_mwh, source)


def _devices(day: Day, series: PlanSeries, known: int) -> Iterator[Wish]:
    h = day.step_h
    for number, battery in enumerate(day.problem.batteries):
        if battery.published_mw is not None:
            said = day.per_slot(battery.published_mw)[:known]
            flow = day.per_slot(series.discharge_mw[battery.name]) - day.per_slot(series.charge_mw[battery.name])
            away, loose = np.abs(flow[:known] - said).sum(), near_mw(flow[:known], said).sum()
            source = f"/batteries/{number}/published_mw"
            name, price = f"battery:{battery.name}/moved", battery.moved_cost_per_mwh
            yield Wish(name, "", "MWh", h * float(away), h * float(loose), price, source)
    for number, machine in enumerate(day.problem.generators):
        if machine.published_mw is not None:
            said = day.per_slot(machine.published_mw)[:known]
            made = day.per_slot(series.generator_mw[machine.name])[:known]
            away, loose = np.abs(made - said).sum(), near_mw(made, said).sum()
            source = f"/generators/{number}/published_mw"
            name, price = f"generator:{machine.name}/moved", machine.moved_cost_per_mwh
            yield Wish(name, "", "MWh", h * float(away), h * float(loose), price, source)
