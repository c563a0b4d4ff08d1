"""What people hand in: each has its sentence or its right plan, and nothing is dropped without a word."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from small_day import TWO_LEVELS, at, battery, compiled, day, job, planned, pool

from models.errors import InvalidInput
from optimizer.build import build
from optimizer.refusals import check_problem, read_problem
from optimizer.solve import Compiled

HALL = [pool(gpus=8)]
GANG = {"pool": "hall", "gpus": 9}
LATE = {"release": at(2), "deadline": at(1)}
COOLING = {"tangents": [{"slope": 0.2, "intercept_mw": 0.0}], "capacity_heat_mw": 0.0}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (day(job("a", 1.0, **GANG), pools=HALL), "job a needs 9 GPUs at once, pool hall has at most 8 in its window"),
        (day(job("a", 1.0, **LATE)), "job a owes 1 h and its deadline"),
        (day(job("a", 1.0, pool="hall", gpus=1), pools=[pool(gpus=0)]), "pool hall has at most 0 in its window"),
        (day(job("a", 1.0), grid={"import_limit_mw": 0.0}), "in its way: import limit 0 MW"),
        (day(job("a", 1.0), cooling=COOLING), "in its way: cooling capacity 0 MW of heat"),
        (day(series={"base_load_mw": [0.0, 0.0, 1e9, 0.0]}), "supply is 1e+09 MW short of the base load (1e+09 MW)"),
    ],
    ids=["larger than its pool", "deadline before release", "no GPUs", "no import", "no cooling", "base load of 1e9"],
)
def test_a_day_that_cannot_be_says_why(raw: dict[str, Any], said: str) -> None:
    plan = planned(raw)
    assert plan.status == "infeasible"
    (sentence,) = plan.conflicts
    assert said in sentence
    assert ";" in sentence, "what to do stands behind it"


@pytest.mark.parametrize("job_", [job("a", 1.0, **GANG), job("a", 1.0, **LATE)], ids=["too large", "too late"])
def test_what_has_a_price_is_left_undone_and_told(job_: dict[str, Any]) -> None:
    plan = planned(day(job_ | {"unmet_cost_per_h": 5.0}, pools=HALL))
    assert plan.objective == pytest.approx(5.0)
    assert [(u.requirement, u.amount) for u in plan.unmet] == [("job:a/due", pytest.approx(1.0))]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_forecast_that_is_no_number_is_refused_at_its_place(bad: float) -> None:
    raw = day(job("a", 1.0), series={"pv_available_mw": [0.0, bad, 0.0, 0.0]})
    for read in (lambda: check_problem(raw), lambda: read_problem(json.dumps(raw).encode())):
        with pytest.raises(InvalidInput) as refused:
            read()
        (fault,) = refused.value.faults
        assert fault.pointer == "/series/pv_available_mw/1"
        assert "finite number" in fault.message


@pytest.mark.parametrize(
    ("stored", "said"), [(2.0000001, "2.0000001 MWh is outside [0, 2]"), (-1e-9, "greater than or equal to 0")]
)
def test_a_stock_a_hair_outside_is_refused_with_the_hair(stored: float, said: str) -> None:
    # what a meter says is clipped before it becomes a document (optimizer.compose)
    with pytest.raises(InvalidInput) as refused:
        check_problem(day(batteries=[battery(soc_start_mwh=stored)]))
    (fault,) = refused.value.faults
    assert fault.pointer == "/batteries/0/soc_start_mwh"
    assert said in fault.message


def test_the_same_id_twice_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="'a' is already the id of /jobs/0; give each its own"):
        check_problem(day(job("a"), job("a")))


def test_an_empty_queue_and_a_battery_of_nothing_have_their_plan() -> None:
    nothing = battery(power_mw=0.0, energy_mwh=0.0, soc_start_mwh=0.0)
    plan = planned(day(batteries=[nothing]))
    assert (plan.status, plan.objective, plan.jobs) == ("optimal", 0.0, [])


def test_being_paid_to_draw_makes_nobody_draw_for_nothing() -> None:
    # 1 MW for an hour where it is paid best, and one slot more, which no job is cut short in; nothing burns the rest
    # of the 8 MW that would be paid for
    plan = planned(day(job("a", 1.0), prices=[-10.0, -5.0, 1.0, 5.0]))
    assert plan.objective == pytest.approx(-15.0)
    assert plan.series is not None
    assert plan.series.import_mw == pytest.approx([1.0, 1.0, 0.0, 0.0])


SERIES = (
    *("pv_available_mw", "wind_available_mw", "base_load_mw"),
    *("import_price_per_mwh", "export_price_per_mwh", "carbon_kg_per_mwh"),
)


def outlier(name: str | None) -> dict[str, Any]:
    """A day whose model has every kind of binary (a slot is paid for, a ramp, levels), one value of it a billion."""
    series: dict[str, list[float]] = {"import_price_per_mwh": [10.0, 20.0, -30.0, 40.0]}
    if name is not None:
        series[name] = [*series.get(name, [0.0] * 4)[:2], 1e9, 0.0]
    grid = {"export_limit_mw": 2.0, "carbon_price_per_kg": 0.1, "import_ramp_mw_per_slot": 3.0}
    cooling = {"tangents": [{"slope": 0.2, "intercept_mw": 0.0}, {"slope": 0.3, "intercept_mw": -0.1}]}
    return day(job("a", 1.0, levels=TWO_LEVELS), series=series, batteries=[battery()], grid=grid, cooling=cooling)


def largest(raw: dict[str, Any]) -> float:
    """Largest coefficient of any row, in the power of the largest single load."""
    problem = compiled(raw)
    lp = Compiled(build(problem, exact=True)[0])
    assert lp.whole.any()
    return float(np.abs(np.array(lp.lp.a_matrix_.value_)).max())


@pytest.mark.parametrize("name", SERIES)
def test_an_outlier_in_a_series_widens_no_row(name: str) -> None:
    assert largest(outlier(name)) <= largest(outlier(None))


@pytest.mark.parametrize("name", [name for name in SERIES if name != "base_load_mw"])
def test_an_outlier_in_a_series_leaves_the_rest_of_the_day_its_plan(name: str) -> None:
    raw = outlier(name)
    raw["grid"].pop("import_ramp_mw_per_slot")
    plan = planned(raw)
    assert plan.status == "optimal"
    assert [job.unmet_h for job in plan.jobs] == [0.0]
