"""Thermal masses and tank: rows written by hand; cold made when power is cheap, within temperatures that hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from golden_rows import Golden, check
from small_day import at, bounds, compiled, cost, day, gave, job, planned, pool, rows, series_of, ten

from optimizer.ladder import descend
from optimizer.refusals import check_problem
from optimizer.verify import verify


def hall(**more: Any) -> dict[str, Any]:
    """A hall at 24 degC that one megawatt hour warms by four degrees; its surroundings do nothing."""
    return {"mwh_per_k": 0.25, "start_c": 24.0, "lowest_c": 20.0, "allowable_c": 32.0, **more}


def plant(slope: Any = 0.5, capacity: float = 4.0, **mass: Any) -> dict[str, Any]:
    """A megawatt of heat takes half a megawatt of power."""
    tangents = [{"slope": slope, "intercept_mw": 0.0}]
    return {"tangents": tangents, "capacity_heat_mw": capacity, "mass": hall(**mass)}


# nine tenths of a distance are left after an hour, of one to surroundings at 30: 3 K of drift
HALL = day(
    job("a", 1.0),
    cooling=plant(kept_share=0.9, surroundings_c=30.0, recommended_c=27.0, above_recommended_cost_per_k_h=3.0)
    | {"tangents": [{"slope": 0.5, "intercept_mw": -0.25}]},
    distribution_efficiency=0.8,
    schema_version="1.1",
)
SLOW = day(cooling=plant(most_change_k_per_slot=2.0), schema_version="1.1")
# of a megawatt of heat six tenths warm the loop and three the hall; a tank holds two megawatt hours of cold
LOOP = hall(name="loop", heat_share=0.6, recommended_c=27.0)
AIR = hall(name="air", heat_share=0.3, most_change_k_per_slot=2.0)
TANK = {"energy_mwh": 2.0, "fill_mw": 1.0, "draw_mw": 0.5, "start_mwh": 1.0, "kept_share": 0.9, "end_min_mwh": 0.5}
PLANT = {"tangents": [{"slope": 0.5, "intercept_mw": 0.0}], "capacity_heat_mw": 4.0}
TWO = day(job("a", 1.0), cooling=PLANT | {"masses": [AIR, LOOP], "tank": TANK}, schema_version="1.1")
# a pool that sits in the loop: nine tenths of its heat go there, the hall gets the tenth
WET = day(
    job("a", 1.0, pool="hall", gpus=4),
    cooling=PLANT | {"masses": [AIR, LOOP]},
    pools=[pool(heat_shares={"loop": 0.9, "air": 0.1})],
    schema_version="1.1",
)
GOLDEN = [
    Golden("mass.above_line[1,0]", HALL, "power[1] - 0.5 plant[1] >= -0.25"),
    Golden("mass.above_line[1,1]", HALL, "power[1] >= 0"),
    Golden("mass.one_line_rules[1]", HALL, "rules[1,0] + rules[1,1] = 1"),
    # at rest the first line lies 0.25 under the curve, at the capacity of 4 the zero line 1.75
    Golden("mass.on_ruling_line[1,0]", HALL, "power[1] - 0.5 plant[1] + 0.25 rules[1,0] <= 0"),
    Golden("mass.on_ruling_line[1,1]", HALL, "power[1] + 1.75 rules[1,1] <= 1.75"),
    Golden("mass.plant_removes[1]", HALL, "removed[thermal mass,1] - plant[1] = 0"),
    Golden(
        "mass.plant_removes[2]",
        TWO,
        "0.1 gpus.it[2] + removed[air,2] + removed[loop,2] + into_tank[2] - plant[2] = 0",
    ),
    Golden(
        "mass.warms[thermal mass,0]",
        HALL,
        "temperature[thermal mass,0] + 4 removed[thermal mass,0] - 5 gpus.it[0] = 24.6",
    ),
    Golden(
        "mass.warms[thermal mass,2]",
        HALL,
        "temperature[thermal mass,2] - 0.9 temperature[thermal mass,1] + 4 removed[thermal mass,2] - 5 gpus.it[2] = 3",
    ),
    Golden(
        "mass.warms[loop,1]", TWO, "temperature[loop,1] - temperature[loop,0] + 4 removed[loop,1] - 2.4 gpus.it[1] = 0"
    ),
    Golden(
        "mass.warms[loop,1]",
        WET,
        "temperature[loop,1] - temperature[loop,0] + 4 removed[loop,1] - 2.4 gpus.it[1] - 1.2 gpus.pool_power[hall,1] "
        "= 0",
    ),
    Golden(
        "mass.plant_removes[2]",
        WET,
        "0.1 gpus.it[2] - 0.1 gpus.pool_power[hall,2] + removed[air,2] + removed[loop,2] - plant[2] = 0",
    ),
    Golden("mass.recommended[thermal mass,3]", HALL, "temperature[thermal mass,3] - above[thermal mass,3] <= 27"),
    Golden("mass.moves_slowly[thermal mass,0,1]", SLOW, "temperature[thermal mass,0] <= 26"),
    Golden("mass.moves_slowly[air,2,-1]", TWO, "temperature[air,1] - temperature[air,2] <= 2"),
    Golden(
        "mass.drawn[1]",
        HALL,
        "cooling.power[1] + battery.charge[held cold,1] - battery.discharge[held cold,1] - power[1] = 0",
    ),
    Golden("mass.tank_keeps[0]", TWO, "stored[0] - into_tank[0] = 0.9"),
    Golden("mass.tank_keeps[2]", TWO, "stored[2] - 0.9 stored[1] - into_tank[2] = 0"),
    Golden("mass.tank_end", TWO, "stored[3] + tank_short >= 0.5", {"elastic": True}),
    Golden(
        "mass.allowable[thermal mass,2]",
        HALL,
        "temperature[thermal mass,2] - too_warm[thermal mass,2] <= 32",
        {"elastic": True},
    ),
    Golden(
        "mass.lowest[thermal mass,2]",
        HALL,
        "temperature[thermal mass,2] + too_cold[thermal mass,2] >= 20",
        {"elastic": True},
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_capacity_binds_what_is_removed_and_not_the_heat() -> None:
    assert not [name for name in rows(HALL) if name.startswith("cooling.heat_within_capacity")]
    assert bounds(HALL)["mass.plant[1]"] == (0.0, 4.0)
    assert cost(HALL)[0]["mass.above[thermal mass,1]"] == 3.0


def test_a_tank_is_bounded_by_its_size_its_flows_and_its_end() -> None:
    found = bounds(TWO)
    assert found["mass.into_tank[1]"] == (-0.5, 1.0)
    assert found["mass.stored[1]"] == (0.0, 2.0)
    assert found["mass.stored[3]"] == (0.5, 2.0)


def test_cold_is_made_before_the_dear_hours() -> None:
    # a megawatt of heat all day; power at 10 for five hours, then at 100; four degrees are a megawatt hour of heat
    prices = [10.0] * 5 + [100.0] * 5
    plain = planned(ten(job("a", 10.0), prices=prices, cooling=plant(lowest_c=24.0, allowable_c=24.0)))
    assert series_of(plain).heat_removed_mw == pytest.approx([1.0] * 10)
    assert series_of(plain).temperature_c == pytest.approx([24.0] * 10)
    plan = planned(ten(job("a", 10.0), prices=prices, cooling=plant()))
    found = series_of(plan)
    assert found.temperature_c is not None
    assert found.heat_removed_mw is not None
    # down to 20 degC at the end of slot 4, up to 32 at the end of the day: twelve degrees are three megawatt hours
    assert found.temperature_c[4] == pytest.approx(20.0)
    assert found.temperature_c[9] == pytest.approx(32.0)
    assert sum(found.heat_removed_mw[:5]) == pytest.approx(6.0)
    assert sum(found.heat_removed_mw[5:]) == pytest.approx(2.0)
    assert plan.objective == pytest.approx(plain.objective - 0.5 * (3 * 100 - 1 * 10))  # type: ignore[operator]


def test_the_end_of_the_day_may_be_asked_to_be_cool() -> None:
    prices = [10.0] * 5 + [100.0] * 5
    plan = planned(ten(job("a", 10.0), prices=prices, cooling=plant(end_most_c=24.0)))
    assert series_of(plan).temperature_c[9] == pytest.approx(24.0)  # type: ignore[index]


def test_warmth_above_what_is_recommended_has_its_price() -> None:
    # one dear hour: letting four degrees in costs their price once, since the next hour cools again
    prices = [10.0] * 4 + [100.0] + [10.0] * 5
    mass = {"recommended_c": 24.0, "lowest_c": 24.0, "above_recommended_cost_per_k_h": 11.0, "end_most_c": 24.0}
    plan = planned(ten(job("a", 10.0), prices=prices, cooling=plant(**mass)))
    assert gave(plan) == {"cooling/recommended": pytest.approx(4.0)}
    assert plan.terms["wishes"] == pytest.approx(44.0)
    dear = planned(ten(job("a", 10.0), prices=prices, cooling=plant(**mass | {"above_recommended_cost_per_k_h": 12.0})))
    # half a megawatt hour at 90 less saves 45; four degrees would cost 48
    assert gave(dear) == {}


def test_a_temperature_moves_no_faster_than_it_may() -> None:
    prices = [10.0] * 5 + [100.0] * 5
    plan = planned(ten(job("a", 10.0), prices=prices, cooling=plant(most_change_k_per_slot=1.0)))
    found = series_of(plan).temperature_c
    assert found is not None
    assert np.abs(np.diff(found, prepend=24.0)).max() <= 1.0 + 1e-6
    # five dear hours let in a degree each, and the cheap ones before let in three: a quarter megawatt hour for each
    assert plan.objective == pytest.approx(550 + 0.5 * (100 * (5 - 1.25) + 10 * (5 - 0.75)))


def test_heat_beyond_the_plant_s_capacity_waits_in_the_mass() -> None:
    # two megawatts for an hour behind a plant of one and a half
    strong = job("a", 1.0, levels=[{"power_mw": 2.0, "speed": 1.0}])
    plan = planned(ten(strong, cooling=plant(capacity=1.5)))
    assert series_of(plan).heat_mw[0] == pytest.approx(2.0)
    assert max(series_of(plan).heat_removed_mw or []) <= 1.5 + 1e-9
    without = planned(ten(strong, cooling={k: v for k, v in plant(capacity=1.5).items() if k != "mass"}))
    assert without.status == "infeasible"


def test_free_cooling_at_night_fills_a_tank() -> None:
    # the plant costs nothing until slot 3; the tank holds eight megawatt hours between 5 and 13 degC
    tank = {"mwh_per_k": 1.0, "start_c": 13.0, "lowest_c": 5.0, "allowable_c": 13.0}
    cooling = plant(slope=[0.0] * 4 + [0.5] * 6, capacity=3.0, **tank)
    plan = planned(ten(job("a", 10.0), prices=[100.0] * 10, cooling=cooling))
    found = series_of(plan)
    # of ten hours of heat six come after the night: two megawatts more than needed for three hours carry them
    assert found.cooling_mw == pytest.approx([0.0] * 10, abs=1e-9)
    assert found.temperature_c is not None
    assert min(found.temperature_c) >= 5.0 - 1e-6
    assert found.temperature_c[3] <= 7.0 + 1e-6
    assert plan.objective == pytest.approx(1000.0)


def test_a_hall_drifts_to_its_surroundings() -> None:
    # nothing runs and nothing is removed: half way to 32 in each hour
    plan = planned(ten(cooling=plant(kept_share=0.5, surroundings_c=32.0, allowable_c=40.0)))
    assert series_of(plan).temperature_c == pytest.approx([32 - 8 * 0.5**k for k in range(1, 11)])


def test_a_hall_that_gets_too_warm_is_named() -> None:
    plan = planned(ten(cooling=plant(kept_share=0.5, surroundings_c=60.0, capacity=1.0)))
    assert plan.status == "infeasible"
    assert "thermal mass" in " ".join(plan.conflicts)


def test_heat_without_enough_plant_is_named() -> None:
    hot = job("a", 10.0, levels=[{"power_mw": 2.0, "speed": 1.0}])
    plan = planned(ten(hot, cooling=plant(capacity=1.0)))
    assert plan.status == "infeasible"
    assert "cooling capacity 1 MW of heat, 32 degC of the thermal mass (allowable_c)" in " ".join(plan.conflicts)


def test_the_mass_is_one_store_more() -> None:
    assert [b.name for b in compiled(HALL).batteries] == ["held cold"]


def halls(*masses: dict[str, Any], capacity: float = 4.0, **more: Any) -> dict[str, Any]:
    return {**PLANT, "capacity_heat_mw": capacity, "masses": list(masses), **more}


DEAR_LATER = [10.0] * 5 + [100.0] * 5


def test_hall_and_loop_are_cooled_ahead_each_as_far_as_it_may() -> None:
    # six tenths of a megawatt into a loop that may not get colder than 22, four into a hall down to 20
    loop = hall(name="loop", heat_share=0.6, lowest_c=22.0, allowable_c=24.0)
    air = hall(name="air", heat_share=0.4, allowable_c=24.0)
    plan = planned(ten(job("a", 10.0), prices=DEAR_LATER, cooling=halls(loop, air)))
    found = series_of(plan)
    assert found.mass_c["loop"][4] == pytest.approx(22.0)
    assert found.mass_c["air"][4] == pytest.approx(20.0)
    assert found.mass_c["loop"][9] == pytest.approx(24.0)
    assert found.mass_c["air"][9] == pytest.approx(24.0)
    # the six degrees are a megawatt hour and a half of heat, at half a megawatt hour of power each
    assert plan.objective == pytest.approx(550 + 550 * 0.5 - 0.5 * 1.5 * 90)
    removed = np.array([found.mass_removed_mw["loop"], found.mass_removed_mw["air"]]).sum(axis=0)
    assert removed == pytest.approx(found.heat_removed_mw)


def test_heat_that_enters_no_mass_is_removed_as_it_is_made() -> None:
    loop = hall(name="loop", heat_share=0.5, lowest_c=24.0, allowable_c=24.0)
    plan = planned(ten(job("a", 10.0), prices=DEAR_LATER, cooling=halls(loop)))
    assert series_of(plan).mass_removed_mw["loop"] == pytest.approx([0.5] * 10)
    assert series_of(plan).heat_removed_mw == pytest.approx([1.0] * 10)


def test_heat_of_a_pool_goes_where_its_own_shares_say() -> None:
    # both masses keep 24 degC, so that what is taken from each is what enters it: of the wet pool's megawatt eight
    # tenths into the loop and nothing into the hall, of the dry one's half and half
    still = {"lowest_c": 24.0, "allowable_c": 24.0}
    masses = [hall(name="loop", heat_share=0.5, **still), hall(name="air", heat_share=0.5, **still)]
    pools = [pool(name="wet", heat_shares={"loop": 0.8}), pool(name="dry")]
    jobs = job("w", 10.0, pool="wet", gpus=8), job("d", 4.0, pool="dry", gpus=8, pinned_start=at(0))
    found = series_of(planned(ten(*jobs, pools=pools, cooling=halls(*masses))))
    assert found.mass_removed_mw["loop"] == pytest.approx([1.3] * 4 + [0.8] * 6)
    assert found.mass_removed_mw["air"] == pytest.approx([0.5] * 4 + [0.0] * 6)
    assert found.heat_removed_mw == pytest.approx([2.0] * 4 + [1.0] * 6)


def test_work_goes_to_the_pool_whose_heat_has_room() -> None:
    # the loop may not get warmer and its plant carries half a megawatt; the hall takes the other half for a while
    loop = hall(name="loop", heat_share=0.0, lowest_c=24.0, allowable_c=24.0)
    air = hall(name="air", heat_share=1.0)
    pools = [pool(name="wet", heat_shares={"loop": 1.0}), pool(name="dry")]
    strong = job("a", 2.0, pool="wet", gpus=8, alternatives=[{"pool": "dry"}])
    plan = planned(ten(strong, pools=pools, cooling=halls(loop, air, capacity=0.5)))
    assert {run.pool for run in plan.jobs[0].runs} == {"dry"}
    assert max(series_of(plan).mass_c["air"]) > 24.0


def test_warmth_of_each_mass_is_its_own_wish() -> None:
    prices = [10.0] * 4 + [100.0] + [10.0] * 5
    alike = {"recommended_c": 24.0, "lowest_c": 24.0, "end_most_c": 24.0}
    loop = hall(name="loop", heat_share=0.5, above_recommended_cost_per_k_h=1.0, **alike)
    air = hall(name="air", heat_share=0.5, above_recommended_cost_per_k_h=50.0, **alike)
    plan = planned(ten(job("a", 10.0), prices=prices, cooling=halls(loop, air)))
    # half a megawatt hour in the loop is two degrees
    assert gave(plan) == {"mass:loop/recommended": pytest.approx(2.0)}
    assert plan.unmet[0].source == "/cooling/masses/0/recommended_c"


def test_a_tank_is_filled_at_night_and_loses_a_share() -> None:
    tank = {"energy_mwh": 2.0, "fill_mw": 1.0, "draw_mw": 0.5, "start_mwh": 0.0}
    plan = planned(ten(job("a", 10.0), prices=DEAR_LATER, cooling=PLANT | {"tank": tank}))
    found = series_of(plan)
    assert found.tank_mwh is not None
    assert found.tank_mwh[4] == pytest.approx(2.0)
    assert found.tank_mwh[9] == pytest.approx(0.0, abs=1e-6)
    # no more than half a megawatt comes out in any hour
    assert min(np.diff(found.tank_mwh, prepend=0.0)) >= -0.5 - 1e-6
    assert plan.objective == pytest.approx(550 + 550 * 0.5 - 0.5 * 2 * 90)
    leaky = planned(ten(job("a", 10.0), prices=DEAR_LATER, cooling=PLANT | {"tank": tank | {"kept_share": 0.5}}))
    # half is gone after an hour: filled to the brim in the last cheap hour, it gives half a megawatt of what is left
    assert series_of(leaky).tank_mwh is not None
    assert plan.objective < leaky.objective < 550 + 550 * 0.5  # type: ignore[operator]


def test_a_tank_ends_as_full_as_it_is_asked_to() -> None:
    tank = {"energy_mwh": 2.0, "fill_mw": 1.0, "draw_mw": 1.0, "start_mwh": 1.0, "end_min_mwh": 1.0}
    plan = planned(ten(job("a", 10.0), prices=DEAR_LATER, cooling=PLANT | {"tank": tank}))
    found = series_of(plan).tank_mwh
    assert found is not None
    assert found[4] == pytest.approx(2.0)
    assert found[9] == pytest.approx(1.0)


def test_a_tank_that_cannot_be_filled_in_time_is_named() -> None:
    tank = {"energy_mwh": 20.0, "fill_mw": 0.5, "draw_mw": 1.0, "start_mwh": 1.0, "end_min_mwh": 9.0}
    plan = planned(ten(job("a", 10.0), cooling=PLANT | {"tank": tank}))
    assert plan.status == "infeasible"
    assert "the tank must end with 9 MWh (end_min_mwh) but can reach at most 6 MWh" in " ".join(plan.conflicts)
    # the flow would do, but the plant carries a megawatt of heat and no more
    small = planned(ten(job("a", 10.0), cooling=plant_of(1.0) | {"tank": tank | {"end_min_mwh": 5.0}}))
    assert small.status == "infeasible"
    assert "cooling capacity 1 MW of heat, 5 MWh of the tank (end_min_mwh)" in " ".join(small.conflicts)


def plant_of(capacity: float) -> dict[str, Any]:
    return PLANT | {"capacity_heat_mw": capacity}


def test_rungs_without_a_solver_hold_temperatures_and_the_tank() -> None:
    # a hall that drifts to 34, a loop, and a tank that loses a tenth an hour
    air = hall(name="air", heat_share=0.3, kept_share=0.9, surroundings_c=34.0, recommended_c=26.0, end_most_c=24.0)
    loop = hall(name="loop", heat_share=0.6, most_change_k_per_slot=2.0)
    raw = ten(job("a", 5.0), cooling=halls(air, loop, tank=TANK | {"end_min_mwh": 1.0}))
    received = check_problem(raw)
    rungs = {plan.rung: verify(received, plan) for plan in descend(compiled(raw), None)}
    assert rungs == {"GREEDY": [], "SAFE": rungs["SAFE"]}
    # and where a pool's heat goes its own way
    wet = ten(job("a", 5.0, pool="hall", gpus=8), cooling=halls(air, loop), pools=[pool(heat_shares={"loop": 0.9})])
    rungs = {plan.rung: verify(check_problem(wet), plan) for plan in descend(compiled(wet), None)}
    assert rungs["GREEDY"] == []


def test_a_plant_too_small_lets_masses_get_warmer_by_rule() -> None:
    strong = job("a", 1.0, levels=[{"power_mw": 2.0, "speed": 1.0}])
    raw = ten(strong, cooling=halls(hall(name="air", heat_share=1.0), capacity=1.5))
    cold = compiled(raw).cold
    assert cold is not None
    heat = np.array([1.0] + [0.0] * 9) * 2.0 / compiled(raw).unit_mw
    removal = cold.steady(heat, cold.entering(heat, np.zeros((0, 10))), 1.0)
    warm = cold.masses[0].temperature(heat, removal.by_mass["air"])
    # half a megawatt hour waits and warms the hall by two degrees, and is removed in the next hour
    assert warm[:2] == pytest.approx([26.0, 24.0])
