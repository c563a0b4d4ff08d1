"""Refusals about jobs' fields of version 1.1: other ways to run; see :mod:`optimizer.refusals`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from models.errors import Fault
from models.horizon import Horizon
from models.strict_json import pointer
from optimizer.document import Problem


def _alternatives(problem: Problem) -> Iterator[Fault]:
    """Other ways of single jobs with a pool: pools that exist, each pool and gang once, ready on a border."""
    h = problem.horizon
    horizon = Horizon(h.start, timedelta(minutes=h.step_minutes), h.slots)
    known = {pool.name for pool in problem.pools}
    for k, job in enumerate(problem.jobs):
        if not job.alternatives:
            continue
        place = pointer("jobs", k, "alternatives")
        if job.count > 1:
            yield Fault(place, "needs_count_1", f"other ways need count 1, here it is {job.count}; write single jobs")
        if job.pool is None:
            yield Fault(pointer("jobs", k, "pool"), "no_pool", "a job with other ways needs a pool of its own; name it")
        first = {(job.pool, job.gpus): pointer("jobs", k)}
        for i, other in enumerate(job.alternatives):
            here = pointer("jobs", k, "alternatives", i)
            if other.pool is not None and other.pool not in known:
                message = f"there is no pool {other.pool!r}; write one of {', '.join(sorted(known))}"
                yield Fault(f"{here}/pool", "unknown_pool", message)
            way = (other.pool or job.pool, job.gpus if other.gpus is None else other.gpus)
            if way in first:
                message = f"{way[1]} GPUs of pool {way[0]!r} are a way at {first[way]} already; keep one"
                yield Fault(here, "duplicate", message)
            first.setdefault(way, here)
            if other.ready is not None:
                try:
                    horizon.border(other.ready)
                except ValueError as error:
                    yield Fault(f"{here}/ready", "off_border", f"{error}; move it to a border")


def _residency(problem: Problem) -> Iterator[Fault]:
    """Where a job may be is a question of pools, and one that runs is where it may be."""
    law = {pool.name: pool.jurisdiction for pool in problem.pools}
    for k, job in enumerate(problem.jobs):
        if not job.residency:
            continue
        place = pointer("jobs", k, "residency")
        if job.pool is None:
            yield Fault(
                place, "no_pool", "a job without a pool is nowhere in particular; name its pool or leave it out"
            )
        elif job.state == "running" and job.pool in law and law[job.pool] not in job.residency:
            message = (
                f"the job runs in pool {job.pool!r} of jurisdiction {law[job.pool]!r}, which is none of "
                f"{', '.join(job.residency)}; stop it there, or mend residency or the pool's jurisdiction"
            )
            yield Fault(place, "runs_elsewhere", message)


def _partners(problem: Problem) -> Iterator[Fault]:
    """What a partner's GPUs draw is none of our power."""
    partners = {pool.name for pool in problem.pools if pool.partner is not None}
    for k, pool in enumerate(problem.pools):
        if pool.partner is not None and pool.idle_w_per_gpu > 0:
            message = f"{pool.idle_w_per_gpu:g} W of a partner's GPUs are not drawn here; write 0"
            yield Fault(pointer("pools", k, "idle_w_per_gpu"), "not_ours", message)
        if pool.partner is not None and pool.nodes is not None:
            yield Fault(
                pointer("pools", k, "nodes"), "not_ours", "a partner's nodes are not switched here; leave it out"
            )
    for k, feed in enumerate(problem.feeds):
        for i, name in enumerate(feed.pools):
            if name in partners:
                message = f"pool {name!r} is a partner's and hangs on no feed of ours; leave it out"
                yield Fault(pointer("feeds", k, "pools", i), "not_ours", message)


def _levers(problem: Problem) -> Iterator[Fault]:
    """Levels say what yields them by the lever of their pool, and a pool without one leaves no choice of levels."""
    lever = {pool.name: pool.lever for pool in problem.pools}
    for k, job in enumerate(problem.jobs):
        told = [(("jobs", k, "levels"), job.pool, job.levels)]
        for i, other in enumerate(job.alternatives):
            place = ("jobs", k, "levels") if other.levels is None else ("jobs", k, "alternatives", i, "levels")
            told.append((place, other.pool or job.pool, other.levels or job.levels))  # type: ignore[arg-type]
        for path, pool, levels in told:
            kind = lever.get(pool or "", "power")
            if kind == "none" and len(levels) > 1:
                message = (
                    f"pool {pool!r} has no lever, yet there are {len(levels)} levels; keep the one that it runs at"
                )
                yield Fault(pointer(*path), "no_lever", message)
            before = 0.0
            for n, level in enumerate(levels):
                if kind != "power" and level.limit_w is not None:
                    message = f"{level.limit_w:g} W is no lever in pool {pool!r} (lever {kind}); leave it out"
                    yield Fault(pointer(*path, n, "limit_w"), "other_lever", message)
                if kind != "clock" and level.clock_mhz is not None:
                    message = (
                        f"{level.clock_mhz:g} MHz is no lever here (lever {kind}); leave it out or mend the pool's"
                    )
                    yield Fault(pointer(*path, n, "clock_mhz"), "other_lever", message)
                if kind == "clock" and level.clock_mhz is None:
                    message = f"the lever of pool {pool!r} is the clock: say at how many MHz the job runs at this level"
                    yield Fault(pointer(*path, n, "clock_mhz"), "missing", message)
                if kind == "clock" and level.clock_mhz is not None and level.clock_mhz <= before:
                    message = f"{level.clock_mhz:g} MHz comes after {before:g} MHz; clocks rise with power"
                    yield Fault(pointer(*path, n, "clock_mhz"), "unsorted", message)
                before = level.clock_mhz or before


def _surplus(problem: Problem) -> Iterator[Fault]:
    """A job on surplus alone is promised nothing and may be stopped in every slot."""
    for k, job in enumerate(problem.jobs):
        if not job.surplus:
            continue
        due = job.work_h if job.due_h is None else job.due_h
        if due > 0 and job.unmet_cost_per_h is None:
            message = f"nobody who runs on surplus is promised {due:g} h of due work; write 0 or give unmet_cost_per_h"
            yield Fault(pointer("jobs", k, "due_h"), "no_promise", message)
        for field, wrong, mend in (
            ("preemptible", not job.preemptible, "true"),
            ("min_run_slots", job.min_run_slots > 1, "1"),
            ("max_pauses", job.max_pauses is not None, "null"),
        ):
            if wrong:
                message = f"a job on surplus alone is stopped whenever there is none; write {mend}"
                yield Fault(pointer("jobs", k, field), "no_promise", message)


RULES: tuple[Callable[[Problem], Iterator[Fault]], ...] = (_alternatives, _residency, _partners, _levers, _surplus)
