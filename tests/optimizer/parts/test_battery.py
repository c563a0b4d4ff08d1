"""Batteries: their rows written by hand, and arbitrage whose answer is known on paper."""

from __future__ import annotations

import pytest
from golden_rows import Golden, check
from small_day import battery, bounds, cost, day, gave, job, planned, rows, series_of, ten

# 0.9 in and 0.8 out: a discharged megawatt hour takes 1.25 from the store
STORE = day(batteries=[battery(soc_min_mwh=0.25, soc_end_min_mwh=1.5, wear_cost_per_mwh=3.0)])
RIDING = day(
    batteries=[battery(soc_min_mwh=0.25, reserve_mwh=[0.0, 0.5, 0.75, 0.0], below_reserve_cost_per_mwh_h=6.0)],
    schema_version="1.1",
)
GOLDEN = [
    Golden(
        "battery.energy_balance[store,0]", STORE, "soc[store,0] - 0.9 charge[store,0] + 1.25 discharge[store,0] = 1"
    ),
    Golden(
        "battery.energy_balance[store,3]",
        STORE,
        "soc[store,3] - soc[store,2] - 0.9 charge[store,3] + 1.25 discharge[store,3] = 0",
    ),
    Golden(
        "battery.charge_only_when_charging[store,1]", STORE, "charge[store,1] - charging[store,1] <= 0", {"exact": True}
    ),
    Golden(
        "battery.discharge_only_otherwise[store,1]",
        STORE,
        "discharge[store,1] + charging[store,1] <= 1",
        {"exact": True},
    ),
    Golden("battery.keep_reserve[store,1]", RIDING, "soc[store,1] + below_reserve[store,1] >= 0.75"),
    Golden("battery.keep_reserve[store,2]", RIDING, "soc[store,2] + below_reserve[store,2] >= 1"),
    Golden("battery.reach_end[store]", STORE, "soc[store,3] + short_of_end[store] >= 1.5", {"elastic": True}),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_a_quarter_of_an_hour_stores_a_quarter() -> None:
    quarters = {"horizon": {"start": "2026-11-09T00:00:00Z", "step_minutes": 15, "slots": 4}}
    row = "soc[store,1] - soc[store,0] - 0.225 charge[store,1] + 0.3125 discharge[store,1] = 0"
    check(Golden("battery.energy_balance[store,1]", STORE | quarters, row))
    assert cost(STORE | quarters)[0]["battery.discharge[store,1]"] == pytest.approx(0.75)


def test_the_end_state_is_a_bound_of_the_last_slot_alone() -> None:
    found = bounds(STORE)
    assert found["battery.soc[store,2]"] == (0.25, 2.0)
    assert found["battery.soc[store,3]"] == (1.5, 2.0)
    assert found["battery.charge[store,0]"] == (0.0, 1.0)
    assert bounds(STORE, elastic=True)["battery.soc[store,3]"] == (0.25, 2.0)


def test_wear_is_paid_for_what_comes_out() -> None:
    money, _ = cost(STORE)
    assert {name: price for name, price in money.items() if name.startswith("battery.")} == {
        f"battery.discharge[store,{t}]": pytest.approx(3.0) for t in range(4)
    }


@pytest.mark.parametrize(
    ("prices", "more", "soc", "money"),
    [
        # a megawatt of base load all day: 100 without a battery
        # 0.9 at 10 and the last 0.1 at 20; then 0.6 at 30 and all of 1 at 40
        pytest.param([10, 20, 30, 40], {}, [1.9, 2, 1.25, 0], 20 + 20 * (1 + 1 / 9) + 12, id="buys low, uses high"),
        pytest.param([20, 20, 20, 20], {}, [1, 1, 1, 0], 4 * 20 - 16, id="only what it holds"),
        pytest.param([20, 20, 20, 20], {"wear_cost_per_mwh": 21.0}, [1, 1, 1, 1], 80, id="wear above the price"),
        pytest.param([20, 20, 20, 20], {"soc_end_min_mwh": 1.0}, [1, 1, 1, 1], 80, id="as full as it began"),
        pytest.param([20, 20, 20, 20], {"soc_end_min_mwh": 1.9}, None, 80 + 20, id="must be filled"),
    ],
)
def test_arbitrage(prices: list[float], more: dict[str, float], soc: list[float] | None, money: float) -> None:
    series = {"base_load_mw": [1.0] * 4}
    plan = planned(day(prices=[float(p) for p in prices], series=series, batteries=[battery(**more)]))
    assert plan.series is not None
    assert plan.objective == pytest.approx(money)
    if soc is not None and len(set(prices)) > 1:
        assert plan.series.soc_mwh["store"] == pytest.approx(soc, abs=1e-6)
    elif soc is not None:
        assert plan.series.soc_mwh["store"][-1] == pytest.approx(soc[-1], abs=1e-6)


def test_paid_import_is_not_burnt_in_a_battery() -> None:
    plan = planned(day(prices=[-10.0] * 4, grid={"import_limit_mw": 2.0}, batteries=[battery()]))
    assert plan.series is not None
    for into, out in zip(plan.series.charge_mw["store"], plan.series.discharge_mw["store"], strict=True):
        assert min(into, out) == pytest.approx(0.0, abs=1e-9)
    # room for one megawatt hour behind 0.9, and nothing else that draws
    assert plan.objective == pytest.approx(-10 / 0.9)


def test_a_battery_carries_a_job_over_the_import_limit() -> None:
    plan = planned(day(job("a", 1.0), grid={"import_limit_mw": 0.5}, batteries=[battery()]))
    assert plan.series is not None
    assert sum(plan.series.discharge_mw["store"]) >= 0.5 - 1e-6
    assert plan.jobs[0].unmet_h == 0


# ---- reserve and worth at the end

BASE = {"series": {"base_load_mw": [1.0] * 10}}


def test_a_reserve_is_a_row_only_where_there_is_one() -> None:
    assert [name for name in rows(RIDING) if "keep_reserve" in name] == [
        "battery.keep_reserve[store,1]",
        "battery.keep_reserve[store,2]",
    ]
    assert cost(RIDING)[0]["battery.below_reserve[store,1]"] == pytest.approx(6.0)


def test_a_reserve_stays_in_the_store() -> None:
    # half a megawatt hour of the first one is left alone until the last slot, where none is asked for
    plan = planned(ten(batteries=[battery(reserve_mwh=[0.5] * 9 + [0.0])], **BASE))
    assert min(series_of(plan).soc_mwh["store"][:9]) >= 0.5 - 1e-9
    assert series_of(plan).soc_mwh["store"][9] == pytest.approx(0.0, abs=1e-9)


def test_a_reserve_gives_where_its_price_is_lower() -> None:
    prices = [20.0] * 9 + [100.0]
    store = battery(charge_efficiency=1.0, discharge_efficiency=1.0, soc_start_mwh=1.0)
    # the last hour's megawatt is worth 100: keeping one as a reserve at its end would have to be worth more
    kept = planned(ten(prices=prices, batteries=[store | {"reserve_mwh": 1.0}], **BASE))
    assert series_of(kept).soc_mwh["store"][9] >= 1.0 - 1e-9
    asked = store | {"reserve_mwh": 2.0, "soc_start_mwh": 2.0, "below_reserve_cost_per_mwh_h": 50.0}
    plan = planned(ten(prices=prices, batteries=[asked], **BASE))
    assert gave(plan) == {"battery:store/reserve": pytest.approx(1.0)}
    assert plan.terms["wishes"] == pytest.approx(50.0)
    assert plan.objective == pytest.approx(9 * 20 + 50)


def test_a_reserve_that_cannot_be_reached_is_named() -> None:
    plan = planned(ten(batteries=[battery(reserve_mwh=2.0)], **BASE))
    assert plan.status == "infeasible"
    assert "battery store" in " ".join(plan.conflicts)
    assert "reserve_mwh" in " ".join(plan.conflicts)


@pytest.mark.parametrize(("worth", "end", "money"), [(19.0, 0.0, 19.0), (21.0, 2.0, -21.0)])
def test_what_is_stored_at_the_end_has_its_worth(worth: float, end: float, money: float) -> None:
    store = battery(charge_efficiency=1.0, discharge_efficiency=1.0, soc_end_value_per_mwh=worth)
    plan = planned(ten(prices=[20.0] * 10, batteries=[store], **BASE))
    assert series_of(plan).soc_mwh["store"][9] == pytest.approx(end)
    assert plan.terms["stored"] == pytest.approx(money)
    assert plan.objective == pytest.approx(200 + (end - 1.0) * 20 + money)
