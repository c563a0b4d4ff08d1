"""What leaves a job no room: jobs that it waits for, and limits that the others fill, counted from the documents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optimizer.explain.seen import Seen
from optimizer.explain.statement import Fact, Reason, Statement
from optimizer.problem import Entry, Floats, Ints
from optimizer.sessions import taken
from optimizer.site_limits import supported_it
from optimizer.ways import Way


def in_the_way(seen: Seen, e: Entry, on: Ints) -> list[Statement]:
    """What leaves a job no room in some of these slots at the lowest level of the way that it takes, the others held to
    theirs.

    Each limit is counted from the documents: what the others take, what the job needs, what there is.
    """
    p, mw = seen.problem, seen.problem.unit_mw
    here = [int(t) for t in np.flatnonzero(on)]
    others = [o for o in p.entries if o.id != e.id]
    held_gpus, power = np.zeros((len(p.pools), p.slots)), np.zeros((len(p.pools) + 1, p.slots))
    for way, held in (pair for o in others for pair in taken(o, seen.pattern)):
        power[len(p.pools) if way.pool is None else way.pool] += held * float(way.power[0])
        if way.pool is not None:
            held_gpus[way.pool] += way.gpus * held
    mine = seen.way(e, int(np.argmax(seen.pattern[e.id] > 0)))
    power[len(p.pools) if mine.pool is None else mine.pool] += on * float(mine.power[0])
    told = [*_others_first(seen, e, here), *_gpus(seen, e, mine, on, here, held_gpus)]
    used = held_gpus.copy()
    if mine.pool is not None:
        used[mine.pool] += on * mine.gpus
    for k, pool in enumerate(p.pools):
        power[k] += np.maximum(0.0, pool.idle_power(used[k], None))
    for feed in p.feeds:
        if mine.pool in feed.pools:
            drawn: Floats = power[list(feed.pools)].sum(axis=0)
            told += _over(seen, e, here, drawn * mw, feed.limit * mw, "feed", Reason.FEEDER_LIMIT, feed.name)
    it: Floats = power[[*(pool.ours for pool in p.pools), True]].sum(axis=0)
    if p.cooling is not None and p.cooling.capacity is not None and p.cold is None:
        told += _over(seen, e, here, it / p.efficiency * mw, p.cooling.capacity * mw, "cooling", Reason.COOLING_LIMIT)
    supply = p.import_limit + p.pv + p.wind + sum(b.power for b in p.batteries)
    # heat that is held need not be removed in its slot
    carried = supported_it(p if p.cold is None else replace(p, cooling=None), supply)
    return told + _over(seen, e, here, it * mw, carried * mw, "import", Reason.IMPORT_LIMIT)


def _others_first(seen: Seen, e: Entry, here: list[int]) -> list[Statement]:
    """Jobs that it waits for and that are at work when it would begin, or do not run at all."""
    told = []
    for other in e.after:
        sessions = seen.sessions(other)
        facts: dict[str, Fact] = {"job": e.id, "before": other}
        if not sessions and seen.entry(other).work_h > 0:
            told.append(Statement("in_the_way.order_open", facts, Reason.PRECEDENCE))
        elif sessions and here and here[0] < sessions[-1][1]:
            facts |= {"slot_at": seen.at(here[0]), "until_at": seen.at(sessions[-1][1])}
            told.append(Statement("in_the_way.order", facts, Reason.PRECEDENCE))
    return told


def _gpus(seen: Seen, e: Entry, mine: Entry | Way, on: Ints, here: list[int], held: Floats) -> list[Statement]:
    if mine.pool is None:
        return []
    pool = seen.problem.pools[mine.pool]
    over = [t for t in here if held[mine.pool, t] + on[t] * mine.gpus > pool.within_reach[t]]
    if not over:
        return []
    t = over[0]
    others = [
        o.id
        for o in seen.problem.entries
        if o.id != e.id and any(way.pool == mine.pool and held[t] for way, held in taken(o, seen.pattern))
    ]
    facts: dict[str, Fact] = {
        "job": e.id,
        "pool": pool.name,
        "slot_at": seen.at(t),
        "held_gpus": int(held[mine.pool, t]),
        "needed_gpus": int(on[t] * mine.gpus),
        "there_gpus": int(pool.within_reach[t]),
        "holders_names": others[:MOST_NAMED],
        "slots_n": len(over),
    }
    return [Statement("in_the_way.gpus", facts, Reason.GANG_FIT)]


MOST_NAMED = 5


def _over(
    seen: Seen, e: Entry, here: list[int], least: Floats, limit: Floats, what: str, reason: Reason, name: str = ""
) -> list[Statement]:
    """``least`` is what all jobs draw at their lowest levels; MW."""
    over = [t for t in here if least[t] > limit[t] * (1 + 1e-9) + 1e-9]
    if not over:
        return []
    facts: dict[str, Fact] = {
        "job": e.id,
        "slot_at": seen.at(over[0]),
        "least_mw": float(least[over[0]]),
        "limit_mw": float(limit[over[0]]),
        "slots_n": len(over),
    }
    if name:
        facts["limited"] = name
    return [Statement(f"in_the_way.{what}", facts, reason)]
