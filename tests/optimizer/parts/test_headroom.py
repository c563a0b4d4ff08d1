"""Headroom: the row written by hand; import and batteries hold back what a fall of sun and wind would take."""

from __future__ import annotations

from typing import Any

import pytest
from golden_rows import Golden, check
from small_day import at, battery, day, gave, job, planned, series_of, ten

HELD = day(
    grid={"export_limit_mw": 2.0, "outages": [{"start": at(3), "end": at(4)}]},
    batteries=[battery(power_mw=1.25)],
    reserve={"drop_mw": [4.0, 0.0, 5.0, 1.0]},
    schema_version="1.1",
)
# eight megawatts of the grid and 1.25 of the battery, of which the fall needs four
GOLDEN = [
    Golden(
        "headroom.covers_drop[0]",
        HELD,
        "grid.import_[0] - grid.export[0] + battery.discharge[store,0] - battery.charge[store,0] <= 5.25",
    ),
    Golden(
        "headroom.covers_drop[2]",
        HELD,
        "grid.import_[2] - grid.export[2] + battery.discharge[store,2] - battery.charge[store,2] - missing[2] <= 4.25",
        {"elastic": True},
    ),
    # no grid in an outage: the battery alone
    Golden(
        "headroom.covers_drop[3]",
        HELD,
        "grid.import_[3] - grid.export[3] + battery.discharge[store,3] - battery.charge[store,3] <= 0.25",
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def cloudy(drop: Any, **reserve: Any) -> dict[str, Any]:
    """Six hours of work behind a connection of two megawatts."""
    work = [job("a", 4.0, preemptible=True), job("b", 2.0, preemptible=True)]
    return ten(*work, grid={"import_limit_mw": 2.0}, reserve={"drop_mw": drop, **reserve})


def test_without_a_fall_two_jobs_run_side_by_side() -> None:
    assert series_of(planned(cloudy(0.0))).import_mw == pytest.approx([2, 2, 1, 1] + [0] * 6)


def test_the_grid_holds_back_what_the_fall_would_take() -> None:
    assert max(series_of(planned(cloudy(1.0))).import_mw) == pytest.approx(1.0)


def test_a_battery_holds_it_back_instead() -> None:
    # 2 MW of the grid are used in full while the battery rests
    plan = planned(cloudy(1.0) | {"batteries": [battery(soc_end_min_mwh=1.0)]})
    assert series_of(plan).import_mw == pytest.approx([2, 2, 1, 1] + [0] * 6)
    assert max(series_of(plan).discharge_mw["store"]) == pytest.approx(0.0, abs=1e-9)


def test_headroom_gives_where_its_price_is_lower() -> None:
    # moving b's hours from slots 0 and 1 to 4 and 5 costs 40 + 40, and giving two hours of headroom 30 each
    plan = planned(cloudy(1.0, cost_per_mwh=30.0))
    assert gave(plan) == {"reserve/drop": pytest.approx(2.0)}
    assert plan.terms["wishes"] == pytest.approx(60.0)


def test_headroom_that_cannot_be_had_is_named() -> None:
    plan = planned(cloudy(2.5))
    assert "0.5 MW are missing" in " ".join(plan.conflicts)
