"""First come, first served: what a site does without us; the yardstick of every saving.

Jobs in the order of their release, each at the earliest slot where GPUs, feeds and grid allow, at
its top level, without pause, the battery idle, the same due work; late and unmet hours are charged
at the same prices.
"""

from __future__ import annotations

import time

import numpy as np

from optimizer.dispatch import at_levels
from optimizer.document import Plan, ReceivedProblem
from optimizer.extract import extract
from optimizer.greedy import Board, slots_needed, supported_it, work_of
from optimizer.problem import Entry, Flags, Floats, Ints, Problem, compile_problem
from optimizer.sessions import lawful
from optimizer.solve import Options
from optimizer.verify import verify

METHOD = "first-come-first-served"


def first_come_first_served(received: ReceivedProblem) -> Plan | None:
    """The yardstick's plan, passed by the referee; None where this order leaves hard work undone.

    The battery stays idle; only where its end state demands charging may it move.
    """
    begun = time.monotonic()
    problem = compile_problem(received)
    pattern = _placed(problem, supported_it(problem, problem.import_limit + problem.pv + problem.wind))
    levels = {e.id: int(np.argmax(e.speed)) for e in problem.entries}
    options = Options(gap=1e-6, time_limit_s=10.0)
    for idle in (True, False):
        found = at_levels(problem, pattern, levels, options, battery_idle=idle)
        if found is not None:
            plan = extract(problem, found.schedule, found.energy, "GREEDY", time.monotonic() - begun)
            return None if verify(received, plan) else plan
    return None


def saving(baseline: Plan, plan: Plan) -> tuple[float, float]:
    """Money saved against the yardstick, and its share of the yardstick's cost (0 where that is 0).

    Differences below a billionth of the cost are the last digits of two sums over the same hours and count as 0.
    """
    assert baseline.objective is not None
    assert plan.objective is not None
    saved = baseline.objective - plan.objective
    if abs(saved) <= 1e-9 * max(1.0, abs(baseline.objective)):
        return 0.0, 0.0
    return saved, saved / abs(baseline.objective) if baseline.objective else 0.0


def _placed(problem: Problem, it_limit: Floats) -> dict[str, Ints]:
    board = Board(problem, it_limit)
    pattern: dict[str, Ints] = {e.id: np.zeros(problem.slots, dtype=np.int64) for e in problem.entries}
    by_release = sorted(problem.entries, key=lambda e: (e.state != "running", e.pinned or e.first, e.deadline, e.id))
    for e in by_release:
        if e.may_run and (e.due_h > 0 or e.must_start):
            top = int(np.argmax(e.speed))
            pattern[e.id] = _earliest(problem, e, board, top)
            board.take(e, pattern[e.id], e.power[top] * pattern[e.id])
    return pattern


def _earliest(problem: Problem, e: Entry, board: Board, level: int) -> Ints:
    """Each copy in one block from the earliest slot that takes it whole; what finds no place stays undone.

    Where no place holds the whole block, the earliest that the horizon or the deadline cuts is taken,
    as a scheduler without foresight would.
    """
    left = board.room(e, e.power)[level]
    on = np.zeros(problem.slots, dtype=np.int64)
    length = slots_needed(problem, e, level, e.due_h, 0 if e.on_before else 1)
    for _ in range(e.count):
        free = left >= 1
        start = _first_start(problem, e, free, length, level)
        if start is None and e.must_stay:
            start = 0
        if start is None:
            break
        end = min(start + length, e.last)
        on[start:end] += 1
        left[start:end] -= 1
    return on


def _first_start(problem: Problem, e: Entry, free: Flags, length: int, level: int) -> int | None:
    taken = np.concatenate([[0], np.cumsum(~free)])
    first = e.first if e.pinned is None else e.pinned
    last = first + 1 if e.pinned is not None or e.on_before else e.last
    for start in range(first, last):
        end = min(start + length, e.last)
        if end <= start or taken[end] != taken[start]:
            continue
        on = np.zeros(problem.slots, dtype=np.int64)
        on[start:end] = 1
        if lawful(e, on, work_of(problem, e, on, level)):
            return start
    return None
