"""Cooling units: the plant's curve and its split are what a linear program over the units finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from small_day import compiled, day

HUNDREDTHS = st.integers(0, 60).map(lambda n: n / 100)
TANGENT = st.fixed_dictionaries({"slope": HUNDREDTHS, "intercept_mw": st.integers(-30, 30).map(lambda n: n / 100)})
UNIT = st.fixed_dictionaries(
    {"capacity_heat_mw": st.integers(0, 20).map(lambda n: n / 10), "tangents": st.lists(TANGENT, max_size=3)}
)


def plant(units: list[dict[str, Any]], own: list[dict[str, Any]], **more: Any) -> Any:
    named = [{"name": f"u{k}", **unit} for k, unit in enumerate(units)]
    problem = compiled(day(cooling={"tangents": own, "units": named, **more}, schema_version="1.1"))
    assert problem.unit_mw == 1.0
    return problem.cooling


def least_power(units: list[dict[str, Any]], heat: float) -> float:
    """Power of the units at the cheapest split: columns are heat and power of each."""
    able = [unit for unit in units if unit["capacity_heat_mw"] > 0]
    n, rows, right = len(able), [], []
    for k, unit in enumerate(able):
        for tangent in unit["tangents"]:
            row = np.zeros(2 * n)
            row[k], row[n + k] = tangent["slope"], -1.0
            rows.append(row)
            right.append(-tangent["intercept_mw"])
    if not n:
        return 0.0
    bounds = [(0.0, unit["capacity_heat_mw"]) for unit in able] + [(0.0, None)] * n
    total = np.concatenate([np.ones(n), np.zeros(n)])[None]
    cost = np.concatenate([np.zeros(n), np.ones(n)])
    limits = {"A_ub": np.array(rows), "b_ub": right} if rows else {}
    found = linprog(cost, A_eq=total, b_eq=[heat], bounds=bounds, **limits)
    assert found.status == 0
    return float(found.fun)


@settings(max_examples=60, deadline=None)
@given(st.lists(UNIT, min_size=1, max_size=4), TANGENT, st.floats(0.0, 1.0))
def test_the_curve_is_that_of_the_cheapest_split(
    units: list[dict[str, Any]], own: dict[str, Any], share: float
) -> None:
    cooling = plant(units, [own])
    heat = share * sum(unit["capacity_heat_mw"] for unit in units)
    rest = max(0.0, own["slope"] * heat + own["intercept_mw"])
    least = rest + least_power(units, heat)
    assert cooling.power(np.full(4, heat)) == pytest.approx([least] * 4, abs=1e-7)
    parts = cooling.split(np.full(4, heat))
    told = rest
    for k, unit in enumerate(units):
        part = float(parts[f"u{k}"][0])
        assert -1e-12 <= part <= unit["capacity_heat_mw"] + 1e-9
        if unit["capacity_heat_mw"] > 0:
            told += max([0.0, *(t["slope"] * part + t["intercept_mw"] for t in unit["tangents"])])
    assert sum(float(part[0]) for part in parts.values()) == pytest.approx(heat)
    assert told == pytest.approx(least, abs=1e-7)


def test_two_corners_a_rounding_apart_are_one() -> None:
    # the plant's own curve bends at 1.8000000000000003 MW, where the first unit has 1.8 MW: between them lies no slope
    own = [{"slope": 0.15, "intercept_mw": 0.0}, {"slope": 0.3, "intercept_mw": -0.27}]
    units = [{"capacity_heat_mw": 1.8, "tangents": [{"slope": 0.05, "intercept_mw": 0.0}]}]
    units += [{"capacity_heat_mw": 2.4, "tangents": [{"slope": 0.07, "intercept_mw": 0.0}]}]
    cooling = plant(units, own)
    for heat, power in ((0.0, 0.0), (0.9, 0.18), (1.8, 0.36), (4.2, 0.99 + 0.09 + 0.168)):
        assert cooling.power(np.full(4, heat)) == pytest.approx([power] * 4, abs=1e-7)


def test_the_largest_units_may_be_lost_in_any_slot() -> None:
    units = [{"capacity_heat_mw": 1.0}, {"capacity_heat_mw": [2.0, 2.0, 0.5, 2.0]}, {"capacity_heat_mw": 1.5}]
    own = [{"slope": 0.1, "intercept_mw": 0.0}]
    assert plant(units, own).capacity == pytest.approx([4.5, 4.5, 3.0, 4.5])
    assert plant(units, own, spare_units=1).capacity == pytest.approx([2.5, 2.5, 1.5, 2.5])
    assert plant(units, own, spare_units=2).capacity == pytest.approx([1.0, 1.0, 0.5, 1.0])
    assert plant(units, own, spare_units=1, capacity_heat_mw=2.0).capacity == pytest.approx([2.0, 2.0, 1.5, 2.0])
