"""What version 1.1 asks passes through the decomposition: bound <= optimum <= plan on days that are enumerated.

``CHERGUI_SOAK`` multiplies the number of days.
"""

from __future__ import annotations

import functools
import math
import os
from dataclasses import dataclass
from typing import Any

import brute_force
import pytest
import random_asks
import retold_day
from plan_here import plan_here

from optimizer.direct import only_milp
from optimizer.finds import Best, Clock, Request
from optimizer.large.crowd import Crowd
from optimizer.large.search import search
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.verify import verify

SEEDS = range(3000, 3000 + 14 * int(os.environ.get("CHERGUI_SOAK", "1")))


@dataclass(frozen=True)
class Searched:
    """A day's optimum, the last bound that slot prices proved, and what its plans cost."""

    raw: dict[str, Any]
    optimum: float
    bound: float | None
    plans: list[float]
    whole: bool  # an order or a crowd at the storage, which a listing can only keep by chance


@functools.cache
def searched() -> list[Searched]:
    """Days that have a plan and a job to price, searched by slot prices without the general solver."""
    found = []
    for seed in SEEDS:
        raw = random_asks.day(seed)
        optimum = brute_force.solve(raw).objective
        received = check_problem(raw)
        problem, clock = compile_problem(received), Clock(10.0)
        if optimum is None or not Crowd(problem).kinds:
            continue
        bound, plans = None, []
        for find in search(problem, Request(1e-6, 10.0), clock, Best(problem, 1e-6, clock), small=True):
            bound = bound if find.bound is None else find.bound
            if find.plan is not None and find.plan.objective is not None:
                assert verify(received, find.plan, 1e-6) == []
                plans.append(find.plan.objective)
        found.append(Searched(raw, optimum, bound, plans, only_milp(problem)))
    return found


def test_most_days_are_searched_and_have_a_plan() -> None:
    assert len(searched()) >= len(SEEDS) / 2
    listed = [day for day in searched() if not day.whole]
    assert len(listed) >= 4
    assert sum(bool(day.plans) for day in listed) >= 0.9 * len(listed)


def test_every_bound_is_proven_and_below_the_optimum() -> None:
    for day in searched():
        assert day.bound is not None
        assert math.isfinite(day.bound)
        assert day.bound <= day.optimum + 1e-6 * max(1.0, abs(day.optimum)), day.raw["name"]


def test_no_plan_is_cheaper_than_the_optimum() -> None:
    for day in searched():
        assert all(cost >= day.optimum - 1e-5 * max(1.0, abs(day.optimum)) for cost in day.plans), day.raw["name"]


@pytest.mark.parametrize("part", ["events", "generators", "batteries"])
def test_the_days_have_something_to_ask(part: str) -> None:
    assert any(day.raw.get(part) for day in searched())


# ---- the same day told differently


@pytest.mark.parametrize("seed", [82, 118])
def test_units_mean_nothing(seed: int) -> None:
    raw = random_asks.day(seed)
    told = plan_here(check_problem(retold_day.in_kilowatts(raw)))
    assert told.objective == pytest.approx(brute_force.solve(raw).objective, rel=1e-6, abs=1e-6)


def test_a_duty_less_is_never_dearer() -> None:
    for day in searched()[:6]:
        for part in ("events", "nominations"):
            without = brute_force.solve(day.raw | {part: []}).objective
            assert without is not None
            assert without <= day.optimum + 1e-6 * max(1.0, abs(day.optimum))
