"""Jobs that run only on what would be curtailed: what else the site does while one of them is on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optimizer.document import PlanSeries

from .day import Day
from .findings import Findings, Floats, near_mw
from .runs import Track


def check_surplus(day: Day, series: PlanSeries, tracks: Sequence[Track], findings: Findings) -> None:
    """Beside such a job nothing is bought, discharged, generated or taken from a service, and what earns is sold."""
    running = {k: track.job.id for track in tracks if track.job.surplus for k in np.flatnonzero(track.copies > 0)}
    if not running:
        return
    bought, sold = day.per_slot(series.import_mw), day.per_slot(series.export_mw)
    limit = _export_limit(day)
    given = _given(day, series)
    grid = day.problem.grid
    earns = (day.per_slot(day.problem.series.export_price_per_mwh) > 0) & (grid.export_allowance_mwh is None)
    scale = near_mw(day.per_slot(grid.import_limit_mw), limit, day.per_slot(series.heat_mw))
    for k, job in sorted(running.items()):
        for rule, amount, text in (
            ("surplus.bought", bought[k], "are imported"),
            ("surplus.given", given[k], "come from batteries, generators or services"),
            ("surplus.sold", (limit[k] - sold[k]) * earns[k], "more could be sold"),
        ):
            if amount > scale[k]:
                sentence = f"job {job} runs on surplus alone while {amount:.9g} MW {text}"
                findings.add(rule, sentence, amount=amount, unit="MW", job=job, slot=int(k))


def _export_limit(day: Day) -> Floats:
    grid = day.problem.grid
    limit = day.per_slot(grid.export_limit_mw) * day.left(grid.maintenance)
    for outage in grid.outages:
        limit[max(0, day.first_slot_from(outage.start)) : max(0, day.first_slot_from(outage.end))] = 0.0
    return limit


def _given(day: Day, series: PlanSeries) -> Floats:
    """Power out of batteries and generators, and what services draw less than nominal."""
    total = np.zeros(day.slots)
    for row in (*series.discharge_mw.values(), *series.generator_mw.values()):
        total += day.per_slot(row)
    for service in day.problem.inference:
        total += day.per_slot(service.power_mw) - day.per_slot(series.inference_mw[service.name])
    return total
