"""The arithmetic of one job against enumeration and against a general solver, on windows of a few slots."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog  # type: ignore[import-untyped]

from optimizer.large import kernels as k

GAIN = np.array([0.15, 0.2, 0.25])


def job_of(rng: np.random.Generator) -> np.ndarray:
    due = rng.uniform(0.1, 0.8)
    unmet = rng.uniform(5.0, 60.0)
    return np.array(
        [due, due + rng.uniform(0.0, 0.5), 0.5 * unmet, unmet, rng.uniform(0.0, 2.0), rng.uniform(0.0, 0.1)]
    )


def flags_of(rng: np.random.Generator, *, pauses: bool) -> np.ndarray:
    running = bool(rng.random() < 0.3)
    stays = running and (not pauses or rng.random() < 0.3)
    min_run, min_pause = (int(rng.integers(1, 3)), int(rng.integers(1, 3))) if pauses else (1, 1)
    ran = int(rng.integers(1, 4))
    if running and not stays:
        ran = max(ran, min_run)
    return np.array([int(not running), int(running), int(stays), 0, int(pauses), min_run, min_pause, ran, -1, 0])


def costs_of(rng: np.random.Generator, slots: int) -> np.ndarray:
    # free slots are where segments tie
    price = rng.choice([0.0, 10.0, 40.0], slots) * rng.uniform(0.5, 1.0, slots)
    return price[:, None] * np.array([0.08, 0.11, 0.16]) + rng.choice([0.0, 0.3], slots)[:, None]


def money_of(on: np.ndarray, cost: np.ndarray, job: np.ndarray, starts: int, resumed: int) -> float:
    """Least cost of given on-slots by a general linear program over the levels, unmet work and work beyond."""
    slots = np.flatnonzero(on)
    n = 3 * len(slots)
    c = np.concatenate([cost[slots].ravel(), [job[k.UNMET], -job[k.VALUE]]])
    equal = np.zeros((len(slots), n + 2))
    for i in range(len(slots)):
        equal[i, 3 * i : 3 * i + 3] = 1.0
    work = np.concatenate([np.tile(-GAIN, len(slots)), [-1.0, 1.0]])
    limit = -(job[k.DUE] + job[k.LOSS] * resumed)
    bounds = [(0.0, 1.0)] * n + [(0.0, None), (0.0, job[k.WORK] - job[k.DUE])]
    solved = linprog(c, A_ub=[work], b_ub=[limit], A_eq=equal, b_eq=np.ones(len(slots)), bounds=bounds)
    assert solved.status == 0
    return float(solved.fun) + job[k.START] * starts


def lawful(on: np.ndarray, flag: np.ndarray) -> bool:
    """Rules of sessions but for the minimum run of the last one, which may end with the job."""
    runs = [(bool(key), len(list(group))) for key, group in itertools.groupby(on)]
    sessions = [i for i, (is_on, _) in enumerate(runs) if is_on]
    if flag[k.STAYS] and not on[0]:
        return False
    if not flag[k.PAUSES]:
        return len(sessions) <= 1
    for i in sessions[:-1]:
        if runs[i][1] + (flag[k.RAN] if i == 0 and flag[k.RUNNING] else 0) < flag[k.MIN_RUN]:
            return False
    pauses = [i for i, (is_on, _) in enumerate(runs) if not is_on and i > 0 and i + 1 < len(runs)]
    if flag[k.RUNNING] and not on[0] and len(runs) > 1:
        pauses.append(0)
    return all(runs[i][1] >= flag[k.MIN_PAUSE] for i in pauses)


def cheapest(cost: np.ndarray, job: np.ndarray, flag: np.ndarray) -> float:
    """Least cost over every pattern that keeps the rules."""
    found = np.inf if flag[k.STAYS] else job[k.UNMET] * job[k.DUE]
    for pattern in itertools.product([False, True], repeat=len(cost)):
        on = np.array(pattern)
        if on.any() and lawful(on, flag):
            starts, resumed = k.count_starts(on, flag)
            found = min(found, money_of(on, cost, job, starts, resumed))
    return float(found)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("pauses", [False, True])
def test_the_least_is_proven_from_below_and_its_schedule_reached_from_above(seed: int, *, pauses: bool) -> None:
    rng = np.random.default_rng(seed)
    slots = int(rng.integers(2, 6))
    job, flag, cost = job_of(rng), flags_of(rng, pauses=pauses), costs_of(rng, slots)
    top = np.full(slots, 2)
    on, level, share = np.zeros(slots, dtype=bool), np.zeros(slots, dtype=np.int64), np.zeros(slots)
    least, total, _ = k.best_schedule(cost, GAIN, top, job, flag, True, 10.0, 40, 1e-9, False, on, level, share)
    truth = cheapest(cost, job, flag)
    assert least <= truth + 1e-7
    assert total >= truth - 1e-7
    # the schedule costs what is said of it, at the power that it draws
    paid = sum(cost[t, k0] + share[t] * (cost[t, k1] - cost[t, k0]) for t, k0, k1 in ends_of(on, level))
    done = sum(GAIN[k0] + share[t] * (GAIN[k1] - GAIN[k0]) for t, k0, k1 in ends_of(on, level))
    starts, resumed = k.count_starts(on, flag)
    done -= job[k.LOSS] * resumed
    paid += job[k.START] * starts + job[k.UNMET] * max(0.0, job[k.DUE] - done)
    paid -= job[k.VALUE] * max(0.0, min(done, job[k.WORK]) - job[k.DUE])
    assert total == pytest.approx(paid, abs=1e-7)


def ends_of(on: np.ndarray, level: np.ndarray) -> list[tuple[int, int, int]]:
    return [(t, *k.ends(int(level[t]), 2)) for t in np.flatnonzero(on).tolist()]


def test_the_two_sides_meet_on_most_days() -> None:
    met = 0
    for seed in range(60):
        rng = np.random.default_rng(1000 + seed)
        job, flag, cost = job_of(rng), flags_of(rng, pauses=bool(seed % 2)), costs_of(rng, 6)
        on, level, share = np.zeros(6, dtype=bool), np.zeros(6, dtype=np.int64), np.zeros(6)
        least, total, _ = k.best_schedule(
            cost, GAIN, np.full(6, 2), job, flag, True, 10.0, 40, 1e-9, False, on, level, share
        )
        met += total - least <= 1e-3 * max(1.0, abs(total))
    assert met >= 45


def test_levels_of_many_free_slots_draw_the_power_that_their_work_needs() -> None:
    # enough segments of one price that an unstable sort would shuffle them
    slots = 40
    job = np.array([9.0, 9.0, 0.0, 50.0, 0.0, 0.0])
    on, level, share = np.ones(slots, dtype=bool), np.zeros(slots, dtype=np.int64), np.zeros(slots)
    cost, top, scratch = np.zeros((slots, 3)), np.full(slots, 2), np.empty(3 * slots)
    total, _ = k.fill_levels(on, cost, GAIN, top, job, 1, 0, level, share, scratch)
    assert total == 0.0
    done = sum(GAIN[k0] + share[t] * (GAIN[k1] - GAIN[k0]) for t, k0, k1 in ends_of(on, level))
    assert done == pytest.approx(9.0)
