"""The arithmetic of one job at slot prices, compiled: levels for given on-slots, and on-slots for given prices.

All compiled functions live in this one file because numba's cache watches the file of the function
that is called, not those that it calls. Everything here is about *one copy* of an entry in its
window; ``cost[t, k]`` is what slot ``t`` costs at level ``k`` (power, GPUs, lateness) and
``gain[k]`` the work that the level does in a slot. ``top[t]`` is the highest level allowed in a
slot, -1 where the slot is closed.

The least cost of a job over all its schedules is found from both sides. At a price ``theta`` of an
hour of work every slot has a best level; for each number of on-slots the best pattern at that
price gives a proven least cost (Lagrangian relaxation of the work owed), and the largest over
several prices counts. For the pattern itself the levels are an exact continuous knapsack, whose
marginal price is the next ``theta``. Both meet after a few prices. The number of on-slots stands
in the state because prices are flat: at one ``theta`` a pattern may jump from 3 to 50 slots.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

BIG = 1e18
DUE, WORK, VALUE, UNMET, START, LOSS = 0, 1, 2, 3, 4, 5
"""Columns of a job's numbers: hours due and in all, value and unmet price per hour, cost and loss of a start."""

FRESH, RUNNING, STAYS, PINNED, PAUSES, MIN_RUN, MIN_PAUSE, RAN, MOST_PAUSES, TOGETHER = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
"""Columns of a job's flags and counts; ``TOGETHER``: copies of one entry share their work, so one price binds all."""


SLACK = 1e-9
"""Power by which a limit may be overrun unnoticed."""

CHORD = 63
"""Level that stands for the straight line from the lowest to the highest one, where costs are not convex."""


@njit(cache=True)
def ends(level: int, top: int) -> tuple[int, int]:
    """The two levels between which a slot runs."""
    if level == CHORD:
        return 0, top
    return level, min(level + 1, top)


@njit(cache=True)
def fill_levels(
    on: Any, cost: Any, gain: Any, top: Any, job: Any, starts: int, resumed: int, level: Any, share: Any, work: Any
) -> tuple[float, float]:
    """Cheapest levels for given on-slots: cost with starts, unmet work and value; and the marginal price of work.

    Writes, per slot, the level and the share of the way to the next one that is used (of the way to the
    highest level where costs are not convex).
    """
    slots = len(on)
    segments = 0
    owed_due = job[DUE] + job[LOSS] * resumed
    owed_all = job[WORK] + job[LOSS] * resumed
    total = job[START] * starts
    done = 0.0
    slope = work
    at = np.empty(slots * max(1, len(gain) - 1), dtype=np.int64)
    for t in range(slots):
        level[t] = 0
        share[t] = 0.0
        if not on[t]:
            continue
        total += cost[t, 0]
        done += gain[0]
        convex = True
        last = -BIG
        for k in range(top[t]):
            wide = gain[k + 1] - gain[k]
            if wide <= 1e-12:
                convex = False
                break
            s = (cost[t, k + 1] - cost[t, k]) / wide
            if s < last - 1e-12:
                convex = False
                break
            last = s
        if convex:
            last = -BIG
            for k in range(top[t]):
                last = max(last, (cost[t, k + 1] - cost[t, k]) / (gain[k + 1] - gain[k]))
                slope[segments] = last
                at[segments] = t * 64 + k
                segments += 1
        elif top[t] > 0 and gain[top[t]] > gain[0] + 1e-12:
            slope[segments] = (cost[t, top[t]] - cost[t, 0]) / (gain[top[t]] - gain[0])
            at[segments] = t * 64 + CHORD
            segments += 1
    # stable: of segments that cost the same, the lower ones of a slot come first
    order = np.argsort(slope[:segments], kind="mergesort")
    theta = job[UNMET] if done < owed_due - 1e-12 else (job[VALUE] if done < owed_all - 1e-12 else 0.0)
    for i in order:
        s = slope[i]
        t, k = at[i] // 64, at[i] % 64
        k0, k1 = ends(k, top[t])
        wide = gain[k1] - gain[k0]
        left = wide
        while left > 1e-12:
            if done < owed_due - 1e-12:
                worth, room = job[UNMET], owed_due - done
            elif done < owed_all - 1e-12:
                worth, room = job[VALUE], owed_all - done
            else:
                worth, room = 0.0, 0.0
            if s >= worth or room <= 0.0:
                break
            take = min(left, room)
            done += take
            total += s * take
            left -= take
            theta = s
        if left < wide:
            level[t] = k
            share[t] = (wide - left) / wide
        if left > 1e-12:
            break
    if done < owed_due - 1e-9:
        # all of it was used, or more of it is dearer than leaving work undone
        if job[UNMET] >= BIG:
            return BIG, theta
        theta = job[UNMET]
        total += job[UNMET] * (owed_due - done)
    elif owed_all > owed_due + 1e-12:
        beyond = min(done, owed_all) - owed_due
        if beyond > 0:
            total -= job[VALUE] * beyond
            if done < owed_all - 1e-9:
                theta = job[VALUE]
    return total, theta


@njit(cache=True)
def slot_values(theta: float, cost: Any, gain: Any, top: Any, value: Any) -> None:
    """Least of cost less the worth of work over the levels, per slot; ``BIG`` where closed."""
    for t in range(len(value)):
        best = BIG
        for k in range(top[t] + 1):
            v = cost[t, k] - theta * gain[k]
            if v < best:
                best = v
        value[t] = best


@njit(cache=True)
def blocks(value: Any, job: Any, flag: Any, theta: float, longest: int, least: Any, start: Any) -> None:
    """Best block of every length 1..``longest``: its value (with start and loss) and where it begins."""
    slots = len(value)
    total = np.zeros(slots + 1)
    closed = np.zeros(slots + 1, dtype=np.int64)
    for t in range(slots):
        shut = value[t] >= BIG
        total[t + 1] = total[t] + (0.0 if shut else value[t])
        closed[t + 1] = closed[t] + (1 if shut else 0)
    goes_on = flag[STAYS] == 1
    entry = 0.0 if goes_on else job[START] + (0.0 if flag[FRESH] == 1 else theta * job[LOSS])
    fixed = goes_on or flag[PINNED] == 1
    for n in range(1, longest + 1):
        best, where = BIG, -1
        for s in range(1 if fixed else slots - n + 1):
            if closed[s + n] == closed[s]:
                v = total[s + n] - total[s]
                if v < best:
                    best, where = v, s
        least[n] = best + entry if where >= 0 else BIG
        start[n] = where


@njit(cache=True)
def walks(
    value: Any,
    job: Any,
    flag: Any,
    theta: float,
    most: int,
    strict: bool,
    least: Any,
    end: Any,
    on_from: Any,
    off_from: Any,
) -> None:
    """Best pattern of every number of on-slots 1..``most``, pauses allowed; unless ``strict`` the last is "or more".

    A walk over the slots: never on; on for 1, 2, .. ``MIN_RUN`` or more slots; off for 1 .. ``MIN_PAUSE``
    or more. A job may end in any session, however short. ``on_from`` and ``off_from`` say where each
    state came from.
    """
    slots = len(value)
    runs, rests = max(1, flag[MIN_RUN]), max(1, flag[MIN_PAUSE])
    resume = job[START] + theta * job[LOSS]
    begin = job[START] if flag[FRESH] == 1 else resume
    on = np.full((runs + 1, most + 1), BIG)
    off = np.full((rests + 1, most + 1), BIG)
    new_on = np.full((runs + 1, most + 1), BIG)
    new_off = np.full((rests + 1, most + 1), BIG)
    for n in range(most + 1):
        least[n] = BIG
        end[n] = -1
    running = flag[RUNNING] == 1
    if running:
        on[min(runs, max(1, flag[RAN])), 0] = 0.0
    for t in range(slots):
        v = value[t]
        must_begin = flag[PINNED] == 1 and t == 0
        may_begin = not running and (flag[PINNED] == 0 or t == 0)
        must_go_on = flag[STAYS] == 1 and t == 0
        for n in range(most + 1):
            # off after having run
            for b in range(1, rests + 1):
                if must_begin or must_go_on:
                    new_off[b, n] = BIG
                    continue
                c, source = BIG, 0
                if b == 1:
                    c, source = on[runs, n], 1
                else:
                    c, source = off[b - 1, n], 2
                if b == rests and off[b, n] < c:
                    c, source = off[b, n], 3
                new_off[b, n] = c
                off_from[t, b, n] = source
            for a in range(1, runs + 1):
                new_on[a, n] = BIG
        if v < BIG:
            for n in range(most + 1):
                if strict and n == most:
                    break
                m = n + 1 if n < most else most
                if flag[PAUSES] == 1 and off[rests, n] + resume + v < new_on[1, m]:
                    new_on[1, m] = off[rests, n] + resume + v
                    on_from[t, 1, m] = 2 + (8 if n == most else 0)
                for a in range(1, runs + 1):
                    if on[a, n] >= BIG:
                        continue
                    later = min(runs, a + 1)
                    if on[a, n] + v < new_on[later, m]:
                        new_on[later, m] = on[a, n] + v
                        # from one slot less of age, or as old as it gets
                        on_from[t, later, m] = (1 if later == a + 1 else 3) + (8 if n == most else 0)
            if may_begin and begin + v < new_on[1, min(1, most)]:
                new_on[1, min(1, most)] = begin + v
                on_from[t, 1, min(1, most)] = 0
        for n in range(most + 1):
            for a in range(1, runs + 1):
                on[a, n] = new_on[a, n]
                if on[a, n] < least[n]:
                    least[n] = on[a, n]
                    end[n] = t * 64 + a
            for b in range(1, rests + 1):
                off[b, n] = new_off[b, n]


@njit(cache=True)
def trace(n: int, end: Any, on_from: Any, off_from: Any, flag: Any, on: Any) -> None:
    """On-slots of the walk that ends best with ``n`` on-slots."""
    runs, rests = max(1, flag[MIN_RUN]), max(1, flag[MIN_PAUSE])
    on[:] = False
    t, age, is_on = end[n] // 64, end[n] % 64, True
    while t >= 0:
        if is_on:
            on[t] = True
            source = on_from[t, age, n]
            kind = source % 8
            if source < 8:
                n -= 1
            if kind == 0:
                return
            if kind == 1:
                age -= 1
            elif kind == 2:
                is_on, age = False, rests
        else:
            source = off_from[t, age, n]
            if source == 1:
                is_on, age = True, runs
            elif source == 2:
                age -= 1
        t -= 1


@njit(cache=True)
def count_starts(on: Any, flag: Any) -> tuple[int, int]:
    """Starts of a pattern, and how many of them resume earlier work."""
    starts = 0
    before = flag[RUNNING] == 1
    for t in range(len(on)):
        if on[t] and not before:
            starts += 1
        before = on[t]
    return starts, max(0, starts - (1 if flag[FRESH] == 1 else 0))


@njit(cache=True)
def keeps_rules(on: Any, flag: Any, ends_open: bool, finished: bool) -> bool:
    """Whether a pattern keeps minimum runs and the number of pauses; other rules hold by construction.

    ``ends_open``: the window ends with the horizon, which may cut a run.
    """
    runs = flag[MIN_RUN]
    slots = len(on)
    sessions = 0
    t = 0
    while t < slots:
        if not on[t]:
            t += 1
            continue
        u = t
        while u < slots and on[u]:
            u += 1
        sessions += 1
        length = u - t + (flag[RAN] if t == 0 and flag[RUNNING] == 1 else 0)
        if length < runs and not (u == slots and ends_open):
            later = False
            for w in range(u, slots):
                later = later or on[w]
            if later or not finished:
                return False
        t = u
    paused_at_once = flag[RUNNING] == 1 and not on[0]
    pauses = max(0, sessions - 1) + (1 if paused_at_once else 0)
    if paused_at_once and sessions == 0:
        pauses = 1
    return bool(flag[MOST_PAUSES] < 0 or pauses <= flag[MOST_PAUSES])


@njit(cache=True)
def _work_done(on: Any, level: Any, share: Any, gain: Any, top: Any) -> float:
    done = 0.0
    for t in range(len(on)):
        if on[t]:
            low, high = ends(level[t], top[t])
            done += gain[low] + share[t] * (gain[high] - gain[low])
    return done


@njit(cache=True)
def _work_at(theta: float, on: Any, cost: Any, gain: Any, top: Any) -> float:
    """Work of a pattern whose levels are the best at a price of work."""
    done = 0.0
    for t in range(len(on)):
        if on[t]:
            pick, least = 0, BIG
            for k in range(top[t] + 1):
                v = cost[t, k] - theta * gain[k]
                if v < least:
                    pick, least = k, v
            done += gain[pick]
    return done


@njit(cache=True)
def _block_of_rules(
    cost: Any,
    gain: Any,
    top: Any,
    job: Any,
    flag: Any,
    ends_open: bool,
    theta: float,
    most: int,
    value: Any,
    on: Any,
    level: Any,
    share: Any,
    scratch: Any,
) -> tuple[float, float]:
    """Best single block that keeps the rules, written to ``on, level, share``; ``BIG`` where there is none."""
    least = np.empty(most + 1)
    start = np.empty(most + 1, dtype=np.int64)
    slot_values(theta, cost, gain, top, value)
    blocks(value, job, flag, theta, most, least, start)
    for n in np.argsort(least[1:]) + 1:
        if least[n] >= BIG:
            break
        on[:] = False
        on[start[n] : start[n] + n] = True
        starts, resumed = count_starts(on, flag)
        total, marginal = fill_levels(on, cost, gain, top, job, starts, resumed, level, share, scratch)
        if total >= BIG:
            continue
        done = _work_done(on, level, share, gain, top) - job[LOSS] * resumed
        if keeps_rules(on, flag, ends_open, done >= job[WORK] - 1e-9):
            return total, marginal
    return BIG, theta


@njit(cache=True)
def idle_cost(job: Any, flag: Any) -> float:
    """What one copy costs that never runs; ``BIG`` where it has to."""
    if flag[STAYS] == 1 or flag[PINNED] == 1 or (job[UNMET] >= BIG and job[DUE] > 0):
        return BIG
    return float(0.0 if job[DUE] == 0 else job[UNMET] * job[DUE])


@njit(cache=True)
def best_schedule(
    cost: Any,
    gain: Any,
    top: Any,
    job: Any,
    flag: Any,
    ends_open: bool,
    theta: float,
    tries: int,
    tolerance: float,
    strict: bool,
    on: Any,
    level: Any,
    share: Any,
) -> tuple[float, float, float]:
    """Proven least cost of one copy, cost of the schedule written to ``on, level, share``, and its price of work.

    The schedule's cost is ``BIG`` where none keeps the rules. ``strict``: no more slots than the work can
    fill, as a plan has to (costs may be negative); else the least cost is proven over any number of them.
    """
    slots = len(on)
    whole = flag[PAUSES] == 0
    lowest = gain[0]
    paid = 0
    for t in range(slots):
        for k in range(top[t] + 1):
            if cost[t, k] < 0.0:
                paid += 1
                break
    most = slots
    if lowest > 1e-9 and (paid == 0 or not whole):
        # beyond what the work can fill only slots that pay are worth having on
        most = min(slots, int((job[WORK] + job[LOSS]) / lowest) + 2 + paid)
    if strict and lowest > 1e-9:
        most = min(most, max(1, int((job[WORK] + gain.max()) / lowest + 1e-9)))
    must = job[UNMET] >= BIG
    idle = idle_cost(job, flag)
    fewest = 1
    if must:
        highest = gain.max()
        fewest = max(1, int(np.ceil(job[DUE] / highest - 1e-9)))
    least = np.full(most + 1, -BIG)
    now = np.empty(most + 1)
    where = np.empty(most + 1, dtype=np.int64)
    value = np.empty(slots)
    trial = np.zeros(slots, dtype=np.bool_)
    trial_level = np.zeros(slots, dtype=np.int64)
    trial_share = np.zeros(slots)
    scratch = np.empty(slots * max(1, len(gain)))
    runs, rests = max(1, flag[MIN_RUN]), max(1, flag[MIN_PAUSE])
    depth = 1 if whole else slots
    on_from = np.zeros((depth, runs + 1, most + 1), dtype=np.int8)
    off_from = np.zeros((depth, rests + 1, most + 1), dtype=np.int8)
    best_cost, best_theta = idle, theta
    on[:] = False
    level[:] = 0
    share[:] = 0.0
    bound = -BIG
    cap = job[UNMET] if not must else BIG
    low, high = np.zeros(most + 1), np.full(most + 1, cap)
    for _ in range(tries):
        theta = min(max(theta, 0.0), cap)
        slot_values(theta, cost, gain, top, value)
        if whole:
            blocks(value, job, flag, theta, most, now, where)
        else:
            walks(value, job, flag, theta, most, strict, now, where, on_from, off_from)
        owed = theta * job[DUE]
        if theta < job[VALUE]:
            owed = theta * job[WORK] - job[VALUE] * (job[WORK] - job[DUE])
        pick, bound = 0, idle
        for n in range(fewest, most + 1):
            if now[n] >= BIG:
                least[n] = BIG
                continue
            least[n] = max(least[n], now[n] + owed)
            if least[n] < bound:
                pick, bound = n, least[n]
        if pick == 0:
            # leaving it undone is the best there is; or nothing fits at all
            break
        if whole:
            trial[:] = False
            trial[where[pick] : where[pick] + pick] = True
        else:
            trace(pick, where, on_from, off_from, flag, trial)
        starts, resumed = count_starts(trial, flag)
        total, marginal = fill_levels(trial, cost, gain, top, job, starts, resumed, trial_level, trial_share, scratch)
        # where the price of this number of slots lies: above theta while its best pattern does too little
        hours = job[DUE] if theta >= job[VALUE] else job[WORK]
        if hours - _work_at(theta, trial, cost, gain, top) + job[LOSS] * resumed > 0:
            low[pick] = max(low[pick], theta)
        else:
            high[pick] = min(high[pick], theta)
        lawful = True
        if flag[MIN_RUN] > 1 or flag[MOST_PAUSES] >= 0:
            done = _work_done(trial, trial_level, trial_share, gain, top) - job[LOSS] * resumed
            lawful = keeps_rules(trial, flag, ends_open, done >= job[WORK] - 1e-9)
        if lawful and total < best_cost - 1e-12:
            best_cost, best_theta = total, marginal
            on[:] = trial
            level[:] = trial_level
            share[:] = trial_share
        if best_cost - bound <= tolerance * (1e-9 + abs(best_cost)):
            break
        if high[pick] - low[pick] <= 1e-6 * (1e-9 + low[pick]):
            # what is left is a gap between two patterns
            break
        theta = marginal
        if not low[pick] < theta < high[pick]:
            theta = 0.5 * (low[pick] + high[pick]) if high[pick] < BIG else 2.0 * low[pick] + 1e-6
    if not on.any() and bound < best_cost and (flag[MIN_RUN] > 1 or flag[MOST_PAUSES] >= 0):
        total, marginal = _block_of_rules(
            cost, gain, top, job, flag, ends_open, theta, most, value, trial, trial_level, trial_share, scratch
        )
        if total < best_cost:
            best_cost, best_theta = total, marginal
            on[:] = trial
            level[:] = trial_level
            share[:] = trial_share
    return min(bound, best_cost), best_cost, best_theta


@njit(cache=True)
def shared_schedule(
    cost: Any,
    gain: Any,
    top: Any,
    job: Any,
    flag: Any,
    theta: float,
    halvings: int,
    mixed: Any,
    on_part: Any,
    power: Any,
) -> tuple[float, float, float]:
    """For one of many copies whose work counts together: least cost per copy at the best price of work.

    Writes to ``mixed`` the power and to ``on_part`` the on-slots of a mix of the two patterns beside that
    price which does the work owed, and returns the proven cost, the mix's own cost and the price.
    """
    slots = len(mixed)
    value = np.empty(slots)
    now = np.empty(2)
    end = np.empty(2, dtype=np.int64)
    runs, rests = max(1, flag[MIN_RUN]), max(1, flag[MIN_PAUSE])
    on_from = np.zeros((slots, runs + 1, 2), dtype=np.int8)
    off_from = np.zeros((slots, rests + 1, 2), dtype=np.int8)
    must = job[UNMET] >= BIG
    low, high = 0.0, job[UNMET]
    if must:
        high = 1e-6
        for t in range(slots):
            for k in range(top[t] + 1):
                high = max(high, 4.0 * slots * (abs(cost[t, k]) + job[START]) / max(gain.max(), 1e-9))
    on = np.zeros((3, slots), dtype=np.bool_)
    best_level = np.zeros((3, slots), dtype=np.int64)
    work = np.zeros(3)
    spent = np.zeros(3)
    bound, best_theta = -BIG, theta
    for i in range(halvings + 2):
        trial = (
            low if i == 0 else (high if i == 1 else (theta if i == 2 and low < theta < high else 0.5 * (low + high)))
        )
        slot_values(trial, cost, gain, top, value)
        walks(value, job, flag, trial, 1, False, now, end, on_from, off_from)
        on[2, :] = False
        idle = BIG if flag[STAYS] == 1 or flag[PINNED] == 1 else 0.0
        found = min(idle, now[1])
        work[2], spent[2] = 0.0, 0.0
        if now[1] < idle:
            trace(1, end, on_from, off_from, flag, on[2])
            starts, resumed = count_starts(on[2], flag)
            spent[2] = job[START] * starts
            work[2] = -job[LOSS] * resumed
            for t in range(slots):
                if on[2, t]:
                    pick, least = 0, BIG
                    for k in range(top[t] + 1):
                        v = cost[t, k] - trial * gain[k]
                        if v < least:
                            pick, least = k, v
                    best_level[2, t] = pick
                    work[2] += gain[pick]
                    spent[2] += cost[t, pick]
        owed = job[DUE] if trial >= job[VALUE] else job[WORK]
        reached = trial * owed - (0.0 if trial >= job[VALUE] else job[VALUE] * (job[WORK] - job[DUE]))
        if found + reached > bound:
            bound, best_theta = found + reached, trial
        side = 0 if i == 0 else (1 if i == 1 else (1 if work[2] >= owed else 0))
        if side == 1:
            high = trial
        else:
            low = trial
        on[side, :] = on[2, :]
        best_level[side, :] = best_level[2, :]
        work[side], spent[side] = work[2], spent[2]
        if high - low <= 1e-7 * (1e-12 + high):
            break
    middle = 0.5 * (low + high)
    owed = job[DUE] if middle >= job[VALUE] else job[WORK]
    part = 1.0
    if work[1] - work[0] > 1e-12:
        part = min(1.0, max(0.0, (owed - work[0]) / (work[1] - work[0])))
    mixed[:] = 0.0
    on_part[:] = 0.0
    total = 0.0
    done = 0.0
    for side in range(2):
        weight = part if side == 1 else 1.0 - part
        total += weight * spent[side]
        done += weight * work[side]
        for t in range(slots):
            if on[side, t]:
                mixed[t] += weight * power[best_level[side, t]]
                on_part[t] += weight
    missing = max(0.0, job[DUE] - done)
    total += (1e6 if must else job[UNMET]) * missing - job[VALUE] * min(max(0.0, done - job[DUE]), job[WORK] - job[DUE])
    return bound, total, best_theta


@njit(cache=True)
def walks_in_ways(
    value: Any,
    work: Any,
    pool: Any,
    home: Any,
    job: Any,
    flag: Any,
    resize: float,
    theta: float,
    most: int,
    least: Any,
    done: Any,
) -> None:
    """Least value of every number of on-slots 1..``most`` (or more), where each slot may be run in another way.

    The walk of :func:`walks` with a state for each way: a session stays in its pool, and a change of the way within
    it costs ``resize`` hours of work. ``value`` and ``work`` are those of the best level, ``[way, slot]``; ``done`` is
    the work, losses taken off, of the walk of each number. ``home`` is 1 for the way in which a running job begins.
    """
    ways, slots = value.shape
    runs, rests = max(1, flag[MIN_RUN]), max(1, flag[MIN_PAUSE])
    resume = job[START] + theta * job[LOSS]
    begin = job[START] if flag[FRESH] == 1 else resume
    begin_loss = 0.0 if flag[FRESH] == 1 else job[LOSS]
    change = theta * resize
    running = flag[RUNNING] == 1
    on, off = np.full((ways, runs + 1, most + 1), BIG), np.full((rests + 1, most + 1), BIG)
    on_work, off_work = np.zeros((ways, runs + 1, most + 1)), np.zeros((rests + 1, most + 1))
    new_on, new_off = on.copy(), off.copy()
    new_on_work, new_off_work = on_work.copy(), off_work.copy()
    least[:] = BIG
    done[:] = 0.0
    if running:
        for w in range(ways):
            if home[w] == 1:
                on[w, min(runs, max(1, flag[RAN])), 0] = 0.0
    for t in range(slots):
        stays = t == 0 and (flag[PINNED] == 1 or flag[STAYS] == 1)
        may_begin = not running and (flag[PINNED] == 0 or t == 0)
        new_on[:] = BIG
        new_off[:] = BIG
        if not stays:
            for n in range(most + 1):
                for w in range(ways):
                    if on[w, runs, n] < new_off[1, n]:
                        new_off[1, n], new_off_work[1, n] = on[w, runs, n], on_work[w, runs, n]
                for b in range(2, rests + 1):
                    new_off[b, n], new_off_work[b, n] = off[b - 1, n], off_work[b - 1, n]
                if off[rests, n] < new_off[rests, n]:
                    new_off[rests, n], new_off_work[rests, n] = off[rests, n], off_work[rests, n]
        for w in range(ways):
            v, g = value[w, t], work[w, t]
            if v >= BIG:
                continue
            for n in range(most + 1):
                m = n + 1 if n < most else most
                if flag[PAUSES] == 1 and off[rests, n] + resume + v < new_on[w, 1, m]:
                    new_on[w, 1, m] = off[rests, n] + resume + v
                    new_on_work[w, 1, m] = off_work[rests, n] + g - job[LOSS]
                for w0 in range(ways):
                    if pool[w0] != pool[w]:
                        continue
                    extra, lost = (0.0, 0.0) if w0 == w else (change, resize)
                    for a in range(1, runs + 1):
                        c = on[w0, a, n] + v + extra
                        later = min(runs, a + 1)
                        if on[w0, a, n] < BIG and c < new_on[w, later, m]:
                            new_on[w, later, m] = c
                            new_on_work[w, later, m] = on_work[w0, a, n] + g - lost
            if may_begin and begin + v < new_on[w, 1, min(1, most)]:
                new_on[w, 1, min(1, most)] = begin + v
                new_on_work[w, 1, min(1, most)] = g - begin_loss
        on, new_on, on_work, new_on_work = new_on, on, new_on_work, on_work
        off, new_off, off_work, new_off_work = new_off, off, new_off_work, off_work
        for w in range(ways):
            for a in range(1, runs + 1):
                for n in range(most + 1):
                    if on[w, a, n] < least[n]:
                        least[n], done[n] = on[w, a, n], on_work[w, a, n]


@njit(cache=True)
def least_in_ways(
    cost: Any,
    gain: Any,
    levels: Any,
    pool: Any,
    home: Any,
    job: Any,
    flag: Any,
    resize: float,
    theta: float,
    tries: int,
    tolerance: float,
    known: float,
) -> float:
    """Proven least cost of one copy that may run each slot in another way, being off not counted.

    ``cost[w, t, k]`` is ``BIG`` where way ``w`` is closed; ``gain[w, k]``. ``known`` is what a schedule costs: a bound
    near it ends the search.
    """
    ways, slots, _ = cost.shape
    must = job[UNMET] >= BIG
    cap = BIG if must else job[UNMET]
    lowest, highest, paid = BIG, 0.0, 0
    for w in range(ways):
        lowest = min(lowest, gain[w, 0])
        for k in range(levels[w]):
            highest = max(highest, gain[w, k])
    for t in range(slots):
        paid += 1 if (cost[:, t, :] < 0.0).any() else 0
    most = slots
    if lowest > 1e-9:
        most = min(slots, int((job[WORK] + job[LOSS] + resize) / lowest) + 2 + paid)
    fewest = 1 if not must else max(1, int(np.ceil(job[DUE] / max(highest, 1e-12) - 1e-9)))
    value, work = np.empty((ways, slots)), np.zeros((ways, slots))
    now, done = np.empty(most + 1), np.empty(most + 1)
    least = np.full(most + 1, -BIG)
    low, high = np.zeros(most + 1), np.full(most + 1, cap)
    bound = BIG
    for _ in range(tries):
        theta = min(max(theta, 0.0), cap)
        for w in range(ways):
            for t in range(slots):
                value[w, t] = BIG
                for k in range(levels[w]):
                    v = cost[w, t, k] - theta * gain[w, k]
                    if cost[w, t, k] < BIG and v < value[w, t]:
                        value[w, t], work[w, t] = v, gain[w, k]
        walks_in_ways(value, work, pool, home, job, flag, resize, theta, most, now, done)
        owed = theta * job[DUE]
        hours = job[DUE]
        if theta < job[VALUE]:
            owed = theta * job[WORK] - job[VALUE] * (job[WORK] - job[DUE])
            hours = job[WORK]
        pick, bound = 0, BIG
        for n in range(fewest, most + 1):
            least[n] = BIG if now[n] >= BIG else max(least[n], now[n] + owed)
            if least[n] < bound:
                pick, bound = n, least[n]
        if pick == 0 or known - bound <= tolerance * (1e-9 + abs(known)):
            break
        if done[pick] < hours:
            low[pick] = max(low[pick], theta)
        else:
            high[pick] = min(high[pick], theta)
        if high[pick] - low[pick] <= 1e-6 * (1e-9 + low[pick]):
            break
        theta = 0.5 * (low[pick] + high[pick]) if high[pick] < BIG else 2.0 * low[pick] + 1e-6
    return bound


@njit(cache=True)
def _least_mixed(
    a: int,
    b: int,
    cost: Any,
    gain: Any,
    levels: Any,
    row: Any,
    home: Any,
    egress: Any,
    job: Any,
    flag: Any,
    resize: float,
    theta: float,
    tries: int,
    tolerance: float,
    known: float,
) -> float:
    """Proven least cost of one copy of the kind of lines ``a..b``, which may change its way; going there paid once.

    Whoever takes none of the ways that cost something to go to has only the others; whoever takes one pays for the
    cheapest of them at least.
    """
    least = idle_cost(job, flag)
    free, cheapest = 0, BIG
    for j in range(a, b):
        free += 1 if egress[j] == 0.0 else 0
        cheapest = min(cheapest, egress[j]) if egress[j] > 0.0 else cheapest
    if free > 0:
        some = np.flatnonzero(egress[a:b] == 0.0)
        least = min(
            least,
            least_in_ways(
                cost[some],
                gain[a:b][some],
                levels[a:b][some],
                row[a:b][some],
                home[a:b][some],
                job,
                flag,
                resize,
                theta,
                tries,
                tolerance,
                known,
            ),
        )
    if cheapest < BIG:
        least = min(
            least,
            cheapest
            + least_in_ways(
                cost,
                gain[a:b],
                levels[a:b],
                row[a:b],
                home[a:b],
                job,
                flag,
                resize,
                theta,
                tries,
                tolerance,
                known - cheapest,
            ),
        )
    return least


@njit(cache=True)
def price_all(
    window: Any,
    power: Any,
    gain: Any,
    levels: Any,
    gpus: Any,
    late: Any,
    late_from: Any,
    job: Any,
    flag: Any,
    row: Any,
    being_on: Any,
    egress: Any,
    begin: Any,
    home: Any,
    mixes: Any,
    resize: Any,
    times: Any,
    part: Any,
    power_price: Any,
    gpu_price: Any,
    theta: Any,
    tries: int,
    tolerance: float,
    strict: bool,
    least: Any,
    money: Any,
    part_power: Any,
    part_gpus: Any,
    chosen: Any,
) -> None:
    """Price every kind of job: proven least cost, own money of its schedule, and the sums of its part.

    Lines ``begin[i]..begin[i + 1]`` are the ways of kind ``i``; its schedule keeps to the cheapest of them, which is
    written to ``chosen``. Where it ``mixes``, the least cost is proven over schedules that change their way too.
    ``theta`` holds the last prices of work and is renewed; ``row`` is the line of the prices that a way sees;
    ``being_on`` is what being on in each slot costs a kind by itself;
    ``strict`` is that of :func:`best_schedule`: what is proven counts for nothing then.
    """
    slots = power_price.shape[1]
    for i in range(len(begin) - 1):
        proven, cheapest, price_of_work = BIG, np.inf, theta[i]
        best, best_drawn, best_used = begin[i], np.zeros(0), np.zeros(0)
        mixed = mixes[i] and not strict
        whole = np.full((begin[i + 1] - begin[i] if mixed else 0, slots, power.shape[1]), BIG)
        for j in range(begin[i], begin[i + 1]):
            first, last = window[j, 0], window[j, 1]
            n, wide = levels[j], last - first
            cost = np.empty((wide, n))
            for t in range(wide):
                held = gpu_price[row[j], first + t] * gpus[j] + being_on[j, first + t]
                for k in range(n):
                    cost[t, k] = power_price[row[j], first + t] * power[j, k] + held
                    if first + t >= late_from[j]:
                        cost[t, k] += late[j] * gain[j, k]
            if mixed:
                whole[j - begin[i], first:last, :n] = cost
            top = np.full(wide, n - 1, dtype=np.int64)
            drawn = np.zeros(wide)
            used = np.zeros(wide)
            if flag[j, TOGETHER] == 1:
                bound, total, price = shared_schedule(
                    cost, gain[j, :n], top, job[j], flag[j], theta[i], 24, drawn, used, power[j, :n]
                )
            else:
                on = np.zeros(wide, dtype=np.bool_)
                level = np.zeros(wide, dtype=np.int64)
                share = np.zeros(wide)
                bound, total, price = best_schedule(
                    cost,
                    gain[j, :n],
                    top,
                    job[j],
                    flag[j],
                    last == slots,
                    theta[i],
                    tries,
                    tolerance,
                    strict,
                    on,
                    level,
                    share,
                )
                idle = idle_cost(job[j], flag[j])
                if egress[j] > 0.0:
                    bound = min(idle, bound + egress[j])
                    if on.any():
                        total += egress[j]
                        if total > idle:
                            on[:] = False
                            total = idle
                for t in range(wide):
                    if on[t]:
                        low, high = ends(level[t], n - 1)
                        drawn[t] = power[j, low] + share[t] * (power[j, high] - power[j, low])
                        used[t] = 1.0
            proven = min(proven, bound)
            if total < cheapest:
                best, best_drawn, best_used = j, drawn, used
                cheapest, price_of_work = total, price
        if mixed:
            a, b = begin[i], begin[i + 1]
            start = window[a:b, 0].min()
            proven = min(
                cheapest,
                _least_mixed(
                    a,
                    b,
                    whole[:, start : window[a:b, 1].max()],
                    gain,
                    levels,
                    row,
                    home,
                    egress,
                    job[a],
                    flag[a],
                    resize[i],
                    price_of_work,
                    tries,
                    tolerance,
                    cheapest,
                ),
            )
        theta[i], chosen[i] = price_of_work, best
        least[i] = times[i] * proven
        first, line, number = window[best, 0], row[best], part[best]
        for t in range(len(best_drawn)):
            held = gpu_price[line, first + t] * gpus[best] * best_used[t]
            cheapest -= power_price[line, first + t] * best_drawn[t] + held
            part_power[number, first + t] += times[i] * best_drawn[t]
            part_gpus[number, first + t] += times[i] * gpus[best] * best_used[t]
        money[i] = times[i] * cheapest


@njit(cache=True)
def _at_best_levels(
    on: Any, cost: Any, gain: Any, top: Any, job: Any, flag: Any, ends_open: bool, level: Any, share: Any
) -> tuple[float, float]:
    """Cost of a pattern at its best levels, which are written to ``level, share``, and its marginal price of work.

    The cost is ``BIG`` for no slots at all, for a closed slot and for a broken rule.
    """
    for t in range(len(on)):
        if on[t] and top[t] < 0:
            return BIG, 0.0
    if not on.any():
        return BIG, 0.0
    starts, resumed = count_starts(on, flag)
    scratch = np.empty(len(on) * max(1, len(gain)))
    total, marginal = fill_levels(on, cost, gain, top, job, starts, resumed, level, share, scratch)
    done = _work_done(on, level, share, gain, top) - job[LOSS] * resumed
    if not keeps_rules(on, flag, ends_open, done >= job[WORK] - 1e-9):
        return BIG, 0.0
    return total, marginal


@njit(cache=True)
def _for_work(job: Any, starts: int, done: float) -> float:
    """What starts and work undone cost, less the value of work beyond what is due."""
    money = job[START] * starts
    if done < job[DUE] - 1e-9:
        money += min(job[UNMET], 1e9) * (job[DUE] - done)
    return float(money - job[VALUE] * min(max(0.0, done - job[DUE]), job[WORK] - job[DUE]))


@njit(cache=True)
def _book(
    copies: int,
    pool: int,
    ours: bool,
    gpus: float,
    rest: float,
    on: Any,
    drawn: Any,
    first: int,
    last: int,
    it: Any,
    used: Any,
    feeds: Any,
    fed: Any,
) -> None:
    """Put what some copies of a gang hold and draw on the board; fewer than none take it off."""
    for t in range(first, last):
        if on[t]:
            extra = copies * (drawn[t] - rest)
            if ours:
                it[t] += extra
            if pool < len(used):
                used[pool, t] += copies * gpus
                for f in range(len(feeds)):
                    if fed[f, pool]:
                        feeds[f, t] += extra


@njit(cache=True)
def sweep(
    window: Any,
    power: Any,
    gain: Any,
    levels: Any,
    gpus: Any,
    late: Any,
    late_from: Any,
    job: Any,
    flag: Any,
    row: Any,
    being_on: Any,
    egress: Any,
    begin: Any,
    kind: Any,
    order: Any,
    line: Any,
    copies: Any,
    theta: Any,
    power_price: Any,
    gpu_price: Any,
    idle: Any,
    ours: Any,
    it: Any,
    it_limit: Any,
    target: Any,
    bend: Any,
    used: Any,
    gpu_limit: Any,
    feeds: Any,
    feed_limit: Any,
    fed: Any,
    feed_target: Any,
    feed_bend: Any,
    gpu_target: Any,
    gpu_bend: Any,
    fine: float,
    gpu_fine: float,
    hard: bool,
    tries: int,
    on_of: Any,
    drawn_of: Any,
    money_of: Any,
) -> int:
    """List every unit of ``order`` anew: off the board, and back where it is cheapest now. How many moved.

    A unit is ``copies`` gangs of one kind that run alike, in the way of ``line``: one of ``begin[kind]`` and after,
    which changes where another way is cheaper. ``it``, ``used`` (GPUs by pool) and ``feeds`` are what the board holds;
    power of a pool that is not ``ours`` is not in ``it``. Power beyond ``target`` is bent dearer by ``bend`` (per unit
    of power squared), beyond a limit it costs ``fine``; where ``hard``, nothing goes beyond. ``feed_target`` and
    ``feed_bend`` are the same for the feeds, ``gpu_target`` and ``gpu_bend`` for the GPUs of the pools.
    """
    slots = len(it)
    pools = len(idle)
    moved = 0
    for u in order:
        was, m = line[u], copies[u]
        p = row[was]
        rest = idle[p] * gpus[was] if p < pools else 0.0
        first, last = window[was, 0], window[was, 1]
        _book(-m, p, ours[p], gpus[was], rest, on_of[u], drawn_of[u], first, last, it, used, feeds, fed)
        fits, kept_cost, cheapest = False, np.inf, np.inf
        best, price_of_work, best_money = was, theta[u], 0.0
        best_on, best_drawn = np.zeros(0, dtype=np.bool_), np.zeros(0)
        for j in range(begin[kind[was]], begin[kind[was] + 1]):
            p = row[j]
            first, last = window[j, 0], window[j, 1]
            wide, n = last - first, levels[j]
            rest = idle[p] * gpus[j] if p < pools else 0.0
            if j == was:
                before_on, before_drawn = on_of[u, first:last].copy(), drawn_of[u, first:last].copy()
            else:
                before_on, before_drawn = np.zeros(wide, dtype=np.bool_), np.zeros(wide)
            cost = np.empty((wide, n))
            top = np.empty(wide, dtype=np.int64)
            stays, asked = before_on.any(), 0.0
            for i in range(wide):
                t = first + i
                held = gpu_price[p, t] * gpus[j]
                top[i] = n - 1
                if p < pools and gpus[j] > 0:
                    over = max(0.0, used[p, t] + m * gpus[j] - gpu_limit[p, t])
                    if hard and over > 1e-6:
                        top[i] = -1
                        stays = stays and not before_on[i]
                    before = max(0.0, used[p, t] - gpu_limit[p, t])
                    held += gpu_fine * (over - before) / m
                    off_target = used[p, t] - gpu_target[p, t]
                    held += 0.5 * gpu_bend[p] * ((off_target + m * gpus[j]) ** 2 - off_target**2) / m
                # every level, and after them the power that the unit had here
                for k in range(n + 1 if before_on[i] else n):
                    draws = power[j, k] if k < n else before_drawn[i]
                    c = power_price[p, t] * draws + held + being_on[j, t]
                    if t >= late_from[j]:
                        c += late[j] * (gain[j, k] if k < n else np.interp(draws, power[j, :n], gain[j, :n]))
                    extra = m * (draws - rest) if ours[p] else 0.0
                    after = it[t] + extra
                    c += 0.5 * bend[t] * ((after - target[t]) ** 2 - (it[t] - target[t]) ** 2) / m
                    beyond = max(0.0, after - it_limit[t]) - max(0.0, it[t] - it_limit[t])
                    c += fine * beyond / m
                    too_much = extra > 0 and after > it_limit[t] + SLACK
                    if p < pools:
                        for f in range(len(feeds)):
                            if fed[f, p]:
                                after = feeds[f, t] + extra
                                beyond = max(0.0, after - feed_limit[f, t]) - max(0.0, feeds[f, t] - feed_limit[f, t])
                                c += fine * beyond / m
                                off, was_off = after - feed_target[f, t], feeds[f, t] - feed_target[f, t]
                                c += 0.5 * feed_bend[f] * (off**2 - was_off**2) / m
                                too_much = too_much or (extra > 0 and after > feed_limit[f, t] + SLACK)
                    if k == n:
                        asked += c
                        stays = stays and not (hard and too_much)
                    else:
                        cost[i, k] = c
                        if hard and too_much and k <= top[i]:
                            top[i] = k - 1
            on = np.zeros(wide, dtype=np.bool_)
            level, kept_level = np.zeros(wide, dtype=np.int64), np.zeros(wide, dtype=np.int64)
            share, kept_share = np.zeros(wide), np.zeros(wide)
            _, total, price = best_schedule(
                cost, gain[j, :n], top, job[j], flag[j], last == slots, theta[u], tries, 1e-4, True, on, level, share
            )
            if j == was:
                # a few prices of work may miss what the unit has already, on its slots or at its very levels
                kept, marginal = _at_best_levels(
                    before_on, cost, gain[j, :n], top, job[j], flag[j], last == slots, kept_level, kept_share
                )
                if kept < total:
                    total, price = kept, marginal
                    on[:], level[:], share[:] = before_on, kept_level, kept_share
                fits = stays
                if fits:
                    starts, resumed = count_starts(before_on, flag[j])
                    done = -job[j, LOSS] * resumed
                    for i in range(wide):
                        if before_on[i]:
                            done += np.interp(before_drawn[i], power[j, :n], gain[j, :n])
                    kept_cost = asked + _for_work(job[j], starts, done) + egress[j]
            total += egress[j] if on.any() else 0.0
            if total < cheapest or (total == cheapest and j == was):
                best, cheapest, price_of_work = j, total, price
                starts, resumed = count_starts(on, flag[j])
                done = _work_done(on, level, share, gain[j, :n], top) - job[j, LOSS] * resumed
                money = _for_work(job[j], starts, done) + (egress[j] if on.any() else 0.0)
                best_on, best_drawn = on, np.zeros(wide)
                for i in range(wide):
                    money += being_on[j, first + i] if on[i] else 0.0
                    if on[i]:
                        low, high = ends(level[i], top[i])
                        best_drawn[i] = power[j, low] + share[i] * (power[j, high] - power[j, low])
                        if first + i >= late_from[j]:
                            money += late[j] * (gain[j, low] + share[i] * (gain[j, high] - gain[j, low]))
                best_money = money
        theta[u] = price_of_work
        if not (fits and kept_cost <= cheapest):
            money_of[u] = m * best_money
            changed = best != was and best_on.any()
            now_on, now_drawn = np.zeros(slots, dtype=np.bool_), np.zeros(slots)
            first = window[best, 0]
            now_on[first : first + len(best_on)] = best_on
            now_drawn[first : first + len(best_on)] = best_drawn
            for t in range(slots):
                changed = changed or now_on[t] != on_of[u, t]
            on_of[u, :], drawn_of[u, :] = now_on, now_drawn
            line[u] = best
            moved += 1 if changed else 0
        j = line[u]
        p = row[j]
        rest = idle[p] * gpus[j] if p < pools else 0.0
        _book(m, p, ours[p], gpus[j], rest, on_of[u], drawn_of[u], window[j, 0], window[j, 1], it, used, feeds, fed)
    return moved


@njit(cache=True)
def fill_entries(
    begin: Any,
    slot: Any,
    copies: Any,
    late: Any,
    row: Any,
    top: Any,
    power: Any,
    gain: Any,
    missing: Any,
    beyond: Any,
    room: Any,
    unmet: Any,
    value: Any,
    group: Any,
    power_price: Any,
    drawn: Any,
    work: Any,
    money: Any,
    group_power: Any,
) -> float:
    """Cheapest levels of all entries at slot prices, with their on-slots given; what all of it costs.

    On-slot ``i`` of entry ``j`` is one of ``begin[j]..begin[j+1]``, with ``copies[i]`` gangs on. Each starts at its
    lowest level; the segments of the curves up to level ``top[j]`` are taken from the cheapest on until ``missing``
    hours at the price of ``unmet`` work, then ``beyond`` hours at their ``value``, are done (continuous knapsack),
    and never more than ``room``. Writes power and work of every on-slot, and money and power by group.
    """
    total = 0.0
    most = 0
    for j in range(len(row)):
        most = max(most, (begin[j + 1] - begin[j]) * max(1, top[j]))
    slope = np.empty(most)
    where = np.empty(most, dtype=np.int64)
    for j in range(len(row)):
        count = 0
        own = 0.0
        for i in range(begin[j], begin[j + 1]):
            price = power_price[row[j], slot[i]]
            drawn[i] = copies[i] * power[j, 0]
            work[i] = copies[i] * gain[j, 0]
            own += late[i] * work[i]
            for k in range(top[j]):
                wide = gain[j, k + 1] - gain[j, k]
                if wide > 1e-12:
                    slope[count] = price * (power[j, k + 1] - power[j, k]) / wide + late[i]
                    where[count] = i * 64 + k
                    count += 1
        owed, more, left = max(0.0, missing[j]), beyond[j] + min(0.0, missing[j]), room[j]
        if owed > 0.0 or (more > 0.0 and value[j] > 0.0):
            order = np.argsort(slope[:count], kind="mergesort")
            for q in order:
                i, k = where[q] // 64, where[q] % 64
                wide = copies[i] * (gain[j, k + 1] - gain[j, k])
                take = 0.0
                if slope[q] < unmet[j]:
                    take = min(wide, owed, left)
                    owed -= take
                if slope[q] < value[j] and take < wide:
                    extra = max(0.0, min(wide - take, more, left - take))
                    more -= extra
                    take += extra
                if take <= 0.0:
                    break
                left -= take
                part = take / wide
                drawn[i] += part * copies[i] * (power[j, k + 1] - power[j, k])
                work[i] += take
                own += late[i] * take
        own += unmet[j] * owed if owed > 1e-9 else 0.0
        own -= value[j] * (beyond[j] - max(0.0, more))
        for i in range(begin[j], begin[j + 1]):
            total += power_price[row[j], slot[i]] * drawn[i]
            group_power[group[j], slot[i]] += drawn[i]
        total += own
        money[group[j]] += own
    return total
