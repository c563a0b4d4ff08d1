"""Jobs of a plan as the pages show them: when they run, at which cap, and what their deadline says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from api.pages.view_places import places
from api.placed import place_of
from models.horizon import Horizon, parse_rfc3339

TIGHT_H = 1.0  # less slack than this between planned end and deadline is shown as a risk
_HOURS_SEEN = 1e-4  # the referee's tolerance on hours; less is rounding
_ORDER = {"unmet": 0, "late": 1, "risk": 2, "held": 3, "waiting": 4, "on_time": 5, "done": 6}


def job_views(edition: dict[str, Any], horizon: Horizon) -> list[dict[str, Any]]:
    """One entry a job, grouped by pool in the document's order, by first start inside a pool."""
    planned = {job["id"]: job for job in edition["plan"].get("jobs", [])}
    labels = edition.get("job_labels") or {}
    noted = places(edition, horizon)
    views = [
        {**_view(job, planned.get(job["id"]), labels.get(job["id"], {}), horizon), "places": noted.get(job["id"], [])}
        for job in edition["problem"]["jobs"]
    ]
    pools = {pool["name"]: index for index, pool in enumerate(edition["problem"].get("pools", []))}
    far = horizon.end
    return sorted(
        views,
        key=lambda view: (
            pools.get(view["pool"], len(pools)),
            parse_rfc3339(view["start"]) if view["start"] else far,
            view["id"],
        ),
    )


def _view(
    job: dict[str, Any], planned: dict[str, Any] | None, label: dict[str, Any], horizon: Horizon
) -> dict[str, Any]:
    runs = [_run(job, run) for run in (planned or {}).get("runs", [])]
    first = min(runs, key=lambda run: parse_rfc3339(run["start"]), default=None)
    start = min((run["start"] for run in runs), key=parse_rfc3339, default=None)
    end = max((run["end"] for run in runs), key=parse_rfc3339, default=None)
    deadline = job.get("deadline")
    slack_h = (parse_rfc3339(deadline) - parse_rfc3339(end)) / timedelta(hours=1) if deadline and end else None
    sessions = 0
    last_end = None
    for run in sorted(runs, key=lambda run: parse_rfc3339(run["start"])):
        sessions += run["start"] != last_end
        last_end = run["end"]
    view = {
        "id": job["id"],
        "pool": job.get("pool") if first is None else first["pool"],
        "pools": list(dict.fromkeys(run["pool"] for run in runs)) or [job.get("pool")],
        "gpus": job.get("gpus", 0) if first is None else first["gpus"],
        "count": job.get("count", 1),
        "tenant": job.get("tenant"),
        "priority": label.get("priority"),
        "workload": label.get("workload"),
        "synthetic": bool(label.get("synthetic", False)),
        "state": job.get("state", "queued"),
        "held": bool(job.get("held", False)),
        "release": job["release"],
        "deadline": deadline,
        "start": start,
        "end": end,
        "slack_h": slack_h,
        "sessions": sessions,
        "work_h": job["work_h"],
        "done_h": planned["work_done_h"] if planned else None,
        "late_h": planned.get("late_h", 0.0) if planned else None,
        "unmet_h": planned.get("unmet_h", 0.0) if planned else None,
        "energy_mwh": sum(run["power_mw"] * run["hours"] for run in runs),
        "runs": runs,
    }
    view["standing"] = _standing(view, horizon)
    view["rank"] = _ORDER[view["standing"]]
    return view


def _run(job: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    start, end = parse_rfc3339(run["start"]), parse_rfc3339(run["end"])
    pool, gpus = place_of(job, run)
    return {
        "pool": pool,
        "gpus": gpus,
        "start": run["start"],
        "end": run["end"],
        "start_ms": int(start.timestamp() * 1000),
        "end_ms": int(end.timestamp() * 1000),
        "hours": (end - start) / timedelta(hours=1),
        "power_mw": run["power_mw"],
        "speed": run["speed"],
        "limit_w": run.get("limit_w"),
        "count": run.get("count", 1),
    }


def _standing(view: dict[str, Any], horizon: Horizon) -> str:
    """The one word that an operator needs about a job."""
    if view["held"]:
        return "held"
    if (view["unmet_h"] or 0.0) > _HOURS_SEEN:
        return "unmet"
    if (view["late_h"] or 0.0) > _HOURS_SEEN:
        return "late"
    if view["work_h"] <= 0:
        return "done"
    if not view["runs"]:
        return "waiting"
    inside = view["deadline"] is not None and parse_rfc3339(view["deadline"]) <= horizon.end
    if inside and view["slack_h"] is not None and view["slack_h"] < TIGHT_H:
        return "risk"
    return "on_time"
