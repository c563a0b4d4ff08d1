"""The table of what many jobs cost: instants, goals, honesty, growth, unseen constants, and the command."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import scale, scale_sites
from bench.growth import chart, draw, fit, growth_points
from bench.half_gigawatt import make
from bench.scale_cases import CASES, QUICK
from bench.scale_peers import peer_rows
from bench.scale_run import moved_supply
from bench.scale_sites import simple_day, site_day, unseen
from bench.scale_table import bound_is_honest, faults, first_plan_s, gap_at, markdown, reached_s, rows_of
from optimizer.refusals import check_problem

needs_peers = pytest.mark.skipif(not scale_sites.PEERS.exists(), reason="no ../shared/peers beside this checkout")

# a bound comes before any plan, then a poor plan, a better bound, a better plan
TRACE = [[1.0, None, 90.0, None], [2.0, 200.0, 90.0, None], [5.0, 200.0, 99.0, None], [9.0, 100.0, 99.0, None]]


def test_a_gap_is_read_from_the_best_plan_and_bound_that_stood_at_the_instant() -> None:
    assert first_plan_s(TRACE) == 2.0
    assert gap_at(TRACE, 1.9) is None
    assert gap_at(TRACE, 2.0) == pytest.approx(110 / 200)
    assert gap_at(TRACE, 8.9) == pytest.approx(101 / 200)
    assert gap_at(TRACE, 60.0) == pytest.approx(0.01)
    assert gap_at([[1.0, 50.0, None, None]], 60.0) is None
    assert gap_at([[1.0, 0.25, -0.25, None]], 60.0) == pytest.approx(0.5)  # divided by 1 at least


def test_the_time_of_a_gap_is_when_it_was_first_reached() -> None:
    assert reached_s(TRACE, 0.55) == 2.0
    assert reached_s(TRACE, 0.02) == 9.0
    assert reached_s(TRACE, 0.009) is None


def test_a_bound_above_any_known_plan_is_a_fault_even_when_a_later_one_is_not() -> None:
    assert bound_is_honest(TRACE)
    assert not bound_is_honest([[1.0, None, 101.0, None], *TRACE])
    wrong = {**result("100"), "trace": [[1.0, None, 101.0, None], *TRACE]}
    assert faults([result("100"), wrong]) == ["100, seed 1: a claimed bound lies above a known plan"]
    assert faults([{**result("100"), "violations": ["slot 3 breaks"]}]) == ["100, seed 1: slot 3 breaks"]
    assert faults([{**result("100"), "error": "killed"}]) == ["100, seed 1: killed"]
    again = {**result("100"), "replan": {"trace": [[1.0, 5.0, 6.0, None]], "violations": []}}
    assert faults([again]) == ["100, seed 1, re-planned: a claimed bound lies above a known plan"]


def result(key: str, **changes: Any) -> dict[str, Any]:
    """A run that went well."""
    jobs = int(key) if key.isdigit() else None
    told = {"key": key, "seed": 1, "jobs": jobs, "trace": TRACE, "violations": [], "load": 0.5}
    return {**told, "solver_mb": 900.0, "referee_mb": 124.0, **changes}


def lines(results: list[dict[str, Any]]) -> dict[str, tuple[str, str, bool | None]]:
    return {row.what: (row.goal, row.measured, row.reached) for row in rows_of(CASES, results)}


def test_a_goal_counts_as_reached_only_if_every_seed_reaches_it() -> None:
    good = [[1.0, 100.0, 99.9, None]]
    both = lines([result("500", trace=good), result("500", seed=2, trace=TRACE)])
    assert both["500 jobs: first refereed plan"] == ("≤ 3 s", "1.0 s / 2.0 s", True)
    assert both["500 jobs: proven gap at 20 s"] == ("≤ 0.5 %", "0.10 % / 1.00 %", False)
    assert both["500 jobs: proven gap at 60 s"][0] == "≤ 0.3 %"
    assert lines([result("500", trace=good)])["500 jobs: proven gap at 20 s"][2] is True


def test_a_run_without_a_plan_reaches_nothing() -> None:
    failed = result("2000", trace=[], error="killed")
    del failed["solver_mb"]
    told = lines([failed])
    assert told["2,000 jobs: first refereed plan"] == ("≤ 8 s", "none", False)
    assert told["2,000 jobs: proven gap at 60 s"] == ("≤ 0.2 %", "no plan", False)
    assert told["2,000 jobs: peak memory"] == ("≤ 2 GB", "none", False)
    unproven = lines([result("2000", trace=[[30.0, 5.0, None, None]])])
    assert unproven["2,000 jobs: proven gap at 25 s"][1:] == ("no plan", False)
    assert unproven["2,000 jobs: proven gap at 60 s"][1:] == ("no bound", False)
    assert told["2,000 jobs, re-dispatch with starts fixed: warm"][2] is False


def test_memory_is_that_of_both_processes() -> None:
    assert lines([result("2000")])["2,000 jobs: peak memory"] == ("≤ 2 GB", "1.00 GB", True)
    assert lines([result("2000", solver_mb=2000.0)])["2,000 jobs: peak memory"][2] is False


def test_means_that_are_not_there_are_said_not_to_be_built() -> None:
    told = lines(
        [result("2000", replan={"not_built": "no memory"}, redispatch={"cold_s": 0.9, "not_built": "no model"})]
    )
    assert told["2,000 jobs, re-plan one slot later: gap at 8 s"] == ("≤ 0.5 %", "not built: no memory", None)
    assert told["2,000 jobs, re-dispatch with starts fixed: cold"] == ("≤ 1 s", "0.90 s", True)
    assert told["2,000 jobs, re-dispatch with starts fixed: warm"][1:] == ("not built: no model", None)


def test_a_re_plan_and_a_warm_re_dispatch_are_judged_where_they_are_there() -> None:
    again = {"trace": [[2.0, 100.0, 99.6, None]], "cold_trace": [[9.0, 100.0, 99.6, None]], "violations": []}
    warm = {"cold_s": 2.0, "cold_cost": 90.0, "warm_s": 0.1, "warm_cost": 100.01, "moved_cost": 100.0}
    told = lines([result("2000", replan=again, redispatch=warm)])
    assert told["2,000 jobs, re-plan one slot later: gap at 8 s"] == ("≤ 0.5 %", "0.40 %", True)
    assert told["2,000 jobs, re-plan from nothing / from memory, time to 0.5 %"][1] == "4.5 ×"
    assert told["2,000 jobs, re-dispatch with starts fixed: cold"][2] is False
    assert told["2,000 jobs, re-dispatch with starts fixed: warm"][2] is True
    off = {**warm, "warm_cost": 100.1}
    assert lines([result("2000", redispatch=off)])["2,000 jobs, re-dispatch with starts fixed: warm"][2] is False


def test_simple_days_are_held_against_the_best_known_cost() -> None:
    day = {"key": "simple 20", "seed": 1, "jobs": 20, "best": -250.0, "objective": -249.8, "seconds": 3.0}
    what = "simple day (`tight`), 20 jobs: cost against the best known"
    assert lines([day])[what] == ("within 0.1 %", "+0.080 %, whole process 3.0 s", True)
    assert lines([{**day, "objective": -249.7}])[what][2] is False
    build = {"key": "build", "seed": 1, "jobs": 500, "build_s": 0.2, "transfer_s": 0.1, "solve_s": 0.7}
    what = "simple day, 500 jobs: Pyomo build + transfer of build + solve"
    assert lines([{**build, "closed": True}])[what][1:] == ("30 % (0.20 + 0.10 s, HiGHS 0.70 s)", False)
    assert lines([{**build, "closed": True, "solve_s": 0.9}])[what][2] is True
    # a solve that was cut at its limit would flatter the share
    assert lines([{**build, "closed": False, "solve_s": 60.0}])[what][2] is False


@given(st.floats(0.2, 2.5), st.floats(1e-3, 10))
def test_the_line_of_growth_finds_the_exponent_of_a_power_law(exponent: float, factor: float) -> None:
    line = fit([(n, factor * n**exponent) for n in (100, 500, 2000, 10_000)])
    assert line is not None
    assert math.isclose(line.exponent, exponent, abs_tol=1e-9)
    assert math.isclose(line.factor, factor, rel_tol=1e-9)


def test_one_size_has_no_growth_and_a_run_that_never_got_there_is_no_point() -> None:
    assert fit([(100, 1.0), (100, 2.0)]) is None
    runs = [
        result("100"),
        result("500", trace=[]),
        result("half"),
        {**result("2000"), "trace": [[3.0, 1.0, None, None]]},
    ]
    assert growth_points(runs, {"first": first_plan_s}) == {"first": [(100, 2.0), (2000, 3.0)]}


def test_the_chart_shows_a_point_a_run_and_the_exponent() -> None:
    svg = draw(chart({"first plan": [(100, 1.0), (10_000, 100.0)], "gap of 2 %": [(100, 5.0)], "never": []}))
    assert "first plan (seconds ~ jobs^1.00)" in svg
    assert "gap of 2 %" in svg
    assert "never" not in svg
    assert svg.count('aria-roledescription="point"') == 3


def test_moved_supply_moves_pv_and_wind_a_little_and_nothing_else() -> None:
    raw = make(1, 0.01)
    before = copy.deepcopy(raw)
    moved = moved_supply(raw)
    assert raw == before
    for name in ("pv_available_mw", "wind_available_mw"):
        assert moved["series"][name] != raw["series"][name]
        assert moved["series"][name] == pytest.approx(raw["series"][name], rel=0.05)
        moved["series"][name] = raw["series"][name]
    assert moved == raw


@needs_peers
@pytest.mark.parametrize("seed", range(1, 7))
def test_unseen_constants_make_documents_that_ask_for_what_a_site_can_nearly_give(seed: int) -> None:
    constants = unseen(seed)
    day = site_day(500, seed, constants)
    check_problem(day)
    asked = sum(job["gpus"] * job["work_h"] for job in day["jobs"]) / 24
    assert asked == pytest.approx(constants["util"] * sum(pool["gpus"] for pool in day["pools"]), rel=0.03)
    slots, series = day["horizon"]["slots"], day["series"]
    top_mw = sum(job["work_h"] * job["levels"][-1]["power_mw"] for job in day["jobs"]) / 24
    supply = (sum(series["pv_available_mw"]) + sum(series["wind_available_mw"])) / slots + day["grid"][
        "import_limit_mw"
    ]
    assert 0.9 <= supply / (top_mw / day["distribution_efficiency"]) <= 1.9


def test_unseen_constants_are_the_seed_s_own() -> None:
    assert unseen(1) == unseen(1)
    assert unseen(1) != unseen(2)


@needs_peers
def test_a_case_is_measured_in_a_process_of_its_own_and_refereed() -> None:
    limits = {"limit_s": 1.0, "gap": 0.2, "replan_s": 1.0, "redispatch": True, "core": None}
    case = {"key": "8", "kind": "plan", "jobs": 8, "seed": 3, "document": site_day(8, 3, unseen(3)), **limits}
    told = scale.run(case)
    assert "error" not in told
    assert told["violations"] == []
    assert first_plan_s(told["trace"]) is not None
    assert told["solver_mb"] > 50
    assert told["redispatch"]["cold_cost"] <= told["objective"] + 1e-6 * abs(told["objective"])
    assert "not_built" in told["replan"] or gap_at(told["replan"]["trace"], 60.0) is not None
    assert markdown(rows_of(QUICK, [told])).count("\n") >= 1


@needs_peers
def test_a_simple_day_goes_through_the_command_line() -> None:
    day = simple_day(5)
    told = scale.run(
        {"key": "simple 5", "kind": "simple", "jobs": 5, "seed": 1, "best": day.best, "document": day.document}
        | {"gap": 0.001, "limit_s": 20.0, "core": None}
    )
    assert told["objective"] == pytest.approx(day.best, rel=1e-3)
    assert told["seconds"] > told["solve_seconds"]


def test_a_case_that_dies_is_told_and_not_hidden() -> None:
    told = scale.run({"key": "x", "kind": "plan", "seed": 1, "document": {}, "limit_s": 1.0, "gap": 0.1, "core": None})
    assert "problem document" in told["error"]
    assert faults([told]) != []


def test_an_earlier_run_is_printed_again_with_its_chart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored, figure = tmp_path / "run.json", tmp_path / "deep" / "growth.svg"
    document = {
        "begun": "2026-11-25T10:00:00+00:00",
        "quick": False,
        "constants": "drawn",
        "core": 1,
        "cpu": "some processor",
        "cores": 2,
        "versions": {"python": "3.11"},
        "results": [result("100"), result("500")],
    }
    stored.write_text(json.dumps(document))
    assert scale.main(["--from", str(stored), "--growth", str(figure)]) == 0
    out = capsys.readouterr().out
    assert "| 100 jobs: proven gap at 30 s | ≤ 1.2 % | 1.00 % | yes |" in out
    assert "some processor (2 cores; solver, referee and their start held to core 1" in out
    assert figure.read_text().startswith("<svg")
    document["results"] = [result("100", violations=["slot 3 breaks"])]
    stored.write_text(json.dumps(document))
    assert scale.main(["--from", str(stored)]) == 1
    assert "slot 3 breaks" in capsys.readouterr().err


def test_goals_beside_the_peers_join_the_table() -> None:
    cost = "cost to best known, at most +0.1 %"
    met = {"instance": "tight_n020_s1", "what": cost, "figure": "+0.000 %", "met": True}
    other = {"instance": "tight_n100_s1", "what": cost, "figure": "+0.200 %", "met": False}
    unknown = {**met, "what": "violations, none", "figure": "not measured", "met": None}
    assert [str(row) for row in peer_rows({"goals": [met, unknown, other]})] == [
        "| beside the peers (tight_n020_s1, tight_n100_s1): cost to best known | at most +0.1 % "
        "| +0.000 % / +0.200 % | no |",
        "| beside the peers (tight_n020_s1): violations | none | not measured | – |",
    ]
    assert "not measured here" in peer_rows(None)[0].measured


def test_without_the_generator_the_command_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scale_sites._module.cache_clear()
    monkeypatch.setattr(scale_sites, "PEERS", tmp_path)
    assert scale.main(["--only", "100"]) == 2
    assert "gen_sites.py is not there" in capsys.readouterr().err


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(SystemExit, match="2"):
        scale.main(["--only", "100,7"])
