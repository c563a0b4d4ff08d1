"""Services that are never paused (they stand among the batteries): less than nominal only where that pays."""

from __future__ import annotations

from typing import Any

import pytest
from golden_rows import Golden, check
from small_day import bounds, cost, day, gave, job, planned, series_of, ten


def chat(slots: int = 10, **more: Any) -> dict[str, Any]:
    """A megawatt, of which 0.4 must be there."""
    prices = {"below_nominal_cost_per_mwh": 75.0}
    return {"name": "chat", "power_mw": [1.0] * slots, "min_power_mw": 0.4, **prices, **more}


SERVED = day(inference=[chat(4, power_mw=[1.0, 1.0, 0.5, 1.0])], schema_version="1.1")
GOLDEN = [
    # 1.9 megawatt hours can be gone without at most: a stock that never binds
    Golden("battery.energy_balance[chat,0]", SERVED, "soc[chat,0] - charge[chat,0] + discharge[chat,0] = 1.9"),
    Golden(
        "balance.power[2]",
        SERVED,
        "grid.import_[2] - grid.export[2] - gpus.it[2] + battery.discharge[chat,2] - battery.charge[chat,2] = 0.5",
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_nothing_charges_a_service() -> None:
    found = bounds(SERVED)
    assert found["battery.charge[chat,2]"] == (0.0, 0.0)
    assert [found[f"battery.discharge[chat,{t}]"][1] for t in range(4)] == pytest.approx([0.6, 0.6, 0.1, 0.6])
    assert cost(SERVED)[0]["battery.discharge[chat,1]"] == 75.0


def test_quality_gives_where_power_is_dearer() -> None:
    plan = planned(ten(inference=[chat()]))
    # slots 7, 8 and 9 cost 80, 90 and 100
    assert series_of(plan).inference_mw["chat"] == pytest.approx([1.0] * 7 + [0.4] * 3)
    assert gave(plan) == {"inference:chat/quality": pytest.approx(1.8)}
    assert plan.terms["wishes"] == pytest.approx(135.0)
    assert plan.objective == pytest.approx(280 + 0.4 * 270 + 135)


def test_training_yields_first() -> None:
    # a megawatt for both: the job waits for nothing, it owes nothing; the service stays whole
    wanted = job("a", 10.0, due_h=0.0, work_value_per_h=60.0, unmet_cost_per_h=60.0, preemptible=True)
    plan = planned(ten(wanted, inference=[chat()], grid={"import_limit_mw": 1.0}, prices=[10.0] * 10))
    assert series_of(plan).inference_mw["chat"] == pytest.approx([1.0] * 10)
    assert plan.jobs[0].runs == []


def test_a_service_goes_down_to_its_least_and_no_further() -> None:
    outage = {"outages": [{"start": "2026-11-09T03:00:00Z", "end": "2026-11-09T04:00:00Z"}]}
    sun = {"pv_available_mw": [0.5] * 10}
    plan = planned(ten(inference=[chat()], grid=outage, series=sun, prices=[10.0] * 10))
    assert series_of(plan).inference_mw["chat"] == pytest.approx([1.0] * 3 + [0.5] + [1.0] * 6)
    dark = planned(ten(inference=[chat()], grid=outage))
    assert dark.status == "infeasible"
    assert "2026-11-09T03:00:00Z" in " ".join(dark.conflicts)
