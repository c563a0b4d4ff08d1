"""Jobs on surplus alone beside a plan of all the others: what it would curtail, they use.

A plan in which none of them runs tells in which slots sun and wind carry the site alone and how much they have left
over. There each of these jobs, those whose work is worth most first, runs at the highest level that still fits. Nobody
else makes room for them: that would be a question of several jobs at once, which the whole model answers.
"""

from __future__ import annotations

import numpy as np

from optimizer.board import Board
from optimizer.dispatch import Redispatched, settled
from optimizer.problem import Entry, Flags, Floats, Ints, Problem
from optimizer.schedule import RESTING, Energy, Group, Schedule
from optimizer.sessions import lawful, starts_of, taken
from optimizer.site_limits import supported_it
from optimizer.solve import Options
from optimizer.surplus import alone, sells

TRIFLE = 1e-7
"""Power below which something is not imported, given or missing: a solver's last digits."""


def with_surplus_jobs(problem: Problem, found: Redispatched, options: Options) -> Redispatched:
    """A plan with the jobs on surplus in what it curtails; the plan itself where that is not cheaper."""
    if not problem.has_surplus_jobs or alone(problem, found.schedule.pattern).any():
        return found
    best = found
    for charging in (True, False):
        schedule = _filled(problem, found, charging=charging)
        other = None if schedule is None else settled(problem, schedule, options)
        if other is not None and other.cost < best.cost:
            best = other
    return best


def _filled(problem: Problem, found: Redispatched, *, charging: bool) -> Schedule | None:
    """The schedule with these jobs on; None where none of them finds a place.

    ``charging``: what batteries charge is theirs; else the jobs come before them.
    """
    board = Board(problem, supported_it(problem, _left(problem, found.energy, charging=charging)))
    pattern, groups = dict(found.schedule.pattern), dict(found.schedule.groups)
    for e in problem.entries:
        drawn = found.schedule.power(e.id)
        for way, on in taken(e, pattern):
            board.take(e.in_way(way), on, np.where(on > 0, drawn, 0.0))
    any_on = False
    for e in sorted((e for e in problem.entries if e.surplus and e.may_run), key=_worth, reverse=True):
        way, here, slots, on = max(
            ((way, e.in_way(way), *_place(problem, e.in_way(way), board)) for way in e.options),
            key=lambda one: _gain(problem, e, one[2], one[3]),
        )
        if _gain(problem, e, slots, on) <= 0.0:
            continue
        any_on = True
        pattern[e.id], groups[e.id] = on, slots
        pattern |= {other.key: on if other is way else np.zeros_like(on) for other in e.ways}
        board.take(here, on, np.array([sum(n * power for n, power, _ in slot) for slot in slots]))
    return Schedule(pattern, groups, found.schedule.nodes) if any_on else None


def _left(problem: Problem, energy: Energy, *, charging: bool) -> Floats:
    """Supply for the site where sun and wind carry it alone, nothing elsewhere; what is sold for nothing is left."""
    given = energy.import_ + sum(energy.discharge[b.name] for b in problem.batteries if b.kind != "cold")
    free: Flags = (given <= TRIFLE) & (~sells(problem) | (energy.export >= problem.export_limit - TRIFLE))
    used = np.where(problem.export_price > 0, energy.export, 0.0) + (sum(energy.charge.values()) if charging else 0.0)
    supply: Floats = np.where(free, problem.pv + problem.wind - used, 0.0)
    return supply


def _worth(e: Entry) -> float:
    """Money for an hour of its work, by power: what a unit of surplus earns in it."""
    return max(e.unmet_cost or 0.0, e.value) * e.top_speed / max(float(e.power.max()), 1e-9)


def _place(problem: Problem, e: Entry, board: Board) -> tuple[list[list[Group]], Ints]:
    """Groups and on-slots of an entry that runs wherever it fits until its work is done."""
    room = board.room(e, e.power)
    groups: list[list[Group]] = [RESTING] * problem.slots
    on = np.zeros(problem.slots, dtype=np.int64)
    done, most = 0.0, e.count * e.work_h
    for t in range(problem.slots):
        fits = [k for k in range(len(e.power)) if room[k, t] >= 1 and e.speed[k] > 0 and board.it_limit[t] > 0]
        if not fits or done >= most - 1e-9:
            continue
        k = max(fits, key=lambda k: room[k, t] * e.speed[k])
        copies = int(room[k, t])
        on[t] = copies
        done += problem.step_h * copies * float(e.speed[k])
        groups[t] = [(copies, float(e.power[k]), float(e.speed[k]))]
        lost = e.loss_h * starts_of(e, on)[1]
        if done - lost >= e.most_work_h(problem.step_h):
            on[t], groups[t] = 0, RESTING
            break
        most = e.count * e.work_h + lost
    return groups, on


def _gain(problem: Problem, e: Entry, groups: list[list[Group]], on: Ints) -> float:
    """Money that running so saves; none where it breaks a rule of sessions."""
    starts, resumed = starts_of(e, on)
    done = problem.step_h * sum(n * speed for slot in groups for n, _, speed in slot) - e.loss_h * resumed
    if not on.any() or not lawful(e, on, done):
        return 0.0
    due, work = e.count * e.due_h, e.count * e.work_h
    late = sum(n * speed for slot in groups[max(0, e.deadline) :] for n, _, speed in slot) * problem.step_h
    saved = (e.unmet_cost or 0.0) * min(done, due) + e.value * max(0.0, min(done, work) - due)
    moved = 0.0 if e.published is None else float(e.published.on_money @ on)
    return float(saved - e.start_cost * starts - (e.late_cost or 0.0) * late - moved)
