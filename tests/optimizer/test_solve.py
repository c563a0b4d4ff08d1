"""What is told while HiGHS solves: no bound of it may lie above the optimum."""

from __future__ import annotations

import random

import pyomo.environ as pyo
import pytest

from optimizer.solve import Options, solve

ITEMS = 40


def sack() -> pyo.ConcreteModel:
    """Things to pack whole (x) or in part (y)."""
    dice = random.Random(0)
    sizes = [dice.randint(5, 30) for _ in range(ITEMS)]
    model = pyo.ConcreteModel()
    model.x = pyo.Var(range(ITEMS), domain=pyo.Binary)
    model.y = pyo.Var(range(ITEMS), domain=pyo.Binary)
    packed = sum(size * model.x[k] + (size + 3) * model.y[k] for k, size in enumerate(sizes))
    model.room = pyo.Constraint(expr=packed <= sum(sizes) / 2 + 0.5)
    model.once = pyo.Constraint(range(ITEMS), rule=lambda m, k: m.x[k] + m.y[k] <= 1)
    worth = [(size + dice.random(), 0.5 * size + dice.random()) for size in sizes]
    model.worth = pyo.Objective(expr=-sum(a * model.x[k] + b * model.y[k] for k, (a, b) in enumerate(worth)))
    return model


@pytest.mark.parametrize("started", [False, True])
def test_no_bound_lies_above_the_optimum_also_while_a_poor_start_is_completed(started: bool) -> None:
    model, told = sack(), []
    start = {id(model.x[k]): 0.0 for k in range(ITEMS)} if started else None
    found = solve(
        model, Options(1e-9, 20.0), start=start, on_incumbent=lambda cost, bound, *_: told.append((cost, bound))
    )
    assert found.status == "optimal"
    assert found.objective is not None
    assert found.bound == pytest.approx(found.objective)
    assert len(told) > 1
    assert all(bound <= found.objective + 1e-6 for _, bound in told)
