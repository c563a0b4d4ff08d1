"""What pullers get: pure functions from a site, a plan and what is in force to the body of an answer.

Bodies hold no time of the asking and no rest of a lease, so that an unchanged version means an unchanged body. All
instants are slot borders of the plan; a puller looks up its own present. Without a plan in force every body says
``source: default`` and holds the default set alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from api.placed import place_of
from api.plan_store import Edition
from models.cooling_plant import CoolingUnit
from models.errors import NotFound
from models.horizon import parse_rfc3339, rfc3339
from models.lease import Mode, Version, timers_for
from models.site import GpuPool, Site
from models.site_asks import Generator
from models.supply import Battery, Solar, Wind

SCHEMA_VERSION = "1.0"
GRID = "grid"
Asset = Battery | Solar | Wind | Generator | CoolingUnit
Body = dict[str, Any]
Reason = Literal["SHADOW", "FAILSAFE", "NO_PLAN", "LEASE_OVER", "PLAN_OVER", "TELEMETRY"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a pool or asset gets now: the plan, or the default set and why (``reason``)."""

    mode: Mode
    version: Version
    lease_s: float
    ttl_s: int
    edition: Edition | None
    reason: Reason | None
    noted: bool = True
    """False where a lapse could not be written down, so that the version does not tell it: no ETag then."""

    @property
    def source(self) -> Literal["plan", "default"]:
        """Where the limits come from."""
        return "default" if self.reason else "plan"


def pool_caps(site: Site, pool: GpuPool, standing: Standing) -> Body:
    """Body of ``/caps/pools/{pool}``: default set, idle cap, the schedule of each job, and of nodes that may be off."""
    told = [] if standing.reason else _planned(standing, {pool.name})
    jobs = [_schedule(job, runs, pool.name) for job, runs in told if runs or job.get("pool") == pool.name]
    return {
        **_head(site, standing),
        "pool": pool.name,
        **_pool_part(site, pool),
        "jobs": jobs,
        **_nodes(pool, standing),
    }


def _nodes(pool: GpuPool, standing: Standing) -> Body:
    """How many of the pool's nodes are on, where plans may switch them; without a plan nothing is asked of them."""
    if pool.nodes is None:
        return {}
    slots = None if standing.edition is None or standing.reason else _Slots(standing.edition)
    told = [] if slots is None else slots.plan.get("nodes_on", {}).get(pool.name, [])
    return {"nodes": [] if slots is None else slots.merged(("on",), [(on,) for on in told])}


def job_caps(site: Site, pool: GpuPool, job_id: str, standing: Standing, others: Mapping[str, Standing]) -> Body:
    """Body of ``/caps/jobs/{job}``: one limit per period for every GPU of the gang.

    Runs in another of our pools say which, and are there while that pool follows the plan too; ``others`` is how those
    stand. What runs at a partner is not capped here.
    """
    follow = {name for name, held in {**others, pool.name: standing}.items() if not held.reason}
    found = next((pair for pair in _planned(standing, follow) if pair[0]["id"] == job_id), None)
    schedule: Body = {"job": job_id, "gpus": None, "periods": []}
    if found is not None and (found[1] or pool.name in follow):
        schedule = _schedule(*found, pool.name)
    return {**_head(site, standing), "pool": pool.name, **_pool_part(site, pool), **schedule}


def node_caps(
    site: Site,
    pool: GpuPool,
    node: str,
    standing: Standing,
    placed: Mapping[int, str | None] | None,
    told_by: Literal["agent", "scheduler"] = "agent",
) -> Body:
    """Body of ``/caps/nodes/{node}``: a limit per GPU of the node, and the schedule of the job that it works for.

    ``placed`` is the job by GPU index (None: the GPU is free); None where nobody knows. A job's grant is given only
    where it is known that the GPU belongs to that job: without placement, and for a GPU that it does not name, the
    pool's default holds. ``limit_w`` is what holds outside the periods.
    """
    head, part = _head(site, standing), _pool_part(site, pool)
    default_w = pool.default.limit_w
    told = {} if placed is None else placed
    schedules: dict[str, list[Body]] = {}
    if placed is not None and not standing.reason:
        wanted = set(placed.values())
        schedules = {
            job["id"]: _schedule(job, runs, pool.name)["periods"]
            for job, runs in _planned(standing, {pool.name})
            if job["id"] in wanted
        }
    gpus: list[Body] = []
    for k in range(pool.gpus_per_node):
        job = told.get(k)
        free = k in told and job is None and not standing.reason
        row: Body = {"index": k, "job": job, "limit_w": part["default"]["idle_limit_w"] if free else default_w}
        gpus.append({**row, "periods": schedules.get(job, []) if job else []})
    if placed is None:
        head["source"] = "default"
        head["reason"] = standing.reason or "NO_PLACEMENT"
    known = "unknown" if placed is None else told_by
    return {**head, "pool": pool.name, "node": node, **part, "placement": known, "gpus": gpus}


def pool_of_node(site: Site, node: str) -> GpuPool:
    """Pool that a node belongs to; nodes of a pool are named ``<pool>-n<number>`` from 1.

    Raises:
        NotFound: no pool has such a node.
    """
    match = re.fullmatch(r"(.+)-n0*([1-9]\d{0,8})", node)
    pool = next((p for p in site.pools if match and p.name == match[1]), None)
    if match is None or pool is None or int(match[2]) > -(-pool.gpus // pool.gpus_per_node):
        raise NotFound("node", node)
    return pool


def setpoint(site: Site, asset: str, standing: Standing) -> Body:
    """Body of ``/setpoints/{asset}``: the asset's default and its schedule.

    Raises:
        NotFound: the site has no such asset.
    """
    found = asset_of(site, asset)
    head = {**_head(site, standing), "asset": asset}
    slots = None if standing.edition is None or standing.reason else _Slots(standing.edition)
    if found is None:
        default = {"import_limit_mw": site.grid.firm_mw, "export_limit_mw": 0.0}
        periods = [] if slots is None else slots.merged(("import_mw", "export_mw"), _grid_rows(slots))
        return {**head, "kind": "grid", "default": default, "periods": periods}
    if isinstance(found, Battery):
        periods = [] if slots is None else slots.merged(("power_mw",), _battery_rows(slots, asset))
        limits = {"soc_min_mwh": found.soc_min_mwh, "soc_max_mwh": found.top_mwh, "power_mw": found.power_mw}
        rest = {"power_mw": 0.0, "hold": found.default}
        return {**head, "kind": "battery", "limits": limits, "default": rest, "periods": periods}
    if isinstance(found, Generator):
        periods = [] if slots is None else slots.merged(("on", "power_mw"), _generator_rows(slots, asset))
        limits = {"min_power_mw": found.min_power_mw, "power_mw": found.power_mw}
        off = {"on": False, "power_mw": 0.0}
        return {**head, "kind": "generator", "limits": limits, "default": off, "periods": periods}
    if isinstance(found, CoolingUnit):
        told = {} if slots is None else slots.plan.get("unit_heat_mw", {})
        rows = [(_kw(heat),) for heat in told.get(asset, [])]
        periods = [] if slots is None else slots.merged(("heat_mw",), rows)
        limits = {"heat_mw": found.rated_heat_mw}
        return {**head, "kind": "cooling_unit", "limits": limits, "default": {"heat_mw": None}, "periods": periods}
    kind = "solar" if isinstance(found, Solar) else "wind"
    share, top = _share(site, found)
    periods = [] if slots is None else slots.merged(("limit_mw",), _curtailed(slots, kind, share))
    # Without a plan nothing may be relied on to use the energy: what the grid takes with no load at all is safe. The
    # proof of the defaults (models.safety) counts on neither sun nor wind.
    renewables: tuple[Solar | Wind, ...] = (*site.solar, *site.wind)
    installed = sum(_share(site, other)[1] for other in renewables)
    default = {"limit_mw": _kw(min(top, site.grid.export_limit_mw * top / installed))}
    return {**head, "kind": kind, "limits": {"limit_mw": top}, "default": default, "periods": periods}


def asset_of(site: Site, name: str) -> Asset | None:
    """Asset by name; None for the grid connection, which is called ``grid``.

    Raises:
        NotFound: there is none.
    """
    found = next((asset for asset in _assets(site) if asset.name == name), None)
    if found is None and name != GRID:
        raise NotFound("asset", name)
    return found


def target_names(site: Site) -> list[str]:
    """Every pool and asset that a mode can be set for."""
    return [pool.name for pool in site.pools] + [asset.name for asset in _assets(site)] + [GRID]


def _assets(site: Site) -> tuple[Asset, ...]:
    units = () if site.cooling is None else site.cooling.units
    return (*site.batteries, *site.solar, *site.wind, *site.generators, *units)


def _head(site: Site, standing: Standing) -> Body:
    timers = timers_for(standing.lease_s)
    edition = standing.edition
    return {
        "schema_version": SCHEMA_VERSION,
        "site": site.name,
        "mode": standing.mode.value,
        "source": standing.source,
        "reason": standing.reason,
        "plan_version": {"epoch": standing.version.epoch, "seq": standing.version.seq},
        "plan_id": None if edition is None else edition["plan_id"],
        "rung": None if edition is None else edition["plan"]["rung"],
        "valid_until": None if edition is None else edition["valid_until"],
        "lease": {
            "ttl_s": standing.lease_s,
            "poll_s": round(timers.poll_s, 3),
            "stale_after_s": round(timers.stale_after_s, 3),
        },
    }


def _pool_part(site: Site, pool: GpuPool) -> Body:
    gpu = site.gpu(pool.gpu)
    idle = pool.default.limit_w if pool.default.idle_limit_w is None else pool.default.idle_limit_w
    return {
        "default": {
            "limit_w": pool.default.limit_w,
            "idle_limit_w": idle,
            "admit_starts": pool.default.admit_starts,
            "suspend_order": list(pool.default.suspend_order),
            "nodes_may_switch_off": pool.default.nodes_may_switch_off,
        },
        "clamp": {"min_w": gpu.min_limit_w, "max_w": gpu.max_limit_w},
    }


def _planned(standing: Standing, pools: Collection[str]) -> list[tuple[Body, list[Body]]]:
    """Jobs that the plan knows, each with its runs in these pools."""
    if standing.edition is None:
        return []
    plans = {job["id"]: job for job in standing.edition["plan"]["jobs"]}
    jobs = [job for job in standing.edition["problem"]["jobs"] if job["id"] in plans]
    return [(job, [run for run in plans[job["id"]]["runs"] if place_of(job, run)[0] in pools]) for job in jobs]


def _schedule(job: Body, runs: Sequence[Body], home: str) -> Body:
    """Periods of equal limits. One in another pool than ``home`` says which, one of another gang its GPUs."""
    usual = place_of(job, runs[0])[1] if runs else job.get("gpus", 0)
    periods: list[Body] = []
    for run in runs:
        pool, gpus = place_of(job, run)
        same: Body = {"limit_w": run.get("limit_w"), "count": run.get("count", 1)}
        same |= ({} if pool == home else {"pool": pool}) | ({} if gpus == usual else {"gpus": gpus})
        last = periods[-1] if periods else None
        if last and last == {"start": last["start"], "end": run["start"], **same}:
            last["end"] = run["end"]
        else:
            periods.append({"start": run["start"], "end": run["end"], **same})
    return {"job": job["id"], "gpus": usual, "periods": periods}


class _Slots:
    """A plan's series with the instants of its slots."""

    def __init__(self, edition: Edition) -> None:
        horizon = edition["problem"]["horizon"]
        self.count: int = horizon["slots"]
        self._start: datetime = parse_rfc3339(horizon["start"])
        self._step = timedelta(minutes=horizon.get("step_minutes", 15))
        self.plan: Mapping[str, Any] = edition["plan"].get("series") or {}
        self.given: Mapping[str, Any] = edition["problem"].get("series") or {}

    def merged(self, names: Sequence[str], rows: Iterable[tuple[float | None, ...]]) -> list[Body]:
        """Periods of equal values."""
        periods: list[Body] = []
        last: tuple[float | None, ...] | None = None
        for k, row in enumerate(rows):
            if row == last:
                periods[-1]["end"] = rfc3339(self._start + (k + 1) * self._step)
            else:
                span = {"start": self._start + k * self._step, "end": self._start + (k + 1) * self._step}
                instants = {key: rfc3339(at) for key, at in span.items()}
                periods.append({**instants, **dict(zip(names, row, strict=True))})
            last = row
        return periods


def _kw(value: float) -> float:
    return round(value, 6)


def _grid_rows(slots: _Slots) -> Iterable[tuple[float | None, ...]]:
    if not slots.plan:
        return []
    return [
        (_kw(bought), _kw(sold)) for bought, sold in zip(slots.plan["import_mw"], slots.plan["export_mw"], strict=True)
    ]


def _battery_rows(slots: _Slots, name: str) -> Iterable[tuple[float | None, ...]]:
    """Charging is positive, as everywhere."""
    charge = slots.plan.get("charge_mw", {}).get(name, [])
    discharge = slots.plan.get("discharge_mw", {}).get(name, [])
    return [(_kw(put - take),) for put, take in zip(charge, discharge, strict=True)]


def _generator_rows(slots: _Slots, name: str) -> Iterable[tuple[float | None, ...]]:
    on, given = slots.plan.get("generator_on", {}).get(name, []), slots.plan.get("generator_mw", {}).get(name, [])
    return [(bool(runs), _kw(power)) for runs, power in zip(on, given, strict=True)]


def _share(site: Site, asset: Solar | Wind) -> tuple[float, float]:
    if isinstance(asset, Solar):
        return asset.inverter_ac_mw / sum(s.inverter_ac_mw for s in site.solar), asset.inverter_ac_mw
    top = asset.count * asset.rated_mw
    return top / sum(w.count * w.rated_mw for w in site.wind), top


def _curtailed(slots: _Slots, kind: str, share: float) -> Iterable[tuple[float | None, ...]]:
    """A limit only where the plan curtails: elsewhere more sun than forecast is welcome (null: no limit)."""
    prefix = "pv" if kind == "solar" else "wind"
    used = slots.plan.get(f"{prefix}_used_mw", [])
    there = slots.given.get(f"{prefix}_available_mw") or [0.0] * len(used)
    return [
        (_kw(flow * share) if flow < most - 1e-6 * max(1.0, most) else None,)
        for flow, most in zip(used, there, strict=True)
    ]
