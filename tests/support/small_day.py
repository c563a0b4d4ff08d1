"""A day of four hours written in a few words, its model, and the model's rows as plain dicts."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo
from plan_here import plan_here
from pyomo.repn import generate_standard_repn

from optimizer.aggregate import merged
from optimizer.build import build
from optimizer.document import Plan, PlanSeries
from optimizer.problem import Problem, compile_problem
from optimizer.refusals import check_problem

Row = tuple[dict[str, float], str, float]
"""Coefficients by variable name, ``<=``, ``>=`` or ``=``, and the right-hand side."""

ONE_LEVEL = [{"power_mw": 1.0, "speed": 1.0}]
TWO_LEVELS = [{"power_mw": 0.5, "speed": 0.7}, {"power_mw": 1.0, "speed": 1.0}]
THREE_LEVELS = [{"power_mw": 0.4, "speed": 0.5}, *TWO_LEVELS]


def at(slot: int) -> str:
    """First instant of a slot; may lie outside the four."""
    return f"2026-11-{9 + slot // 24:02d}T{slot % 24:02d}:00:00Z"


def job(name: str = "a", work_h: float = 2.0, **more: Any) -> dict[str, Any]:
    """A job of one megawatt, released at once; two hours of work that must be done unless said otherwise."""
    return {"id": name, "work_h": work_h, "levels": ONE_LEVEL, "release": at(0), **more}


def battery(**more: Any) -> dict[str, Any]:
    """Two megawatt hours behind one megawatt, half full, nine tenths each way."""
    return {
        "name": "store",
        "power_mw": 1.0,
        "energy_mwh": 2.0,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.8,
        "soc_start_mwh": 1.0,
        **more,
    }


def pool(**more: Any) -> dict[str, Any]:
    """Eight GPUs."""
    return {"name": "hall", "gpu": "H100", "gpus": 8, **more}


def day(
    *jobs: dict[str, Any],
    prices: list[float] | None = None,
    grid: dict[str, Any] | None = None,
    series: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A document of four hours at 10, 20, 30, 40 per MWh behind a connection of 8 MW."""
    return {
        "schema_version": "1.0",
        "name": "small",
        "site": {"name": "paper"},
        "horizon": {"start": at(0), "step_minutes": 60, "slots": 4},
        "gap": 1e-9,
        "series": {"import_price_per_mwh": prices or [10.0, 20.0, 30.0, 40.0], **(series or {})},
        "grid": {"import_limit_mw": 8.0, **(grid or {})},
        "jobs": list(jobs),
        **more,
    }


def ten(*jobs: dict[str, Any], prices: list[float] | None = None, **more: Any) -> dict[str, Any]:
    """Ten hours in version 1.1, at 10, 20, ..., 100 per MWh unless said otherwise; else like :func:`day`."""
    horizon = {"start": at(0), "step_minutes": 60, "slots": 10}
    rising = [10.0 * (t + 1) for t in range(10)]
    return day(*jobs, prices=prices or rising, **{"schema_version": "1.1", "horizon": horizon, **more})


def compiled(document: dict[str, Any]) -> Problem:
    """The document as the optimizer sees it."""
    return compile_problem(check_problem(document))


def model_of(document: dict[str, Any], *, alike: bool = False, **how: Any) -> pyo.ConcreteModel:
    """The document's model, with identical jobs told once if ``alike``; ``how`` as :func:`optimizer.build.build`."""
    problem = compiled(document)
    return build(merged(problem).problem if alike else problem, **how)[0]


def rows(document: dict[str, Any], **how: Any) -> dict[str, Row]:
    """Every row of the document's model by name; ``how`` as :func:`model_of` takes it."""
    return rows_of(model_of(document, **how))


def rows_of(model: pyo.ConcreteModel) -> dict[str, Row]:
    """Every row of a model by name."""
    return {c.name: _row(c) for c in model.component_data_objects(pyo.Constraint)}


def _row(constraint: Any) -> Row:
    body = generate_standard_repn(constraint.body)
    assert body.is_linear(), constraint.name
    pairs = zip(body.linear_vars, body.linear_coefs, strict=True)
    found = {v.name: float(c) for v, c in pairs if c != 0}
    if constraint.equality:
        return found, "=", float(pyo.value(constraint.upper) - body.constant)
    if constraint.upper is not None:
        assert constraint.lower is None, constraint.name
        return found, "<=", float(pyo.value(constraint.upper) - body.constant)
    return found, ">=", float(pyo.value(constraint.lower) - body.constant)


def agree(found: Row, golden: Row) -> bool:
    """Whether two rows say the same; a row may be written from either side of its sign."""
    one, other = _plain(found), _plain(golden)
    return (
        one[1] == other[1]
        and one[0].keys() == other[0].keys()
        and all(abs(one[0][name] - value) <= 1e-9 for name, value in other[0].items())
        and abs(one[2] - other[2]) <= 1e-9
    )


def _plain(row: Row) -> Row:
    coefficients, sign, right = row
    first = coefficients[min(coefficients)] if coefficients else 1.0
    if sign == ">=" or (sign == "=" and first < 0):
        return {name: -value for name, value in coefficients.items()}, "<=" if sign == ">=" else "=", -right
    return row


def cost(document: dict[str, Any], **how: Any) -> tuple[dict[str, float], float]:
    """The objective of the document's model: coefficients by variable name, and the constant."""
    model = model_of(document, **how)
    total = generate_standard_repn(model.objective.total.expr)
    pairs = zip(total.linear_vars, total.linear_coefs, strict=True)
    return {v.name: float(c) for v, c in pairs if c != 0}, float(total.constant)


def bounds(document: dict[str, Any], **how: Any) -> dict[str, tuple[float | None, float | None]]:
    """Lower and upper bound of every variable of the document's model, by name."""
    model = model_of(document, **how)
    return {v.name: (v.lb, v.ub) for v in model.component_data_objects(pyo.Var)}


def planned(document: dict[str, Any]) -> Plan:
    """The exact plan of a document; every plan on the way has passed the referee."""
    return plan_here(check_problem(document), gap=1e-9)


def series_of(plan: Plan) -> PlanSeries:
    """The series of a plan that has some."""
    assert plan.series is not None, plan.conflicts
    return plan.series


def gave(plan: Plan) -> dict[str, float]:
    """Amount of each wish that gave, by its id."""
    return {wish.requirement: wish.amount for wish in plan.unmet}


def on_slots(plan: Plan, name: str = "a") -> list[int]:
    """Slots in which a job runs (copies counted once)."""
    runs = next(entry.runs for entry in plan.jobs if entry.id == name)
    first = [(run.start.hour, run.end.hour) for run in runs]
    return sorted({slot for a, b in first for slot in range(a, b)})
