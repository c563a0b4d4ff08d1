"""Days solved on paper: planner, oracle and referee agree with the hand-derived optimum."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import brute_force
import pytest
from plan_here import plan_here

from optimizer.document import parse_plan
from optimizer.refusals import check_problem
from optimizer.rolling import plan as make_plan
from optimizer.verify import verify

HERE = Path(__file__).resolve().parent
OURS: dict[str, dict[str, Any]] = json.loads((HERE / "expected.json").read_text())
THEIRS = HERE.parents[2] / "shared" / "problems"
SHARED: dict[str, dict[str, Any]] = (
    json.loads((THEIRS / "expected.json").read_text()) if (THEIRS / "expected.json").is_file() else {}
)


def ours(name: str) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads((HERE / "documents" / f"{name}.json").read_text())
    return raw


def check_planned(raw: dict[str, Any], expected: dict[str, Any]) -> None:
    """Plan as ``chergui solve --gap 1e-9`` does and hold the plan to the expected optimum."""
    plan = plan_here(check_problem(raw), gap=1e-9)
    if expected["objective"] is None:
        assert plan.status == "infeasible"
        assert expected["names"] in " ".join(plan.conflicts)
    else:
        assert plan.status == "optimal"
        assert plan.objective == pytest.approx(expected["objective"], rel=1e-4, abs=1e-6)


def test_every_document_has_an_expected_optimum_and_the_other_way_round() -> None:
    assert {path.stem for path in (HERE / "documents").glob("*.json")} == set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_the_oracle_agrees_with_paper_and_the_referee_with_the_oracle(name: str) -> None:
    raw, expected = ours(name), OURS[name]
    answer = brute_force.solve(raw)
    if expected["objective"] is None:
        assert answer.objective is None
    else:
        assert answer.objective == pytest.approx(expected["objective"], rel=1e-6, abs=1e-7)
        assert verify(check_problem(raw), parse_plan(answer.plan), gap=1e-9) == []


@pytest.mark.parametrize("name", OURS)
def test_the_planner_agrees_with_paper(name: str) -> None:
    check_planned(ours(name), OURS[name])


@pytest.mark.skipif(not SHARED, reason="no ../shared/problems beside this checkout")
@pytest.mark.parametrize("name", SHARED)
def test_the_planner_agrees_with_the_known_small_problems(name: str) -> None:
    check_planned(json.loads((THEIRS / f"{name}.json").read_text()), SHARED[name])


@pytest.mark.parametrize("name", ["between-three-levels", "infeasible-running-deadline"])
def test_the_killable_child_finds_the_same(name: str) -> None:
    received = check_problem(ours(name))
    plan = make_plan(received, gap=1e-9, time_limit_s=60.0)
    assert verify(received, plan, gap=1e-9) == []
    assert (plan.objective is None) == (OURS[name]["objective"] is None)


@pytest.mark.parametrize(("name", "code"), [("min-pause-of-running", 0), ("infeasible-pool", 3)])
def test_the_command_line_says_by_its_exit_code_what_it_found(name: str, code: int, tmp_path: Path) -> None:
    problem, plan = HERE / "documents" / f"{name}.json", tmp_path / "plan.json"
    chergui = [sys.executable, "-c", "from api.cli import main; main()"]
    solve = [*chergui, "solve", str(problem), "-o", str(plan), "--gap", "1e-9"]
    solved = subprocess.run(solve, capture_output=True, timeout=100)
    assert solved.returncode == code, solved.stderr
    verified = subprocess.run([*chergui, "verify", str(problem), str(plan)], capture_output=True, timeout=30)
    assert verified.returncode == 0, verified.stdout
