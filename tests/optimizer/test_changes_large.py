"""What moving against the plan in force costs reaches jobs through slot prices too: bound, plan, stability."""

from __future__ import annotations

from typing import Any

import pytest
from small_day import TWO_LEVELS, at, job, on_slots, pool, ten

from optimizer.document import Plan
from optimizer.finds import Best, Clock, Request
from optimizer.large.search import search
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.verify import verify


def searched(raw: dict[str, Any]) -> tuple[Plan, float]:
    """The last plan that slot prices found, without the general solver, and the bound that they prove."""
    received = check_problem(raw)
    problem, clock = compile_problem(received), Clock(2.5)
    best = Best(problem, 1e-6, clock)
    for find in search(problem, Request(1e-6, 2.5), clock, best, small=False):
        if find.plan is not None:
            assert verify(received, find.plan, 1e-6) == []
    assert best.plan is not None
    assert best.bound is not None
    return best.plan, best.bound


def crowd(cost: float, **more: Any) -> dict[str, Any]:
    """Eight pausable gangs of four GPUs in a pool of sixteen, published in the dear second half of the day."""
    said = {"runs": [{"start": at(6), "end": at(9), "power_mw": 1.0}], "moved_cost_per_h": cost}
    some = [
        job(f"j{k}", 3.0, pool="hall", gpus=4, levels=TWO_LEVELS, preemptible=True, published=said | more)
        for k in range(4)
    ]
    return ten(*some, pools=[pool(gpus=16)], stability={"until": at(10), **({"frozen_until": at(2)} if more else {})})


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    """Compile the arithmetic before a search has its seconds counted."""
    searched(crowd(1.0))


def test_gangs_stay_where_moving_costs_more_than_it_saves() -> None:
    plan, bound = searched(crowd(1000.0))
    assert {i: on_slots(plan, f"j{i}") for i in range(4)} == {i: [6, 7, 8] for i in range(4)}
    assert "change" not in plan.terms
    assert plan.objective == pytest.approx(4 * (70 + 80 + 90))
    assert bound == pytest.approx(plan.objective, rel=1e-4)


def test_gangs_move_where_it_costs_little() -> None:
    plan, bound = searched(crowd(0.5))
    assert all(max(on_slots(plan, f"j{i}")) <= 5 for i in range(4))
    assert plan.terms["change"] == pytest.approx(sum(u.amount * u.price for u in plan.unmet))
    assert bound == pytest.approx(plan.objective, rel=2e-2)
    assert bound <= (plan.objective or 0.0) + 1e-6


def test_a_gang_that_owes_nothing_stays_on_for_what_leaving_would_cost() -> None:
    raw = crowd(100.0)
    for one in raw["jobs"]:
        one |= {"due_h": 0.0, "unmet_cost_per_h": 1.0}
    plan, bound = searched(raw)
    assert on_slots(plan, "j0") == [6, 7, 8]
    assert bound <= (plan.objective or 0.0) + 1e-6
    assert plan.objective == pytest.approx(bound, rel=1e-3)
