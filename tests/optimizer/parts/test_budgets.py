"""Budgets: rows written by hand; the day's best use of what is left of them."""

from __future__ import annotations

from typing import Any

import pytest
from golden_rows import Golden, check
from small_day import battery, day, gave, job, planned, series_of, ten

SET = {"name": "set", "power_mw": 1.0, "carbon_kg_per_mwh": 700.0}
CHAT = {"name": "chat", "power_mw": [1.0] * 4, "min_power_mw": 0.5, "below_nominal_cost_per_mwh": 80.0}
LIMITED = day(
    job("a", 1.0),
    grid={"export_limit_mw": 2.0, "export_allowance_mwh": 50.0, "exported_so_far_mwh": 47.5, "carbon_budget_kg": 900.0}
    | {"renewable_share": 0.75, "below_renewable_share_cost_per_mwh": 11.0},
    series={"carbon_kg_per_mwh": [100.0, 200.0, 300.0, 400.0], "base_load_mw": [1.0] * 4},
    cooling={"tangents": [{"slope": 0.2, "intercept_mw": 0.0}]},
    generators=[SET],
    inference=[CHAT],
    schema_version="1.1",
    distribution_efficiency=0.8,
)
SLOTS = range(4)
GOLDEN = [
    Golden("budgets.export", LIMITED, " + ".join(f"grid.export[{t}]" for t in SLOTS) + " <= 2.5"),
    Golden(
        "budgets.carbon",
        LIMITED,
        " + ".join(f"{100 * (t + 1)} grid.import_[{t}] + 700 battery.discharge[set,{t}]" for t in SLOTS) + " <= 900",
    ),
    # a quarter of heat, cooling, base load and service: the first two here, of the last two eight hours of a megawatt
    Golden(
        "budgets.renewable",
        LIMITED,
        " + ".join(
            f"grid.import_[{t}] + battery.discharge[set,{t}] + 0.25 battery.discharge[chat,{t}]"
            f" - 0.3125 gpus.it[{t}] - 0.25 cooling.power[{t}]"
            for t in SLOTS
        )
        + " - beyond_renewable <= 2",
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def sunny(**grid: Any) -> dict[str, Any]:
    """Two megawatts of sun all day, sold at 1 to 10."""
    series = {"pv_available_mw": [2.0] * 10, "export_price_per_mwh": [1.0 + t for t in range(10)]}
    return ten(series=series, grid={"export_limit_mw": 2.0, **grid})


def test_what_is_left_of_the_year_is_sold_when_it_earns_most() -> None:
    plan = planned(sunny(export_allowance_mwh=100.0, exported_so_far_mwh=95.0))
    assert series_of(plan).export_mw == pytest.approx([0] * 7 + [1, 2, 2])
    assert plan.terms["export"] == pytest.approx(-(8 + 18 + 20))


def test_nothing_is_sold_when_the_year_s_allowance_is_used_up() -> None:
    plan = planned(sunny(export_allowance_mwh=100.0, exported_so_far_mwh=120.0))
    assert series_of(plan).export_mw == pytest.approx([0.0] * 10)


def test_generation_that_must_be_taken_needs_an_allowance() -> None:
    document = ten(series={"base_load_mw": [-1.0] * 10}, grid={"export_limit_mw": 2.0, "export_allowance_mwh": 4.0})
    plan = planned(document)
    assert plan.status == "infeasible"
    assert "6 MWh more have to be exported than export_allowance_mwh" in " ".join(plan.conflicts)


# five hours of work, 100 kg in cheap hours and 20 in dear ones
DIRTY = {"carbon_kg_per_mwh": [100.0] * 5 + [20.0] * 5}


def test_a_carbon_budget_moves_work_to_clean_hours() -> None:
    plan = planned(ten(job("a", 5.0, preemptible=True), series=DIRTY, grid={"carbon_budget_kg": 260.0}))
    # two dirty hours and three clean ones are 260 kg
    assert series_of(plan).import_mw == pytest.approx([1, 1, 0, 0, 0, 1, 1, 1, 0, 0])


def test_a_carbon_budget_with_a_price_is_exceeded_where_that_is_cheaper() -> None:
    # a clean hour instead of slot 4 costs 10 more and saves 80 kg
    grid = {"carbon_budget_kg": 420.0, "above_carbon_budget_cost_per_kg": 0.125}
    plan = planned(ten(job("a", 5.0, preemptible=True), series=DIRTY, grid=grid))
    assert gave(plan) == {"grid/carbon_budget": pytest.approx(80.0)}
    assert plan.terms["wishes"] == pytest.approx(10.0)
    assert plan.objective == pytest.approx(160.0)


def test_a_carbon_budget_that_nothing_keeps_is_named() -> None:
    plan = planned(ten(job("a", 5.0), series=DIRTY, grid={"carbon_budget_kg": 50.0}))
    assert "in its way: carbon_budget_kg" in " ".join(plan.conflicts)


def test_a_carbon_budget_that_the_base_load_exceeds_is_named() -> None:
    series = {"base_load_mw": [1.0] * 10, **DIRTY}
    plan = planned(ten(series=series, grid={"carbon_budget_kg": 550.0}))
    assert "50 kg more are emitted than carbon_budget_kg" in " ".join(plan.conflicts)


def test_a_share_of_sun_moves_work_under_the_sun() -> None:
    # sun at noon when power is dear to buy elsewhere; at least half must come from it
    series = {"pv_available_mw": [0.0] * 8 + [1.0] * 2, "import_price_per_mwh": [1.0] * 10}
    slow = job("a", 2.0, deadline="2026-11-09T04:00:00Z", late_cost_per_h=20.0, preemptible=True)
    free = ten(slow, series=series)
    assert planned(free).objective == pytest.approx(2.0)
    asked = planned(ten(slow, series=series, grid={"renewable_share": 0.5}))
    assert series_of(asked).pv_used_mw == pytest.approx([0] * 8 + [1, 0], abs=1e-6) or sum(
        series_of(asked).pv_used_mw
    ) == pytest.approx(1.0)
    assert asked.objective == pytest.approx(1.0 + 20.0)


def test_a_share_of_sun_gives_where_its_price_is_lower() -> None:
    series = {"pv_available_mw": [0.0] * 8 + [1.0] * 2, "import_price_per_mwh": [1.0] * 10}
    slow = job("a", 2.0, deadline="2026-11-09T04:00:00Z", late_cost_per_h=20.0, preemptible=True)
    grid = {"renewable_share": 0.5, "below_renewable_share_cost_per_mwh": 3.0}
    plan = planned(ten(slow, series=series, grid=grid))
    # two megawatt hours from the grid, one of which is one too many
    assert gave(plan) == {"grid/renewable_share": pytest.approx(1.0)}
    assert plan.objective == pytest.approx(2 + 3)


def test_sun_is_not_burnt_for_a_better_share() -> None:
    # half of what is used must be sun, and a battery may not run in circles to use more of it
    series = {"pv_available_mw": [1.0] * 5 + [0.0] * 5, "base_load_mw": [0.0] * 5 + [1.0] * 5}
    grid = {"renewable_share": 0.5, "below_renewable_share_cost_per_mwh": 1000.0}
    store = battery(charge_efficiency=1.0, discharge_efficiency=1.0, soc_start_mwh=0.0)
    cooling = {"tangents": [{"slope": 0.2, "intercept_mw": 0.0}]}
    plan = planned(ten(series=series, grid=grid, batteries=[store], cooling=cooling))
    found = series_of(plan)
    assert max(found.cooling_mw) == pytest.approx(0.0, abs=1e-9)
    # five are used, two of them stored sun
    assert sum(found.import_mw) == pytest.approx(3.0)
    assert gave(plan) == {"grid/renewable_share": pytest.approx(0.5)}
