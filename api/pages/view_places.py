"""Where a plan has the jobs that could choose, and why: facts counted from problem and plan, without words.

Each note is a ``key`` of the catalogue (``place.<key>``) and its facts: ``gpu_h``, ``hours``, ``money``, names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from api.placed import partners_of, place_of, placed_runs
from models.horizon import Horizon, parse_rfc3339

Row = Mapping[str, Any]
Note = dict[str, Any]


def places(edition: Row, horizon: Horizon) -> dict[str, list[Note]]:
    """Notes by job: rented, another pool or gang than asked for, surplus; none for a job that chose nothing."""
    labels = edition.get("job_labels") or {}
    partners, free = partners_of(edition["problem"]), _free(edition, horizon)
    planned = {job["id"]: job["runs"] for job in edition["plan"].get("jobs", ())}
    found: dict[str, list[Note]] = {}
    for job in edition["problem"].get("jobs", ()):
        runs = planned.get(job["id"], [])
        notes = [
            *_rented(job, runs, partners, horizon),
            *_elsewhere(job, runs, labels.get(job["id"], {}), free, horizon),
            *_surplus(job, runs),
        ]
        if notes:
            found[job["id"]] = notes
    return found


def _hours(run: Row) -> float:
    return (parse_rfc3339(run["end"]) - parse_rfc3339(run["start"])) / timedelta(hours=1)


def _slots(run: Row, horizon: Horizon) -> range:
    first, last = horizon.border(parse_rfc3339(run["start"])), horizon.border(parse_rfc3339(run["end"]))
    return range(max(0, first), min(horizon.slots, last))


def _at(value: Any, k: int) -> float:
    return float(value[k] if isinstance(value, list) else value)


def _rented(job: Row, runs: list[Row], partners: Mapping[str, Row], horizon: Horizon) -> Iterator[Note]:
    """GPU-hours at each partner, and what they cost: rent by the hour, and data moved once."""
    for name in dict.fromkeys(pool for pool, _ in (place_of(job, run) for run in runs) if pool in partners):
        assert name is not None
        here = [run for run in runs if place_of(job, run)[0] == name]
        price = partners[name]["partner"]["price_per_gpu_h"]
        gpu_h = [(place_of(job, run)[1] * horizon.step_h, k) for run in here for k in _slots(run, horizon)]
        gangs = {place_of(job, run)[1] for run in here}
        went = [way for way in job.get("alternatives", ()) if way["pool"] == name and way["gpus"] in gangs]
        egress = sum(way.get("egress_cost", 0.0) for way in went)
        money = egress + sum(amount * _at(price, k) for amount, k in gpu_h)
        yield {"key": "rented", "pool": name, "gpu_h": sum(amount for amount, _ in gpu_h), "money": money}


def _elsewhere(
    job: Row, runs: list[Row], asked: Row, free: Mapping[str, list[float]], horizon: Horizon
) -> Iterator[Note]:
    """Another pool or gang than asked for; ``free_gpus``: least that the asked pool had left in those slots."""
    if "pool" not in asked:
        return
    home, gpus = asked["pool"], asked["gpus"]
    moved = [run for run in runs if place_of(job, run)[0] != home]
    if moved:
        slots = [k for run in moved for k in _slots(run, horizon)]
        left = min((free[home][k] for k in slots), default=0.0) if home in free else 0.0
        kind = "no_room" if left < gpus else "by_cost"
        yield {"key": f"moved_{kind}", "pool": home, "gpus": gpus, "free_gpus": int(left)}
    gangs = list(dict.fromkeys(place_of(job, run)[1] for run in runs))
    if gangs and gangs != [gpus]:
        yield {"key": "gang", "gangs": gangs, "gpus": gpus}


def _free(edition: Row, horizon: Horizon) -> dict[str, list[float]]:
    """GPUs of each pool that the plan leaves without a job, by slot."""
    free = {
        pool["name"]: [_at(pool["gpus"], k) for k in range(horizon.slots)]
        for pool in edition["problem"].get("pools", ())
    }
    for _, run, pool, gpus in placed_runs(edition):
        for k in _slots(run, horizon) if pool in free else ():
            free[pool][k] -= gpus * run.get("count", 1)
    return free


def _surplus(job: Row, runs: list[Row]) -> Iterator[Note]:
    if job.get("surplus"):
        hours = sum(_hours(run) for run in runs)
        yield {"key": "surplus", "hours": hours} if runs else {"key": "no_surplus"}
