"""The best plan so far says what is proven about it, also where the proof came last."""

from __future__ import annotations

import made_site
import pytest
from small_day import compiled, day, job

from optimizer.dispatch import at_levels
from optimizer.finds import Best, Clock, Request
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.solve import Options
from optimizer.worker import work


def test_a_bound_that_comes_after_the_plan_is_told() -> None:
    problem = compiled(day(job("a", 2.0)))
    best = Best(problem, 1e-3, Clock(10.0))
    assert not best.told_less
    pattern = {"a": problem.entries[0].power.astype(int).repeat(4) * [1, 1, 0, 0]}
    found = at_levels(problem, pattern, {"a": 0}, Options(1e-6, 5.0))
    assert found is not None
    assert best.offer(found, pattern, "GREEDY")
    best.find()
    best.prove(20.0)
    assert best.told_less
    plan = best.find().plan
    assert plan is not None
    assert (plan.bound, plan.objective) == (20.0, pytest.approx(30.0))
    assert not best.told_less
    best.prove(10.0)
    assert not best.told_less


def test_the_last_plan_of_a_solve_knows_all_that_was_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Best, "calm", lambda self: False)
    problem = compile_problem(check_problem(made_site.site(50, seed=1)))
    finds = list(work(problem, Request(1e-6, 3.0)))
    last = [find.plan for find in finds if find.plan is not None][-1]
    assert last.bound == max(find.bound for find in finds if find.bound is not None)
