"""The oracle's reading of other ways to run a job: every pattern of ways written out and judged slot by slot."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any


def ways(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Every way of a job, its own first: pool, gpus, levels, ready."""
    own = {"pool": job.get("pool"), "gpus": job.get("gpus", 0), "levels": job["levels"]}
    others = [{**own, **{k: v for k, v in other.items() if v is not None}} for other in job.get("alternatives", [])]
    return [own, *others]


def chooses(job: dict[str, Any]) -> bool:
    """Whether it matters in which way a job runs."""
    return job.get("count", 1) == 1 and bool(job.get("alternatives") or job.get("residency"))


def rent(grid: Any, lanes: list[dict[str, Any]], pattern: Any) -> float:
    """Money for a partner's GPUs in a pattern, and for going to each way that it takes."""
    money = 0.0
    for number, lane in enumerate(lanes):
        on = [t for t in range(grid.slots) if pattern.runs(t, number)]
        price = grid.rent.get(lane["pool"], [0.0] * grid.slots)
        money += sum(grid.hours * lane["gpus"] * price[t] for t in on) + (lane.get("egress_cost", 0.0) if on else 0.0)
    return money


def patterns(job: dict[str, Any], grid: Any, judge: Callable[..., Any]) -> list[Any]:
    """Every pattern of ways (-1: off) that the contract allows, with what its changes of the gang lose."""
    known = ways(job)
    found = []
    for way in itertools.product(range(-1, len(known)), repeat=grid.slots):
        lost = _judge(job, grid, known, way)
        pattern = None if lost is None else judge(job, grid, tuple(int(k >= 0) for k in way))
        if pattern is not None:
            found.append(replace(pattern, way=way, loss_h=pattern.loss_h + lost))
    return found


def _judge(job: dict[str, Any], grid: Any, known: list[dict[str, Any]], way: tuple[int, ...]) -> float | None:
    """Work lost by changes of the gang; None where a way is not ready or a session changes its pool."""
    lost, before = 0.0, 0 if job.get("state") == "running" else -1
    for t, k in enumerate(way):
        if k >= 0 and known[k].get("ready") is not None and t < grid.slot(known[k]["ready"]):
            return None
        if k > 0 and known[k].get("ready") is None and t < grid.delay.get(known[k]["pool"], 0):
            return None
        if k >= 0 and job.get("residency") and grid.law[known[k]["pool"]] not in job["residency"]:
            return None
        if k >= 0 and before >= 0 and k != before:
            if known[k]["pool"] != known[before]["pool"]:
                return None
            lost += job.get("resize_loss_h", 0.0)
        before = k
    return lost


def surplus(program: Any, problem: dict[str, Any], grid: Any, jobs: dict[str, Any], flows: dict[str, Any]) -> None:
    """Beside a job on surplus nothing is bought or given, and all is sold that earns."""
    mine = [job for job in problem.get("jobs", []) if job.get("surplus")]
    asked, connection = flows["asked"], problem.get("grid", {})
    price = grid.row(problem.get("series", {}).get("export_price_per_mwh"))
    for t in range(grid.slots if mine else 0):
        alone = program.column(0, 1, whole=True)
        for job in mine:
            on = dict(jobs[job["id"]].on[t])
            on[alone] = on.get(alone, 0.0) - job.get("count", 1)
            program.row(on, high=0.0)
        gives = [asked.bought[t], *flows["discharge"][t], *(row[t] for row in (*asked.made, *asked.missing))]
        for column in gives:
            most = float(program.high[column])
            program.row({column: 1.0, alone: most}, high=most)
        limit = float(program.high[asked.sold[t]])
        if price[t] > 0 and connection.get("export_allowance_mwh") is None:
            program.row({asked.sold[t]: 1.0, alone: -limit}, low=0.0)
