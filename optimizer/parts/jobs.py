"""Jobs: gangs that are on or off, at a level of their curve, inside their window, until their work is done.

For an entry of ``count`` copies ``on`` is how many of them run. Columns exist only inside the
window.
"""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from optimizer.ledger import Give, Ledger, Sum
from optimizer.problem import Entry, Problem
from optimizer.sessions import Pattern, ends_early, starts_of
from optimizer.ways import Way


def add(model: pyo.ConcreteModel, problem: Problem, ledger: Ledger, *, exact: bool, pattern: Pattern) -> None:
    """Add ``jobs``; the on-slots of entries in ``pattern`` are given and only their levels are left to choose.

    ``exact`` holds each copy on its curve and each count of starts to its true value, for the days
    on which drawing power for nothing would pay.
    """
    block = model.jobs = pyo.Block()
    entries = [e for e in problem.entries if e.may_run or e.due_h > 0]
    by_id = {e.id: e for e in entries}
    block.slots = {e.id: _open_slots(e, pattern) for e in entries}
    at = [(i, t) for i, slots in block.slots.items() for t in slots]
    done: dict[str, Sum] = {e.id: Sum() for e in entries}
    free = [e for e in entries if e.id not in pattern and e.share is None]
    block.on = pyo.Var(at, domain=pyo.NonNegativeIntegers, bounds=lambda _, i, t: (0, by_id[i].count))
    _places(block, entries, ledger, done, pattern)
    _sessions(block, free, ledger, done, exact=exact)
    _shares(block, [e for e in entries if e.share is not None], ledger)
    _minimum_runs(block, problem, [e for e in free if e.min_run > 1 and e.may_run])
    _pauses(block, free)
    _orders(block, free)
    for e in entries:
        if e.id in pattern:
            for t in block.slots[e.id]:
                on = block.on[e.id, t]
                on.domain = pyo.Reals
                on.setlb(int(pattern[e.id][t]))
                on.setub(int(pattern[e.id][t]))
            starts, resumed = starts_of(e, pattern[e.id])
            done[e.id].constant -= e.loss_h * resumed
            ledger.cost["starts"].constant += e.start_cost * starts
    losses = {i: Sum().plus(lost) for i, lost in done.items()}
    _levels(model, entries, ledger, exact=exact)
    _changes(model, problem, entries, ledger, exact=exact)
    _work(block, problem, entries, ledger, done)
    _order(block, problem, entries, losses, pattern)
    _ends(block, problem, entries, done, pattern)


def _places(block: pyo.Block, entries: list[Entry], ledger: Ledger, done: dict[str, Sum], pattern: Pattern) -> None:
    """Where each entry is on: by itself, or in one of its ways at a time, of which changes may lose work."""
    in_ways: dict[tuple[str, int], list[Any]] = {}
    for e in entries:
        if not e.ways:
            ledger.places[e.id] = [(e, t, block.on[e.id, t]) for t in block.slots[e.id]]
            continue
        done[e.id].plus(ledger.lost_h[e.id], -1.0)
        if e.id not in pattern:
            in_ways |= {(e.id, t): [] for t in block.slots[e.id]}
            for _, t, on in ledger.places[e.id]:
                in_ways[e.id, t].append(on)
    block.one_way_at_a_time = pyo.Constraint(
        list(in_ways), rule=lambda b, i, t: pyo.quicksum(in_ways[i, t]) - b.on[i, t] == 0
    )


def _open_slots(e: Entry, pattern: Pattern) -> list[int]:
    if e.id not in pattern:
        return list(range(e.first, e.last))
    return [int(t) for t in pattern[e.id].nonzero()[0]]


def _counts_starts(e: Entry) -> bool:
    limited = not e.preemptible or e.max_pauses is not None
    return e.may_run and (
        limited or e.loss_h > 0 or e.start_cost > 0 or e.min_run > 1 or e.min_pause > 1 or e.checkpoint_gb > 0
    )


def _on_before(block: pyo.Block, e: Entry, t: int) -> Any:
    """Copies on in the slot before ``t``."""
    if t > e.first:
        return block.on[e.id, t - 1]
    return e.on_before if t == 0 else 0


def _all_starts(block: pyo.Block, e: Entry) -> Any:
    return pyo.quicksum(block.start[e.id, t] for t in range(e.first, e.last))


def _sessions(block: pyo.Block, entries: list[Entry], ledger: Ledger, done: dict[str, Sum], *, exact: bool) -> None:
    """Starts where the number of running copies rises, those that lose work, and what they cost."""
    starting = [e for e in entries if _counts_starts(e)]
    by_id = {e.id: e for e in starting}
    at = [(e.id, t) for e in starting for t in range(e.first, e.last)]
    block.start = pyo.Var(at, bounds=lambda _, i, t: (0, by_id[i].count))
    block.start_when_on_rises = pyo.Constraint(
        at, rule=lambda b, i, t: b.start[i, t] - b.on[i, t] + _on_before(b, by_id[i], t) >= 0
    )
    losing = [e.id for e in starting if e.loss_h > 0]
    block.resumed = pyo.Var(losing, domain=pyo.NonNegativeReals)
    block.resumed_starts = pyo.Constraint(
        losing, rule=lambda b, i: b.resumed[i] - _all_starts(b, by_id[i]) >= -by_id[i].free_starts
    )
    if exact:
        _true_starts(block, [by_id[i] for i in losing])
    block.one_session = pyo.Constraint(
        [e.id for e in starting if not e.preemptible],
        rule=lambda b, i: _all_starts(b, by_id[i]) <= by_id[i].count - by_id[i].on_before,
    )
    for i in losing:
        done[i].add(-by_id[i].loss_h, block.resumed[i])
    for e in starting:
        for t in range(e.first, e.last):
            ledger.cost["starts"].add(e.start_cost, block.start[e.id, t])


def _true_starts(block: pyo.Block, losing: list[Entry]) -> None:
    """Hold ``start`` and ``resumed`` down to what happens, where a feigned loss would let work be burnt."""
    by_id = {e.id: e for e in losing}
    ids = list(by_id)
    at = [(e.id, t) for e in losing for t in range(e.first, e.last)]
    block.rising = pyo.Var(at, domain=pyo.Binary)
    block.resumes = pyo.Var(ids, domain=pyo.Binary)
    block.no_start_unless_rising = pyo.Constraint(
        at, rule=lambda b, i, t: b.start[i, t] <= by_id[i].count * b.rising[i, t]
    )
    block.start_is_the_rise = pyo.Constraint(
        at,
        rule=lambda b, i, t: (
            b.start[i, t] - b.on[i, t] + _on_before(b, by_id[i], t) <= 2 * by_id[i].count * (1 - b.rising[i, t])
        ),
    )
    block.none_resumed_unless = pyo.Constraint(
        ids, rule=lambda b, i: b.resumed[i] <= by_id[i].count * (by_id[i].last - by_id[i].first) * b.resumes[i]
    )
    block.resumed_is_the_rest = pyo.Constraint(
        ids,
        rule=lambda b, i: (
            b.resumed[i] - _all_starts(b, by_id[i]) + by_id[i].free_starts <= (by_id[i].count + 1) * (1 - b.resumes[i])
        ),
    )


def _shares(block: pyo.Block, entries: list[Entry], ledger: Ledger) -> None:
    """Copies that are jobs of their own: whole runs that begin somewhere, or equal shares of the on-slots."""
    by_id = {e.id: e for e in entries}
    share = {e.id: e.share for e in entries if e.share is not None}
    run = {i: range(least, most + 1) for i, (least, most) in share.items() if not by_id[i].preemptible}
    begins = [(i, t, n) for i in run for n in run[i] for t in range(by_id[i].first, by_id[i].last - n + 1)]
    block.begin = pyo.Var(begins, domain=pyo.NonNegativeIntegers, bounds=lambda _, i, t, n: (0, by_id[i].count))
    covering: dict[tuple[str, int], list[Any]] = {(i, t): [] for i in run for t in block.slots[i]}
    for i, t, n in begins:
        for u in range(t, t + n):
            covering[i, u].append(block.begin[i, t, n])
        if by_id[i].start_cost:
            ledger.cost["starts"].add(by_id[i].start_cost, block.begin[i, t, n])
    for i, t in covering:
        # what begins decides what is on
        block.on[i, t].domain = pyo.NonNegativeReals
    block.whole_runs = pyo.Constraint(
        list(covering), rule=lambda b, i, t: pyo.quicksum(covering[i, t]) - b.on[i, t] == 0
    )
    block.each_runs_once = pyo.Constraint(
        list(run),
        rule=lambda b, i: (
            pyo.quicksum(b.begin[i, t, n] for n in run[i] for t in range(by_id[i].first, by_id[i].last - n + 1))
            == by_id[i].count
        ),
    )
    shared = {
        i: pyo.quicksum(block.on[i, t] for t in block.slots[i]) / by_id[i].count for i in share if by_id[i].preemptible
    }
    block.at_least_its_share = pyo.Constraint(
        [i for i in shared if share[i][0] > 0], rule=lambda _, i: shared[i] >= share[i][0]
    )
    block.at_most_its_share = pyo.Constraint(list(shared), rule=lambda _, i: shared[i] <= share[i][1])


def _levels(model: pyo.ConcreteModel, entries: list[Entry], ledger: Ledger, *, exact: bool) -> None:
    """Power and speed on the curve: a mix of levels (concave, so the relaxation is tight) or true segments."""
    block = model.jobs
    places = {e.id: ledger.places[e.id] for e in entries}
    count = {way.key: e.count for e in entries for way in e.options}
    curved = {(way.key, t): (way, on) for i in places for way, t, on in places[i] if len(way.power) > 1}
    if exact:
        spans = [(i, t, k) for (i, t), (way, _) in curved.items() for k in range(len(way.power) - 1)]
        block.in_segment = pyo.Var(spans, domain=pyo.NonNegativeIntegers, bounds=lambda _, i, t, k: (0, count[i]))
        block.filled = pyo.Var(spans, bounds=lambda _, i, t, k: (0, count[i]))
        block.each_in_one_segment = pyo.Constraint(
            list(curved),
            rule=lambda b, i, t: (
                sum(b.in_segment[i, t, k] for k in range(len(curved[i, t][0].power) - 1)) - curved[i, t][1] == 0
            ),
        )
        block.filled_within_segment = pyo.Constraint(
            spans, rule=lambda b, i, t, k: b.filled[i, t, k] - b.in_segment[i, t, k] <= 0
        )
    else:
        levels = [(i, t, k) for (i, t), (way, _) in curved.items() for k in range(len(way.power))]
        block.level = pyo.Var(levels, bounds=lambda _, i, t, k: (0, count[i]))
        block.levels_of_running = pyo.Constraint(
            list(curved),
            rule=lambda b, i, t: (
                sum(b.level[i, t, k] for k in range(len(curved[i, t][0].power))) - curved[i, t][1] == 0
            ),
        )
    block.speed = {(e.id, t): Sum() for e in entries for t in block.slots[e.id]}
    for i in places:
        for way, t, on in places[i]:
            power, speed = _mix(block, way, t, on, exact=exact)
            block.speed[i, t].plus(speed)
            if way.pool is None:
                ledger.loads[t].plus(power)
            else:
                ledger.pool_power[way.pool, t].plus(power)
                ledger.gpus_used[way.pool, t].add(float(way.gpus), on)


def _mix(block: pyo.Block, e: Entry | Way, t: int, on: Any, *, exact: bool) -> tuple[Sum, Sum]:
    """Power and speed of an entry, or of one of its ways, in a slot as sums of its columns."""
    power, speed = Sum(), Sum()
    if len(e.power) == 1:
        power.add(float(e.power[0]), on)
        speed.add(float(e.speed[0]), on)
    elif exact:
        for k in range(len(e.power) - 1):
            inside, filled = block.in_segment[e.key, t, k], block.filled[e.key, t, k]
            power.add(float(e.power[k]), inside).add(float(e.power[k + 1] - e.power[k]), filled)
            speed.add(float(e.speed[k]), inside).add(float(e.speed[k + 1] - e.speed[k]), filled)
    else:
        for k in range(len(e.power)):
            power.add(float(e.power[k]), block.level[e.key, t, k])
            speed.add(float(e.speed[k]), block.level[e.key, t, k])
    return power, speed


def _changes(model: pyo.ConcreteModel, problem: Problem, entries: list[Entry], ledger: Ledger, *, exact: bool) -> None:
    """What running otherwise than the plan in force costs: a price on each on-slot, and one on power beside it."""
    change = ledger.cost["change"]
    for e in problem.entries:
        change.constant += 0.0 if e.published is None else e.published.constant
    block = model.jobs
    for e in entries:
        if e.published is None:
            continue
        money = e.published.on_money
        for t in block.slots[e.id]:
            change.add(float(money[t]), block.on[e.id, t])
        for way, t, on in ledger.places[e.id]:
            away = e.published.level_money(t, way.power)
            if not away.any():
                continue
            if len(way.power) == 1:
                change.add(float(away[0]), on)
            elif exact:
                for k in range(len(way.power) - 1):
                    change.add(float(away[k]), block.in_segment[way.key, t, k])
                    change.add(float(away[k + 1] - away[k]), block.filled[way.key, t, k])
            else:
                for k in range(len(way.power)):
                    change.add(float(away[k]), block.level[way.key, t, k])


def _work(block: pyo.Block, problem: Problem, entries: list[Entry], ledger: Ledger, done: dict[str, Sum]) -> None:
    """Work done, due, late and beyond; each copy is off once its work is done."""
    h = problem.step_h
    by_id = {e.id: e for e in entries}
    for e in entries:
        for t in block.slots[e.id]:
            done[e.id].plus(block.speed[e.id, t], h)
            if t >= e.deadline and e.late_cost:
                ledger.cost["late"].plus(block.speed[e.id, t], h * e.late_cost)

    wished = {e.id for e in entries if e.due_h > 0 and (e.unmet_cost is not None or ledger.elastic)}
    block.unmet = pyo.Var(sorted(wished), domain=pyo.NonNegativeReals)

    def with_unmet(i: str) -> Sum:
        row = Sum().plus(done[i])
        return row.add(1.0, block.unmet[i]) if i in wished else row

    block.finish_due = pyo.Constraint(
        [e.id for e in entries if e.due_h > 0],
        rule=lambda _, i: with_unmet(i).expression() >= by_id[i].count * by_id[i].due_h,
    )
    block.off_when_done = pyo.Constraint(
        [e.id for e in entries if not done[e.id].empty],
        rule=lambda _, i: done[i].expression() <= by_id[i].most_work_h(h),
    )
    valued = [e.id for e in entries if e.value > 0 and e.work_h > e.due_h and not done[e.id].empty]
    block.beyond_due = pyo.Var(valued, bounds=lambda _, i: (0.0, by_id[i].count * (by_id[i].work_h - by_id[i].due_h)))
    block.work_beyond_due = pyo.Constraint(
        valued,
        rule=lambda b, i: with_unmet(i).add(-1.0, b.beyond_due[i]).expression() >= by_id[i].count * by_id[i].due_h,
    )
    for i in valued:
        ledger.cost["work_value"].add(-by_id[i].value, block.beyond_due[i])
    for i in sorted(wished):
        e = by_id[i]
        if e.unmet_cost is not None:
            ledger.cost["unmet"].add(e.unmet_cost, block.unmet[i])
        else:
            sentence = (
                f"job {i} must do {e.count * e.due_h:g} h and falls {{amount:.6g}} h short; give it "
                "more time (release, deadline), lower due_h or give unmet_cost_per_h"
            )
            ledger.give([Give(("job", i), block.unmet[i], 1.0, None, sentence, weight=1.0)])


def _order(block: pyo.Block, problem: Problem, entries: list[Entry], losses: dict[str, Sum], pattern: Pattern) -> None:
    """A job runs only when those that it waits for have no work left (restart losses of the whole horizon counted)."""
    h = problem.step_h
    by_id = {e.id: e for e in problem.entries}
    there = {e.id for e in entries}

    def after_others(b: pyo.Block, i: str, other: str, t: int) -> Any:
        first = by_id[other]
        row = Sum()
        most_lost = 0.0
        if other in there:
            for s in b.slots[other]:
                if s < t:
                    row.plus(b.speed[other, s], h)
            row.plus(losses[other])
            if other not in pattern:
                most_lost = _most_lost_h(first)
        return row.add(-(first.work_h + most_lost), b.on[i, t]).expression() >= -most_lost

    block.after_others = pyo.Constraint(
        [(e.id, other, t) for e in entries for other in e.after for t in block.slots[e.id]], rule=after_others
    )


def _most_lost_h(e: Entry) -> float:
    """Work that restarts and changes of the gang could lose at most."""
    return (e.loss_h + (e.resize_loss_h if e.ways else 0.0)) * (e.last - e.first)


def _minimum_runs(block: pyo.Block, problem: Problem, entries: list[Entry]) -> None:
    """A session lasts ``min_run`` slots, unless the job ends in it or the horizon cuts it (count 1)."""
    block.ended = pyo.Var(
        [(e.id, t) for e in entries for t in range(e.first + 1, min(e.last, problem.slots - 1) + 1)],
        domain=pyo.Binary,
    )
    block.session_lasts = pyo.ConstraintList()
    block.off_after_end = pyo.ConstraintList()
    for e in entries:
        for t in range(e.first, min(e.last, problem.slots - 1) + 1):
            on_now = block.on[e.id, t] if t < e.last else 0
            ended = pyo.quicksum(block.ended[e.id, s] for s in range(e.first + 1, t + 1))
            lately = range(max(e.first, t - e.min_run + 1), min(t, e.last))
            if lately:
                since = pyo.quicksum(block.ended[e.id, s] for s in range(lately[0] + 1, t + 1))
                starts = pyo.quicksum(block.start[e.id, s] for s in lately)
                block.session_lasts.add(starts - on_now - since <= 0)
            if e.must_stay and 0 < t < e.min_run - e.ran:
                block.session_lasts.add(on_now + ended >= 1)
            if t > e.first:
                block.off_after_end.add(on_now + ended <= 1)


def _ends(block: pyo.Block, problem: Problem, entries: list[Entry], done: dict[str, Sum], pattern: Pattern) -> None:
    """A job that is said to have ended has all its work done."""
    ending = [e for e in entries if e.min_run > 1 and e.may_run and e.share is None and not done[e.id].empty]
    ending = [e for e in ending if e.id not in pattern or ends_early(e, pattern[e.id])]
    by_id = {e.id: e for e in ending}

    def work_done(b: pyo.Block, i: str) -> Any:
        e = by_id[i]
        if i in pattern:
            return done[i].expression() >= e.work_h
        if e.first + 1 > min(e.last, problem.slots - 1):
            return pyo.Constraint.Skip
        ended = pyo.quicksum(b.ended[i, t] for t in range(e.first + 1, min(e.last, problem.slots - 1) + 1))
        most_lost = _most_lost_h(e)
        return done[i].expression() + most_lost * (1 - ended) - e.work_h * ended >= 0

    block.ended_with_work_done = pyo.Constraint(list(by_id), rule=work_done)


def _pauses(block: pyo.Block, entries: list[Entry]) -> None:
    """Shortest pause between two sessions, and how many pauses a job may make (count 1)."""
    by_id = {e.id: e for e in entries}

    def pause_lasts(b: pyo.Block, i: str, t: int) -> Any:
        e = by_id[i]
        lately = range(max(e.first, t - e.min_pause + 1), t + 1)
        stops = pyo.quicksum(b.start[i, s] - b.on[i, s] + _on_before(b, e, s) for s in lately)
        return stops + b.on[i, t] <= 1

    block.pause_lasts = pyo.Constraint(
        [(e.id, t) for e in entries if e.min_pause > 1 for t in range(e.first, e.last)], rule=pause_lasts
    )
    block.pauses_allowed = pyo.Constraint(
        [e.id for e in entries if e.max_pauses is not None and e.may_run],
        rule=lambda b, i: _all_starts(b, by_id[i]) <= (by_id[i].max_pauses or 0) + 1 - by_id[i].on_before,
    )


def _orders(block: pyo.Block, entries: list[Entry]) -> None:
    """Pinned first starts, and running gangs that may not stop in slot 0."""
    by_id = {e.id: e for e in entries if e.may_run}
    pinned = [e for e in by_id.values() if e.pinned is not None]
    block.not_before_pinned = pyo.Constraint(
        [(e.id, t) for e in pinned for t in range(e.first, min(e.pinned or 0, e.last))],
        rule=lambda b, i, t: b.on[i, t] == 0,
    )
    block.start_as_pinned = pyo.Constraint(
        [e.id for e in pinned if e.work_h > 0], rule=lambda b, i: b.on[i, by_id[i].pinned] == 1
    )
    block.running_stays_on = pyo.Constraint(
        [e.id for e in by_id.values() if e.must_stay], rule=lambda b, i: b.on[i, 0] == by_id[i].count
    )
