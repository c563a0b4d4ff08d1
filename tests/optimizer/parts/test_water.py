"""Water: the row written by hand; evaporation that costs, and of which there is only so much."""

from __future__ import annotations

from typing import Any

import pytest
from golden_rows import Golden, check
from small_day import at, cost, day, gave, job, planned, pool, series_of, ten


def limit(**more: Any) -> dict[str, Any]:
    """Of slots 1 and 2."""
    return {"id": "day", "start": at(1), "end": at(3), "limit_m3": 5.0, **more}


def plant(*limits: dict[str, Any], m3: Any = 1.0, price: float = 0.0) -> dict[str, Any]:
    """Cooling that draws nothing and evaporates."""
    tangents = [{"slope": 0.0, "intercept_mw": 0.0}]
    water = {"water_m3_per_mwh": m3, "water_price_per_m3": price, "water_limits": list(limits)}
    return {"tangents": tangents, **water}


LIMITED = day(
    job("a", 1.0),
    cooling=plant(limit(so_far_m3=2.0), limit(id="soft", over_cost_per_m3=4.0), m3=[1.0, 2.0, 3.0, 4.0], price=0.5),
    distribution_efficiency=0.8,
    schema_version="1.1",
)
GOLDEN = [
    Golden("water.within_limit[day]", LIMITED, "2.5 gpus.it[1] + 3.75 gpus.it[2] <= 3"),
    Golden("water.within_limit[soft]", LIMITED, "2.5 gpus.it[1] + 3.75 gpus.it[2] - beyond[soft] <= 5"),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_water_costs_by_the_heat() -> None:
    money, _ = cost(LIMITED)
    assert [money[f"gpus.it[{t}]"] for t in range(4)] == pytest.approx([0.625, 1.25, 1.875, 2.5])
    assert money["water.beyond[soft]"] == 4.0


def test_dear_water_moves_work_to_the_cool_night() -> None:
    # slot 0 costs 10 and a cubic metre at 25, slot 1 costs 20 and nothing
    plan = planned(ten(job("a", 1.0), cooling=plant(m3=[1.0] + [0.0] * 9, price=25.0)))
    assert series_of(plan).heat_mw[:2] == pytest.approx([0, 1])
    assert plan.objective == pytest.approx(20.0)
    assert "water" not in plan.terms


def test_water_that_is_used_is_paid_for() -> None:
    plan = planned(ten(job("a", 2.0), cooling=plant(m3=0.5, price=4.0)))
    assert plan.terms["water"] == pytest.approx(4.0)
    assert plan.objective == pytest.approx(34.0)


def test_a_day_s_limit_leaves_the_rest_for_tomorrow() -> None:
    # of three hours only one may evaporate before slot 5
    today = limit(start=at(-14), end=at(5), limit_m3=20.0, so_far_m3=19.0)
    plan = planned(ten(job("a", 3.0, preemptible=True), cooling=plant(today)))
    assert series_of(plan).heat_mw == pytest.approx([1, 0, 0, 0, 0, 1, 1, 0, 0, 0])


def test_a_limit_gives_where_its_price_is_lower() -> None:
    today = limit(start=at(0), end=at(5), limit_m3=1.0, over_cost_per_m3=35.0)
    plan = planned(ten(job("a", 3.0, preemptible=True), cooling=plant(today)))
    # slot 1 instead of 6 saves 50 for 35, slot 2 instead of 5 would save 30
    assert series_of(plan).heat_mw == pytest.approx([1, 1, 0, 0, 0, 1] + [0] * 4)
    assert gave(plan) == {"water:day/limit": pytest.approx(1.0)}
    assert plan.terms["wishes"] == pytest.approx(35.0)


def test_too_little_water_is_named() -> None:
    plan = planned(ten(job("a", 3.0), cooling=plant(limit(start=at(0), end=at(10), limit_m3=1.0))))
    assert "in its way: water limit day" in " ".join(plan.conflicts)


def test_idle_gpus_that_evaporate_too_much_are_named() -> None:
    hall = pool(idle_w_per_gpu=125000.0)
    plan = planned(ten(pools=[hall], cooling=plant(limit(start=at(0), end=at(10), limit_m3=8.0))))
    assert "2 m3 more than water limit day leaves" in " ".join(plan.conflicts)
