"""Version 1.1 adds and changes nothing: the model of every 1.0 document stays as it was, row by row.

The optima themselves are held by test_documents.py; here the new fields are written out at their defaults, and no
coefficient may move.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pyomo.environ as pyo
import pytest
from pyomo.repn import generate_standard_repn
from small_day import battery, compiled, day, job, planned, rows_of

from models.errors import InvalidInput
from optimizer import document
from optimizer.build import build
from optimizer.document import Battery, Cooling, Grid, Job, Level, Pool, dump_plan, is_new, schema
from optimizer.preflight import conflicts
from optimizer.problem import Problem
from optimizer.refusals import check_problem

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[2] / "shared" / "problems"
FILES = [
    *sorted((HERE / "documents").glob("*.json")),
    *(path for path in sorted(SHARED.glob("*.json")) if path.name != "expected.json"),
]


def new_fields(model: type[Any]) -> dict[str, Any]:
    """Every field of version 1.1 at its default."""
    fields = model.model_fields.items()
    return {name: copy.deepcopy(field.default) for name, field in fields if is_new(field)}


def told_as_1_1(raw: dict[str, Any]) -> dict[str, Any]:
    """The same document with every new field written out."""
    told = {**new_fields(document.Problem), **copy.deepcopy(raw), "schema_version": "1.1"}
    told["grid"] = {**new_fields(Grid), **told.get("grid", {})}
    told["batteries"] = [{**new_fields(Battery), **one} for one in told.get("batteries", [])]
    told["pools"] = [{**new_fields(Pool), **one} for one in told.get("pools", [])]
    told["jobs"] = [{**new_fields(Job), **one} for one in told.get("jobs", [])]
    for one in told["jobs"]:
        one["levels"] = [{**new_fields(Level), **level} for level in one["levels"]]
    if told.get("cooling") is not None:
        told["cooling"] = {**new_fields(Cooling), **told["cooling"]}
    return told


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_new_fields_at_their_defaults_change_no_row(path: Path) -> None:
    raw = json.loads(path.read_text())
    old, new = compiled(raw), compiled(told_as_1_1(raw))
    assert conflicts(new) == conflicts(old)
    if not conflicts(old):
        assert told(new) == told(old)


def told(problem: Problem) -> tuple[object, ...]:
    """Rows, objective and bounds of a problem's model, by name."""
    model, _ = build(problem)
    total = generate_standard_repn(model.objective.total.expr)
    pairs = zip(total.linear_vars, total.linear_coefs, strict=True)
    limits = {v.name: (v.lb, v.ub) for v in model.component_data_objects(pyo.Var)}
    return rows_of(model), {v.name: c for v, c in pairs}, total.constant, limits


def test_every_part_of_a_document_that_is_new_says_so_and_has_a_default() -> None:
    names = {"outages", "billing_interval_slots", "renewable_share"} | {"reserve_mwh", "soc_end_value_per_mwh"}
    names |= {"alternatives", "residency", "surplus", "partner", "jurisdiction", "lever", "clock_mhz"}
    names |= {"water_m3_per_mwh", "water_limits"} | {"events", "nominations", "generators", "inference", "reserve"}
    definitions = schema("problem")["$defs"]
    properties = schema("problem")["properties"] | {
        name: place
        for part in ("Grid", "Battery", "Cooling", "Job", "Level", "Pool")
        for name, place in definitions[part]["properties"].items()
    }
    assert all(properties[name]["since"] == "1.1" and "default" in properties[name] for name in names)


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (day(events=[]), "/events"),
        (day(grid={"renewable_share": 0.5}), "/grid/renewable_share"),
        (day(batteries=[battery(reserve_mwh=0.5)]), "/batteries/0/reserve_mwh"),
    ],
)
def test_a_document_of_1_0_with_a_younger_field_is_refused_by_name(raw: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_problem(raw)
    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == (place, "newer_version")
    assert "schema_version 1.1" in fault.message


def test_the_plan_of_a_1_0_document_has_no_younger_field() -> None:
    raw = day(job("a", unmet_cost_per_h=1.0), batteries=[battery()])
    plan = dump_plan(planned(raw))
    assert plan["schema_version"] == "1.0"
    assert plan["unmet"]
    text = json.dumps(plan)
    assert not [name for name in ("generator", "inference", "source", "wishes", "stored") if f'"{name}' in text]
    younger = dump_plan(planned(raw | {"schema_version": "1.1"}))
    assert younger["schema_version"] == "1.1"
    assert younger["unmet"][0]["source"] == "/jobs/0/due_h"
