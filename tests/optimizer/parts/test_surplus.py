"""Jobs that run only on what would be curtailed: their rows by hand, when one runs, and that it is stopped first."""

from __future__ import annotations

from typing import Any

import pytest
from golden_rows import Golden, check
from small_day import battery, compiled, day, job, on_slots, planned, ten

from models.horizon import parse_rfc3339
from optimizer.direct import needs_no_prices, only_milp
from optimizer.finds import Request
from optimizer.ladder import descend
from optimizer.refusals import check_problem
from optimizer.replay import Previous
from optimizer.verify import verify
from optimizer.worker import work

SURPLUS: dict[str, Any] = {"surplus": True, "preemptible": True, "due_h": 0.0, "unmet_cost_per_h": 100.0}
SURPLUS |= {"work_value_per_h": 100.0}
SUNNY = day(
    job("s", **SURPLUS),
    grid={"export_limit_mw": 2.0},
    series={"pv_available_mw": [0.0, 3.0, 3.0, 0.0], "export_price_per_mwh": [5.0, 5.0, 0.0, 0.0]},
    batteries=[battery()],
    schema_version="1.1",
)
GOLDEN = [
    Golden("surplus.only_then[s,1]", SUNNY, "jobs.on[s,1] - alone[1] <= 0"),
    Golden("surplus.nothing_bought[1]", SUNNY, "grid.import_[1] + 8 alone[1] <= 8"),
    Golden("surplus.nothing_given[store,1]", SUNNY, "battery.discharge[store,1] + alone[1] <= 1"),
    Golden("surplus.all_sold[1]", SUNNY, "grid.export[1] - 2 alone[1] >= 0"),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


# two megawatts of base load all day; sun enough for a third in two hours, and for a fifth in one
SUN = [0.0, 0.0, 2.5, 5.0, 4.0, 2.9, 0.0, 0.0, 0.0, 0.0]


def sunny(*jobs: dict[str, Any], sell: float = 0.0, sun: list[float] = SUN, **more: Any) -> dict[str, Any]:
    series = {"pv_available_mw": sun, "base_load_mw": [2.0] * 10, "export_price_per_mwh": [sell] * 10}
    return ten(*jobs, series=series, **{"grid": {"export_limit_mw": 2.0}, **more})


def test_a_job_on_surplus_runs_where_the_sun_carries_all() -> None:
    assert on_slots(planned(sunny(job(work_h=5.0, **SURPLUS)))) == [3, 4]
    # any other would buy power, which costs less than its work is worth
    assert len(on_slots(planned(sunny(job(work_h=5.0, **SURPLUS | {"surplus": False}))))) == 5


def test_what_can_be_sold_is_sold_first() -> None:
    # two megawatts go out at 5, so that a job of one needs five
    assert on_slots(planned(sunny(job(work_h=5.0, **SURPLUS), sell=5.0))) == [3]
    # an allowance for the year promises no hour's export
    spent = {"export_limit_mw": 2.0, "export_allowance_mwh": 0.0}
    assert on_slots(planned(sunny(job(work_h=5.0, **SURPLUS), sell=5.0, grid=spent))) == [3, 4]


def test_no_store_helps_a_job_on_surplus() -> None:
    # a tenth of a megawatt for an hour is all that is missing in slot 5
    plan = planned(sunny(job(work_h=5.0, **SURPLUS), batteries=[battery()]))
    assert on_slots(plan) == [3, 4]
    plan = planned(sunny(job(work_h=5.0, **SURPLUS | {"surplus": False}), batteries=[battery()]))
    assert 5 in on_slots(plan)


def test_a_job_on_surplus_is_stopped_first() -> None:
    jobs = [job("s", 5.0, **SURPLUS), job("a", 2.0, release="2026-11-09T03:00:00Z")]
    before = planned(sunny(*jobs, sun=[3.0 * v for v in SUN]))
    assert set(on_slots(before, "s")) > {3, 4}
    # the forecast falls to nothing: the starts of the plan before hold, but for those on surplus
    cloudy = check_problem(sunny(*jobs, sun=[0.0] * 10))
    previous = Previous(before, parse_rfc3339("2026-11-09T00:00:00Z"))
    first = next(find.plan for find in work(compiled(cloudy.raw), Request(1e-9, 60.0, previous=previous)) if find.plan)
    assert (first.rung, on_slots(first, "s"), on_slots(first, "a")) == ("LP", [], on_slots(before, "a"))
    last = [plan for plan in descend(compiled(cloudy.raw), previous) if plan.rung == "LAST"]
    assert [not verify(cloudy, plan) for plan in last] == [False, False, True]
    assert on_slots(last[-1], "a") == on_slots(before, "a")


def test_a_few_columns_are_for_the_whole_model_alone() -> None:
    assert not only_milp(compiled(SUNNY))
    assert needs_no_prices(compiled(SUNNY))
    many = [job(f"s{k}", 5.0, **SURPLUS) for k in range(101)]
    assert not needs_no_prices(compiled(sunny(*many)))
