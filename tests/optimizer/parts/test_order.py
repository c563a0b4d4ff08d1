"""Jobs that wait for others (they stand among the jobs): the row written by hand, and who runs when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from golden_rows import Golden, check
from small_day import TWO_LEVELS, bounds, compiled, day, job, on_slots, planned, ten

# first: an hour and a half, half an hour lost at a restart; its four slots could lose two hours at most
FIRST = job("first", 1.5, levels=TWO_LEVELS, preemptible=True, restart_loss_h=0.5)
CHAIN = day(FIRST, job("then", 1.0, after=["first"]), schema_version="1.1")
GOLDEN = [
    Golden(
        "jobs.after_others[then,first,3]",
        CHAIN,
        "0.7 level[first,0,0] + level[first,0,1] + 0.7 level[first,1,0] + level[first,1,1] + 0.7 level[first,2,0]"
        " + level[first,2,1] - 0.5 resumed[first] - 3.5 on[then,3] >= -2",
    ),
    Golden(
        "jobs.after_others[then,first,2]",
        CHAIN,
        "0.7 level[first,0,0] + level[first,0,1] - 1.5 on[then,2] >= 0",
        {"pattern": {"first": np.array([1, 0, 0, 0])}},
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_who_waits_has_no_column_before_the_others_can_be_done() -> None:
    assert [name for name in bounds(CHAIN) if name.startswith("jobs.on[then")] == ["jobs.on[then,2]", "jobs.on[then,3]"]


FALLING = [100.0 - 10.0 * t for t in range(10)]


def test_a_job_waits_for_another() -> None:
    # power gets cheaper, yet the first must be done before the second, in the last five hours
    plan = planned(ten(job("a", 3.0), job("b", 2.0, after=["a"]), prices=FALLING))
    assert on_slots(plan, "a") == [5, 6, 7]
    assert on_slots(plan, "b") == [8, 9]
    # side by side they would run in the last three and two
    free = planned(ten(job("a", 3.0), job("b", 2.0), prices=FALLING))
    assert plan.objective == pytest.approx(free.objective + 30 + 40 + 50 - (10 + 20 + 30) - 0)  # type: ignore[operator]


def test_a_job_waits_for_several_and_for_those_before_them() -> None:
    jobs = [job("a", 2.0), job("b", 1.0, after=["a"]), job("c", 2.0), job("d", 1.0, after=["b", "c"])]
    plan = planned(ten(*jobs, prices=FALLING))
    ends = {name: on_slots(plan, name) for name in "abcd"}
    assert max(ends["a"]) < min(ends["b"])
    assert max(*ends["b"], *ends["c"]) < min(ends["d"])
    assert ends["d"] == [9]


def test_who_waits_for_work_that_is_not_worth_doing_waits_for_ever() -> None:
    first = job("a", 3.0, unmet_cost_per_h=1.0)
    worth = job("b", 1.0, after=["a"], unmet_cost_per_h=40.0)
    # doing both costs 60 and more, leaving both undone costs 3 + 40
    plan = planned(ten(first, worth))
    assert (on_slots(plan, "a"), on_slots(plan, "b")) == ([], [])
    assert plan.objective == pytest.approx(43.0)


def test_a_chain_that_does_not_fit_is_named() -> None:
    plan = planned(ten(job("a", 6.0), job("b", 6.0, after=["a"])))
    assert plan.status == "infeasible"
    assert "job b owes 6 h" in " ".join(plan.conflicts)


def test_an_order_needs_the_whole_model() -> None:
    jobs: list[dict[str, Any]] = [job("a", 1.0), job("b", 1.0)]
    assert not compiled(ten(*jobs)).burning_may_pay
    assert compiled(ten(jobs[0], jobs[1] | {"after": ["a"]})).burning_may_pay
