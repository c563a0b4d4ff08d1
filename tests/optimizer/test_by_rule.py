"""Energy by rule in slots of half an hour: what is used, bought, sold and stored, computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_day import at, battery, compiled, day, job

from optimizer.by_rule import energy_by_rule
from optimizer.ladder import descend
from optimizer.problem import Floats, Problem, compile_problem
from optimizer.refusals import check_problem
from optimizer.schedule import Energy, Schedule, at_constant_levels, drawn_by
from optimizer.verify import verify

HALF_HOURS = {"start": at(0), "step_minutes": 30, "slots": 4}
PRICES = [40.0, 10.0, 20.0, 30.0]
SET = {"name": "set", "power_mw": 0.8, "min_power_mw": 0.3, "fuel_cost_per_mwh": 28.0, "min_up_slots": 2}


def half_hours(*jobs: dict[str, Any], **more: Any) -> Problem:
    """A site, without jobs unless some are named."""
    return compiled(day(*jobs, prices=PRICES, horizon=HALF_HOURS, schema_version="1.1", **more))


def ruled(problem: Problem, wishes: dict[str, list[float]] | None = None) -> Energy:
    """Its energy side; wishes in MW."""
    said = None if wishes is None else {name: np.array(wish) / problem.unit_mw for name, wish in wishes.items()}
    return energy_by_rule(problem, drawn_by(problem, Schedule({}, {})), said)


def mw(problem: Problem, values: Floats) -> Any:
    return pytest.approx(list(values * problem.unit_mw), abs=1e-9)


def test_sun_comes_first_then_wind_then_import_and_what_is_left_is_sold_where_it_earns() -> None:
    series = {
        "base_load_mw": [1.0] * 4,
        "pv_available_mw": [0.25, 2.0, 1.25, 0.0],
        "wind_available_mw": [0.5, 0.0, 1.0, 1.5],
        "export_price_per_mwh": [5.0, 0.0, 5.0, 0.5],
    }
    problem = half_hours(series=series, grid={"export_limit_mw": 0.75})
    made = ruled(problem)
    assert mw(problem, made.pv) == [0.25, 1.0, 1.25, 0.0]
    assert mw(problem, made.wind) == [0.5, 0.0, 0.5, 1.5]
    assert mw(problem, made.import_) == [0.25, 0.0, 0.0, 0.0]
    assert mw(problem, made.export) == [0.0, 0.0, 0.75, 0.5]


def test_what_computers_draw_is_heat_beyond_its_losses_and_the_plant_draws_on_top() -> None:
    cooling = {"tangents": [{"slope": 0.2, "intercept_mw": 0.1}]}
    series = {"base_load_mw": [0.4] * 4}
    problem = half_hours(job("a", 0.5), series=series, cooling=cooling, distribution_efficiency=0.8)
    schedule = at_constant_levels(problem, {"a": np.array([1, 0, 0, 0])}, {"a": 0})
    made = energy_by_rule(problem, drawn_by(problem, schedule))
    assert mw(problem, made.heat) == [1.25, 0.0, 0.0, 0.0]
    assert mw(problem, made.cooling) == [0.35, 0.1, 0.1, 0.1]
    assert mw(problem, made.import_) == [2.0, 0.5, 0.5, 0.5]


def test_masses_keep_their_temperature_and_a_tank_is_left_alone() -> None:
    loop = {"name": "loop", "heat_share": 0.5, "mwh_per_k": 0.25, "start_c": 24.0, "lowest_c": 20.0}
    tank = {"energy_mwh": 2.0, "fill_mw": 1.0, "draw_mw": 0.5, "start_mwh": 0.5, "kept_share": 0.9}
    cooling = {
        "capacity_heat_mw": 4.0,
        "tangents": [{"slope": 0.2, "intercept_mw": 0.0}],
        "masses": [loop | {"allowable_c": 26.0}],
    }
    document = day(
        job("a", 1.0), horizon=HALF_HOURS, schema_version="1.1", cooling=cooling | {"tank": tank}, batteries=[battery()]
    )
    received = check_problem(document)
    made = next(plan for plan in descend(compile_problem(received), None) if not verify(received, plan))
    assert made.rung == "GREEDY"
    assert made.series is not None
    assert made.series.mass_c == {"loop": pytest.approx([24.0] * 4)}
    assert made.series.tank_mwh == pytest.approx([0.45, 0.405, 0.3645, 0.32805]), "what it loses by itself"
    assert made.series.cooling_mw == pytest.approx([0.2, 0.2, 0.0, 0.0])
    assert made.series.import_mw == pytest.approx([1.2, 1.2, 0.0, 0.0])
    assert made.series.charge_mw == {"store": [0.0] * 4}


def test_a_battery_is_charged_to_what_it_owes_in_the_cheapest_slots_with_room() -> None:
    # 0.675 MWh are missing and half an hour at 1 MW brings 0.45: all of the cheapest slot, half of the next
    problem = half_hours(batteries=[battery(soc_end_min_mwh=1.675)])
    made = ruled(problem)
    assert mw(problem, made.charge["store"]) == [0.0, 1.0, 0.5, 0.0]
    assert mw(problem, made.soc["store"]) == [1.0, 1.45, 1.675, 1.675]
    # beside a load that leaves 0.5 MW of import and sun, the rest goes into the next slots
    series = {"base_load_mw": [1.0] * 4, "pv_available_mw": [0.0, 0.125, 0.0, 0.0]}
    series["wind_available_mw"] = [0.0, 0.125, 0.0, 0.0]
    narrow = half_hours(batteries=[battery(soc_end_min_mwh=1.675)], series=series, grid={"import_limit_mw": 1.5})
    assert mw(narrow, ruled(narrow).charge["store"]) == [0.0, 0.75, 0.5, 0.25]
    dear = half_hours(
        batteries=[battery(soc_end_min_mwh=1.45)],
        series={"carbon_kg_per_mwh": [0.0, 9e3, 0.0, 0.0]},
        grid={"carbon_price_per_kg": 0.01},
    )
    assert mw(dear, ruled(dear).charge["store"]) == [0.0, 0.0, 1.0, 0.0]


def test_a_wish_is_cut_by_power_and_stock() -> None:
    problem = half_hours(batteries=[battery()])
    made = ruled(problem, {"store": [1.0, 1.5, 1.0, -1.0]})
    assert mw(problem, made.charge["store"]) == [1.0, 1.0, 0.1 / 0.45, 0.0]
    assert mw(problem, made.discharge["store"]) == [0.0, 0.0, 0.0, 1.0]
    assert mw(problem, made.soc["store"]) == [1.45, 1.9, 2.0, 1.375]
    low = half_hours(batteries=[battery(soc_start_mwh=0.25, soc_min_mwh=0.125)])
    assert mw(low, ruled(low, {"store": [-1.0, -1.0, 0.0, 0.0]}).discharge["store"]) == [0.2, 0.0, 0.0, 0.0]


def test_what_sun_wind_and_import_lack_comes_from_the_battery_first_then_from_the_set() -> None:
    series = {"base_load_mw": [1.0, 1.5, 2.0, 0.1], "pv_available_mw": [0.0, 0.125, 0.25, 0.0]}
    problem = half_hours(
        series=series, grid={"import_limit_mw": 1.0}, batteries=[battery(power_mw=0.5)], generators=[SET]
    )
    made = ruled(problem, {})
    assert mw(problem, made.discharge["store"]) == [0.0, 0.375, 0.5, 0.0]
    assert mw(problem, made.discharge["set"]) == [0.0, 0.0, 0.3, 0.0]
    assert mw(problem, made.import_) == [1.0, 1.0, 0.95, 0.1]


def test_a_set_gives_its_least_where_it_is_on_and_stays_on_as_long_as_it_must() -> None:
    running = SET | {"on_before": True, "state_slots": 1, "min_up_slots": 3}
    series = {"base_load_mw": [0.1] * 4}
    problem = half_hours(series=series, grid={"export_limit_mw": 1.0}, generators=[running])
    made = ruled(problem, {"set": [0.0, 0.0, -0.1, -0.6]})
    assert mw(problem, made.discharge["set"]) == [0.3, 0.3, 0.3, 0.6]
    assert mw(problem, made.export) == [0.2, 0.2, 0.2, 0.5]
    sunny = half_hours(
        series=series | {"pv_available_mw": [1.0] * 4, "export_price_per_mwh": [5.0] * 4},
        grid={"export_limit_mw": 0.5},
        generators=[running],
    )
    assert mw(sunny, ruled(sunny, {}).export) == [0.5] * 4
    assert mw(sunny, ruled(sunny, {}).pv) == [0.3, 0.3, 0.6, 0.6]
    resting = half_hours(series=series, generators=[SET | {"maintenance": [{"start": at(0), "end": at(1)}]}])
    assert mw(resting, ruled(resting, {"set": [-0.6, -0.6, -0.3, 0.0]}).discharge["set"]) == [0.0, 0.0, 0.3, 0.0]
