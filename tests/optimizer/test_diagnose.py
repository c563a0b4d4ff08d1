"""Why there is no plan: the job is named, the limit in its way, the amount and the mend."""

from __future__ import annotations

from plan_here import plan_here
from small_day import day, job

from optimizer.refusals import check_problem


def why(*jobs: dict[str, object], **more: object) -> str:
    plan = plan_here(check_problem(day(*jobs, **more)))
    assert plan.status == "infeasible"
    return " ".join(plan.conflicts)


def test_a_job_that_the_grid_cannot_carry_is_named_with_the_limit() -> None:
    text = why(job("big", levels=[{"power_mw": 9.0, "speed": 1.0}]))
    assert "job big" in text
    assert "falls 2 h short" in text
    assert "import limit 8 MW" in text


def test_a_job_that_cooling_cannot_carry_is_named_with_the_capacity() -> None:
    plant = {"tangents": [{"slope": 0.1, "intercept_mw": 0.0}], "capacity_heat_mw": 0.5}
    text = why(job("hot"), cooling=plant)
    assert "job hot" in text
    assert "cooling capacity 0.5 MW" in text


def test_a_pool_under_maintenance_and_the_job_beside_are_named() -> None:
    pools = [{"name": "hall", "gpu": "H100", "gpus": [0, 8, 8, 0]}]
    text = why(job("a", pool="hall", gpus=8), job("b", pool="hall", gpus=8), pools=pools)
    assert "pool hall with 0 GPUs" in text
    assert "beside" in text


def test_a_ramp_is_blamed_for_a_ramp() -> None:
    text = why(series={"base_load_mw": [0.0, 3.0, 3.0, 3.0]}, grid={"import_ramp_mw_per_slot": 1.0})
    assert "import_ramp_mw_per_slot 1" in text
    assert "2 MW more" in text
