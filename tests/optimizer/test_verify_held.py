"""Limits of masses, tank, units and nodes, tightened under a plan of half hours: rule, slot and amount to the digit."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from small_day import day, job, planned

from optimizer.document import dump_plan, parse_plan
from optimizer.refusals import check_problem
from optimizer.verify import verify

HALF_HOURS = {"start": "2026-11-09T00:00:00Z", "step_minutes": 30, "slots": 4}
LOOP = {"name": "loop", "heat_share": 0.5, "mwh_per_k": 0.25, "start_c": 24.0, "lowest_c": 20.0, "allowable_c": 26.0}
TANK = {"energy_mwh": 2.0, "fill_mw": 1.0, "draw_mw": 0.5, "start_mwh": 0.5, "kept_share": 0.9}
TANK |= {"end_min_mwh": 0.25}
UNITS = [
    {"name": "small", "capacity_heat_mw": 1.0, "tangents": [{"slope": 0.1, "intercept_mw": 0.0}]},
    {"name": "large", "capacity_heat_mw": 4.0, "tangents": [{"slope": 0.2, "intercept_mw": 0.0}]},
]
RAW = day(
    job("a", 2.0),
    prices=[10.0, 10.0, 90.0, 90.0],
    horizon=HALF_HOURS,
    cooling={"tangents": [{"slope": 0.1, "intercept_mw": 0.0}], "units": UNITS, "masses": [LOOP], "tank": TANK},
    schema_version="1.1",
)
PLAN = dump_plan(planned(RAW))
SERIES = PLAN["series"]


def found(path: str, value: Any) -> list[tuple[str, int | None, float, str]]:
    """Violations of the plan once a number of the problem is another one."""
    raw = copy.deepcopy(RAW["cooling"])
    *parents, last = path.split("/")
    place: Any = raw
    for step in parents:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[last] = value
    strict = check_problem(RAW | {"cooling": raw})
    told = verify(strict, parse_plan(PLAN | {"problem_digest": strict.digest}))
    return [(v.rule, v.slot, pytest.approx(v.amount, abs=1e-6), v.unit) for v in told]


STORED = SERIES["tank_mwh"]
INTO = [(now - 0.9 * before) / 0.5 for before, now in zip([0.5, *STORED], STORED, strict=False)]


def beyond(rule: str, values: list[float], limit: float, unit: str) -> list[tuple[str, int, float, str]]:
    """Slots in which values exceed a limit, and by how much."""
    return [(rule, k, value - limit, unit) for k, value in enumerate(values) if value > limit + 1e-4]


def test_the_plan_is_clean_and_fills_the_tank_in_the_cheap_hour() -> None:
    assert verify(check_problem(RAW), parse_plan(PLAN)) == []
    assert max(INTO[:2]) > 0.5
    assert min(INTO[2:]) < -0.4
    assert STORED[3] == pytest.approx(0.25)


def test_the_end_of_the_tank() -> None:
    assert found("tank/end_min_mwh", 0.35) == [("tank.end", 3, 0.1, "MWh")]


def test_the_flows_of_the_tank() -> None:
    fast, slow = max(INTO), min(INTO)
    assert found("tank/fill_mw", fast - 0.25) == beyond("tank.flow", INTO, fast - 0.25, "MW")
    assert found("tank/draw_mw", -slow - 0.25) == beyond("tank.flow", [-mw for mw in INTO], -slow - 0.25, "MW")
    # within what rounding explains nothing is found, beyond it something is
    assert found("tank/fill_mw", fast - 1e-5) == []
    assert len(found("tank/fill_mw", fast - 1e-4)) == 1


def test_the_size_of_the_tank() -> None:
    most = max(STORED)
    assert found("tank/energy_mwh", most - 0.05) == beyond("tank.stored", STORED, most - 0.05, "MWh")


def test_the_last_temperature_and_the_others() -> None:
    warm = SERIES["mass_c"]["loop"]
    assert warm[3] > warm[2] > 20.5
    assert found("masses/0/end_most_c", warm[3] - 0.5) == [("thermal.allowable", 3, 0.5, "degC")]
    assert found("masses/0/lowest_c", 20.5) == [
        ("thermal.lowest", k, 20.5 - warm[k], "K") for k in (0, 1) if warm[k] < 20.5
    ]
    steps = [b - a for a, b in zip([24.0, *warm], warm, strict=False)]
    most = max(map(abs, steps))
    told = found("masses/0/most_change_k_per_slot", most - 0.25)
    assert ("thermal.change", [abs(s) for s in steps].index(most), 0.25, "K") in told


def test_a_unit_under_maintenance_and_the_largest_lost() -> None:
    small, large = SERIES["unit_heat_mw"]["small"], SERIES["unit_heat_mw"]["large"]
    k = max(range(4), key=lambda slot: large[slot])
    assert large[k] > 0.1
    borders = [f"2026-11-09T0{slot // 2}:{30 * (slot % 2):02d}:00Z" for slot in (k, k + 1)]
    left = 0.5 * large[k] / 4.0
    told = found("units/1/maintenance", [{"start": borders[0], "end": borders[1], "left_share": left}])
    assert ("cooling.unit", k, 0.5 * large[k], "MW") in told
    assert {slot for _, slot, _, _ in told} == {k}
    both = [s + b for s, b in zip(small, large, strict=True)]
    assert found("spare_units", 1) == beyond("cooling.spare", both, 1.0, "MW")
