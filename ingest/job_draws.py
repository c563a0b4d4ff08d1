"""What ended jobs drew, by the telemetry of the GPUs of their nodes: Slurm's accounting joined to the store.

A job teaches where it had whole nodes for at least two quarter hours in which no power limit was below the highest: a
job that was held back drew what the limit let through, not what it would. Nor does a quarter hour teach in which a
reading was not believed or a GPU starved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from ingest.points import from_ns
from ingest.ports import TelemetryStore
from ingest.quarantine import unfit_at
from models.errors import NotFound
from models.learn.ended_jobs import EndedJob
from models.series import Series, Values

STEP = timedelta(minutes=15)
PAST = timedelta(days=30)
_FREE = 0.98  # of the highest limit seen: a limit that holds nothing back
_LEAST_SLOTS = 2
_LEAST_W = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """``gpus`` of a node and their mean W by slot from ``start``; NaN where limited or not metered."""

    gpus: int
    start: datetime
    mean_w: Values


def with_draws(ended: Iterable[EndedJob], store: TelemetryStore, site: str, until: datetime) -> list[EndedJob]:
    """The jobs, with the mean W per GPU of those that ended in the last 30 days and that telemetry can tell.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = midnight - PAST, midnight + (until - midnight) // STEP * STEP
    nodes: dict[str, _Node | None] = {}
    found = []
    for job in ended:
        if not job.nodes or job.ended_at > until or job.started_at < start:
            found.append(job)
            continue
        for name in job.nodes:
            if name not in nodes:
                nodes[name] = _node(store, site, name, start, end)
        found.append(replace(job, drawn_w=_mean_w(job, [nodes[name] for name in job.nodes])))
    return found


def _mean_w(job: EndedJob, nodes: list[_Node | None]) -> float | None:
    there = [node for node in nodes if node is not None]
    if len(there) < len(nodes) or sum(node.gpus for node in there) != job.gpus:
        return None
    first = -((there[0].start - job.started_at) // STEP)  # whole slots, the first after the start
    last = (job.ended_at - there[0].start) // STEP
    watts = np.concatenate([node.mean_w[first:last] for node in there])
    known = watts[np.isfinite(watts)]
    if len(known) < _LEAST_SLOTS or known.mean() < _LEAST_W:
        return None
    return float(known.mean())


def _node(store: TelemetryStore, site: str, name: str, start: datetime, end: datetime) -> _Node | None:
    tags = {"site": site, "node": name}
    try:
        power = store.query("gpu.power_w", tags, start, end, STEP, across="mean")
        limit = store.query("gpu.limit_w", tags, start, end, STEP, across="min")
    except NotFound:
        return None
    teaches = limit.values >= _FREE * _highest(store, tags, limit)
    for at in unfit_at(store, "gpu.power_w", tags, start, end):
        teaches[(from_ns(at) - start) // STEP] = False
    return _Node(len(store.latest("gpu.power_w", tags)), start, np.where(teaches, power.values, np.nan))


def _highest(store: TelemetryStore, tags: dict[str, str], limit: Series) -> float:
    told = [float(sample.value) for sample in store.latest("gpu.limit_max_w", tags)]
    return max([*told, float(np.nanmax(limit.values))])
