"""Why a job draws less than it could in a slot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyomo.environ as pyo

from optimizer.explain.binding import Binding, binding
from optimizer.explain.causes import contrasted
from optimizer.explain.contrast import held, redone
from optimizer.explain.seen import Seen
from optimizer.explain.statement import Fact, Statement
from optimizer.problem import Entry
from optimizer.schedule import least_power
from optimizer.ways import Way


def why_capped(seen: Seen, job_id: str, slot: int) -> list[Statement]:
    """Why a job draws less than it could in a slot: what its top level there would cost, and which limits stand there.

    The job is held to its top level in that slot, all starts as they are; its other slots and everything else are
    planned anew.

    Raises:
        InvalidInput: there is no such job.
    """
    e = seen.entry(job_id)
    copies = int(seen.pattern[job_id][slot])
    facts: dict[str, Fact] = {"job": e.id, "slot_at": seen.at(slot)}
    if not copies:
        return [Statement("level.off", facts)]
    mw = seen.problem.unit_mw
    speed = seen.schedule.speed(job_id)[slot] / copies
    way = seen.way(e, slot)
    drawn, top = seen.schedule.power(job_id)[slot] * mw, copies * least_power(way, way.top_speed) * mw
    facts |= {"drawn_mw": float(drawn), "top_mw": float(top), "speed_ratio": float(speed / way.top_speed)}
    if top - drawn <= 1e-4 * top:
        return [Statement("level.top", facts)]
    told = [Statement("level.capped", facts)]
    limits = [b for b in binding(seen) if b.slot == slot and b.reason is not None and _concerns(seen, way, b)]
    told += [limit_statement(seen, b) for b in limits]
    other = held(seen, seen.pattern, _at_top(way, slot, copies))
    if other is None:
        return [*told, Statement("level.impossible", facts)]
    return told + contrasted("level.contrast", redone(seen), other, e, facts)


def _concerns(seen: Seen, e: Entry | Way, b: Binding) -> bool:
    """Whether a limit is one of power, and this job draws behind it."""
    if b.row in ("pool.gpus", "battery.soc_end"):
        return False
    if b.row == "feed.limit":
        return any(f.name == b.name and e.pool in f.pools for f in seen.problem.feeds)
    return True


def limit_statement(seen: Seen, b: Binding) -> Statement:
    """That a limit is fully used in a slot."""
    facts: dict[str, Fact] = {"slot_at": seen.at(b.slot), f"limit_{_UNITS[b.unit]}": b.limit}
    if b.name:
        facts["limited"] = b.name
    return Statement(f"binding.{b.row}", facts, b.reason)


_UNITS = {"MW": "mw", "MWh": "mwh", "GPUs": "gpus", "degC": "c"}


def _at_top(e: Entry | Way, slot: int, copies: int) -> Callable[[pyo.ConcreteModel], None]:
    top = int(np.argmax(e.speed))

    def hold(model: pyo.ConcreteModel) -> None:
        jobs = model.jobs
        if jobs.component("level") is not None:
            jobs.level[e.key, slot, top].setlb(copies)
        else:
            jobs.in_segment[e.key, slot, top - 1].setlb(copies)
            jobs.filled[e.key, slot, top - 1].setlb(copies)

    return hold
