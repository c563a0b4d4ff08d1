"""Ways to run a job: one at a time, one pool a session, and what a change of the gang costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyomo.environ as pyo

from optimizer.ledger import Ledger
from optimizer.problem import Entry, Problem
from optimizer.sessions import Pattern, egress_of, resizes, taken


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger, pattern: Pattern) -> None:
    """Add ``ways`` for entries that have a choice: in which way they are on in each slot.

    The ledger takes these as the entries' places, and the hours that changes of their gangs lose.
    """
    block = model.ways = pyo.Block()
    choosing = [e for e in problem.entries if e.ways and (e.may_run or e.due_h > 0)]
    at = [(way.key, t) for e in choosing for k, way in enumerate(e.ways) for t in _open_slots(e, k, pattern)]
    block.on_in = pyo.Var(at, domain=pyo.Binary)
    block.open = dict(block.on_in.items())
    free = [e for e in choosing if e.id not in pattern]
    for e in choosing:
        mine = {way.key: way for way in e.ways}
        ledger.places[e.id] = [(mine[key], t, on) for (key, t), on in block.open.items() if key in mine]
        if e.id in pattern:
            for _, _, on in ledger.places[e.id]:
                on.domain = pyo.Reals
                on.setlb(1)
                on.setub(1)
            ledger.lost_h[e.id].constant += e.resize_loss_h * resizes(e, pattern)
            ledger.cost["partner"].constant += egress_of(e, pattern)
    _pools(block, free)
    _resizes(block, free, ledger)
    _moves(block, free, ledger)


def _open_slots(e: Entry, number: int, pattern: Pattern) -> list[int]:
    """Slots in which an entry may run in one of its ways; those in which it does where that is given."""
    if e.id in pattern:
        on = taken(e, pattern)[number][1]
        return [int(t) for t in on.nonzero()[0]]
    way = e.ways[number]
    # whoever runs when the day begins goes on where it is
    moves = e.on_before and way.pool != e.ways[0].pool
    return list(range(max(e.first, way.first, 1 if moves else 0), e.last))


def _in(block: pyo.Block, key: str, t: int) -> Any:
    return block.open.get((key, t), 0)


def _all_in(block: pyo.Block, e: Entry, t: int) -> Any:
    return sum(_in(block, way.key, t) for way in e.ways)


def _pools(block: pyo.Block, entries: Sequence[Entry]) -> None:
    """A session stays in its pool: whoever goes to another one is off in between."""
    by_id = {e.id: e for e in entries}

    def stays(b: pyo.Block, i: str, k: int, t: int) -> Any:
        e = by_id[i]
        pool = _pools_of(e)[k]
        here = sum(_in(b, way.key, t) for way in e.ways if way.pool == pool)
        elsewhere = sum(_in(b, way.key, t - 1) for way in e.ways if way.pool != pool)
        return pyo.Constraint.Feasible if isinstance(here, int) or isinstance(elsewhere, int) else here + elsewhere <= 1

    block.session_stays_in_pool = pyo.Constraint(
        [
            (e.id, k, t)
            for e in entries
            if len(_pools_of(e)) > 1
            for k in range(len(_pools_of(e)))
            for t in range(e.first + 1, e.last)
        ],
        rule=stays,
    )


def _pools_of(e: Entry) -> list[int | None]:
    return list(dict.fromkeys(way.pool for way in e.ways))


def _resizes(block: pyo.Block, entries: Sequence[Entry], ledger: Ledger) -> None:
    """A change of the gang is one exactly where the ways of two slots differ, and costs work."""
    by_id = {e.id: e for e in entries if e.resize_loss_h > 0}
    at = [(i, t) for i, e in by_id.items() for t in range(e.first + (0 if e.on_before else 1), e.last)]
    block.resized = pyo.Var(at, bounds=(0.0, 1.0))

    def before(b: pyo.Block, e: Entry, key: str, t: int) -> Any:
        return _in(b, key, t - 1) if t else int(key == e.ways[0].key)

    def changed(b: pyo.Block, i: str, k: int, t: int) -> Any:
        e = by_id[i]
        was = sum(before(b, e, way.key, t) for j, way in enumerate(e.ways) if j != k)
        row = b.resized[i, t] - _in(b, e.ways[k].key, t) - was
        return row >= -1

    def same(b: pyo.Block, i: str, k: int, t: int) -> Any:
        e, key = by_id[i], by_id[i].ways[k].key
        return b.resized[i, t] + _in(b, key, t) + before(b, e, key, t) <= 2

    every = [(i, k, t) for i, t in at for k in range(len(by_id[i].ways))]
    block.resized_when_ways_differ = pyo.Constraint(every, rule=changed)
    block.not_resized_otherwise = pyo.Constraint(every, rule=same)
    block.resized_while_on = pyo.Constraint(at, rule=lambda b, i, t: b.resized[i, t] - _all_in(b, by_id[i], t) <= 0)
    block.resized_while_on_before = pyo.Constraint(
        [(i, t) for i, t in at if t], rule=lambda b, i, t: b.resized[i, t] - _all_in(b, by_id[i], t - 1) <= 0
    )
    for i, t in at:
        ledger.lost_h[i].add(by_id[i].resize_loss_h, block.resized[i, t])


def _moves(block: pyo.Block, entries: Sequence[Entry], ledger: Ledger) -> None:
    """Who runs in a way at all pays once for going there."""
    egress = {way.key: way.egress for e in entries for way in e.ways if way.egress > 0}
    block.goes = pyo.Var(list(egress), bounds=(0.0, 1.0))
    block.goes_if_on = pyo.Constraint(
        [at for at in block.open if at[0] in egress], rule=lambda b, key, t: b.goes[key] - b.on_in[key, t] >= 0
    )
    for key, cost in egress.items():
        ledger.cost["partner"].add(cost, block.goes[key])
