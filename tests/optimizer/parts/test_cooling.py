"""Cooling: rows written by hand, power on its curve whatever the price, and capacity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from golden_rows import Golden, check
from small_day import TWO_LEVELS, at, bounds, day, job, on_slots, planned, series_of, ten

from optimizer.document import dump_plan, parse_plan
from optimizer.refusals import check_problem
from optimizer.verify import verify

# the two lines cross at 1.5 MW of heat; a job of 1 MW makes 1.25 MW of heat
PLANT = day(
    job("a", 1.0, deadline=at(2)),
    cooling={
        "tangents": [
            {"slope": 0.2, "intercept_mw": 0.0},
            {"slope": [0.4, 0.4, 0.6, 0.4], "intercept_mw": [-0.3, -0.3, -0.6, -0.3]},
        ],
        "capacity_heat_mw": [5.0, 5.0, 4.0, 5.0],
    },
    distribution_efficiency=0.8,
)
GOLDEN = [
    Golden("cooling.above_tangent[0,0]", PLANT, "power[0] - 0.25 gpus.it[0] >= 0"),
    Golden("cooling.above_tangent[2,1]", PLANT, "power[2] - 0.75 gpus.it[2] >= -0.6"),
    Golden("cooling.heat_within_capacity[2]", PLANT, "1.25 gpus.it[2] <= 4"),
    Golden("cooling.heat_within_capacity[2]", PLANT, "1.25 gpus.it[2] - over_capacity[2] <= 4", {"elastic": True}),
    Golden("cooling.one_line_rules[1]", PLANT, "rules[1,0] + rules[1,1] + rules[1,2] = 1", {"exact": True}),
    # heat reaches 1.25 MW at most in slot 0: the first line is 0.25 there, the second 0.2 and 0.3 lower at rest
    Golden("cooling.on_ruling_line[0,0]", PLANT, "power[0] - 0.25 gpus.it[0] <= 0", {"exact": True}),
    Golden("cooling.on_ruling_line[0,1]", PLANT, "power[0] - 0.5 gpus.it[0] + 0.3 rules[0,1] <= 0", {"exact": True}),
    Golden("cooling.on_ruling_line[0,2]", PLANT, "power[0] + 0.25 rules[0,2] <= 0.25", {"exact": True}),
    # no job may run in slot 2: no heat, and the second line lies 0.6 under the curve
    Golden("cooling.on_ruling_line[2,1]", PLANT, "power[2] - 0.75 gpus.it[2] + 0.6 rules[2,1] <= 0", {"exact": True}),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_no_plant_no_variables() -> None:
    assert not [name for name in bounds(day(job())) if name.startswith("cooling.")]


@pytest.mark.parametrize(
    ("load", "power"),
    [(0.8, 0.2), (1.2, 0.3), (1.6, 0.5)],
    ids=["first line", "where the lines meet", "second line"],
)
@pytest.mark.parametrize("price", [10.0, 0.0, -10.0])
def test_power_lies_on_the_curve_whatever_the_price(load: float, power: float, price: float) -> None:
    cooling = {"tangents": [{"slope": 0.2, "intercept_mw": 0.0}, {"slope": 0.4, "intercept_mw": -0.3}]}
    one = job("a", 4.0, levels=[{"power_mw": load, "speed": 1.0}])
    plan = planned(day(one, prices=[price] * 4, cooling=cooling, distribution_efficiency=0.8))
    assert plan.series is not None
    assert plan.series.heat_mw == pytest.approx([load / 0.8] * 4)
    assert plan.series.cooling_mw == pytest.approx([power] * 4)
    assert plan.objective == pytest.approx(4 * price * (load / 0.8 + power))


def test_power_is_never_below_zero() -> None:
    plan = planned(day(job("a", 4.0), cooling={"tangents": [{"slope": 0.1, "intercept_mw": -1.0}]}))
    assert plan.series is not None
    assert plan.series.cooling_mw == pytest.approx([0.0] * 4)


def test_a_plant_at_rest_draws_its_intercept() -> None:
    plan = planned(day(cooling={"tangents": [{"slope": 0.1, "intercept_mw": 0.5}]}))
    assert plan.objective == pytest.approx(0.5 * 100)


def test_the_cool_hour_beats_the_cheap_one() -> None:
    # at 10 with a slope of 2: 30; at 20 with a slope of 0.1: 22
    cooling = {"tangents": [{"slope": [2.0, 0.1, 0.1, 0.1], "intercept_mw": 0.0}]}
    plan = planned(day(job("a", 1.0), cooling=cooling))
    assert plan.objective == pytest.approx(22)


def test_capacity_slows_a_job_down() -> None:
    cooling = {"tangents": [{"slope": 0.0, "intercept_mw": 0.0}], "capacity_heat_mw": [0.75, 0.5, 2.0, 2.0]}
    plan = planned(day(job("a", 1.55, levels=TWO_LEVELS, deadline=at(2)), cooling=cooling))
    assert plan.series is not None
    assert plan.series.heat_mw == pytest.approx([0.75, 0.5, 0, 0])


def test_too_little_capacity_is_named() -> None:
    cooling = {"tangents": [{"slope": 0.0, "intercept_mw": 0.0}], "capacity_heat_mw": 0.75}
    plan = planned(day(job("a", 1.0), cooling=cooling))
    assert plan.status == "infeasible"
    assert "cooling capacity" in " ".join(plan.conflicts)


def units(*more: dict[str, Any], **cooling: Any) -> dict[str, Any]:
    """A frugal chiller of one megawatt beside a thirsty one of two; pumps take a hundredth of the heat."""
    frugal = {"name": "frugal", "capacity_heat_mw": 1.0, "tangents": [{"slope": 0.1, "intercept_mw": 0.0}]}
    thirsty = {"name": "thirsty", "capacity_heat_mw": 2.0, "tangents": [{"slope": 0.3, "intercept_mw": 0.0}]}
    pumps = [{"slope": 0.01, "intercept_mw": 0.0}]
    return {"tangents": pumps, "units": [thirsty, frugal, *more], **cooling}


def load(power_mw: float, work_h: float = 10.0, **more: Any) -> dict[str, Any]:
    return job("a", work_h, levels=[{"power_mw": power_mw, "speed": 1.0}], **more)


def test_the_frugal_unit_takes_the_heat_first() -> None:
    plan = planned(ten(load(1.5), cooling=units()))
    assert series_of(plan).unit_heat_mw["frugal"] == pytest.approx([1.0] * 10)
    assert series_of(plan).unit_heat_mw["thirsty"] == pytest.approx([0.5] * 10)
    assert series_of(plan).cooling_mw == pytest.approx([0.1 + 0.15 + 0.015] * 10)


def test_paid_import_is_not_burnt_in_the_thirsty_unit() -> None:
    plan = planned(ten(load(1.0), prices=[-10.0] * 10, cooling=units()))
    assert series_of(plan).unit_heat_mw["thirsty"] == pytest.approx([0.0] * 10, abs=1e-6)
    assert series_of(plan).cooling_mw == pytest.approx([0.11] * 10)


def test_what_is_left_without_the_largest_unit_carries_the_heat() -> None:
    gang = [job(name, 5.0) for name in "ab"]
    together = planned(ten(*gang, cooling=units()))
    assert max(series_of(together).heat_mw) == pytest.approx(2.0)
    # the frugal unit alone carries one megawatt, so one waits for the other
    plan = planned(ten(*gang, cooling=units(spare_units=1)))
    assert series_of(plan).heat_mw == pytest.approx([1.0] * 10)
    assert series_of(plan).unit_heat_mw["frugal"] == pytest.approx([1.0] * 10)


def test_too_little_without_the_largest_unit_is_named() -> None:
    plan = planned(ten(load(1.5), cooling=units(spare_units=1)))
    assert plan.status == "infeasible"
    assert "spare_units" in " ".join(plan.conflicts)


def test_free_cooling_waits_for_cold_air() -> None:
    # all of a free megawatt below 10 degC, half at 15, none from 20 on
    outside = [5.0, 10.0, 15.0, 20.0, 25.0, *[30.0] * 5]
    coil = {"name": "coil", "capacity_heat_mw": 1.0}
    coil["free"] = {"bulb": "dry_bulb_c", "full_below_c": 10.0, "none_above_c": 20.0}
    plan = planned(ten(load(1.0), series={"dry_bulb_c": outside}, cooling=units(coil)))
    assert series_of(plan).unit_heat_mw["coil"] == pytest.approx([1.0, 1.0, 0.5, *[0.0] * 7], abs=1e-6)
    # and work that may wait goes where cooling is free
    hours = planned(ten(load(1.0, 3.0), prices=[10.0] * 10, series={"dry_bulb_c": outside[::-1]}, cooling=units(coil)))
    assert on_slots(hours) == [7, 8, 9]


def test_the_referee_reads_the_weather_too() -> None:
    def coiled(capacity_mw: float) -> dict[str, Any]:
        free = {"bulb": "dry_bulb_c", "full_below_c": 10.0, "none_above_c": 20.0}
        coil = {"name": "coil", "capacity_heat_mw": capacity_mw, "free": free}
        return ten(load(1.2), series={"dry_bulb_c": [5.0, 15.0, *[25.0] * 8]}, cooling=units(coil))

    plan = dump_plan(planned(coiled(1.2)))
    strict = check_problem(coiled(1.0))
    found = verify(strict, parse_plan(plan | {"problem_digest": strict.digest}))
    # however cold it is, a coil removes no more than it can; half way, half of that
    assert [(v.rule, v.slot, v.amount) for v in found if v.rule == "cooling.unit"] == [
        ("cooling.unit", 0, pytest.approx(0.2)),
        ("cooling.unit", 1, pytest.approx(0.1)),
    ]


def test_units_cool_a_mass_too() -> None:
    hall = {"mwh_per_k": 0.25, "start_c": 24.0, "lowest_c": 20.0, "allowable_c": 24.0}
    plan = planned(ten(load(1.0), prices=[10.0] * 5 + [100.0] * 5, cooling=units(mass=hall)))
    removed = np.sum(list(series_of(plan).unit_heat_mw.values()), axis=0)
    assert removed == pytest.approx(series_of(plan).heat_removed_mw)
    assert series_of(plan).temperature_c[4] == pytest.approx(20.0)  # type: ignore[index]


LIES = [
    ({"frugal": 0.5, "thirsty": 1.0}, {"cooling.split", "power.cooling"}),
    ({"frugal": 1.2, "thirsty": 0.3}, {"cooling.unit", "power.cooling"}),
    ({"frugal": 1.0, "thirsty": 0.25}, {"cooling.units", "power.cooling"}),
    ({"frugal": 1.0}, {"series.unit"}),
]


@pytest.mark.parametrize(("said", "rules"), LIES)
def test_a_lie_about_units_is_called_by_its_name(said: dict[str, float], rules: set[str]) -> None:
    raw = check_problem(ten(load(1.5), cooling=units()))
    plan = dump_plan(planned(raw.raw))
    assert verify(raw, parse_plan(plan)) == []
    plan["series"]["unit_heat_mw"] = {name: [heat] * 10 for name, heat in said.items()}
    assert {violation.rule for violation in verify(raw, parse_plan(plan))} == rules


def test_the_referee_loses_the_largest_unit() -> None:
    raw = ten(load(1.5), cooling=units())
    plan = dump_plan(planned(raw))
    strict = check_problem(ten(load(1.5), cooling=units(spare_units=1)))
    found = verify(strict, parse_plan(plan | {"problem_digest": strict.digest}))
    assert {violation.rule for violation in found} == {"cooling.spare"}
