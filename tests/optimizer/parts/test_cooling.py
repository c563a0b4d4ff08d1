"""Cooling: rows written by hand, power on its curve whatever the price, and capacity."""

from __future__ import annotations

import pytest
from golden_rows import Golden, check
from small_day import TWO_LEVELS, at, bounds, day, job, planned

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
