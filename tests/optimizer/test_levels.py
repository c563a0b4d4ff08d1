"""Levels for given on-slots: the same plan from nothing and from a program that was changed in place."""

from __future__ import annotations

import copy

import made_site
import pytest

from optimizer.dispatch import redispatch, settled
from optimizer.energy_model import EnergyModel
from optimizer.first_come import in_order_of_release
from optimizer.levels import Levels
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.site_limits import supported_it
from optimizer.solve import Options

OPTIONS = Options(gap=1e-9, time_limit_s=30.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_moved_forecast_costs_the_same_warm_as_from_nothing(seed: int) -> None:
    raw = made_site.site(12, seed=seed)
    moved = copy.deepcopy(raw)
    for name, factor in (("pv_available_mw", 0.6), ("wind_available_mw", 1.2)):
        if name in moved["series"]:
            moved["series"][name] = [factor * value for value in moved["series"][name]]
    before, after = compile_problem(check_problem(raw)), compile_problem(check_problem(moved))
    assert not before.burning_may_pay
    frugal = {e.id: 0 for e in before.entries}
    # room that both forecasts leave
    limit = 0.5 * supported_it(before, before.import_limit)
    pattern = in_order_of_release(before, limit, frugal)
    assert any(on.any() for on in pattern.values())

    levels = Levels(EnergyModel(before), pattern)
    assert levels.solve(30.0) is not None
    levels.forecast(after.pv, after.wind)
    schedule = levels.solve(30.0)
    assert schedule is not None
    warm = settled(after, schedule, OPTIONS)
    cold = redispatch(after, pattern, OPTIONS)
    assert warm is not None
    assert cold is not None
    assert warm.cost == pytest.approx(cold.cost, rel=1e-6)
    assert cold.cost != pytest.approx(redispatch(before, pattern, OPTIONS).cost, rel=1e-6)  # type: ignore[union-attr]
