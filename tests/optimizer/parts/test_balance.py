"""Balance: the row of every slot, and surplus and shortage that nothing can take or give."""

from __future__ import annotations

import pytest
from golden_rows import Golden, check
from small_day import battery, day, job, planned

ALL = day(
    job("a"),
    series={"pv_available_mw": [0.0, 1.0, 1.0, 0.0], "wind_available_mw": [0.0, 0.0, 2.0, 0.0]}
    | {"base_load_mw": [0.5, 1.0, 0.75, -0.25]},
    grid={"export_limit_mw": 1.0},
    cooling={"tangents": [{"slope": 0.2, "intercept_mw": 0.0}]},
    batteries=[battery()],
    distribution_efficiency=0.8,
)
REST = "- 1.25 gpus.it[{t}] - cooling.power[{t}] - battery.charge[store,{t}] - grid.export[{t}]"
GOLDEN = [
    Golden("balance.power[0]", ALL, f"battery.discharge[store,0] + grid.import_[0] {REST.format(t=0)} = 0.5"),
    Golden(
        "balance.power[2]",
        ALL,
        "supply.pv_used[2] + supply.wind_used[2] + battery.discharge[store,2] + grid.import_[2] "
        f"{REST.format(t=2)} = 0.75",
    ),
    Golden("balance.power[3]", ALL, f"battery.discharge[store,3] + grid.import_[3] {REST.format(t=3)} = -0.25"),
    Golden(
        "balance.power[3]",
        ALL,
        f"battery.discharge[store,3] + grid.import_[3] {REST.format(t=3)} + missing[3] - surplus[3] = -0.25",
        {"elastic": True},
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_what_must_be_taken_finds_a_job() -> None:
    plan = planned(day(job("a", 1.0), series={"base_load_mw": [0.0, 0.0, -1.0, 0.0]}))
    assert plan.series is not None
    assert plan.series.it_mw == pytest.approx([0, 0, 1, 0])
    assert plan.objective == pytest.approx(0)


def test_what_must_be_taken_and_finds_nothing_is_named() -> None:
    plan = planned(day(series={"base_load_mw": [0.0, -2.0, 0.0, 0.0]}, grid={"export_limit_mw": 0.5}))
    assert plan.status == "infeasible"
    assert "01:00" in plan.conflicts[0]
    assert "1.5 MW of must-take generation" in plan.conflicts[0]


def test_a_base_load_beyond_the_connection_is_named() -> None:
    plan = planned(day(series={"base_load_mw": [9.0, 1.0, 1.0, 1.0]}))
    assert plan.status == "infeasible"
    assert "1 MW short" in plan.conflicts[0]
