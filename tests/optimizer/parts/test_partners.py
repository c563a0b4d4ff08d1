"""A partner's GPUs: rent, quota, delay and egress in rows, and who is sent there."""

from __future__ import annotations

from typing import Any

import pytest
from golden_rows import Golden, check
from small_day import at, compiled, cost, day, job, on_slots, planned, pool, series_of, ten

from optimizer.direct import only_milp
from optimizer.document import Plan


def rented(**more: Any) -> dict[str, Any]:
    """Four GPUs of a partner at 2 per hour each."""
    return pool(name="cloud", gpus=4, partner={"price_per_gpu_h": 2.0, **more})


# a: four GPUs in the hall or, for 5 once, with the partner
AWAY = {"pool": "cloud", "egress_cost": 5.0}
MAY_GO = day(
    job("a", pool="hall", gpus=4, alternatives=[AWAY]),
    schema_version="1.1",
    pools=[pool(), rented(quota_gpu_h=6.0)],
)
GOLDEN = [
    Golden(
        "partners.within_quota[cloud]",
        MAY_GO,
        "4 ways.on_in[a@cloud/4,0] + 4 ways.on_in[a@cloud/4,1] + 4 ways.on_in[a@cloud/4,2] + 4 ways.on_in[a@cloud/4,3]"
        " <= 6",
    ),
    Golden(
        "partners.within_quota[cloud]",
        MAY_GO,
        "4 ways.on_in[a@cloud/4,0] + 4 ways.on_in[a@cloud/4,1] + 4 ways.on_in[a@cloud/4,2] + 4 ways.on_in[a@cloud/4,3]"
        " - over_quota[cloud] <= 6",
        {"elastic": True},
    ),
    Golden("ways.goes_if_on[a@cloud/4,1]", MAY_GO, "goes[a@cloud/4] - on_in[a@cloud/4,1] >= 0"),
    # none of the partner's power is ours
    Golden("gpus.it_power[1]", MAY_GO, "pool_power[hall,1] - it[1] = 0"),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_rent_and_egress_cost_money() -> None:
    weights, _ = cost(MAY_GO)
    assert weights["ways.on_in[a@cloud/4,2]"] == pytest.approx(8.0)
    assert weights["ways.goes[a@cloud/4]"] == pytest.approx(5.0)


def pools_of(plan: Plan, name: str = "a") -> set[str | None]:
    return {run.pool for entry in plan.jobs if entry.id == name for run in entry.runs}


def test_a_job_goes_where_it_costs_less_all_told() -> None:
    # two hours at home cost 10 + 20; with the partner 2 x 4 x 2 = 16, and 5 to go there
    plan = planned(ten(job(pool="hall", gpus=4, alternatives=[AWAY]), pools=[pool(), rented()]))
    assert pools_of(plan) == {"cloud"}
    assert plan.terms["partner"] == pytest.approx(16.0 + 5.0)
    assert plan.objective == pytest.approx(21.0)
    assert max(series_of(plan).it_mw) == 0.0
    # going there for 15 is too dear
    dear = AWAY | {"egress_cost": 15.0}
    plan = planned(ten(job(pool="hall", gpus=4, alternatives=[dear]), pools=[pool(), rented()]))
    assert pools_of(plan) == {"hall"}
    assert "partner" not in plan.terms


def test_no_more_is_rented_than_the_quota() -> None:
    # of three hours for four GPUs each the quota holds two
    long = job(work_h=3.0, pool="hall", gpus=4, preemptible=True, alternatives=[{"pool": "cloud"}])
    plan = planned(ten(long, pools=[pool(), rented(quota_gpu_h=8.0)], prices=[50.0] * 10))
    assert plan.terms["partner"] == pytest.approx(16.0)
    assert pools_of(plan) == {"cloud", "hall"}


def test_a_partner_needs_its_time_before_the_first_start() -> None:
    only = ten(
        job(pool="hall", gpus=8, alternatives=[AWAY | {"gpus": 4}]), pools=[pool(gpus=0), rented(start_delay_slots=3)]
    )
    assert on_slots(planned(only)) == [3, 4]
    # what has been ordered before is ready when it is ready
    only["jobs"][0]["alternatives"][0]["ready"] = at(1)
    assert on_slots(planned(only)) == [1, 2]


def test_a_partner_is_closed_to_who_may_not_leave() -> None:
    abroad = rented() | {"jurisdiction": "IE"}
    bound = job(pool="hall", gpus=4, residency=["MA"], alternatives=[AWAY])
    assert pools_of(planned(ten(bound, pools=[pool(jurisdiction="MA"), abroad]))) == {"hall"}


def test_a_job_of_the_partner_s_own_pays_its_rent_and_draws_nothing_here() -> None:
    away = ten(job(pool="cloud", gpus=4), pools=[rented(price_per_gpu_h=[9.0, 9.0, 1.0, 1.0, *[3.0] * 6])])
    plan = planned(away)
    assert on_slots(plan) == [2, 3]
    assert plan.objective == pytest.approx(8.0)
    assert only_milp(compiled(away))


def test_a_quota_that_is_too_small_is_named() -> None:
    plan = planned(ten(job(pool="cloud", gpus=4), pools=[rented(quota_gpu_h=7.0)]))
    assert plan.status == "infeasible"
    assert "job a needs 8 GPU-hours, its partners' quotas hold 7" in plan.conflicts[0]
    # two that fit by themselves and not together are found by the model
    two = [job("a", pool="cloud", gpus=4), job("b", pool="cloud", gpus=4)]
    plan = planned(ten(*two, pools=[rented(quota_gpu_h=12.0)]))
    assert plan.status == "infeasible"
    assert "h short" in plan.conflicts[0]
