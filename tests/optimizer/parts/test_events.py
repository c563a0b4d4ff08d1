"""Events: rows written by hand; a target that is kept or paid for, and one that nothing can keep."""

from __future__ import annotations

from typing import Any

import pytest
from golden_rows import Golden, check
from small_day import at, battery, bounds, day, gave, job, planned, pool, series_of, ten


def event(**more: Any) -> dict[str, Any]:
    """Slots 1 and 2."""
    return {"id": "dr", "start": at(1), "end": at(3), **more}


ASKED = day(
    grid={"export_limit_mw": 2.0},
    events=[event(most_import_mw=3.0), event(id="up", start=at(-1), end=at(1), least_import_mw=-1.0, cost_per_mwh=9.0)],
    schema_version="1.1",
)
GOLDEN = [
    Golden("events.at_most[dr,1]", ASKED, "grid.import_[1] - grid.export[1] <= 3"),
    Golden("events.at_most[dr,2]", ASKED, "grid.import_[2] - grid.export[2] - beyond[dr,2] <= 3", {"elastic": True}),
    Golden("events.at_least[up,0]", ASKED, "grid.import_[0] - grid.export[0] + short[up,0] >= -1"),
]
LOSSLESS = battery(charge_efficiency=1.0, discharge_efficiency=1.0)
TEN = {"series": {"base_load_mw": [2.0] * 10}}


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_what_must_be_kept_narrows_the_import_itself() -> None:
    assert bounds(ASKED)["grid.import_[1]"] == (0.0, 3.0)
    assert bounds(ASKED, elastic=True)["grid.import_[1]"] == (0.0, 8.0)


def test_a_battery_keeps_a_target_that_must_be_kept() -> None:
    asked = [event(start=at(4), end=at(6), most_import_mw=1.5)]
    plan = planned(ten(events=asked, batteries=[battery(discharge_efficiency=1.0)], **TEN))
    found = series_of(plan)
    assert max(found.import_mw[4:6]) <= 1.5 + 1e-9
    assert gave(plan) == {}


def test_a_job_makes_way_for_a_target() -> None:
    # the cheapest two hours are the first two; the event takes them
    asked = [event(start=at(0), end=at(2), most_import_mw=2.0)]
    plan = planned(ten(job("a"), events=asked, **TEN))
    assert series_of(plan).import_mw == pytest.approx([2, 2, 3, 3, 2, 2, 2, 2, 2, 2])


def test_a_target_gives_where_its_price_is_lower() -> None:
    # running in slots 0 and 1 instead of 2 and 3 saves 40 and costs 10
    asked = [event(start=at(0), end=at(2), most_import_mw=2.0, cost_per_mwh=5.0)]
    plan = planned(ten(job("a"), events=asked, **TEN))
    assert series_of(plan).import_mw[:2] == pytest.approx([3, 3])
    assert gave(plan) == {"event:dr/target": pytest.approx(2.0)}
    assert plan.terms["wishes"] == pytest.approx(10.0)
    (wish,) = plan.unmet
    assert (wish.unit, wish.price, wish.source) == ("MWh", 5.0, "/events/0")
    assert "event dr" in wish.sentence


def test_taking_more_than_is_needed_is_no_way_to_keep_a_target() -> None:
    # three megawatts are asked for and two are drawn: a battery may take one, nothing may be burnt
    asked = [event(start=at(0), end=at(4), least_import_mw=3.0, cost_per_mwh=100.0)]
    cooling = {"tangents": [{"slope": 0.2, "intercept_mw": 0.0}]}
    plan = planned(ten(events=asked, batteries=[LOSSLESS], cooling=cooling, **TEN))
    found = series_of(plan)
    assert max(found.cooling_mw) == pytest.approx(0.0, abs=1e-9)
    assert sum(found.import_mw[:4]) == pytest.approx(8 + 1)
    assert gave(plan) == {"event:dr/target": pytest.approx(3.0)}


def test_exporting_can_be_asked_for() -> None:
    asked = [event(start=at(2), end=at(3), most_import_mw=-1.0)]
    sun = {"pv_available_mw": [4.0] * 10, "export_price_per_mwh": [0.0] * 10, "base_load_mw": [2.0] * 10}
    plan = planned(ten(events=asked, series=sun, grid={"export_limit_mw": 3.0}))
    assert series_of(plan).export_mw[2] >= 1.0 - 1e-9


def test_a_target_that_nothing_can_keep_is_named() -> None:
    # a megawatt of base load and one of idle GPUs
    hall = pool(idle_w_per_gpu=125000.0)
    plan = planned(ten(events=[event(most_import_mw=1.25)], pools=[hall], series={"base_load_mw": [1.0] * 10}))
    assert plan.status == "infeasible"
    assert "0.75 MW above what event dr asks" in " ".join(plan.conflicts)


def test_an_event_beside_the_horizon_asks_for_nothing() -> None:
    asked = [
        event(start=at(-3), end=at(0), most_import_mw=0.0),
        event(id="b", start=at(10), end=at(12), most_import_mw=0),
    ]
    assert planned(ten(events=asked, **TEN)).objective == pytest.approx(2 * 550)
