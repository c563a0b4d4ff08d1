"""Generating sets: rows written by hand; commitment whose answer is known on paper or published."""

from __future__ import annotations

from typing import Any

import pytest
from golden_rows import Golden, check
from small_day import bounds, cost, day, job, planned, series_of, ten

from optimizer.document import Plan


def diesel(**more: Any) -> dict[str, Any]:
    """One megawatt, at least half of it."""
    return {"name": "set", "power_mw": 1.0, "min_power_mw": 0.5, "fuel_cost_per_mwh": 50.0, **more}


SETS = day(
    series={"base_load_mw": [1.0] * 4},
    generators=[
        diesel(start_cost=9.0, stop_cost=3.0, no_load_cost_per_h=2.0, min_up_slots=3, min_down_slots=2),
        diesel(name="warm", on_before=True, state_slots=1, min_up_slots=3),
    ],
    schema_version="1.1",
)
GOLDEN = [
    Golden("generators.on_follows[set,0]", SETS, "on[set,0] - start[set,0] + stop[set,0] = 0"),
    Golden("generators.on_follows[warm,0]", SETS, "on[warm,0] - start[warm,0] + stop[warm,0] = 1"),
    Golden("generators.on_follows[set,2]", SETS, "on[set,2] - on[set,1] - start[set,2] + stop[set,2] = 0"),
    Golden("generators.gives_at_most[set,1]", SETS, "battery.discharge[set,1] - on[set,1] <= 0"),
    Golden("generators.gives_at_least[set,1]", SETS, "battery.discharge[set,1] - 0.5 on[set,1] >= 0"),
    Golden("generators.run_lasts[set,1]", SETS, "start[set,0] + start[set,1] - on[set,1] <= 0"),
    Golden("generators.run_lasts[set,3]", SETS, "start[set,1] + start[set,2] + start[set,3] - on[set,3] <= 0"),
    Golden("generators.pause_lasts[set,3]", SETS, "stop[set,2] + stop[set,3] + on[set,3] <= 1"),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_a_run_that_is_too_short_yet_goes_on() -> None:
    assert [bounds(SETS)[f"generators.on[warm,{t}]"] for t in range(4)] == [(1, 1), (1, 1), (0, 1), (0, 1)]


def test_money_of_a_set() -> None:
    money, _ = cost(SETS)
    found = {name: price for name, price in money.items() if "set,1" in name}
    assert found == {
        "battery.discharge[set,1]": 50.0,
        "generators.on[set,1]": 2.0,
        "generators.start[set,1]": 9.0,
        "generators.stop[set,1]": 3.0,
    }


def running(plan: Plan, name: str = "set") -> list[int]:
    """On-slots of a set."""
    return series_of(plan).generator_on[name]


BASE = {"series": {"base_load_mw": [1.0] * 10}}


def test_a_set_runs_where_the_grid_is_dearer() -> None:
    plan = planned(ten(generators=[diesel()], **BASE))
    # slots 5 to 9 cost 60 to 100; at 50 the two are equal
    assert running(plan)[5:] == [1] * 5
    assert running(plan)[:4] == [0] * 4
    assert series_of(plan).generator_mw["set"][5:] == pytest.approx([1.0] * 5)
    assert plan.objective == pytest.approx(10 + 20 + 30 + 40 + 50 + 5 * 50)


def test_a_start_must_earn_its_cost() -> None:
    # slots 5 to 9 save 10 + 20 + 30 + 40 + 50
    assert sum(running(planned(ten(generators=[diesel(start_cost=149.0)], **BASE)))) >= 5
    assert sum(running(planned(ten(generators=[diesel(start_cost=151.0)], **BASE)))) == 0


def test_a_set_that_runs_at_all_runs_for_its_least_time() -> None:
    prices = [10.0] * 4 + [200.0] + [10.0] * 5
    plan = planned(ten(prices=prices, generators=[diesel(min_up_slots=4)], **BASE))
    assert running(plan)[4] == 1
    assert sum(running(plan)) == 4
    # 150 saved in slot 4; half a megawatt at 40 more in each of three others
    assert plan.objective == pytest.approx(9 * 10 + 50 + 3 * 0.5 * 40)


def test_a_pause_lasts() -> None:
    prices = [200.0] * 3 + [10.0] + [200.0] * 6
    plan = planned(ten(prices=prices, generators=[diesel(on_before=True, state_slots=9, min_down_slots=2)], **BASE))
    # one cheap hour is too short for a pause of two: half a megawatt goes on
    assert running(plan) == [1] * 10
    assert series_of(plan).generator_mw["set"][3] == pytest.approx(0.5)


def test_fuel_is_kept_for_the_dearest_hours() -> None:
    plan = planned(ten(generators=[diesel(fuel_mwh=2.0)], **BASE))
    assert series_of(plan).generator_mw["set"] == pytest.approx([0] * 8 + [1, 1])


def test_carbon_of_a_set_has_its_price() -> None:
    grid = {"carbon_price_per_kg": 0.1}
    plan = planned(ten(generators=[diesel(carbon_kg_per_mwh=300.0)], grid=grid, **BASE))
    # 80 a megawatt hour: slots 8 and 9
    assert plan.terms["carbon"] == pytest.approx(2 * 30)
    assert plan.objective == pytest.approx(360 + 2 * 80)


def test_an_island_runs_on_its_set() -> None:
    grid = {"import_limit_mw": 0.0}
    plan = planned(ten(job("a", 2.0), generators=[diesel(min_power_mw=0.25)], grid=grid))
    assert plan.objective == pytest.approx(100.0)
    assert sum(running(plan)) == 2


def test_a_set_does_not_burn_what_nobody_needs() -> None:
    # a tenth of a megawatt is asked for, half of one is the least; no export, a battery that could run in circles
    base = {"series": {"base_load_mw": [0.1] * 10}}
    cooling = {"tangents": [{"slope": 0.2, "intercept_mw": 0.0}]}
    plan = planned(ten(generators=[diesel(fuel_cost_per_mwh=0.0)], cooling=cooling, **base))
    assert running(plan) == [0] * 10


# ---- published: two sets and four hours (known answers D4 and D5)


def island(load: list[float], *sets: dict[str, Any]) -> dict[str, Any]:
    return day(
        grid={"import_limit_mw": 0.0}, series={"base_load_mw": load}, generators=list(sets), schema_version="1.1"
    )


def test_a_start_cost_and_a_least_power_share_the_load() -> None:
    coal = {
        "name": "coal",
        "power_mw": 10000.0,
        "min_power_mw": 1000.0,
        "fuel_cost_per_mwh": 20.0,
        "start_cost": 3000.0,
    }
    gas = {"name": "gas", "power_mw": 10000.0, "fuel_cost_per_mwh": 70.0, "start_cost": 1000.0, "on_before": True}
    plan = planned(island([4000.0, 6000.0, 5000.0, 800.0], coal, gas))
    assert plan.objective == pytest.approx(359000.0)


def test_a_stop_cost_keeps_the_small_set_on() -> None:
    coal = {"name": "coal", "power_mw": 10000.0, "min_power_mw": 3000.0, "fuel_cost_per_mwh": 20.0}
    gas = {"name": "gas", "power_mw": 1000.0, "min_power_mw": 100.0, "fuel_cost_per_mwh": 70.0}
    both = [one | {"on_before": True, "stop_cost": 1000.0} for one in (coal, gas)]
    plan = planned(island([4000.0, 6000.0, 5000.0, 800.0], *both))
    assert plan.objective == pytest.approx(358000.0)
