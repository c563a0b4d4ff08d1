"""Checkpoints: what jobs write when they stop and read when they resume queues up for the storage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Entry, Problem
from optimizer.sessions import Pattern
from optimizer.storage import moved_gb, with_checkpoints


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger, pattern: Pattern) -> None:
    """Add ``storage.within_bandwidth[t]`` on the starts and stops of ``jobs``; those in ``pattern`` are given."""
    given, entries = problem.storage, list(with_checkpoints(problem))
    if given is None or not entries:
        return
    block = model.storage = pyo.Block()
    slots, jobs = range(problem.slots), model.jobs
    traffic = [Sum() for _ in slots]
    free = []
    for e in entries:
        if e.id in pattern or not e.may_run:
            # a running job that may not run any more stops at once
            on = pattern.get(e.id, np.zeros(problem.slots, dtype=np.int64))
            for t, gb in enumerate(moved_gb(e, on).tolist()):
                traffic[t].constant += gb
        else:
            free.append(e)
    # only what may start more than once has a first start to tell from the others
    first = {e.id: e for e in free if e.state == "queued" and e.preemptible}
    at = [(i, t) for i, e in first.items() for t in range(e.first, e.last)]
    block.begun = pyo.Var(at, bounds=(0.0, 1.0))
    block.begun_once_on = pyo.Constraint(at, rule=lambda b, i, t: b.begun[i, t] - jobs.on[i, t] >= 0)
    block.begun_for_good = pyo.Constraint(
        [(i, t) for i, t in at if t > first[i].first], rule=lambda b, i, t: b.begun[i, t] - b.begun[i, t - 1] >= 0
    )
    # a start may be feigned, being on may not
    block.begun_where_on = pyo.Constraint(
        at,
        rule=lambda b, i, t: b.begun[i, t] - (b.begun[i, t - 1] if t > first[i].first else 0) - jobs.on[i, t] <= 0,
    )
    for e in free:
        _moves(block, jobs, e, problem.slots, traffic)
    most, open_ = sum(e.checkpoint_gb for e in entries), [t for t in slots if not traffic[t].empty]
    soft = open_ if ledger.gives_way(given.cost) else []
    block.beyond = pyo.Var(soft, bounds=(0.0, 2 * most))

    def within_bandwidth(b: pyo.Block, t: int) -> pyo.Expression:
        row = Sum().plus(traffic[t])
        if soft:
            row.add(-1.0, b.beyond[t])
        return row.expression() <= float(given.most_gb[t])

    # where all is given, whoever gave it has seen to it (optimizer.storage.takes)
    block.within_bandwidth = pyo.Constraint(open_, rule=within_bandwidth)
    if given.cost is not None:
        for t in slots:
            if t in block.beyond:
                ledger.cost["wishes"].add(given.cost, block.beyond[t])
            else:
                over = max(0.0, traffic[t].constant - float(given.most_gb[t]))
                ledger.cost["wishes"].constant += given.cost * over
    elif ledger.elastic:
        ledger.give(
            Give(
                ("storage", "bandwidth"),
                block.beyond[t],
                1.0,
                t,
                f"jobs write and read {{amount:.6g}} GB more than the {given.most_gb[t]:g} GB that the storage takes "
                "in this slot (storage/gb_per_s); raise it or give storage/over_cost_per_gb",
                weight=10.0,
            )
            for t in soft
        )


def _moves(block: pyo.Block, jobs: Any, e: Entry, slots: int, traffic: list[Sum]) -> None:
    """What an entry writes from where it stops on and reads from where it resumes on.

    A stop is a start less the rise, so that what is moved in a slot is the starts of the last slots (``lately``), twice
    where they read too, less the rise over them.
    """
    part, lately = e.checkpoint_gb / e.checkpoint_slots, e.checkpoint_slots
    reads = e.state != "queued" or e.preemptible
    for t in range(e.first, min(slots, e.last + lately)):
        for s in range(max(e.first, t - lately + 1), min(t + 1, e.last)):
            traffic[t].add((2.0 if reads else 1.0) * part, jobs.start[e.id, s])
        if t < e.last:
            traffic[t].add(-part, jobs.on[e.id, t])
        if t - lately >= e.first:
            traffic[t].add(part, jobs.on[e.id, t - lately])
        elif t < lately:
            traffic[t].constant += part * e.on_before
        if e.state == "queued" and e.preemptible and t - lately < e.last - 1:
            traffic[t].add(-part, block.begun[e.id, min(t, e.last - 1)])
            if t - lately >= e.first:
                traffic[t].add(part, block.begun[e.id, t - lately])
