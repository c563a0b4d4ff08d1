"""The problem document at the door: schema, strict reader, refusals with place and mend, and the digest."""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import random
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_day import TWO_LEVELS, at, battery, day, job, planned, pool

from models.errors import Fault, InvalidInput
from optimizer.document import digest, dump_plan, parse_plan, parse_problem, read_plan, schema
from optimizer.refusals import check_problem, read_problem

DESIGN = Path(__file__).resolve().parents[2].parent / "shared" / "design"
WHICH = ("problem", "plan")
FULL = day(
    job("a", 2.0, pool="hall", gpus=4, levels=TWO_LEVELS, due_h=1.0, deadline=at(3), unmet_cost_per_h=5.0),
    job("b", 1.0, pool="hall", gpus=1, count=2),
    series={"pv_available_mw": [0.0, 1.0, 1.0, 0.0], "dry_bulb_c": [-1.0, 2.0, 3.0, 1.0]},
    batteries=[battery(), battery(name="other")],
    cooling={"tangents": [{"slope": 0.2, "intercept_mw": [0.0, 0.1, 0.1, 0.0]}], "capacity_heat_mw": 5.0},
    pools=[pool(gpus=[8, 8, 8, 8]), pool(name="annex", gpus=2)],
    feeds=[{"name": "ups", "pools": ["hall"], "limit_mw": 2.0}],
)


def edited(path: str, value: Any) -> dict[str, Any]:
    """The full document with one place set."""
    raw: dict[str, Any] = copy.deepcopy(FULL)
    *steps, last = path.strip("/").split("/")
    here: Any = raw
    for step in steps:
        here = here[int(step)] if isinstance(here, list) else here[step]
    here[int(last) if isinstance(here, list) else last] = value
    return raw


def faults(raw: Any) -> tuple[Fault, ...]:
    with pytest.raises(InvalidInput) as refused:
        check_problem(raw)
    assert refused.value.what == "the problem document"
    return refused.value.faults


def the_fault(raw: Any) -> Fault:
    found = faults(raw)
    assert len(found) == 1, found
    return found[0]


def test_the_full_document_is_taken() -> None:
    assert check_problem(FULL).document.jobs[0].id == "a"


# ---- the published schema


@pytest.mark.parametrize("which", WHICH)
@pytest.mark.skipif(not DESIGN.is_dir(), reason="no ../shared/design beside this checkout")
def test_our_schema_is_the_contract_s(which: Literal["problem", "plan"]) -> None:
    def folded(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                k: " ".join(v.split()) if k == "description" and isinstance(v, str) else folded(v)
                for k, v in value.items()
            }
        return [folded(item) for item in value] if isinstance(value, list) else value

    theirs = folded(json.loads((DESIGN / f"{which}.schema.json").read_text()))
    assert without_what_is_new(folded(schema(which)), theirs) == theirs


def without_what_is_new(ours: Any, theirs: Any) -> Any:
    """Our schema less what version 1.1 added; whatever is added says so, is optional and has a default."""
    if isinstance(ours, list):
        return [without_what_is_new(item, other) for item, other in zip(ours, theirs, strict=True)]
    if not isinstance(ours, dict):
        return ours
    kept = {}
    for key, value in ours.items():
        if isinstance(value, dict) and value.get("since") == "1.1":
            assert "default" in value, key
        elif key == "schema_version":
            assert value["enum"] == ["1.0", "1.1"]
            kept[key] = theirs[key]
        elif key == "terms":
            assert value["description"].startswith(theirs[key]["description"])
            kept[key] = theirs[key]
        elif key == "default" and isinstance(value, dict):
            kept[key] = {name: value[name] for name in theirs[key]}
        elif key == "$defs":
            kept[key] = {name: without_what_is_new(value[name], theirs[key][name]) for name in theirs[key]}
        else:
            kept[key] = without_what_is_new(value, theirs.get(key))
    return kept


@pytest.mark.parametrize("which", WHICH)
def test_our_schema_is_a_schema_and_fits_a_document(which: Literal["problem", "plan"]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(which))
    document = FULL if which == "problem" else dump_plan(planned(day(job("a", 1.0))))
    jsonschema.validate(document, schema(which))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "surprise": 1}, schema(which))


def test_a_plan_is_read_as_it_was_written() -> None:
    plan = planned(day(job("a", 1.7, levels=TWO_LEVELS), batteries=[battery()]))
    assert read_plan(json.dumps(dump_plan(plan))) == plan
    assert parse_plan(dump_plan(plan)) == plan


# ---- the strict reader

TEXT = json.dumps(FULL)


@pytest.mark.parametrize(
    ("old", "new", "pointer", "code"),
    [
        ('"work_h": 2.0', '"work_h": NaN', "/jobs/0/work_h", "not_finite"),
        ('"work_h": 2.0', '"work_h": -Infinity', "/jobs/0/work_h", "not_finite"),
        ('"work_h": 2.0', '"work_h": 1e999', "/jobs/0/work_h", "not_finite"),
        ('"work_h": 2.0', f'"work_h": 1{"0" * 400}', "/jobs/0/work_h", "not_finite"),
        ('"import_limit_mw": 8.0', '"import_limit_mw": [8, 8, Infinity, 8]', "/grid/import_limit_mw/2", "not_finite"),
        ('"work_h": 2.0', '"work_h": 2.0, "work_h": 1.0', "/jobs/0/work_h", "duplicate_key"),
        ('"gap": 1e-09', '"gap": 1e-09, "gap": 1e-09', "/gap", "duplicate_key"),
        ('"name": "store"', '"name": "store", "a/b~c": 1, "a/b~c": 2', "/batteries/0/a~1b~0c", "duplicate_key"),
    ],
)
def test_the_reader_names_the_place(old: str, new: str, pointer: str, code: str) -> None:
    assert old in TEXT
    with pytest.raises(InvalidInput) as refused:
        read_problem(TEXT.replace(old, new, 1))
    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == (pointer, code)
    assert "keep one" in fault.message or "finite" in fault.message


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_json"),
        (TEXT[:-1].encode(), "not_json"),
        (TEXT.encode() + b"{}", "not_json"),
        (b'{"name": "caf\xe9"}', "not_utf8"),
        (b"[" * 100_000, "too_deep"),
        (("[" * 70 + "]" * 70).encode(), "too_deep"),
    ],
    ids=["nothing", "cut short", "two documents", "Latin-1", "endless", "deep"],
)
def test_what_is_no_json_is_told_so(data: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_problem(data)
    assert refused.value.faults[0].code == code


@pytest.mark.parametrize("raw", [None, [], "text", 1, True])
def test_a_document_is_an_object(raw: Any) -> None:
    assert the_fault(raw).pointer == ""


# ---- what the schema refuses, each with its place


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("/horizon/start", 1781222400, "never numbers"),
        ("/horizon/start", "1781222400", "RFC 3339"),
        ("/horizon/start", "2026-11-09T00:00:00", "with an offset"),
        ("/horizon/start", "2026-11-09", "RFC 3339"),
        ("/horizon/start", "2026-02-30T00:00:00Z", "2026-02-30"),
        ("/jobs/0/release", 0, "never numbers"),
        ("/jobs/0/deadline", 1.5, "never numbers"),
        ("/jobs/0/pinned_start", True, "never numbers"),
        ("/jobs/0/work_h", "2", "number"),
        ("/jobs/0/work_h", True, "number"),
        ("/jobs/0/work_h", None, "number"),
        ("/jobs/0/work_h", -1.0, "-1.0"),
        ("/jobs/0/gpus", "4", "integer"),
        ("/jobs/0/gpus", 4.5, "4.5"),
        ("/jobs/0/gpus", True, "integer"),
        ("/jobs/0/gpus", -4, "-4"),
        ("/jobs/0/count", 0, "0"),
        ("/jobs/0/preemptible", 1, "boolean"),
        ("/jobs/0/preemptible", "true", "boolean"),
        ("/jobs/0/held", 0, "boolean"),
        ("/jobs/0/state", "stopped", "queued"),
        ("/jobs/0/id", 7, "string"),
        ("/jobs/0/id", "white space", "white space"),
        ("/jobs/0/levels", [], "at least 1"),
        ("/jobs/0/levels/1/power_mw", "1", "number"),
        ("/jobs/0/levels/1/speed", False, "number"),
        ("/jobs/0/max_pauses", -1, "-1"),
        ("/jobs/0/due_h", "1", "number"),
        ("/jobs/1/late_cost_per_h", True, "number"),
        ("/series/pv_available_mw/2", "1", "number"),
        ("/series/pv_available_mw/2", None, "number"),
        ("/series/pv_available_mw/2", True, "number"),
        ("/series/pv_available_mw", 1.0, "list"),
        ("/grid/import_limit_mw", "8", "number"),
        ("/grid/import_limit_mw", True, "number"),
        ("/grid/demand_charge_per_mw", "5", "number"),
        ("/batteries/1/charge_efficiency", 0.0, "greater than 0"),
        ("/batteries/1/charge_efficiency", 1.01, "less than or equal to 1"),
        ("/batteries/1/power_mw", "1", "number"),
        ("/pools/0/gpus/3", 7.5, "7.5"),
        ("/pools/1/gpus", "2", "integer"),
        ("/cooling/tangents", [], "at least 1"),
        ("/cooling/tangents/0/slope", "0.2", "number"),
        ("/horizon/slots", 0, "0"),
        ("/horizon/slots", 2017, "2017"),
        ("/horizon/step_minutes", 61, "61"),
        ("/distribution_efficiency", 0, "greater than 0"),
        ("/gap", -1e-3, "-0.001"),
        ("/time_limit_s", 0.0, "greater than 0"),
        ("/schema_version", "2.0", "1.0"),
        ("/site/currency", "euro", "euro"),
        ("/surprise", 1, "unknown"),
        ("/jobs/0/surprise", 1, "unknown"),
        ("/jobs/0/levels/0/surprise", 1, "unknown"),
        ("/batteries/1/surprise", 1, "unknown"),
    ],
)
def test_the_schema_s_refusals_have_their_place(path: str, value: Any, said: str) -> None:
    fault = the_fault(edited(path, value))
    assert fault.pointer == path
    assert said in fault.message


@pytest.mark.parametrize("path", ["/name", "/site", "/horizon/slots", "/jobs/0/work_h", "/batteries/0/energy_mwh"])
def test_what_is_missing_has_its_place(path: str) -> None:
    raw = edited(path, None)
    *steps, last = path.strip("/").split("/")
    here: Any = raw
    for step in steps:
        here = here[int(step)] if isinstance(here, list) else here[step]
    del here[last]
    fault = the_fault(raw)
    assert (fault.pointer, fault.code) == (path, "missing")
    assert "add it" in fault.message


def test_a_whole_number_may_be_written_with_a_point() -> None:
    document = check_problem(edited("/jobs/0/gpus", 4.0)).document
    assert document.jobs[0].gpus == 4
    assert check_problem(edited("/pools/1/gpus", [2.0, 2, 2, 2])).document.pools[1].gpus == [2, 2, 2, 2]


# ---- what a schema cannot say: every refusal, its place, its code, its mend

EARLIER = {"power_mw": 0.4, "speed": 0.5}
REFUSALS: list[tuple[str, Any, str, str, str]] = [
    ("/site/timezone", "Africa/Atlantis", "/site/timezone", "unknown_zone", "write one such as"),
    ("/site/timezone", "", "/site/timezone", "unknown_zone", "write one such as"),
    ("/site/timezone", "../etc/passwd", "/site/timezone", "unknown_zone", "write one such as"),
    ("/horizon/start", "1969-11-09T00:00:00Z", "/horizon/start", "out_of_range", "write a year"),
    ("/series/pv_available_mw", [0.0, 1.0, 1.0], "/series/pv_available_mw", "wrong_length", "each of the 4 slots"),
    ("/series/dry_bulb_c", [], "/series/dry_bulb_c", "wrong_length", "each of the 4 slots"),
    ("/grid/import_limit_mw", [8.0] * 5, "/grid/import_limit_mw", "wrong_length", "has 5 values"),
    ("/cooling/tangents/0/slope", [0.1], "/cooling/tangents/0/slope", "wrong_length", "each of the 4 slots"),
    ("/cooling/capacity_heat_mw", [5.0], "/cooling/capacity_heat_mw", "wrong_length", "each of the 4 slots"),
    ("/pools/0/gpus", [8] * 3, "/pools/0/gpus", "wrong_length", "each of the 4 slots"),
    ("/feeds/0/limit_mw", [2.0] * 3, "/feeds/0/limit_mw", "wrong_length", "each of the 4 slots"),
    ("/series/pv_available_mw/1", -0.5, "/series/pv_available_mw/1", "negative", "give 0 or more"),
    ("/series/wind_available_mw", [0, 0, 0, -1], "/series/wind_available_mw/3", "negative", "give 0 or more"),
    ("/grid/import_limit_mw", -1.0, "/grid/import_limit_mw", "negative", "give 0 or more"),
    ("/grid/export_limit_mw", [0, -1, 0, 0], "/grid/export_limit_mw/1", "negative", "give 0 or more"),
    ("/cooling/capacity_heat_mw", -5.0, "/cooling/capacity_heat_mw", "negative", "give 0 or more"),
    ("/pools/1/gpus", -2, "/pools/1/gpus", "negative", "give 0 or more"),
    ("/pools/0/gpus/0", -8, "/pools/0/gpus/0", "negative", "give 0 or more"),
    ("/feeds/0/limit_mw", -2.0, "/feeds/0/limit_mw", "negative", "give 0 or more"),
    ("/batteries/1/name", "store", "/batteries/1/name", "duplicate", "give each its own"),
    ("/pools/1/name", "hall", "/pools/1/name", "duplicate", "give each its own"),
    ("/jobs/1/id", "a", "/jobs/1/id", "duplicate", "give each its own"),
    ("/feeds", [FULL["feeds"][0]] * 2, "/feeds/1/name", "duplicate", "give each its own"),
    ("/feeds/0/pools", ["hall", "hall"], "/feeds/0/pools/1", "duplicate", "keep one"),
    ("/feeds/0/pools", ["hall", "nave"], "/feeds/0/pools/1", "unknown_pool", "write one of annex, hall"),
    ("/jobs/1/pool", "nave", "/jobs/1/pool", "unknown_pool", "write one of annex, hall"),
    ("/batteries/0/soc_max_mwh", 2.5, "/batteries/0/soc_max_mwh", "too_high", "lower it"),
    ("/batteries/0/soc_min_mwh", 2.5, "/batteries/0/soc_min_mwh", "too_high", "lower it"),
    ("/batteries/0/soc_start_mwh", 2.5, "/batteries/0/soc_start_mwh", "outside_limits", "give a value inside"),
    ("/batteries/0/soc_min_mwh", 1.5, "/batteries/0/soc_start_mwh", "outside_limits", "give a value inside"),
    ("/jobs/0/levels", TWO_LEVELS[::-1], "/jobs/0/levels/1/power_mw", "unsorted", "sort the levels"),
    ("/jobs/0/levels", [TWO_LEVELS[0]] * 2, "/jobs/0/levels/1/power_mw", "equal_power", "keep the faster"),
    (
        "/jobs/0/levels",
        [{"power_mw": 0.4, "speed": 0.7}, {"power_mw": 0.5, "speed": 0.7}, TWO_LEVELS[1]],
        "/jobs/0/levels/1/speed",
        "under_envelope",
        "leave this level out",
    ),
    ("/jobs/0/release", "2026-11-09T00:30:00Z", "/jobs/0/release", "off_border", "move it to a border"),
    ("/jobs/0/deadline", "2026-11-09T03:00:01Z", "/jobs/0/deadline", "off_border", "move it to a border"),
    ("/jobs/0/pinned_start", "2026-11-08T23:15:00Z", "/jobs/0/pinned_start", "off_border", "move it to a border"),
    ("/jobs/0/due_h", 2.5, "/jobs/0/due_h", "too_high", "lower it"),
    ("/jobs/0/work_value_per_h", 5.5, "/jobs/0/work_value_per_h", "too_high", "lower it"),
    ("/jobs/0/pool", None, "/jobs/0/gpus", "no_pool", "name the pool or give 0"),
    ("/jobs/1/min_run_slots", 2, "/jobs/1/min_run_slots", "needs_count_1", "write single jobs"),
    ("/jobs/1/min_pause_slots", 2, "/jobs/1/min_pause_slots", "needs_count_1", "write single jobs"),
    ("/jobs/1/max_pauses", 0, "/jobs/1/max_pauses", "needs_count_1", "write single jobs"),
    ("/jobs/1/pinned_start", at(1), "/jobs/1/pinned_start", "needs_count_1", "write single jobs"),
    ("/jobs/0", FULL["jobs"][0] | {"gpus": 9, "state": "running"}, "/pools/0/gpus", "more_running_than_gpus", "mend"),
    (
        "/jobs/1",
        FULL["jobs"][1] | {"gpus": 5, "state": "running"},
        "/pools/0/gpus",
        "more_running_than_gpus",
        "10 GPUs",
    ),
]


@pytest.mark.parametrize(
    ("path", "value", "pointer", "code", "mend"), REFUSALS, ids=[f"{p}-{c}" for _, _, p, c, _ in REFUSALS]
)
def test_every_refusal_has_its_place_and_its_mend(path: str, value: Any, pointer: str, code: str, mend: str) -> None:
    fault = the_fault(edited(path, value))
    assert (fault.pointer, fault.code) == (pointer, code)
    assert mend in fault.message


def test_every_code_of_the_refusals_is_asked_for_here() -> None:
    source = (Path(__file__).resolve().parents[2] / "optimizer" / "refusals.py").read_text()
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    made = [call.args[1] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Fault"]
    written = {code.value for code in made if isinstance(code, ast.Constant)}
    assert len(made) > 10
    assert written == {code for _, _, _, code, _ in REFUSALS}


def test_all_faults_come_at_once_in_the_order_of_their_places() -> None:
    raw = edited("/jobs/0/due_h", 9.0)
    raw["batteries"][0]["soc_start_mwh"] = 9.0
    raw["series"]["pv_available_mw"] = [1.0]
    raw["jobs"][1]["pool"] = "nave"
    found = [fault.pointer for fault in faults(raw)]
    assert found == ["/batteries/0/soc_start_mwh", "/jobs/0/due_h", "/jobs/1/pool", "/series/pv_available_mw"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/series/base_load_mw", [-1.0, 0.0, 0.0, 0.0]),
        ("/series/import_price_per_mwh", [-10.0] * 4),
        ("/series/export_price_per_mwh", [-10.0] * 4),
        ("/series/wet_bulb_c", [-5.0] * 4),
        ("/cooling/tangents/0/intercept_mw", -1.0),
        ("/jobs/0/release", "2026-11-01T00:00:00Z"),
        ("/jobs/0/release", "2026-11-09T01:00:00+01:00"),
        ("/jobs/0/deadline", "2027-01-01T00:00:00Z"),
        ("/jobs/0/work_value_per_h", 5.0),
        ("/batteries/0/soc_max_mwh", None),
        ("/batteries/0/soc_min_mwh", 1.0),
        ("/jobs/0/levels", [EARLIER, *TWO_LEVELS]),
        ("/jobs/0/levels", [{"power_mw": 0.0, "speed": 0.0}, *TWO_LEVELS]),
    ],
)
def test_what_only_looks_wrong_is_taken(path: str, value: Any) -> None:
    check_problem(edited(path, value))


# ---- the digest


def shuffled(value: Any, dice: random.Random) -> Any:
    """The same document with every object's keys in another order."""
    if isinstance(value, dict):
        keys = list(value)
        dice.shuffle(keys)
        return {key: shuffled(value[key], dice) for key in keys}
    return [shuffled(item, dice) for item in value] if isinstance(value, list) else value


def test_the_digest_is_the_contract_s() -> None:
    assert digest({"b": [1.0, "é"], "a": None}) == hashlib.sha256(b'{"a":null,"b":[1.0,"\\u00e9"]}').hexdigest()
    received = read_problem(json.dumps(FULL, indent=2))
    assert received.digest == digest(FULL)
    assert received.raw == FULL


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(JSON, st.randoms(use_true_random=False))
def test_the_digest_does_not_hang_on_the_order_of_keys(document: Any, dice: random.Random) -> None:
    assert digest(shuffled(document, dice)) == digest(document)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_problem_s_digest_survives_any_writer(dice: random.Random) -> None:
    text = json.dumps(shuffled(FULL, dice), indent=dice.choice([None, 1, 4]), ensure_ascii=dice.random() < 0.5)
    assert read_problem(text).digest == parse_problem(FULL).digest


@settings(max_examples=50, deadline=None)
@given(st.floats(0.001, 1000.0), st.sampled_from(["work_h", "restart_loss_h", "start_cost"]))
def test_another_number_is_another_digest(value: float, name: str) -> None:
    before = FULL["jobs"][1].get(name)
    assert (digest(edited(f"/jobs/1/{name}", value)) == digest(FULL)) == (value == before)
