"""Nominations: rows written by hand; a promise that is kept as far as keeping it pays."""

from __future__ import annotations

from typing import Any

import pytest
from golden_rows import Golden, check
from small_day import at, battery, cost, day, gave, job, planned, series_of, ten


def promise(**more: Any) -> dict[str, Any]:
    """Slots 1 and 2 at two megawatts on average."""
    costs = {"over_cost_per_mwh": 30.0, "under_cost_per_mwh": 7.0}
    return {"id": "n", "start": at(1), "end": at(3), "import_mw": 2.0, **costs, **more}


# the second block began an hour before the day and had taken 1.5 MWh of its six; the third ends after the day
PROMISED = day(
    grid={"export_limit_mw": 2.0},
    nominations=[
        promise(),
        promise(id="begun", start=at(-1), end=at(1), import_mw=3.0, elapsed_mwh=1.5),
        promise(id="cut", start=at(3), end=at(6)),
    ],
    schema_version="1.1",
)
GOLDEN = [
    Golden(
        "nominations.kept[n]",
        PROMISED,
        "grid.import_[1] - grid.export[1] + grid.import_[2] - grid.export[2] - over[n] + under[n] = 4",
    ),
    Golden("nominations.kept[begun]", PROMISED, "grid.import_[0] - grid.export[0] - over[begun] + under[begun] = 4.5"),
    Golden("nominations.kept[cut]", PROMISED, "grid.import_[3] - grid.export[3] - over[cut] + under[cut] = 2"),
]
LOSSLESS = battery(charge_efficiency=1.0, discharge_efficiency=1.0)
TEN = {"series": {"base_load_mw": [2.0] * 10}}


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_each_side_has_its_price() -> None:
    money, _ = cost(PROMISED)
    assert (money["nominations.over[n]"], money["nominations.under[n]"]) == (30.0, 7.0)


def test_a_job_fills_what_was_promised() -> None:
    # slot 6 at 70 instead of slot 0 at 10 costs 60 more; not keeping the promise of one more costs 100
    kept = [promise(start=at(6), end=at(7), import_mw=3.0, under_cost_per_mwh=100.0)]
    plan = planned(ten(job("a", 1.0), nominations=kept, **TEN))
    assert series_of(plan).import_mw[6] == pytest.approx(3.0)
    assert gave(plan) == {}


def test_a_promise_is_broken_where_that_is_cheaper() -> None:
    kept = [promise(start=at(6), end=at(7), import_mw=3.0, under_cost_per_mwh=50.0)]
    plan = planned(ten(job("a", 1.0), nominations=kept, **TEN))
    assert series_of(plan).import_mw[0] == pytest.approx(3.0)
    assert gave(plan) == {"nomination:n/under": pytest.approx(1.0)}
    assert plan.terms["wishes"] == pytest.approx(50.0)


def test_the_mean_of_a_block_counts_not_each_slot() -> None:
    # five megawatt hours in two hours: the job may lie in either
    kept = [promise(start=at(4), end=at(6), import_mw=2.5, under_cost_per_mwh=100.0)]
    plan = planned(ten(job("a", 1.0), nominations=kept, **TEN))
    assert series_of(plan).import_mw[4:6] == pytest.approx([3.0, 2.0])
    assert gave(plan) == {}


def test_nothing_is_burnt_to_keep_a_promise() -> None:
    kept = [promise(start=at(0), end=at(4), import_mw=5.0, under_cost_per_mwh=500.0)]
    cooling = {"tangents": [{"slope": 0.2, "intercept_mw": 0.0}]}
    plan = planned(ten(nominations=kept, batteries=[LOSSLESS], cooling=cooling, **TEN))
    assert max(series_of(plan).cooling_mw) == pytest.approx(0.0, abs=1e-9)
    # twenty were promised, eight are drawn, and one is all that the battery can take
    assert gave(plan) == {"nomination:n/under": pytest.approx(11.0)}
