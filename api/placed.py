"""Where a run of an edition stands: its pool and gang, and which pools are a partner's. Plain data in and out.

A job with one way says neither in its runs: its own pool and gang hold then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]


def place_of(job: Row, run: Row) -> tuple[str | None, int]:
    """Pool and GPUs of one gang of a run, for a job of the problem document."""
    gpus = run.get("gpus")
    return run.get("pool") or job.get("pool"), job.get("gpus", 0) if gpus is None else gpus


def partners_of(problem: Row) -> dict[str, Row]:
    """Pools of a problem document that are rented elsewhere, by name."""
    return {pool["name"]: pool for pool in problem.get("pools", ()) if pool.get("partner") is not None}


def placed_runs(edition: Row) -> Iterable[tuple[Row, Row, str | None, int]]:
    """Every run of an edition: its job of the problem document, the run, pool, GPUs of one gang."""
    asked = {job["id"]: job for job in edition["problem"].get("jobs", ())}
    for planned in edition["plan"].get("jobs", ()):
        job = asked.get(planned["id"])
        if job is not None:
            yield from ((job, run, *place_of(job, run)) for run in planned["runs"])
