"""PV and wind: bounds, no rows; curtailment is free."""

from __future__ import annotations

import pytest
from small_day import bounds, cost, day, job, planned, rows

SUN = day(job(), series={"pv_available_mw": [0.0, 3.0, 1.5, 0.0], "wind_available_mw": [0.5, 0.0, 0.0, 0.25]})


def test_use_is_bounded_by_what_is_available_and_costs_nothing() -> None:
    found = {name: pair for name, pair in bounds(SUN).items() if name.startswith("supply.")}
    assert found == {
        "supply.pv_used[1]": (0.0, 3.0),
        "supply.pv_used[2]": (0.0, 1.5),
        "supply.wind_used[0]": (0.0, 0.5),
        "supply.wind_used[3]": (0.0, 0.25),
    }
    assert not [name for name in rows(SUN) if name.startswith("supply.")]
    assert not [name for name in cost(SUN)[0] if name.startswith("supply.")]


def test_a_job_follows_the_sun_and_the_rest_is_curtailed() -> None:
    plan = planned(SUN)
    assert plan.series is not None
    assert plan.series.pv_used_mw == pytest.approx([0, 1, 1, 0])
    assert plan.objective == pytest.approx(0.0)


def test_wind_and_sun_come_before_import() -> None:
    series = {"pv_available_mw": [0.25] * 4, "wind_available_mw": [0.5] * 4, "base_load_mw": [1.0] * 4}
    plan = planned(day(series=series))
    assert plan.series is not None
    assert plan.series.import_mw == pytest.approx([0.25] * 4)
    assert plan.objective == pytest.approx(0.25 * 100)
