"""Answers that are published or follow by hand, as documents; those of batteries and jobs stand in shared/problems.

Source of the hourly prices: FlexMeasures' toy account. Kilowatts are told as megawatts where that says so.
"""

from __future__ import annotations

from typing import Any

import pytest
from plan_here import plan_here
from small_day import battery, job, planned

from optimizer.refusals import check_problem

P24 = [10, 11, 12, 15, 18, 17, 10.5, 9, 9.5, 9, 8.5, 10, 8, 5, 4, 4, 5.5, 8, 12, 13, 14, 12.5, 10, 7]


def hours(count: int, prices: list[float], start: str = "2026-11-09T00:00:00Z", **more: Any) -> dict[str, Any]:
    """A day of whole hours behind a wide connection."""
    return {
        "schema_version": "1.1",
        "name": "known",
        "site": {"name": "paper"},
        "horizon": {"start": start, "step_minutes": 60, "slots": count},
        "gap": 1e-9,
        "series": {"import_price_per_mwh": [float(p) for p in prices], **more.pop("series", {})},
        "grid": {"import_limit_mw": 1e4, **more.pop("grid", {})},
        **more,
    }


def test_a_battery_is_filled_level_where_the_price_is_flat() -> None:
    # C2: 4000 Wh in four hours at 0.95 (watts are megawatts): 1052.6316 each hour and 1263.157895 in all
    store = battery(power_mw=2000.0, energy_mwh=5000.0, charge_efficiency=0.95, discharge_efficiency=0.95)
    store |= {"soc_start_mwh": 0.0, "soc_end_min_mwh": 4000.0}
    plan = planned(hours(4, [0.3] * 4, batteries=[store]))
    assert plan.objective == pytest.approx(1263.157895)
    assert plan.series is not None
    assert plan.series.charge_mw["store"] == pytest.approx([1052.6316] * 4, rel=1e-6)


def test_a_flat_year_costs_its_energy_and_its_peak() -> None:
    # E1: 10000 kWh a year at 0.1 and 10 per kW and month (kilowatts are megawatts): one day of it, times 365
    load = 10000 / 8760
    charge = {"demand_charge_per_mw": 120.0, "billing_interval_slots": 4}
    plan = planned(hours(24, [0.1] * 24, series={"base_load_mw": [load] * 24}, grid=charge))
    assert 365 * plan.terms["import"] == pytest.approx(1000.00)
    assert plan.terms["demand_charge"] == pytest.approx(136.99, abs=0.005)


@pytest.mark.parametrize(
    ("charge", "before", "total", "peak"),
    [(50.0, 0.0, 30.0, 0.12), (200.0, 0.0, 45.0, 0.09), (200.0, 0.12, 24.0, 0.12)],
    ids=["cheap", "dear", "paid already"],
)
def test_a_peak_is_worth_its_charge_unless_it_is_paid_already(
    charge: float, before: float, total: float, peak: float
) -> None:
    # F4: 60 kW for four hours and 120 kWh at any time; 0.05 or 0.20 per kW of peak, 120 kW of which may be paid already
    flexible = job("flexible", 1.0, levels=[{"power_mw": 0.0, "speed": 0.0}, {"power_mw": 0.12, "speed": 1.0}])
    grid = {"demand_charge_per_mw": charge, "peak_so_far_mw": before}
    series = {"base_load_mw": [0.06] * 4}
    plan = planned(
        hours(4, [100.0, 50.0, 50.0, 100.0], jobs=[flexible | {"preemptible": True}], grid=grid, series=series)
    )
    assert plan.objective == pytest.approx(total)
    assert plan.series is not None
    assert max(plan.series.import_mw) == pytest.approx(peak, abs=1e-6)


@pytest.mark.parametrize(
    ("start", "quarters"),
    [("2026-03-28T23:00:00Z", 92), ("2026-10-24T22:00:00Z", 100)],
    ids=["the clock jumps", "the clock falls back"],
)
def test_a_day_of_23_or_25_hours_has_all_its_quarters(start: str, quarters: int) -> None:
    # F8: a flat megawatt at a flat price on both days of Paris' clock; every quarter is paid once
    day = hours(quarters, [40.0] * quarters, start, series={"base_load_mw": [1.0] * quarters})
    day["horizon"]["step_minutes"] = 15
    plan = planned(day)
    assert plan.series is not None
    assert len(plan.series.import_mw) == quarters
    assert plan.objective == pytest.approx(quarters / 4 * 40)


def test_a_block_re_solved_every_hour_with_its_state_is_the_block_of_one_solve() -> None:
    # F10: 0.2 MW for four hours in one block: hours 13 to 16, started once, 0.8 MWh, 3.70 at prices in kW
    levels = [{"power_mw": 0.2, "speed": 1.0}]
    starts, worked, cost, ran = 0, 0.0, 0.0, 0
    for now in range(24):
        if worked >= 4.0:
            break
        state: dict[str, Any] = {"state": "running", "ran_slots": ran} if ran else {}
        block = job("block", 4.0 - worked, levels=levels, release="2026-11-09T00:00:00Z") | state
        left = hours(24 - now, P24[now:], f"2026-11-09T{now:02d}:00:00Z", jobs=[block])
        plan = plan_here(check_problem(left), gap=1e-9)
        assert plan.series is not None
        on = plan.series.it_mw[0] > 0
        starts += on and not ran
        ran = ran + 1 if on else 0
        worked += on
        cost += plan.series.import_mw[0] * P24[now]
    assert (starts, worked) == (1, 4.0)
    assert cost == pytest.approx(3.70)
