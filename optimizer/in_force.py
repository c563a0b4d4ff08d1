"""The plan in force written into a problem document: what it has jobs and devices do, and what leaving it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from models.horizon import Horizon, rfc3339
from models.site import Site
from optimizer.document import JobPlan, Run
from optimizer.replay import Previous

OUTWEIGHS = 10.0
"""Price of an hour moved inside the frozen window, in the dearest price of an hour of due work left undone."""


def with_plan_in_force(
    document: Mapping[str, Any], site: Site, horizon: Horizon, previous: Previous | None
) -> dict[str, Any]:
    """A composed document with the plan in force, where the site prices changes or freezes a window.

    A job's published runs end where its work does. Entries of several copies are left out: the contract counts
    changes of single jobs. A plan whose slots do not share the horizon's borders says nothing.
    """
    found = dict(document)
    planning = site.planning
    prices = [(b.name, b.moved_price_per_mwh) for b in site.batteries]
    prices += [(g.name, g.moved_price_per_mwh) for g in site.generators]
    moved = {name: price for name, price in prices if price > 0}
    wanted = planning.frozen_minutes > 0 or planning.moved_price_per_gpu_h > 0 or moved
    if previous is None or previous.plan.series is None or not wanted:
        return found
    until = previous.start + len(previous.plan.series.import_mw) * horizon.step
    if until <= horizon.start or (previous.start - horizon.start) % horizon.step:
        return found
    stability = {"until": rfc3339(until)}
    frozen = min(until, horizon.start + _whole(planning.frozen_minutes, horizon))
    if planning.frozen_minutes > 0:
        stability["frozen_until"] = rfc3339(frozen)
    said = {job.id: job for job in previous.plan.jobs}
    found["jobs"] = [_job(raw, said.get(raw["id"]), site, horizon) for raw in document["jobs"]]
    gone = (horizon.start - previous.start) // horizon.step
    series = previous.plan.series
    found["batteries"] = [
        raw
        | {
            "published_mw": _ahead(series.discharge_mw[raw["name"]], series.charge_mw[raw["name"]], gone, horizon),
            "moved_cost_per_mwh": moved[raw["name"]],
        }
        if raw["name"] in moved and raw["name"] in series.discharge_mw
        else raw
        for raw in document["batteries"]
    ]
    made = series.generator_mw
    found["generators"] = [
        raw
        | {
            "published_mw": _ahead(made[raw["name"]], [0.0] * len(made[raw["name"]]), gone, horizon),
            "moved_cost_per_mwh": moved[raw["name"]],
        }
        if raw["name"] in moved and raw["name"] in made
        else raw
        for raw in document.get("generators", [])
    ]
    return found | {"schema_version": "1.1", "stability": stability}


def _whole(minutes: float, horizon: Horizon) -> timedelta:
    """Minutes as whole slots, rounded up."""
    return -(-timedelta(minutes=minutes) // horizon.step) * horizon.step


def _ahead(out: Sequence[float], into: Sequence[float], gone: int, horizon: Horizon) -> list[float]:
    """Power out less power in from the horizon's first slot on; zeros where the plan does not reach."""
    flow = [round(a - b, 9) for a, b in zip(out, into, strict=True)]
    there = [0.0] * max(0, -gone) + flow[max(0, gone) :]
    return (there + [0.0] * horizon.slots)[: horizon.slots]


def _job(raw: dict[str, Any], said: JobPlan | None, site: Site, horizon: Horizon) -> dict[str, Any]:
    if said is None or raw["count"] > 1:
        return raw
    planning, gpus = site.planning, raw["gpus"]
    published: dict[str, Any] = {
        "runs": _runs(raw, said.runs, horizon),
        "moved_cost_per_h": planning.moved_price_per_gpu_h * gpus,
    }
    if planning.frozen_minutes > 0:
        hour = OUTWEIGHS * max(site.wishes.unmet_per_gpu_h.values()) * gpus
        published["frozen_cost_per_h"] = hour
        top = raw["levels"][-1]["power_mw"]
        if top > 0 and not raw.get("alternatives") and not raw.get("residency"):
            # slowing down to nothing costs what stopping does, so whoever must give slows first
            published["frozen_cost_per_mwh"] = hour / top
    return raw | {"published": published}


def _runs(raw: Mapping[str, Any], runs: Sequence[Run], horizon: Horizon) -> list[dict[str, Any]]:
    """What is ahead of the runs, up to the slot in which the work that is left ends."""
    left, found = raw["work_h"], []
    for run in sorted(runs, key=lambda run: run.start):
        start = max(run.start, horizon.start)
        slots = (run.end - start) // horizon.step
        each = run.speed * horizon.step_h
        if slots <= 0 or left <= 1e-9:
            continue
        needed = slots if each <= 0 else min(slots, math.ceil((left - 1e-9) / each))
        end: datetime = start + needed * horizon.step
        left -= needed * each
        found.append({"start": rfc3339(start), "end": rfc3339(end), "power_mw": run.power_mw})
    return found
