"""Is the service alive, ready, and up to date? Three different questions."""

from __future__ import annotations

import shutil
from typing import Any

from api.doors import Doors
from api.store.engine import StateUnavailable
from ingest.coverage import LEAST_SHARE, coverage
from ingest.errors import StoreUnavailable
from models.horizon import parse_rfc3339

_LEAST_FREE_BYTES = 64 << 20
_PLANNER_SILENT_S = 30.0
_COLLECTOR_SILENT_S = 60.0


def readiness(doors: Doors) -> tuple[bool, dict[str, Any]]:
    """Whether requests can be served: state database and disk."""
    checks: dict[str, Any] = {}
    try:
        doors.plans.now()
        checks["state"] = {"ok": True}
    except StateUnavailable as error:
        checks["state"] = {"ok": False, "reason": error.reason}
    free = shutil.disk_usage(doors.settings.data_dir).free
    checks["disk"] = {"ok": free >= _LEAST_FREE_BYTES, "free_bytes": free}
    return all(check["ok"] for check in checks.values()), checks


def recency(doors: Doors) -> tuple[bool, dict[str, Any]]:
    """Whether what is served is fresh: plan, planner, collector, telemetry, and the last round's outcome."""
    replan_s = doors.site.planning.replan_minutes * 60
    edition = doors.plans.current()
    checks: dict[str, Any] = {}
    if edition is None:
        checks["plan"] = {"ok": False, "reason": "no plan yet"}
    else:
        age_s = (doors.clock.now() - parse_rfc3339(edition["created_at"])).total_seconds()
        limit_s = 2.0 * replan_s
        checks["plan"] = {"ok": age_s <= limit_s, "age_s": round(age_s, 1), "limit_s": limit_s}
    for name, sign, most_s in (
        ("planner", doors.planner, _PLANNER_SILENT_S),
        ("collector", doors.collector, _COLLECTOR_SILENT_S),
    ):
        silent = sign.silent_s()
        known = None if silent == float("inf") else round(silent, 1)
        checks[name] = {"ok": silent <= most_s, "silent_s": known, "limit_s": most_s}
    checks["telemetry"] = _known(doors)
    last = doors.plans.last_cycle()
    if last is not None:
        checks["last_cycle"] = {"ok": last.outcome == "published", "outcome": last.outcome, "reason": last.reason}
    return all(check["ok"] for check in checks.values()), checks


def _known(doors: Doors) -> dict[str, Any]:
    """Whether enough is measured to carry a plan; what was never measured is not missed."""
    try:
        found = coverage(doors.intake.store, doors.site, doors.clock.now())
    except StoreUnavailable as error:
        return {"ok": False, "reason": str(error)}
    doubtful = [{"metric": one.metric, "tags": dict(one.tags), "why": one.why} for one in found.doubtful]
    return {"ok": found.enough, "pools": dict(found.pools), "least_share": LEAST_SHARE, "doubtful": doubtful}
