"""The simulated site in the service: it follows the plan in force, and its meters go into telemetry beside it.

A scheduler that runs the plan's jobs is assumed in every mode; what the modes decide is the caps: a pool in ``auto``
obeys the plan's, one in ``shadow`` runs uncapped, one in ``failsafe`` under its default. A battery that is not in
``auto`` rests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from api.following import horizon_of
from api.placed import placed_runs
from api.plan_store import Edition, InForce
from models.horizon import parse_rfc3339
from models.lease import Mode
from models.plant.orders import JobOrder, Orders
from models.site import Site

if TYPE_CHECKING:
    from api.plan_store import PlanStore
    from api.settings import Settings
    from ingest.ports import Clock, Source

_CURTAILED_MW = 1e-3
_REAL_PERIOD_S = 1.0
_SWEEP_S = (10.0, 60.0)


def orders_at(site: Site, edition: Edition | None, held: InForce, moment: datetime) -> Orders:
    """What a plan orders at an instant; nothing before the first plan, or beyond its end."""
    if edition is None or edition["plan"].get("series") is None:
        return Orders()
    horizon = horizon_of(edition)
    slot = horizon.slot(moment)
    if not 0 <= slot < horizon.slots:
        return Orders()
    series = edition["plan"]["series"]
    given = edition["problem"].get("series") or {}
    battery = {
        b.name: _at(series.get("charge_mw"), b.name, slot) - _at(series.get("discharge_mw"), b.name, slot)
        for b in site.batteries
        if held.target(b.name).mode is Mode.AUTO
    }
    return Orders(
        jobs=tuple(_jobs(site, edition, held, moment)),
        battery_mw=battery,
        pv_most_mw=_curtailed(series.get("pv_used_mw"), given.get("pv_available_mw"), slot),
        wind_most_mw=_curtailed(series.get("wind_used_mw"), given.get("wind_available_mw"), slot),
    )


def _jobs(site: Site, edition: Edition, held: InForce, moment: datetime) -> list[JobOrder]:
    labels = edition.get("job_labels") or {}
    ours = {pool.name: pool for pool in site.pools}
    found = []
    for job, run, name, gpus in placed_runs(edition):
        if name not in ours or not parse_rfc3339(run["start"]) <= moment < parse_rfc3339(run["end"]):
            continue  # without GPUs, at a partner, or not now
        pool, workload = ours[name], labels.get(job["id"], {}).get("workload", "pretrain")
        highest = site.gpu(pool.gpu).max_limit_w
        limits = {Mode.AUTO: run.get("limit_w") or highest, Mode.FAILSAFE: pool.default.limit_w}
        limit = limits.get(held.target(pool.name).mode, highest)
        found.append(JobOrder(job["id"], pool.name, gpus * run.get("count", 1), workload, limit))
    return found


def _at(named: Mapping[str, Sequence[float]] | None, name: str, slot: int) -> float:
    values = (named or {}).get(name)
    return 0.0 if values is None else values[slot]


def _curtailed(used: Sequence[float] | None, available: Sequence[float] | None, slot: int) -> float | None:
    """The planned MW where the plan leaves some of what it expects unused; else whatever comes is taken."""
    if used is None or available is None or used[slot] >= available[slot] - _CURTAILED_MW:
        return None
    return used[slot]


def simulated_sources(settings: Settings, site: Site, plans: PlanStore, clock: Clock) -> list[Source]:
    """What the collector asks in a simulation: the plant, and none of the site file's sources.

    Raises:
        ValueError: the settings name no scenario.
    """
    from ingest.sources.plant.source import PlantSource
    from models.plant.scenarios import SCENARIOS

    if settings.scenario is None:
        raise ValueError("the settings name no scenario")
    began = clock.now().replace(microsecond=0)

    def follow(moment: datetime) -> Orders:
        return orders_at(site, plans.current(), plans.now(), moment)

    sweep_s = min(_SWEEP_S[1], max(_SWEEP_S[0], settings.speed / 2))
    plant = PlantSource(
        site,
        SCENARIOS[settings.scenario],
        settings.began or began,
        follow,
        period_s=_REAL_PERIOD_S,
        sweep_s=sweep_s,
        base=settings.site_path.parent,
    )
    return [plant]


def replayed_sources(settings: Settings) -> list[Source]:
    """What the collector asks in a replay: the record, from where the service's clock began.

    A collector that is started again reads it from there once more; what is there already changes nothing.

    Raises:
        ValueError: the settings name no record.
        StoreUnavailable: it cannot be opened.
    """
    from ingest.sources.replay import ReplaySource
    from ingest.stores.embedded import EmbeddedStore

    if settings.replay is None:
        raise ValueError("the settings name no record")
    record = EmbeddedStore(Path(settings.replay) / settings.telemetry_path.name)
    return [ReplaySource(record, settings.began, period_s=_REAL_PERIOD_S)]
