"""The grid: rows written by hand; exclusion, ramp and peak with answers known on paper."""

from __future__ import annotations

import pytest
from golden_rows import Golden, check
from small_day import at, battery, bounds, cost, day, job, planned, rows, series_of, ten

# selling is dearer than buying in slot 1 alone
BOTH = day(
    grid={"export_limit_mw": 2.0, "import_ramp_mw_per_slot": 3.0, "carbon_price_per_kg": 0.1}
    | {"demand_charge_per_mw": 5.0, "peak_so_far_mw": 1.5},
    series={"export_price_per_mwh": [5.0, 35.0, 5.0, 5.0], "carbon_kg_per_mwh": [100.0, 100.0, 50.0, 0.0]},
)
BILLED = day(
    grid={"demand_charge_per_mw": 5.0, "billing_interval_slots": 3}
    | {"billing_elapsed_slots": 1, "billing_elapsed_mwh": 0.75},
    schema_version="1.1",
)
GOLDEN = [
    Golden("grid.import_only_when_importing[1]", BOTH, "import_[1] - 8 importing[1] <= 0"),
    Golden("grid.import_only_when_importing[0]", BOTH, "import_[0] - 8 importing[0] <= 0", {"exact": True}),
    Golden("grid.export_only_otherwise[1]", BOTH, "export[1] + 2 importing[1] <= 2"),
    Golden("grid.ramp_up[1]", BOTH, "import_[1] - export[1] - import_[0] + export[0] <= 3"),
    Golden("grid.ramp_down[3]", BOTH, "import_[2] - export[2] - import_[3] + export[3] <= 3"),
    Golden(
        "grid.ramp_up[2]",
        BOTH,
        "import_[2] - export[2] - import_[1] + export[1] - beyond_ramp[2] <= 3",
        {"elastic": True},
    ),
    Golden("grid.peak_of_import[2]", BOTH, "peak - import_[2] >= 0"),
    # two of three slots are left of the running interval, which took 0.75 MWh in the first; the end cuts the second
    Golden("grid.peak_of_import[0]", BILLED, "peak - 0.333333333333 import_[0] - 0.333333333333 import_[1] >= 0.25"),
    Golden("grid.peak_of_import[1]", BILLED, "peak - 0.5 import_[2] - 0.5 import_[3] >= 0"),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_a_binary_stands_only_where_trading_in_circles_would_pay() -> None:
    assert "grid.import_only_when_importing[0]" not in rows(BOTH)
    assert "grid.ramp_up[0]" not in rows(BOTH)


def test_money_of_the_grid() -> None:
    money, constant = cost(BOTH)
    # price and a tenth a kilogram; the peak so far is sunk
    assert money == {
        "grid.import_[0]": pytest.approx(10 + 10),
        "grid.import_[1]": pytest.approx(20 + 10),
        "grid.import_[2]": pytest.approx(30 + 5),
        "grid.import_[3]": pytest.approx(40),
        "grid.export[0]": pytest.approx(-5),
        "grid.export[1]": pytest.approx(-35),
        "grid.export[2]": pytest.approx(-5),
        "grid.export[3]": pytest.approx(-5),
        "grid.peak": pytest.approx(5),
    }
    assert constant == pytest.approx(-7.5)
    assert bounds(BOTH)["grid.peak"] == (1.5, 8.0)


def test_limits_may_differ_from_slot_to_slot() -> None:
    found = bounds(day(grid={"import_limit_mw": [1.0, 2.0, 3.0, 0.0], "export_limit_mw": [0.0, 4.0, 0.0, 0.5]}))
    assert [found[f"grid.import_[{t}]"][1] for t in range(4)] == [1, 2, 3, 0]
    assert [found[f"grid.export[{t}]"][1] for t in range(4)] == [0, 4, 0, 0.5]


def test_surplus_is_sold_up_to_the_limit() -> None:
    series = {"pv_available_mw": [0.0, 3.0, 3.0, 0.0], "export_price_per_mwh": [5.0, 5.0, -1.0, 5.0]}
    plan = planned(day(grid={"export_limit_mw": 2.0}, series=series))
    assert plan.series is not None
    assert plan.series.export_mw == pytest.approx([0, 2, 0, 0])
    assert plan.terms["export"] == pytest.approx(-10)


def test_nothing_is_bought_to_be_sold() -> None:
    series = {"export_price_per_mwh": [50.0] * 4}
    plan = planned(day(job("a", 1.0), grid={"export_limit_mw": 2.0}, series=series))
    assert plan.series is not None
    assert plan.series.export_mw == pytest.approx([0] * 4)
    assert plan.objective == pytest.approx(10)


def test_a_peak_so_far_is_free_and_more_is_not() -> None:
    jobs = [job(name, 1.0) for name in "abc"]
    grid = {"demand_charge_per_mw": 25.0, "peak_so_far_mw": 1.0}
    # one after the other: 10 + 20 + 30; two in the first hour: 20 + 20 + 25
    plan = planned(day(*jobs, grid=grid))
    assert plan.series is not None
    assert plan.series.import_mw == pytest.approx([1, 1, 1, 0])
    assert plan.terms["demand_charge"] == 0
    # with room of 2 MW so far: 10 + 10 + 20
    assert planned(day(*jobs, grid=grid | {"peak_so_far_mw": 2.0})).objective == pytest.approx(40)
    # at 5 a megawatt all three run in the first hour: 30 + 2 x 5
    cheap = planned(day(*jobs, grid=grid | {"demand_charge_per_mw": 5.0}))
    assert cheap.terms["demand_charge"] == pytest.approx(10)
    assert cheap.objective == pytest.approx(40)


def test_a_ramp_keeps_two_jobs_from_starting_together() -> None:
    jobs = [job(name, 1.0, deadline=at(3)) for name in "ab"]
    plan = planned(day(*jobs, prices=[30.0, 10.0, 20.0, 40.0], grid={"import_ramp_mw_per_slot": 1.0}))
    assert plan.series is not None
    # both at 10 would step by two megawatts
    assert plan.series.import_mw == pytest.approx([0, 1, 1, 0])


def test_a_ramp_binds_the_net_import() -> None:
    series = {"pv_available_mw": [0.0, 4.0, 0.0, 0.0], "export_price_per_mwh": [0.0, 9.0, 0.0, 0.0]}
    series["base_load_mw"] = [1.0] * 4
    plan = planned(day(grid={"export_limit_mw": 4.0, "import_ramp_mw_per_slot": 2.5}, series=series))
    assert plan.series is not None
    assert plan.series.export_mw == pytest.approx([0, 1.5, 0, 0])


def test_carbon_moves_a_job() -> None:
    grid, series = {"carbon_price_per_kg": 0.1}, {"carbon_kg_per_mwh": [500.0, 300.0, 100.0, 0.0]}
    plan = planned(day(job("a", 1.0), grid=grid, series=series))
    # 10 + 50, 20 + 30, 30 + 10, 40 + 0: the last two cost the same
    assert plan.objective == pytest.approx(40)
    assert plan.terms["carbon"] + plan.terms["import"] == pytest.approx(40)


def test_a_battery_does_not_trade_in_circles() -> None:
    series = {"export_price_per_mwh": [10.0, 20.0, 30.0, 40.0]}
    plan = planned(day(grid={"export_limit_mw": 1.0}, series=series, batteries=[battery(soc_start_mwh=0.0)]))
    # 2 MWh of room, one megawatt: 1 at 10 and 1 at 20 come to 1.8 in store and 1.44 out: 1 at 40 and 0.44 at 30
    assert plan.objective == pytest.approx(10 + 20 - 40 - 0.44 * 30)


# ---- the billing interval (known answers B1 and B5: 3 kW in one of six steps; watts are megawatts here)


def billed(power: list[float], **grid: float) -> float:
    """Demand charge of a flat day with a rate of 1."""
    charge = {"import_limit_mw": 9000.0, "demand_charge_per_mw": 1.0, **grid}
    series = {"base_load_mw": power, "import_price_per_mwh": [0.0] * 6}
    horizon = {"start": at(0), "step_minutes": 15, "slots": 6}
    return planned(day(grid=charge, series=series, horizon=horizon, schema_version="1.1")).terms["demand_charge"]


def test_an_interval_of_one_slot_bills_the_highest_slot() -> None:
    assert billed([0.0, 0.0, 5000.0, 0.0, 0.0, 0.0]) == pytest.approx(5000)


def test_a_longer_interval_bills_its_mean() -> None:
    assert billed([0.0, 0.0, 0.0, 3000.0, 0.0, 0.0], billing_interval_slots=6) == pytest.approx(500)


def test_the_incumbent_peak_is_sunk() -> None:
    load = [0.0, 0.0, 0.0, 3000.0, 0.0, 0.0]
    assert billed(load, billing_interval_slots=6, peak_so_far_mw=800.0) == pytest.approx(0)
    assert billed(load, billing_interval_slots=6, peak_so_far_mw=300.0) == pytest.approx(200)


def test_a_job_uses_what_is_left_of_the_running_interval() -> None:
    # six slots an interval, three of which are over at a megawatt: room for two more at a mean of one
    grid = {"demand_charge_per_mw": 1000.0, "peak_so_far_mw": 1.0, "billing_interval_slots": 6}
    begun = grid | {"billing_elapsed_slots": 4, "billing_elapsed_mwh": 4.0}
    plan = planned(ten(job("a", 2.0, levels=[{"power_mw": 2.0, "speed": 1.0}]), grid=begun))
    # two megawatts for two hours would make a mean of 8 / 6; one hour in each interval keeps both at one
    assert series_of(plan).import_mw == pytest.approx([0, 2, 2] + [0] * 7)
    alone = planned(ten(job("a", 1.0, levels=[{"power_mw": 2.0, "speed": 1.0}]), grid=begun))
    assert series_of(alone).import_mw == pytest.approx([2] + [0] * 9)
    assert alone.terms["demand_charge"] == 0


# ---- outages


def test_nothing_crosses_the_meter_in_an_outage() -> None:
    gone = {"outages": [{"start": at(-2), "end": at(2)}], "export_limit_mw": 1.0}
    series = {"pv_available_mw": [1.0] * 10, "export_price_per_mwh": [1.0] * 10}
    plan = planned(ten(job("a", 1.0, levels=[{"power_mw": 2.0, "speed": 1.0}]), series=series, grid=gone))
    assert series_of(plan).export_mw == pytest.approx([0, 0, 0] + [1] * 7)
    assert series_of(plan).import_mw == pytest.approx([0, 0, 1] + [0] * 7)


def test_a_base_load_without_a_source_in_an_outage_is_named() -> None:
    gone = {"outages": [{"start": at(3), "end": at(4)}]}
    plan = planned(ten(series={"base_load_mw": [1.0] * 10}, grid=gone))
    assert "2026-11-09T03:00:00Z" in " ".join(plan.conflicts)
