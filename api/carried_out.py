"""Plan against actual, slot by slot: what jobs drew under which limits, and what assets did, beside what was planned.

Pure functions. The plan of a slot is the one that was in force as the slot began. Watts at the GPU as agents reported
them, means over their reports; MW and MWh for assets as meters told them. What nobody measured is null, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from api.following import horizon_of
from api.plan_store import Edition
from api.store.agents import Achieved
from models.horizon import parse_rfc3339, rfc3339
from models.site import Site

Row = dict[str, Any]
PlanAt = Callable[[datetime], Edition | None]
"""Plan that was in force as a slot began."""
Meter = Callable[[str, Mapping[str, str]], list[float]]
"""Mean of a metric in each slot of the range; NaN where there is none."""
_SAME_W = 1.0


def in_force_at(made: Sequence[tuple[datetime, str]], edition: Callable[[str], Edition]) -> PlanAt:
    """From the instants at which plans were published, oldest first."""

    def at(start: datetime) -> Edition | None:
        found = [plan_id for moment, plan_id in made if moment <= start]
        return edition(found[-1]) if found else None

    return at


def job_rows(rows: Iterable[Achieved], plan_at: PlanAt) -> list[Row]:
    """A row for each slot and job of which agents told anything; ``job`` null: GPUs without one."""
    ordered = sorted(rows, key=lambda row: (row.start, row.job, row.node))
    return [
        _job_row(start, job, list(group), plan_at(start))
        for (start, job), group in groupby(ordered, key=lambda row: (row.start, row.job))
    ]


def _job_row(start: datetime, job: str, nodes: Sequence[Achieved], edition: Edition | None) -> Row:
    gpus = sum(node.gpus for node in nodes)
    limits, powers = sum(node.limits for node in nodes), sum(node.powers for node in nodes)
    enforced_w = _mean(sum(node.enforced_w for node in nodes), limits)
    power_w = _mean(sum(node.power_w for node in nodes), powers)
    above = sum(node.above for node in nodes)
    planned = _planned(edition, job, start)
    return {
        "start": rfc3339(start),
        "job": job or None,
        "nodes": len(nodes),
        "gpus": gpus,
        "plan_id": None if edition is None else edition["plan_id"],
        "planned_limit_w": None if planned is None else planned.get("limit_w"),
        "planned_power_mw": None if planned is None else planned["power_mw"],
        "requested_w": _mean(sum(node.requested_w for node in nodes), limits),
        "enforced_w": enforced_w,
        "power_w": power_w,
        "gpu_power_mw": None if power_w is None else round(power_w * gpus / 1e6, 9),
        "readings": limits,
        "above": above,
        "uncontrolled_ratio": _mean(sum(n.uncontrolled for n in nodes), sum(n.reports for n in nodes)),
        "kept": _kept(planned, enforced_w, above),
    }


def _planned(edition: Edition | None, job: str, start: datetime) -> Row | None:
    """Run of a job that covers an instant; None: it was not to run."""
    found = next((row for row in edition["plan"]["jobs"] if row["id"] == job), None) if edition and job else None
    runs: list[Row] = [] if found is None else found["runs"]
    return next((run for run in runs if parse_rfc3339(run["start"]) <= start < parse_rfc3339(run["end"])), None)


def _kept(planned: Row | None, enforced_w: float | None, above: int) -> bool | None:
    """Whether what was enforced stayed under what was asked for and planned; None: nobody told."""
    if enforced_w is None:
        return None
    limit_w = math.inf if planned is None or planned.get("limit_w") is None else planned["limit_w"]
    return above == 0 and enforced_w <= limit_w + _SAME_W


def compliance(rows: Sequence[Row]) -> Row:
    """Record over job rows: how many slots of jobs kept their caps."""
    told = [row for row in rows if row["job"] is not None and row["kept"] is not None]
    kept = sum(row["kept"] for row in told)
    return {
        "job_slots": len(told),
        "kept": kept,
        "kept_ratio": round(kept / len(told), 6) if told else None,
        "readings": sum(row["readings"] for row in rows),
        "above": sum(row["above"] for row in rows),
    }


def asset_rows(site: Site, start: datetime, slots: int, step: timedelta, plan_at: PlanAt, meter: Meter) -> list[Row]:
    """A row for each asset: planned and measured MW per slot, and the energies where both are known.

    Charging, import and production are positive. Assets of one kind share the plan's series and the site's meter.
    """
    editions = [plan_at(start + k * step) for k in range(slots)]
    starts = [start + k * step for k in range(slots)]

    def planned(*names: tuple[str, str | None, float]) -> list[float]:
        return [
            math.nan if edition is None else sum(sign * _series(edition, name, key, at) for name, key, sign in names)
            for edition, at in zip(editions, starts, strict=True)
        ]

    kinds: list[tuple[str, str, list[float], list[float]]] = [
        ("grid", "import", planned(("import_mw", None, 1.0)), meter("site.import_mw", {})),
        ("grid", "export", planned(("export_mw", None, 1.0)), meter("site.export_mw", {})),
    ]
    if site.solar:
        kinds.append(("solar", "production", planned(("pv_used_mw", None, 1.0)), meter("site.pv_mw", {})))
    if site.wind:
        kinds.append(("wind", "production", planned(("wind_used_mw", None, 1.0)), meter("site.wind_mw", {})))
    for battery in site.batteries:
        both = planned(("charge_mw", battery.name, 1.0), ("discharge_mw", battery.name, -1.0))
        kinds.append((battery.name, "charge", both, meter("battery.power_mw", {"asset": battery.name})))
    return [_asset_row(name, flow, before, after, step) for name, flow, before, after in kinds]


def _series(edition: Edition, name: str, key: str | None, at: datetime) -> float:
    series = (edition["plan"].get("series") or {}).get(name)
    values = series.get(key) if key is not None and series is not None else series
    k = horizon_of(edition).slot(at)
    return values[k] if values is not None and 0 <= k < len(values) else math.nan


def _asset_row(asset: str, flow: str, planned: Sequence[float], measured: Sequence[float], step: timedelta) -> Row:
    hours = step / timedelta(hours=1)
    both = [(p, m) for p, m in zip(planned, measured, strict=True) if not (math.isnan(p) or math.isnan(m))]
    return {
        "asset": asset,
        "flow": flow,
        "planned_mw": [_shown(value) for value in planned],
        "measured_mw": [_shown(value) for value in measured],
        "slots_counted": len(both),
        "planned_mwh": round(sum(p for p, _ in both) * hours, 6) if both else None,
        "measured_mwh": round(sum(m for _, m in both) * hours, 6) if both else None,
        "mean_error_mw": round(sum(abs(m - p) for p, m in both) / len(both), 6) if both else None,
    }


def _mean(total: float, count: int) -> float | None:
    return round(total / count, 3) if count else None


def _shown(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
