"""Maintenance: an asset out or derated for a window, stated on it, is the same day with the numbers written out."""

from __future__ import annotations

from typing import Any

import pytest
from small_day import at, battery, compiled, job, on_slots, planned, pool, series_of, ten

from optimizer.document import dump_plan, parse_plan
from optimizer.preflight import conflicts
from optimizer.refusals import check_problem
from optimizer.verify import verify


def window(first: int, last: int, share: float = 0.0, reason: str = "new switch") -> list[dict[str, Any]]:
    return [{"start": at(first), "end": at(last), "left_share": share, "reason": reason}]


GANG = job("a", 3.0, pool="hall", gpus=8)
FEED = {"name": "ups", "pools": ["hall"], "limit_mw": 1.0}
SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a pool": (
        {"pools": [pool(maintenance=window(0, 4, 0.8))]},
        {"pools": [pool(gpus=[6] * 4 + [8] * 6)]},
    ),
    "a feed": (
        {"pools": [pool()], "feeds": [FEED | {"maintenance": window(-2, 3, 0.5)}]},
        {"pools": [pool()], "feeds": [FEED | {"limit_mw": [0.5] * 3 + [1.0] * 7}]},
    ),
    "the grid": (
        {"pools": [pool()], "grid": {"import_limit_mw": 2.0, "maintenance": window(0, 1) + window(0, 2, 0.25)}},
        {"pools": [pool()], "grid": {"import_limit_mw": [0.0, 0.5] + [2.0] * 8}},
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_a_window_is_the_numbers_written_out(name: str) -> None:
    stated, written = (planned(ten(GANG, **more)) for more in SAME[name])
    assert stated.objective == pytest.approx(written.objective)
    assert on_slots(stated) == on_slots(written)
    # nothing is left to run on in the first slots, which are the cheapest
    assert on_slots(stated)[0] == {"a pool": 4, "a feed": 3, "the grid": 2}[name]


def test_a_battery_out_of_work_keeps_what_it_holds() -> None:
    prices = [10.0, 10.0, 100.0, 100.0, *[10.0] * 6]
    load = {"base_load_mw": [1.0] * 10}
    store = battery(charge_efficiency=1.0, discharge_efficiency=1.0, soc_start_mwh=2.0)
    free = planned(ten(prices=prices, series=load, batteries=[store]))
    assert series_of(free).discharge_mw["store"][2:4] == pytest.approx([1.0, 1.0])
    half = planned(ten(prices=prices, series=load, batteries=[store | {"maintenance": window(3, 10, 0.5)}]))
    assert series_of(half).discharge_mw["store"][2:4] == pytest.approx([1.0, 0.5])
    out = planned(ten(prices=prices, series=load, batteries=[store | {"maintenance": window(2, 4)}]))
    assert series_of(out).discharge_mw["store"][2:4] == pytest.approx([0.0, 0.0])
    assert series_of(out).soc_mwh["store"][3] == pytest.approx(series_of(out).soc_mwh["store"][1])


def test_a_battery_out_of_work_is_no_headroom() -> None:
    raw = ten(job("a", 2.0), batteries=[battery(maintenance=window(0, 5))], grid={"import_limit_mw": 1.0})
    plan = planned(raw | {"reserve": {"drop_mw": 0.5}})
    # a megawatt of import leaves no room, so the job waits until the battery is back
    assert on_slots(plan) == [5, 6]


def test_a_set_is_off_while_it_is_out() -> None:
    load = {"base_load_mw": [1.0] * 10}
    set_ = {"name": "set", "power_mw": 1.0, "fuel_cost_per_mwh": 5.0, "start_cost": 30.0, "stop_cost": 30.0}
    plan = planned(ten(series=load, generators=[set_ | {"maintenance": window(4, 6)}]))
    found = series_of(plan)
    assert found.generator_on["set"] == [1, 1, 1, 1, 0, 0, 1, 1, 1, 1]
    derated = planned(ten(series=load, generators=[set_ | {"maintenance": window(4, 6, 0.5)}]))
    assert series_of(derated).generator_mw["set"] == pytest.approx([1.0] * 4 + [0.5] * 2 + [1.0] * 4)


def test_the_largest_of_the_units_that_are_left_may_be_lost() -> None:
    units = [{"name": f"u{k}", "capacity_heat_mw": 1.0} for k in range(3)]
    units[0] |= {"maintenance": window(0, 6, reason="seals")}
    cooling = {"tangents": [{"slope": 0.1, "intercept_mw": 0.0}], "units": units, "spare_units": 1}
    heavy = job("a", 2.0, levels=[{"power_mw": 1.5, "speed": 1.0}])
    plan = planned(ten(heavy, cooling=cooling))
    assert on_slots(plan) == [6, 7]
    assert series_of(plan).unit_heat_mw["u0"][5] == 0.0


TOLD: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"jobs": [GANG | {"deadline": at(4)}], "pools": [pool(maintenance=window(0, 5, 0.5))]},
        ["pool hall has at most 4 in its window, under maintenance: 50% of it is left from", "T05:00:00Z (new switch)"],
    ),
    (
        {"batteries": [battery(soc_end_min_mwh=2.0, maintenance=window(0, 10))]},
        ["can reach at most 1 MWh, under maintenance: 0% of it is left"],
    ),
    (
        {"batteries": [battery(reserve_mwh=2.0, maintenance=window(0, 2, reason=""))]},
        ["by then, under maintenance: 0% of it is left from 2026-11-09T00:00:00Z to 2026-11-09T02:00:00Z; lower"],
    ),
    (
        {
            "generators": [
                {"name": "set", "power_mw": 1.0, "min_up_slots": 4, "on_before": True, "maintenance": window(1, 2)}
            ]
        },
        ["generator set has run for 1 of its 4 slots", "under maintenance", "move the window"],
    ),
    (
        {
            "pools": [
                pool(
                    nodes={"gpus_per_node": 4, "min_up_slots": 9, "started_before": [2]}, maintenance=window(2, 4, 0.5)
                )
            ]
        },
        [
            "2 nodes of pool hall may not be off at 2026-11-09T02:00:00Z yet (min_up_slots), 1 are there, under",
            "switch)",
        ],
    ),
]


@pytest.mark.parametrize(("more", "parts"), TOLD, ids=["pool", "battery", "reserve", "generator", "nodes"])
def test_what_a_window_forbids_is_told_before_solving(more: dict[str, Any], parts: list[str]) -> None:
    found = conflicts(compiled(ten(**{"jobs": [], **more}) if "jobs" not in more else {**ten(), **more}))
    assert len(found) == 1, found
    assert [part for part in parts if part not in found[0]] == []


@pytest.mark.parametrize("name", ["pool", "feed", "the grid connection"])
def test_a_window_in_the_way_of_a_job_is_named(name: str) -> None:
    gang = GANG | {"work_h": 9.0}
    more: dict[str, Any] = {
        "pool": {"pools": [pool(maintenance=window(0, 5))]},
        "feed": {"pools": [pool()], "feeds": [FEED | {"maintenance": window(0, 5)}]},
        "the grid connection": {"pools": [pool()], "grid": {"maintenance": window(0, 5)}},
    }[name]
    plan = planned(ten(gang, **more))
    assert plan.status == "infeasible"
    assert "(new switch)" in " ".join(plan.conflicts)


def test_a_gang_that_may_not_stop_meets_its_pools_window() -> None:
    plan = planned(ten(GANG | {"state": "running"}, pools=[pool(gpus=9, maintenance=window(0, 1, 0.5))]))
    assert plan.status == "infeasible"
    assert "pool hall" in " ".join(plan.conflicts)
    assert "(new switch)" in " ".join(plan.conflicts)


BROKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"pools": [pool()]}, "pools", "pool.gpus"),
    ({"pools": [pool()], "feeds": [FEED]}, "feeds", "feed.limit"),
    ({"batteries": [battery()]}, "batteries", "battery.power"),
    ({"generators": [{"name": "set", "power_mw": 1.0}]}, "generators", "generator.maintenance"),
    ({"grid": {}}, "grid", "grid.import_limit"),
]


@pytest.mark.parametrize(("more", "part", "rule"), BROKEN, ids=[part for _, part, _ in BROKEN])
def test_the_referee_misses_the_window(more: dict[str, Any], part: str, rule: str) -> None:
    alone = job("a", 3.0)
    raw = ten(GANG if "pools" in more else alone, prices=[100.0] * 10, **more)
    plan = dump_plan(planned(raw))
    asset = raw[part] if part == "grid" else raw[part][0]
    asset["maintenance"] = window(0, 10)
    raw["pools"] = raw.get("pools", [])
    strict = check_problem(raw)
    found = {v.rule for v in verify(strict, parse_plan(plan | {"problem_digest": strict.digest}))}
    assert rule in found
