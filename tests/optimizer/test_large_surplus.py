"""Jobs on surplus at slot prices: bounds that never lie, and plans in which the others' leftovers are used.

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
import random_days
from small_day import battery, compiled, job, on_slots, ten

from optimizer.document import Plan
from optimizer.finds import Best, Clock, Request
from optimizer.large.crowd import Crowd
from optimizer.large.search import search
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.surplus import closed_to
from optimizer.verify import verify

SEEDS = range(14 * int(os.environ.get("CHERGUI_SOAK", "1")))


@dataclass(frozen=True)
class Searched:
    """A day's optimum, the bounds that slot prices proved, and its plans."""

    optimum: float
    bounds: list[float]
    plans: list[Plan]


def _search(raw: dict[str, Any], limit_s: float = 10.0) -> tuple[list[float], list[Plan]]:
    """Bounds and plans at slot prices, without the general solver; the referee passes each."""
    received = check_problem(raw)
    problem, clock = compile_problem(received), Clock(limit_s)
    bounds, plans = [], []
    for find in search(problem, Request(1e-6, limit_s), clock, Best(problem, 1e-6, clock), small=True):
        if find.bound is not None:
            bounds.append(find.bound)
        if find.plan is not None:
            assert verify(received, find.plan, 1e-6) == []
            plans.append(find.plan)
    return bounds, plans


@functools.cache
def searched() -> dict[int, Searched]:
    """Random days with a plan, their first job on surplus alone."""
    found = {}
    for seed in SEEDS:
        raw = random_days.day(7000 + seed) | {"schema_version": "1.1"}
        random_asks.on_surplus(raw)
        optimum = brute_force.solve(raw).objective
        if optimum is not None and Crowd(compiled(raw)).kinds:
            found[seed] = Searched(optimum, *_search(raw))
    return found


def test_no_bound_exceeds_the_optimum_and_no_plan_is_below_it() -> None:
    assert len(searched()) >= len(SEEDS) / 2
    for seed, day in searched().items():
        slack = 1e-6 * max(1.0, abs(day.optimum))
        assert day.bounds, seed
        assert all(math.isfinite(bound) for bound in day.bounds), seed
        assert max(day.bounds) <= day.optimum + slack, seed
        assert all(plan.objective is not None and plan.objective >= day.optimum - 10 * slack for plan in day.plans)


# two megawatts of base load all day; sun enough for a third in two hours, and for a fifth in one
SUN = [0.0, 0.0, 2.5, 5.0, 4.0, 2.9, 0.0, 0.0, 0.0, 0.0]
SURPLUS: dict[str, Any] = {"surplus": True, "preemptible": True, "due_h": 0.0, "work_value_per_h": 100.0}


def sunny(*jobs: dict[str, Any], sell: float = 0.0, **more: Any) -> dict[str, Any]:
    series = {"pv_available_mw": SUN, "base_load_mw": [2.0] * 10, "export_price_per_mwh": [sell] * 10}
    return ten(*jobs, series=series, **{"grid": {"export_limit_mw": 2.0}, **more})


@pytest.mark.parametrize(("sell", "slots"), [(0.0, [3, 4]), (5.0, [3])])
def test_it_runs_on_what_the_others_leave(sell: float, slots: list[int]) -> None:
    # what earns something is sold first: two megawatts at 5
    _, plans = _search(sunny(job("s", 5.0, **SURPLUS), sell=sell, batteries=[battery()]))
    assert on_slots(plans[-1], "s") == slots


def test_who_is_worth_more_comes_first_and_a_slot_is_shared() -> None:
    # slot 3 has three megawatts left over, slot 4 two; a job of two takes both, one of one what is left
    big = job("big", 5.0, levels=[{"power_mw": 2.0, "speed": 1.0}], **SURPLUS | {"work_value_per_h": 300.0})
    _, plans = _search(sunny(job("small", 5.0, **SURPLUS), big))
    assert on_slots(plans[-1], "big") == [3, 4]
    assert on_slots(plans[-1], "small") == [3]


def test_slots_without_enough_sun_are_closed_to_the_bound() -> None:
    problem = compiled(sunny(job("s", 5.0, **SURPLUS)))
    assert closed_to(problem, problem.entries[0]).tolist() == [True, True, True, False, False, True, *[True] * 4]
    bounds, plans = _search(sunny(job("s", 5.0, **SURPLUS)))
    # two hours of work at 100, and the base load bought in the other hours: nothing is left to prove
    assert plans[-1].objective == pytest.approx(max(bounds), rel=1e-3)
    assert not closed_to(compiled(sunny(job("a", 5.0))), compiled(sunny(job("a", 5.0))).entries[0]).any()
