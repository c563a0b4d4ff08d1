"""No row family without a golden row, a referee's rule, a behaviour and its line in the formulation.

A problem that uses everything is built in every way there is; docs/formulation.md is the register.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from golden_rows import Golden
from small_day import THREE_LEVELS, TWO_LEVELS, at, battery, bounds, day, job, pool, rows

from optimizer import parts
from optimizer.ledger import TERMS

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGE = (ROOT / "docs" / "formulation.md").read_text()
REGISTER = {
    family: (rule, behaviour)
    for family, rule, behaviour in re.findall(
        r"^\| `(\w+\.\w+)` \| .* \| `([\w.]+)` \| `(\w+)` \|$", PAGE, re.MULTILINE
    )
}
CLOUD = pool(name="cloud", partner={"price_per_gpu_h": 1.0, "quota_gpu_h": 9.0})
EVERYTHING = day(
    job("run", levels=TWO_LEVELS, pool="hall", gpus=4, due_h=1.0, work_value_per_h=2.0, unmet_cost_per_h=50.0)
    | {"state": "running", "ran_slots": 1, "preemptible": True, "restart_loss_h": 0.25, "start_cost": 1.0}
    | {"min_run_slots": 3, "min_pause_slots": 2, "max_pauses": 1, "deadline": at(3), "late_cost_per_h": 1.0},
    job("pin", 1.0, pinned_start=at(1), levels=THREE_LEVELS),
    job("many", 1.0, count=2, pool="hall", gpus=1, restart_loss_h=0.1, preemptible=True),
    job("stay", 1.0, state="running", levels=TWO_LEVELS),
    job("one", start_cost=1.0),
    job("share", preemptible=True),
    job("sun", 1.0, due_h=0.0, surplus=True, preemptible=True),
    job("last", 1.0, after=["stay"], unmet_cost_per_h=9.0),
    job("el", 1.0, pool="hall", gpus=4, levels=TWO_LEVELS, resize_loss_h=0.1, preemptible=True, checkpoint_gb=9.0)
    | {"alternatives": [{"gpus": 2}, {"pool": "shed"}, {"pool": "cloud", "egress_cost": 1.0}]},
    grid={"export_limit_mw": 2.0, "import_ramp_mw_per_slot": 3.0, "demand_charge_per_mw": 5.0}
    | {"export_allowance_mwh": 2.0, "carbon_budget_kg": 900.0, "renewable_share": 0.1},
    series={"export_price_per_mwh": [35.0, 5.0, 5.0, 5.0], "base_load_mw": [1.0, 1.0, 1.0, -1.0]}
    | {"pv_available_mw": [0.0, 1.0, 1.0, 0.0], "wind_available_mw": [1.0] * 4},
    batteries=[battery(soc_end_min_mwh=1.0, reserve_mwh=0.1, published_mw=[0.5] * 4, moved_cost_per_mwh=1.0)],
    cooling={"tangents": [{"slope": 0.2, "intercept_mw": 0.0}], "capacity_heat_mw": 5.0, "water_m3_per_mwh": 1.0}
    | {"water_limits": [{"id": "day", "start": at(0), "end": at(4), "limit_m3": 90.0}]},
    reserve={"drop_mw": 1.0},
    storage={"gb_per_s": 1.0},
    events=[{"id": "dr", "start": at(0), "end": at(2), "most_import_mw": 6.0, "least_import_mw": 0.0}],
    nominations=[
        {"id": "n", "start": at(0), "end": at(2), "import_mw": 2.0}
        | {"over_cost_per_mwh": 1.0, "under_cost_per_mwh": 1.0}
    ],
    generators=[{"name": "set", "power_mw": 1.0, "min_power_mw": 0.5}],
    inference=[{"name": "chat", "power_mw": [0.5] * 4, "min_power_mw": 0.4, "below_nominal_cost_per_mwh": 9.0}],
    stability={"until": at(3), "frozen_until": at(1)},
    schema_version="1.1",
    pools=[pool(idle_w_per_gpu=1000.0, nodes={"gpus_per_node": 2}), pool(name="shed"), CLOUD],
    feeds=[{"name": "ups", "pools": ["hall"], "limit_mw": 4.0}],
)
# with a thermal mass the plant's capacity binds what is removed, and no longer the heat
MASS = {"mwh_per_k": 0.25, "start_c": 24.0, "lowest_c": 20.0, "allowable_c": 32.0}
MASS |= {"recommended_c": 27.0, "most_change_k_per_slot": 4.0}
TANK = {"energy_mwh": 1.0, "fill_mw": 1.0, "draw_mw": 1.0, "start_mwh": 0.5, "end_min_mwh": 0.5}
# and without an allowance of export what is left over is sold
NO_ALLOWANCE = {name: value for name, value in EVERYTHING["grid"].items() if name != "export_allowance_mwh"}
WITH_MASS = EVERYTHING | {"grid": NO_ALLOWANCE, "cooling": EVERYTHING["cooling"] | {"mass": MASS, "tank": TANK}}
PATTERN = {"run": np.array([1, 1, 0, 0])}
WAYS = (
    {},
    {"exact": True},
    {"elastic": True},
    {"exact": True, "elastic": True},
    {"priced": True},
    {"alike": True},
    {"pattern": PATTERN},
    {"it_power": np.ones(4)},
)


def golden_rows() -> list[Golden]:
    found: list[Golden] = []
    for path in sorted(HERE.glob("test_*.py")):
        if path == Path(__file__):
            continue
        spec = importlib.util.spec_from_file_location(f"golden_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.extend(getattr(module, "GOLDEN", []))
    return found


def families() -> set[str]:
    return {name.split("[")[0] for way in WAYS for what in (EVERYTHING, WITH_MASS) for name in rows(what, **way)}


def test_every_row_family_has_a_golden_row() -> None:
    assert families() - {golden.family for golden in golden_rows()} == set()


def test_the_problem_that_uses_everything_has_every_family_that_was_written_down() -> None:
    assert {golden.family for golden in golden_rows()} - families() == set()


@pytest.mark.parametrize("part", sorted(path.stem for path in Path(parts.__path__[0]).glob("[a-z]*.py")))
def test_every_part_has_its_tests(part: str) -> None:
    assert (HERE / f"test_{part}.py").is_file()


def test_the_register_names_every_row_family_and_no_other() -> None:
    assert set(REGISTER) == families()


def rules_of_the_referee() -> set[str]:
    files = [ROOT / "optimizer" / "verify.py", *sorted((ROOT / "optimizer" / "referee").glob("*.py"))]
    written = {rule for path in files for rule in re.findall(r'"([a-z_]+(?:\.[a-z_]+)?)"', path.read_text())}
    return written | {f"terms.{name}" for name in TERMS}


def behaviours() -> set[str]:
    return {name for path in HERE.glob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)}


def test_every_rule_and_every_behaviour_of_the_register_exists() -> None:
    rules, tests = rules_of_the_referee(), behaviours()
    missing = {
        family: pair for family, pair in REGISTER.items() if pair[0] not in rules or pair[1] not in tests - {"test_row"}
    }
    assert missing == {}


def test_every_variable_stands_on_the_page() -> None:
    names = {name.split("[")[0] for way in WAYS for what in (EVERYTHING, WITH_MASS) for name in bounds(what, **way)}
    assert {name for name in names if f"`{name}`" not in PAGE} == set()
