"""Bounds that never lie, plans of busy days in seconds, and days told differently that cost the same.

``CHERGUI_SOAK`` multiplies the number of days.
"""

from __future__ import annotations

import copy
import functools
import itertools
import math
import os
import random
import time
from collections.abc import Callable
from typing import Any

import brute_force
import made_site
import pytest
import random_days
import retold_day
from plan_here import plan_here

from optimizer.energy_model import EnergyModel
from optimizer.finds import Best, Clock, Request
from optimizer.large.crowd import Crowd
from optimizer.large.prices import rounds
from optimizer.large.search import search
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.verify import verify

SOAK = int(os.environ.get("CHERGUI_SOAK", "1"))
DAYS = range(2000, 2000 + 72 * SOAK)
ROUNDS = 10 if SOAK == 1 else None


# ---- the bound against the oracle


@functools.cache
def bounds_of_days() -> dict[int, tuple[float, list[float]]]:
    """Optimum and the bound after each round, for the days that have a plan and a job to price."""
    found: dict[int, tuple[float, list[float]]] = {}
    for seed in DAYS:
        raw = random_days.day(seed)
        optimum = brute_force.solve(raw).objective
        if optimum is None:
            continue
        problem = compile_problem(check_problem(raw))
        priced = rounds(EnergyModel(problem), Crowd(problem), time.monotonic() + 60)
        bounds = [step.bound for step in itertools.islice(priced, ROUNDS)]
        if bounds:
            found[seed] = optimum, bounds
    return found


@pytest.mark.parametrize("more", [{"gpus": 10**6}, {"held": True}], ids=["larger than its pool", "held"])
def test_a_wish_that_nothing_can_meet_spoils_no_bound(more: dict[str, Any]) -> None:
    raw = made_site.site(50, seed=1)
    gap = proven_gap(raw)
    wish = {**copy.deepcopy(raw["jobs"][0]), "id": "wish", "unmet_cost_per_h": 1e5, **more}
    assert proven_gap({**raw, "jobs": [*raw["jobs"], wish]}) <= gap + 1e-3


def proven_gap(raw: dict[str, Any]) -> float:
    """Distance of the first listing and the bound of slot prices, of the listing."""
    problem, clock = compile_problem(check_problem(raw)), Clock(8.0)
    best = Best(problem, 1e-2, clock)
    for _ in search(problem, Request(1e-2, 8.0), clock, best, small=True):
        pass
    assert best.plan is not None
    assert best.plan.gap is not None
    return best.plan.gap


def test_there_are_sixty_days_to_judge() -> None:
    assert len(bounds_of_days()) >= 60


def test_no_bound_exceeds_the_oracle_s_optimum() -> None:
    beyond = {
        seed: (optimum, bounds[-1])
        for seed, (optimum, bounds) in bounds_of_days().items()
        if max(bounds) > optimum + 1e-6 * max(1.0, abs(optimum))
    }
    assert beyond == {}


def test_every_bound_is_finite_and_none_is_given_up_again() -> None:
    for bounds in (bounds for _, bounds in bounds_of_days().values()):
        assert all(math.isfinite(bound) for bound in bounds)
        assert bounds == sorted(bounds)


def test_bounds_are_worth_something() -> None:
    near = [bounds[-1] >= optimum - 0.1 * max(1.0, abs(optimum)) for optimum, bounds in bounds_of_days().values()]
    assert sum(near) >= len(near) / 5


# ---- a busy day


def test_a_busy_day_has_a_refereed_plan_and_a_small_gap_in_seconds() -> None:
    received = check_problem(made_site.site(30, seed=4))
    problem, request = compile_problem(received), Request(gap=0.005, time_limit_s=7.0)
    clock = Clock(request.time_limit_s)
    finds = list(search(problem, request, clock, Best(problem, request.gap, clock), small=False))
    assert clock.elapsed < 25
    plans = [find.plan for find in finds if find.plan is not None]
    assert plans
    for plan in plans:
        assert verify(received, plan, request.gap) == []
        assert plan.objective is not None
        assert plan.bound is None or plan.bound <= plan.objective
    # the best bound holds for every plan, also for the first ones, which came before any was proven
    assert plans[-1].bound is not None
    assert all(plans[-1].bound <= plan.objective for plan in plans)  # type: ignore[operator]
    assert plans[-1].gap is not None
    assert plans[-1].gap < 0.25
    costs = [plan.objective for plan in plans]
    assert costs == sorted(costs, reverse=True)  # type: ignore[type-var]


def test_the_made_up_site_is_tight() -> None:
    problem = compile_problem(check_problem(made_site.site(30, seed=4)))
    owed = sum(e.gpus * e.due_h for e in problem.entries)
    assert 0.3 < owed / 24 / sum(int(pool.gpus.max()) for pool in problem.pools) < 0.9
    power = sum(e.due_h * float(e.power.max()) for e in problem.entries)
    assert power > 0.5 * problem.step_h * float(problem.import_limit.sum())


# ---- the same day told differently


def _has_plan(seed: int) -> bool:
    return brute_force.solve(random_days.day(seed)).objective is not None


def _some(wanted: Callable[[dict[str, Any]], bool], number: int = 2 * SOAK) -> list[int]:
    """Seeds of days that have something; whether there is a plan is asked only of those."""
    seeds = (seed for seed in itertools.count(3000) if wanted(random_days.day(seed)) and _has_plan(seed))
    return list(itertools.islice(seeds, number))


ANY = _some(lambda day: len(day["jobs"]) > 1, 3 * SOAK)
COOLED = _some(lambda day: "cooling" in day and "carbon_kg_per_mwh" in day["series"], SOAK)
SUNNY = _some(lambda day: "pv_available_mw" in day["series"])
STORING = _some(lambda day: bool(day.get("batteries")))


@functools.cache
def cost(seed: int) -> float:
    objective = plan_here(check_problem(random_days.day(seed))).objective
    assert objective is not None
    return objective


def cost_of(raw: dict[str, Any]) -> float:
    """What an exactly solved day costs; infinitely much where there is no plan."""
    plan = plan_here(check_problem(raw))
    assert plan.status in ("optimal", "infeasible")
    return math.inf if plan.objective is None else plan.objective


@pytest.mark.parametrize("seed", ANY)
def test_the_order_of_jobs_means_nothing(seed: int) -> None:
    raw = copy.deepcopy(random_days.day(seed))
    before = [job["id"] for job in raw["jobs"]]
    random.Random(seed).shuffle(raw["jobs"])
    if [job["id"] for job in raw["jobs"]] == before:
        raw["jobs"].reverse()
    assert cost_of(raw) == pytest.approx(cost(seed), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", ANY + COOLED)
def test_units_mean_nothing(seed: int) -> None:
    raw = retold_day.in_kilowatts(random_days.day(seed))
    assert cost_of(raw) == pytest.approx(cost(seed), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", ANY)
def test_the_date_means_nothing(seed: int) -> None:
    assert cost_of(retold_day.later(random_days.day(seed))) == pytest.approx(cost(seed), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", SUNNY)
def test_more_sun_is_never_dearer(seed: int) -> None:
    assert cost_of(retold_day.with_sun(random_days.day(seed))) <= cost(seed) + 1e-6 * max(1.0, abs(cost(seed)))


@pytest.mark.parametrize("seed", STORING)
def test_a_battery_less_is_never_cheaper(seed: int) -> None:
    without = cost_of(retold_day.without_batteries(random_days.day(seed)))
    assert without >= cost(seed) - 1e-6 * max(1.0, abs(cost(seed)))
