"""Money first, then the least movement of set-points."""

from __future__ import annotations

import pytest
from plan_here import plan_here
from small_day import battery, day

from optimizer.refusals import check_problem


def charged(prices: list[float], cost: float) -> list[float]:
    raw = day(
        series={"base_load_mw": [1.0] * 4, "import_price_per_mwh": prices},
        batteries=[
            battery(power_mw=4.0, energy_mwh=4.0, soc_start_mwh=1.0, soc_end_min_mwh=3.0)
            | {"charge_efficiency": 1.0, "discharge_efficiency": 1.0}
        ],
    )
    plan = plan_here(check_problem(raw))
    assert plan.series is not None
    assert plan.objective == pytest.approx(cost, rel=1e-6)
    (power,) = plan.series.charge_mw.values()
    return power


def test_a_battery_charges_evenly_where_every_hour_costs_the_same() -> None:
    assert charged([50.0] * 4, cost=6 * 50.0) == pytest.approx([0.5] * 4, abs=1e-5)


def test_money_comes_before_calm() -> None:
    # the one stored MWh serves a dear hour, the cheap one fills the store, and one of its four serves the last
    power = charged([50.0, 50.0, 10.0, 50.0], cost=50.0 + 10.0 * (1.0 + 4.0))
    assert power == pytest.approx([0.0, 0.0, 4.0, 0.0], abs=1e-5)
