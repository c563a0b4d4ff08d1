"""One field of a good plan is changed: the referee finds it and calls it by its name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import paper_day
import pytest

from optimizer.document import parse_plan
from optimizer.verify import verify

# path of the field, its false value, and the rule that must be named (others may be broken as well)
TAMPERINGS: list[tuple[str, Any, str]] = [
    ("problem_digest", "0" * 64, "plan.digest"),
    ("name", "other-day", "plan.name"),
    ("status", "optimal", "plan.status"),
    ("status", "infeasible", "infeasible.content"),
    ("objective", 251.0, "plan.objective"),
    ("objective", None, "plan.objective"),
    ("bound", 251.8, "plan.bound"),
    ("bound", 251.5, "plan.gap"),
    ("bound", None, "plan.gap"),
    ("gap", 0.0001, "plan.gap"),
    ("gap", None, "plan.gap"),
    ("solve_seconds", -1.0, "plan.solve_seconds"),
    ("terms/import", 227.0, "terms.import"),
    ("terms/export", -2.1, "terms.export"),
    ("terms/demand_charge", 0.0, "terms.demand_charge"),
    ("terms/carbon", 3.0, "terms.carbon"),
    ("terms/wear", 0.4, "terms.wear"),
    ("terms/starts", 1.0, "terms.starts"),
    ("terms/late", 0.0, "terms.late"),
    ("terms/unmet", 10.0, "terms.unmet"),
    ("terms/work_value", -2.0, "terms.work_value"),
    ("terms/luck", -5.0, "terms.unknown"),
    ("series/import_mw/0", 1.37, "balance"),
    ("series/import_mw/2", 2.1, "grid.import_limit"),
    ("series/import_mw/1", 0.05, "grid.exclusion"),
    ("series/export_mw/1", 0.2, "balance"),
    ("series/export_mw/1", 1.1, "grid.export_limit"),
    ("series/export_mw/1", -0.1, "grid.export_limit"),
    ("series/pv_used_mw/0", 1.9, "balance"),
    ("series/pv_used_mw/1", 0.1, "supply.pv"),
    ("series/wind_used_mw/1", 3.1, "balance"),
    ("series/wind_used_mw/1", 4.1, "supply.wind"),
    ("series/it_mw/0", 1.5, "power.it"),
    ("series/heat_mw/0", 1.9, "power.heat"),
    ("series/cooling_mw/0", 0.3875, "power.cooling"),
    ("series/cooling_mw/2", 0.3, "power.cooling"),
    ("series/base_load_mw/1", 0.9, "power.base_load"),
    ("series/charge_mw/store/1", 0.3, "battery.soc"),
    ("series/charge_mw/store/1", 0.6, "battery.power"),
    ("series/charge_mw/store/2", 0.1, "battery.exclusion"),
    ("series/discharge_mw/store/2", 0.25, "battery.soc_end"),
    ("series/discharge_mw/store/0", 0.5, "battery.soc_min"),
    ("series/soc_mwh/store/1", 1.3, "battery.soc"),
    ("series/import_mw", [1.3625, 0.0], "series.length"),
    ("series/soc_mwh", {}, "series.battery"),
    ("series/charge_mw/ghost", [0.0, 0.0, 0.0], "series.battery"),
    ("series", None, "series.missing"),
    ("jobs/0/runs/0/start", "2026-11-09T05:00:00Z", "run.horizon"),
    ("jobs/0/runs/0/start", "2026-11-09T06:15:00Z", "run.border"),
    ("jobs/0/runs/1/start", "2026-11-09T07:00:00Z", "job.work_done_h"),
    ("jobs/0/runs/0/end", "2026-11-09T06:00:00Z", "run.empty"),
    ("jobs/0/runs/0/end", "2026-11-09T09:00:00Z", "run.order"),
    ("jobs/0/runs/1/end", "2026-11-09T10:00:00Z", "run.horizon"),
    ("jobs/0/runs/0/power_mw", 1.1, "run.power"),
    ("jobs/0/runs/0/power_mw", 0.9, "run.speed"),
    ("jobs/1/runs/0/power_mw", 0.4, "run.power"),
    ("jobs/0/runs/1/speed", 0.85, "run.speed"),
    ("jobs/0/runs/1/limit_w", 401.0, "run.limit_w"),
    ("jobs/0/runs/1/limit_w", 398.5, "run.limit_w"),
    ("jobs/0/runs/1/limit_w", None, "run.limit_w"),
    ("jobs/1/runs/0/limit_w", 300.0, "run.limit_w"),
    ("jobs/0/runs/0/count", 2, "run.count"),
    ("jobs/1/runs/1/count", 3, "run.count"),
    ("jobs/1/runs/1/count", 1, "job.work_done_h"),
    ("jobs/0/work_done_h", 1.6, "job.work_done_h"),
    ("jobs/0/late_h", 0.0, "job.late_h"),
    ("jobs/0/unmet_h", 1.0, "job.unmet_h"),
    ("jobs/1/unmet_h", 0.5, "job.unmet_h"),
    ("jobs/1/id", "stranger", "jobs.missing"),
    ("jobs/1/id", "train", "jobs.twice"),
    ("jobs", [], "jobs.missing"),
    ("unmet/0/amount", 1.0, "unmet.amount"),
    ("unmet/1/amount", 0.5, "unmet.amount"),
    ("unmet/0/price", 9.0, "unmet.price"),
    ("unmet/0/unit", "MWh", "unmet.unit"),
    ("unmet/0/sentence", " ", "unmet.sentence"),
    ("unmet/0/requirement", "job:copies/due", "unmet.unknown"),
    ("unmet/0/requirement", "job:train/deadline", "unmet.twice"),
    ("unmet", [], "unmet.missing"),
    ("conflicts", ["something"], "plan.conflicts"),
]


def tampered(path: str, value: Any) -> dict[str, Any]:
    raw = paper_day.raw_plan()
    *parents, last = path.split("/")
    place: Any = raw
    for step in parents:
        place = place[int(step)] if isinstance(place, list) else place[step]
    key: Any = int(last) if isinstance(place, list) else last
    assert place[key] != value if isinstance(place, list) else place.get(key, "absent") != value
    place[key] = value
    return raw


def test_the_plan_on_paper_is_clean() -> None:
    assert verify(paper_day.problem(), paper_day.plan(), gap=0.001) == []


@pytest.mark.parametrize(("path", "value", "rule"), TAMPERINGS, ids=[f"{p}={v}"[:60] for p, v, _ in TAMPERINGS])
def test_a_tampered_field_is_found_and_named(path: str, value: Any, rule: str) -> None:
    found = verify(paper_day.problem(), parse_plan(tampered(path, value)), gap=0.001)
    assert rule in {violation.rule for violation in found}, [violation.sentence for violation in found]


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, f"{path}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from numbers(item, f"{path}/{index}")
    elif isinstance(value, float):
        yield path[1:], value


def test_no_number_of_a_plan_may_be_a_third_of_a_per_cent_off() -> None:
    free = {"solve_seconds", "jobs/0/runs/0/limit_w", "jobs/0/runs/1/limit_w"}  # limits: tried above, in watts
    for path, value in numbers(paper_day.raw_plan()):
        for false in (value * 1.003 + 0.002, value - 0.003 - 0.003 * abs(value)):
            raw = tampered(path, false)
            assert path in free or verify(paper_day.problem(), parse_plan(raw), gap=0.001), (path, false)


def test_a_violation_names_slot_job_amount_and_limit() -> None:
    (found,) = verify(paper_day.problem(), parse_plan(tampered("jobs/0/runs/1/speed", 0.8004)), gap=0.001)[:1]
    assert (found.rule, found.job, found.slot, found.unit) == ("run.speed", "train", 2, "speed")
    assert found.amount == pytest.approx(0.0004)
    assert found.sentence.startswith("2026-11-09T08:00:00Z: job train")
    assert "0.8004" in found.sentence
    assert "gives 0.8 " in found.sentence


def test_every_violation_has_a_sentence_and_a_finite_amount() -> None:
    for path, value, _ in TAMPERINGS:
        for violation in verify(paper_day.problem(), parse_plan(tampered(path, value)), gap=0.001):
            assert violation.sentence.strip()
            assert abs(violation.amount) < float("inf")


def test_a_number_that_is_not_finite_is_found_even_in_a_plan_made_in_memory() -> None:
    plan = paper_day.plan().model_copy(update={"objective": float("nan")})
    assert [violation.rule for violation in verify(paper_day.problem(), plan)] == ["plan.finite"]


def test_errors_within_the_tolerances_pass() -> None:
    for path, value in (
        ("series/import_mw/0", 1.3625 * (1 + 5e-6)),
        ("series/cooling_mw/0", 0.425 * (1 + 2e-6)),
        ("jobs/0/runs/1/speed", 0.8 * (1 + 5e-5)),
        ("jobs/0/runs/1/limit_w", 399.1),
        ("jobs/0/unmet_h", 1.45 * (1 + 5e-5)),
        ("unmet/0/amount", 1.45 * (1 + 5e-5)),
    ):
        assert verify(paper_day.problem(), parse_plan(tampered(path, value)), gap=0.001) == [], path


def test_an_infeasible_plan_is_bare_and_says_why() -> None:
    raw = {key: paper_day.raw_plan()[key] for key in ("schema_version", "name", "problem_digest", "solve_seconds")}
    raw |= {"status": "infeasible", "rung": "MILP", "conflicts": ["job train: 3 h of work in a window of 2 h"]}
    assert verify(paper_day.problem(), parse_plan(raw)) == []
    silent = verify(paper_day.problem(), parse_plan({**raw, "conflicts": []}))
    assert [violation.rule for violation in silent] == ["infeasible.conflicts"]


def test_optimal_is_measured_against_the_gap_that_was_asked() -> None:
    plan = parse_plan({**paper_day.raw_plan(), "status": "optimal"})
    assert verify(paper_day.problem(), plan, gap=0.01) == []
    assert verify(paper_day.problem(), plan) == []  # a command line may have asked for 0.01
    assert [v.rule for v in verify(paper_day.problem(), plan, gap=0.001)] == ["plan.status"]
    assert [v.rule for v in verify(paper_day.problem(), paper_day.plan(), gap=0.01)] == ["plan.status"]


def test_the_referee_imports_no_solver_and_no_model() -> None:
    code = (
        "import sys, optimizer.verify\n"
        "heavy = {'pyomo', 'highspy', 'scipy', 'pandas', 'sklearn', 'pvlib', 'optimizer.build', 'optimizer.parts',"
        " 'optimizer.rolling', 'optimizer.solve', 'models.cooling', 'models.gpu_power'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
