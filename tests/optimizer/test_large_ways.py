"""Jobs that choose among ways at slot prices: bounds that never lie, plans that the referee passes, and what they gain.

``CHERGUI_SOAK`` multiplies the number of days.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import time
from dataclasses import dataclass
from typing import Any

import brute_force
import numpy as np
import pytest
import random_ways

from bench import many_ways
from optimizer.dispatch import redispatch
from optimizer.energy_model import EnergyModel, SlotPrices
from optimizer.finds import Best, Clock, Request
from optimizer.large import kernels as k
from optimizer.large.crowd import Crowd
from optimizer.large.improve import BoardCost, improve
from optimizer.large.listing import BRISK, Listing
from optimizer.large.neighbourhood import search_around
from optimizer.large.prices import Round, rounds
from optimizer.large.pricing import price
from optimizer.large.search import search
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.sessions import in_one_way_each
from optimizer.solve import Options
from optimizer.verify import verify

SEEDS = range(16 * int(os.environ.get("CHERGUI_SOAK", "1")))


@dataclass(frozen=True)
class Searched:
    """A day's optimum, the bounds that slot prices proved, and what its plans cost."""

    optimum: float
    bounds: list[float]
    plans: list[float]
    mixes: bool


@functools.cache
def searched() -> dict[int, Searched]:
    """Days that have a plan, searched by slot prices without the general solver."""
    found = {}
    for seed in SEEDS:
        raw = random_ways.day(seed)
        optimum = brute_force.solve(raw).objective
        received = check_problem(raw)
        problem, clock = compile_problem(received), Clock(10.0)
        if optimum is None or not Crowd(problem).kinds:
            continue
        bounds, plans = [], []
        for find in search(problem, Request(1e-6, 10.0), clock, Best(problem, 1e-6, clock), small=True):
            if find.bound is not None:
                bounds.append(find.bound)
            if find.plan is not None and find.plan.objective is not None:
                assert verify(received, find.plan, 1e-6) == []
                plans.append(find.plan.objective)
        found[seed] = Searched(optimum, bounds, plans, bool(Crowd(problem).mixes.any()))
    return found


def test_most_days_have_a_plan_and_jobs_that_may_change_their_way() -> None:
    days = searched().values()
    assert len(days) >= 0.7 * len(SEEDS)
    assert sum(bool(day.plans) for day in days) >= 0.8 * len(days)
    assert sum(day.mixes for day in days) >= len(days) / 4


def test_no_bound_exceeds_the_optimum_and_no_plan_is_below_it() -> None:
    for seed, day in searched().items():
        slack = 1e-6 * max(1.0, abs(day.optimum))
        assert day.bounds, seed
        assert all(math.isfinite(bound) for bound in day.bounds), seed
        assert max(day.bounds) <= day.optimum + slack, seed
        assert all(cost >= day.optimum - 10 * slack for cost in day.plans), seed


def test_many_plans_are_the_optimum() -> None:
    days = [day for day in searched().values() if day.plans]
    same = [min(day.plans) <= day.optimum + 1e-4 * max(1.0, abs(day.optimum)) for day in days]
    assert sum(same) >= len(same) / 3


# ---- one job against enumeration: every pattern of ways over a few slots


LEVELS = 2


def _drawn(rng: np.random.Generator) -> dict[str, Any]:
    """Arrays of one job with two or three ways on four slots, as the compiled arithmetic takes them."""
    ways, slots = int(rng.integers(2, 4)), 4
    gain = np.sort(rng.uniform(0.1, 0.5, (ways, LEVELS)), axis=1)
    cost = rng.uniform(0.0, 4.0, (ways, slots, 1)) * (0.4 + gain[:, None, :])
    cost[rng.random((ways, slots)) < 0.15] = k.BIG
    running = bool(rng.random() < 0.3)
    pauses = bool(rng.random() < 0.7)
    runs, rests = (int(rng.integers(1, 3)), int(rng.integers(1, 3))) if pauses else (1, 1)
    flag = np.array([int(not running), int(running), 0, 0, int(pauses), runs, rests, 2, -1, 0], dtype=np.int64)
    due = rng.uniform(0.1, 0.9)
    unmet = rng.uniform(2.0, 12.0)
    return {
        "cost": cost,
        "gain": gain,
        "pool": np.array([0, *rng.integers(0, 2, ways - 1)], dtype=np.int64),
        "home": np.array([1, *[0] * (ways - 1)], dtype=np.int64),
        "job": np.array([due, due + rng.uniform(0.0, 0.4), 0.4 * unmet, unmet, rng.uniform(0.0, 1.0), 0.1]),
        "flag": flag,
        "resize": float(rng.choice([0.0, 0.1])),
    }


def _judged(drawn: dict[str, Any], way: tuple[int, ...]) -> tuple[int, float] | None:
    """Starts and hours lost by a pattern of ways (-1: off); None where a rule or a closed slot forbids it."""
    flag, job, pool = drawn["flag"], drawn["job"], drawn["pool"]
    if any(w >= 0 and drawn["cost"][w, t, 0] >= k.BIG for t, w in enumerate(way)):
        return None
    before, length, gap, starts, lost, ever = (0, 2, 0, 0, 0.0, True) if flag[k.RUNNING] else (-1, 0, 9, 0, 0.0, False)
    for w in way:
        if w >= 0 and before >= 0:
            if pool[w] != pool[before]:
                return None
            lost += drawn["resize"] if w != before else 0.0
            length += 1
        elif w >= 0:
            if ever and (not flag[k.PAUSES] or gap < flag[k.MIN_PAUSE]):
                return None
            starts, ever = starts + 1, True
            lost += 0.0 if flag[k.FRESH] and starts == 1 else job[k.LOSS]
            length = 1
        elif before >= 0:
            # whoever goes on later has run for long enough; the last session may end with the job
            gap = 1 if length >= flag[k.MIN_RUN] else -9
        else:
            gap += 1
        before = w
    return starts, lost


def _money(drawn: dict[str, Any], way: tuple[int, ...], starts: int, lost: float) -> float:
    """Least cost of a pattern: two levels a slot, filled from the cheapest on while work is worth it."""
    cost, gain, job = drawn["cost"], drawn["gain"], drawn["job"]
    on = [(t, w) for t, w in enumerate(way) if w >= 0]
    total = job[k.START] * starts + sum(cost[w, t, 0] for t, w in on)
    done = sum(gain[w, 0] for _, w in on) - lost
    wide = [(gain[w, 1] - gain[w, 0], cost[w, t, 1] - cost[w, t, 0]) for t, w in on]
    for hours, money in sorted(wide, key=lambda one: one[1] / one[0]):
        for worth, until in ((job[k.UNMET], job[k.DUE]), (job[k.VALUE], job[k.WORK])):
            take = min(hours, max(0.0, until - done))
            if take > 0 and money / hours < worth:
                share = take / hours
                total, done, hours, money = total + share * money, done + take, hours - take, money * (1 - share)
    total += job[k.UNMET] * max(0.0, job[k.DUE] - done)
    return float(total - job[k.VALUE] * min(max(0.0, done - job[k.DUE]), job[k.WORK] - job[k.DUE]))


def _cheapest(drawn: dict[str, Any]) -> float:
    ways, slots, _ = drawn["cost"].shape
    found = np.inf
    for way in itertools.product(range(-1, ways), repeat=slots):
        judged = None if max(way) < 0 else _judged(drawn, way)
        if judged is not None:
            found = min(found, _money(drawn, way, *judged))
    return found


@pytest.mark.parametrize("seed", range(6 * int(os.environ.get("CHERGUI_SOAK", "1"))))
def test_what_is_proven_of_a_job_in_many_ways_is_its_least_cost_or_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    near = []
    for _ in range(12):
        drawn = _drawn(rng)
        cheapest = _cheapest(drawn)
        levels = np.full(len(drawn["gain"]), LEVELS, dtype=np.int64)
        proven = k.least_in_ways(
            drawn["cost"],
            drawn["gain"],
            levels,
            drawn["pool"],
            drawn["home"],
            drawn["job"],
            drawn["flag"],
            drawn["resize"],
            1.0,
            30,
            1e-5,
            1e12,
        )
        if np.isfinite(cheapest):
            assert proven <= cheapest + 1e-9
            near.append(proven >= 0.9 * cheapest)
    assert sum(near) >= len(near) / 2


# ---- a busy day


def _busy() -> tuple[EnergyModel, Crowd, Round]:
    problem = compile_problem(check_problem(many_ways.day(40, seed=1)))
    energy, crowd = EnergyModel(problem), Crowd(problem)
    *_, last = itertools.islice(rounds(energy, crowd, time.monotonic() + 20.0), 8)
    return energy, crowd, last


def test_a_board_holds_and_its_books_are_those_of_the_ways_that_its_units_go() -> None:
    energy, crowd, last = _busy()
    listing, cost = Listing(energy, crowd, last), BoardCost(energy)
    listing.run(0.1, BRISK)
    assert not listing.board.is_overbooked()
    first = crowd.begin[listing.kind]
    assert (listing.line != first).any()
    least = price(crowd, last.prices, last.theta.copy()).least / crowd.times
    before, gone = cost.of(listing), listing.line.copy()
    assert before >= last.bound - crowd.left_undone
    for steps in (
        search_around(energy, listing, cost, least, -np.inf, time.monotonic() + 1.0),
        improve(listing, cost, least, -np.inf, time.monotonic() + 1.0),
    ):
        told = [before, *steps]
        assert all(b < a for a, b in itertools.pairwise(told))
        before = told[-1]
        assert cost.of(listing) == pytest.approx(before, rel=1e-9)
        used = np.zeros_like(listing.board.gpus)
        for u, line in enumerate(listing.line.tolist()):
            assert crowd.begin[listing.kind[u]] <= line < crowd.begin[listing.kind[u] + 1]
            used[crowd.row[line]] += listing.copies[u] * crowd.gpus[line] * listing.on[u]
        np.testing.assert_allclose(listing.board.gpus, used, atol=1e-6)
        assert (used <= listing.board.gpu_limit + 1e-6).all()
    assert (listing.line != gone).any()


def test_levels_of_one_way_each_need_no_model_of_the_ways() -> None:
    energy, crowd, last = _busy()
    listing = Listing(energy, crowd, last)
    listing.run(0.1, BRISK)
    problem, pattern = crowd.problem, listing.pattern()
    entries = in_one_way_each(problem, pattern)
    assert entries is not None
    assert {(e.pool, e.gpus) for e in entries} > {(e.pool, e.gpus) for e in problem.entries}
    options = Options(gap=1e-7, time_limit_s=60.0)
    quick = redispatch(problem, pattern, options, energy)
    whole = redispatch(problem, pattern, options, hold=lambda _: None)
    assert quick is not None
    assert whole is not None
    assert quick.cost == pytest.approx(whole.cost, rel=1e-5)


def test_the_search_goes_all_ways_and_proves_a_gap() -> None:
    received = check_problem(many_ways.day(40, seed=1))
    problem, request = compile_problem(received), Request(gap=0.001, time_limit_s=6.0)
    clock = Clock(request.time_limit_s)
    best = Best(problem, request.gap, clock)
    for find in search(problem, request, clock, best, small=False):
        assert find.plan is None or verify(received, find.plan, request.gap) == []
    assert best.plan is not None
    assert best.plan.gap is not None
    assert best.plan.gap < 0.15
    ran = {(run.pool, run.gpus) for entry in best.plan.jobs for run in entry.runs}
    own = {(job["pool"], job["gpus"]) for job in received.raw["jobs"]}
    assert ran - own


def test_prices_of_a_day_without_a_choice_are_untouched_by_ways() -> None:
    raw = many_ways.day(20, seed=2)
    alone = [{**job, "alternatives": []} for job in raw["jobs"]]
    shut = [{**job, "alternatives": [{"pool": job["pool"], "gpus": 10**6}]} for job in raw["jobs"]]
    found = []
    for jobs in (alone, shut):
        problem = compile_problem(check_problem(raw | {"jobs": jobs}))
        crowd = Crowd(problem)
        prices = SlotPrices(np.full((3, problem.slots), 20.0), np.full((3, problem.slots), 1e-3))
        found.append(price(crowd, prices, np.full(len(crowd.kinds), 10.0)))
    np.testing.assert_array_equal(found[0].least, found[1].least)
    np.testing.assert_array_equal(found[0].power, found[1].power)
