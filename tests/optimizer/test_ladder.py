"""Below the solver: each rung that needs none, what they do where the child fails, and the last plan's starts."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_days import day as random_day
from small_day import ONE_LEVEL, TWO_LEVELS, at, battery, day, job, on_slots, planned, pool

from bench.faults import first_day, next_day
from optimizer import rolling
from optimizer.document import Plan, dump_plan, parse_plan
from optimizer.ladder import descend
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.replay import Previous, battery_wishes, replayed, schedule_of
from optimizer.verify import verify
from optimizer.worker import Request, work

HALF = [{"power_mw": 0.5, "speed": 0.5}]
TOO_STEEP: dict[str, Any] = {"import_ramp_mw_per_slot": 0.5, "import_limit_mw": 8.0}
"""A megawatt cannot come or go within such a ramp unless the battery helps."""


def first_verified(document: dict[str, Any], previous: Previous | None = None) -> Plan:
    """The plan that the ladder comes to."""
    received = check_problem(document)
    plans = descend(compile_problem(received), previous)
    return next(plan for plan in plans if not verify(received, plan))


def before(document: dict[str, Any]) -> Previous:
    """The exact plan of a document, as the plan in force."""
    return Previous(planned(document), check_problem(document).document.horizon.start)


# ---- the rungs


def test_greedy_takes_the_earliest_deadline_first() -> None:
    # one megawatt at a time; b must be done by the end of slot 1, a by the end
    made = first_verified(
        day(
            job("a", 2.0), job("b", 2.0, deadline=at(2)), prices=[10.0, 10.0, 10.0, 10.0], grid={"import_limit_mw": 1.0}
        )
    )
    assert made.rung == "GREEDY"
    assert (on_slots(made, "b"), on_slots(made, "a")) == ([0, 1], [2, 3])


def test_greedy_does_what_is_dearest_undone_where_only_one_finds_room() -> None:
    jobs = [job(name, 4.0, unmet_cost_per_h=price) for name, price in (("cheap", 50.0), ("dear", 90.0))]
    made = first_verified(day(*jobs, grid={"import_limit_mw": 1.0}))
    assert (on_slots(made, "cheap"), on_slots(made, "dear")) == ([], [0, 1, 2, 3])
    assert made.objective == pytest.approx(100.0 + 4 * 50.0)


def test_the_last_plan_holds_where_greedy_is_too_steep() -> None:
    document = day(job("a", 2.0, unmet_cost_per_h=500.0), grid=TOO_STEEP, batteries=[battery()])
    last = before(document)
    made = first_verified(document, last)
    assert made.rung == "LAST"
    assert made.objective == pytest.approx(last.plan.objective, abs=1e-6)
    assert on_slots(made) == on_slots(last.plan)


def test_without_a_last_plan_nothing_starts() -> None:
    made = first_verified(day(job("a", 2.0, unmet_cost_per_h=500.0), grid=TOO_STEEP))
    assert made.rung == "SAFE"
    assert on_slots(made) == []
    assert made.terms["unmet"] == pytest.approx(1000.0)


def test_safe_keeps_the_gang_that_may_not_stop_and_what_an_operator_ordered() -> None:
    running = job("runs", 2.0, state="running", unmet_cost_per_h=500.0)
    ordered = job("ordered", 1.0, pinned_start=at(2), unmet_cost_per_h=500.0)
    waiting = job("waits", 1.0, unmet_cost_per_h=500.0)
    received = check_problem(day(running, ordered, waiting))
    *_, made = descend(compile_problem(received), None)
    assert made.rung == "SAFE"
    assert verify(received, made) == []
    assert [on_slots(made, name) for name in ("runs", "ordered", "waits")] == [[0, 1], [2], []]


def test_a_battery_is_charged_by_rule_to_what_it_owes_in_the_cheapest_slots() -> None:
    # 0.45 MWh are missing: half a megawatt hour at nine tenths, all of it in slot 0 at 10 per MWh
    made = first_verified(day(job("a", 1.0), batteries=[battery(soc_end_min_mwh=1.45)]))
    assert made.series is not None
    assert made.series.charge_mw["store"] == pytest.approx([0.5, 0.0, 0.0, 0.0])
    assert made.objective == pytest.approx(10.0 * 1.0 + 10.0 * 0.5)


def test_sun_is_used_before_import_and_sold_where_it_earns() -> None:
    series = {"pv_available_mw": [3.0, 0.5, 0.0, 0.0], "export_price_per_mwh": [5.0] * 4}
    made = first_verified(day(job("a", 2.0), grid={"export_limit_mw": 1.0}, series=series))
    assert made.series is not None
    assert made.series.import_mw == pytest.approx([0.0, 0.5, 0.0, 0.0])
    assert made.series.export_mw == pytest.approx([1.0, 0.0, 0.0, 0.0])


def test_the_rungs_come_in_their_order_and_greedy_asks_for_less_each_time() -> None:
    # eight megawatts carry as many jobs of one; nine tenths of that seven, three quarters six, half four
    document = day(*(job(f"j{k}", 4.0) for k in range(10)), grid={"import_limit_mw": 8.0})
    plans = list(descend(compile_problem(check_problem(document)), None))
    assert [plan.rung for plan in plans] == ["GREEDY"] * 8 + ["SAFE"]
    assert [len(on_jobs(plan)) for plan in plans] == [8, 8, 7, 7, 6, 6, 4, 4, 0]
    assert all(0 <= plan.solve_seconds < 60 for plan in plans)


def test_the_last_plan_is_tried_with_its_battery_then_without_then_without_what_waits_for_surplus() -> None:
    sun = {"pv_available_mw": [3.0] * 4}
    jobs = [
        job("a", 1.0, release=at(2)),
        job("extra", 2.0, surplus=True, preemptible=True, due_h=0.0, work_value_per_h=5.0),
    ]
    document = day(*jobs, batteries=[battery()], series=sun, schema_version="1.1")
    last = before(document)
    cloudy = compile_problem(check_problem(document | {"series": document["series"] | {"pv_available_mw": [0.0] * 4}}))
    plans = [plan for plan in descend(cloudy, last) if plan.rung == "LAST"]
    assert [on_jobs(plan) for plan in plans] == [{"a", "extra"}, {"a", "extra"}, {"a"}]
    plain = compile_problem(check_problem(day(job("a", 1.0))))
    assert [plan.rung for plan in descend(plain, before(day(job("a", 1.0))))][-3:] == ["LAST", "LAST", "SAFE"]


@pytest.mark.parametrize(
    ("more", "slots"),
    [
        ({"count": 2}, 2),  # what is due: half an hour at half speed
        ({"min_run_slots": 6, "ran_slots": 1}, 5),  # what is left of its least run
        ({"min_run_slots": 6, "ran_slots": 5}, 2),
        ({"min_run_slots": 12, "ran_slots": 1}, 6),  # its work ends before
    ],
)
def test_safe_lets_a_gang_go_on_as_long_as_it_must_at_its_lowest_speed(more: dict[str, Any], slots: int) -> None:
    halves = {"start": at(0), "step_minutes": 30, "slots": 8}
    gang = job("a", 1.5, due_h=0.5, levels=HALF + ONE_LEVEL, state="running", unmet_cost_per_h=500.0, **more)
    *_, made = descend(compile_problem(check_problem(day(gang, prices=[10.0] * 8, horizon=halves))), None)
    assert made.rung == "SAFE"
    assert [(run.count, run.speed, (run.end - run.start) / timedelta(minutes=30)) for run in made.jobs[0].runs] == [
        (more.get("count", 1), 0.5, slots)
    ]


def test_greedy_s_second_try_takes_the_level_that_needs_least_energy_for_the_work() -> None:
    # 0.8, 0.75 and 1 MWh an hour of work: neither the least power nor the most speed
    levels = [{"power_mw": p, "speed": s} for p, s in ((0.4, 0.5), (0.6, 0.8), (1.0, 1.0))]
    plans = descend(compile_problem(check_problem(day(job("a", 1.6, levels=levels)))), None)
    assert [next(plans).jobs[0].runs[0].speed for _ in range(2)] == [1.0, 0.8]


def on_jobs(plan: Plan) -> set[str]:
    return {entry.id for entry in plan.jobs if entry.runs}


# ---- an earlier plan on a later problem


def test_runs_are_found_by_their_instants_and_end_with_the_work() -> None:
    document = day(job("a", 3.0), job("gone", 1.0), prices=[10.0, 10.0, 10.0, 99.0])
    last = before(document)
    left = day(job("a", 1.0, state="running", ran_slots=1), job("new", 1.0))
    left["horizon"] = {"start": at(1), "step_minutes": 60, "slots": 4}
    schedule = replayed(compile_problem(check_problem(left)), last)
    assert schedule is not None
    assert schedule.pattern["a"].tolist() == [1, 0, 0, 0], "two of its slots are left, one does the work"
    assert schedule.pattern["new"].tolist() == [0, 0, 0, 0]


def test_a_gang_that_may_not_stop_stays_on_at_its_lowest_level_where_the_plan_had_it_off() -> None:
    last = before(day(job("a", 2.0, count=2, release=at(2))))
    now = compile_problem(check_problem(day(job("a", 2.7, count=2, levels=TWO_LEVELS, state="running"))))
    schedule = replayed(now, last)
    assert schedule is not None
    lowest = [(2, 0.5 / now.unit_mw, 0.7)]
    assert schedule.groups["a"][:2] == [lowest, []]
    assert schedule.pattern["a"].tolist() == [2, 0, 2, 2]
    done = compile_problem(check_problem(day(job("a", 0.7, count=2, levels=TWO_LEVELS, state="running"))))
    first = replayed(done, last)
    assert first is not None
    assert first.groups["a"] == [lowest, [], [], []], "its work is done then"


def test_a_gang_that_the_plan_has_on_stays_at_the_plan_s_level_and_a_waiting_one_waits() -> None:
    document = day(job("a", 2.0, state="running", levels=TWO_LEVELS, deadline=at(2)), job("b", 1.0, release=at(3)))
    now = compile_problem(check_problem(document))
    schedule = replayed(now, before(document))
    assert schedule is not None
    assert schedule.groups["a"][0] == [(1, 1.0 / now.unit_mw, 1.0)]
    assert schedule.pattern["b"].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(("loss", "slots"), [(0.0, [1, 0, 1, 0]), (0.5, [1, 0, 1, 1])])
def test_work_that_a_pause_loses_is_done_again(loss: float, slots: list[int]) -> None:
    paused = {"preemptible": True, "restart_loss_h": 0.5}
    last = before(day(job("a", 2.5, **paused), prices=[10.0, 99.0, 20.0, 30.0]))
    left = compile_problem(check_problem(day(job("a", 2.0, **paused | {"restart_loss_h": loss}, state="running"))))
    schedule = replayed(left, last)
    assert schedule is not None
    assert schedule.pattern["a"].tolist() == slots


def test_set_points_of_the_battery_move_with_the_horizon() -> None:
    document = day(job("a", 1.0, pinned_start=at(3)), batteries=[battery()])
    last = before(document)
    assert last.plan.series is not None
    flow = [
        c - d
        for c, d in zip(*(s["store"] for s in (last.plan.series.charge_mw, last.plan.series.discharge_mw)), strict=True)
    ]
    later = compile_problem(check_problem({**document, "horizon": {"start": at(2), "step_minutes": 60, "slots": 4}}))
    assert battery_wishes(later, last)["store"] * later.unit_mw == pytest.approx([*flow[2:], 0.0, 0.0])


def test_a_later_plan_is_laid_on_an_earlier_day_and_in_its_unit() -> None:
    large = {"levels": [{"power_mw": 4.0, "speed": 1.0}]}
    store = battery(power_mw=4.0, energy_mwh=8.0, soc_start_mwh=4.0)
    document = day(job("a", 1.0, pinned_start=at(1), **large), batteries=[store])
    last = before(document)
    assert last.plan.series is not None
    flow = [
        c - d for c, d in zip(last.plan.series.charge_mw["store"], last.plan.series.discharge_mw["store"], strict=True)
    ]
    assert any(flow)
    same = compile_problem(check_problem(document))
    later = Previous(last.plan, last.start + timedelta(hours=1))
    assert same.unit_mw == 4.0
    assert battery_wishes(same, last)["store"] * 4.0 == pytest.approx(flow)
    assert battery_wishes(same, later)["store"] * 4.0 == pytest.approx([0.0, *flow[:3]])
    schedule = replayed(same, last)
    assert schedule is not None
    assert schedule.groups["a"] == [[], [(1, 1.0, 1.0)], [], []]


def test_runs_that_begin_or_end_within_a_slot_are_of_no_use() -> None:
    halves = {"start": at(0), "step_minutes": 30, "slots": 8}
    last = before(day(job("a", 0.5), prices=[10.0] * 8, horizon=halves))
    assert replayed(compile_problem(check_problem(day(job("a", 0.5)))), last) is None


def test_runs_keep_their_way_and_a_change_of_it_costs_its_work() -> None:
    ways = {"pool": "hall", "gpus": 4, "resize_loss_h": 0.5, "alternatives": [{"gpus": 2, "levels": HALF}]}
    document = day(job("a", 4.0, **ways), pools=[pool()], schema_version="1.1")
    runs = [("00", "02", 4, 1.0, 1.0), ("02", "04", 2, 0.5, 0.5)]
    told = [
        {"start": f"2026-11-09T{a}:00:00Z", "end": f"2026-11-09T{b}:00:00Z", "power_mw": p, "speed": v, "count": 1}
        | {"limit_w": None, "pool": "hall", "gpus": n}
        for a, b, n, p, v in runs
    ]
    plan = dump_plan(before(document).plan)
    plan["jobs"][0]["runs"] = told
    last = Previous(parse_plan(plan), check_problem(document).document.horizon.start)

    def slots(work_h: float) -> tuple[list[int], list[int]]:
        problem = compile_problem(check_problem(day(job("a", work_h, **ways), pools=[pool()], schema_version="1.1")))
        schedule = replayed(problem, last)
        assert schedule is not None
        (entry,) = problem.entries
        large, small = (schedule.pattern[way.key].tolist() for way in entry.ways)
        return large, small

    assert slots(2.0) == ([1, 1, 0, 0], [0, 0, 0, 0])
    # two hours at full speed, then half an hour of each hour, of which the first is lost
    assert slots(2.25) == ([1, 1, 0, 0], [0, 0, 1, 1])
    assert slots(2.5) == ([1, 1, 0, 0], [0, 0, 1, 1])


@pytest.mark.parametrize(("state", "slots"), [("queued", [1, 0, 0, 0]), ("paused", [1, 1, 0, 0])])
def test_only_a_paused_gang_loses_work_at_its_first_start(state: str, slots: list[int]) -> None:
    paused = {"preemptible": True, "restart_loss_h": 0.5}
    last = before(day(job("a", 3.0, **paused)))
    now = compile_problem(check_problem(day(job("a", 1.0, **paused, state=state))))
    schedule = replayed(now, last)
    assert schedule is not None
    assert schedule.pattern["a"].tolist() == slots


def test_copies_lose_work_one_by_one() -> None:
    paused = {"preemptible": True, "restart_loss_h": 0.5, "count": 3}
    plan = dump_plan(before(day(job("a", 2.0, **paused))).plan)
    run = {"power_mw": 1.0, "speed": 1.0, "limit_w": None}
    plan["jobs"][0]["runs"] = [
        run | {"start": at(0), "end": at(1), "count": 2},
        run | {"start": at(1), "end": at(4), "count": 3},
    ]
    last = Previous(parse_plan(plan), check_problem(day()).document.horizon.start)
    found = []
    for work_h in (1.2, 1.15):
        now = compile_problem(check_problem(day(job("a", work_h, **paused, state="paused"))))
        schedule = replayed(now, last)
        assert schedule is not None
        found.append(schedule.pattern["a"].tolist())
    # each loses half an hour as it starts: 2 - 1 + 3 - 0.5 = 3.5 after two slots, of 3.6 and 3.45
    assert found == [[2, 3, 3, 0], [2, 3, 0, 0]]


def test_a_plan_without_series_wishes_nothing_of_the_battery() -> None:
    document = day(job("a", 9.0, due_h=9.0, unmet_cost_per_h=None), batteries=[battery()])
    impossible, problem = before(document), compile_problem(check_problem(document))
    assert impossible.plan.series is None
    assert battery_wishes(problem, impossible)["store"].tolist() == [0.0] * 4


def test_runs_on_their_own_problem_are_the_plan_s_runs_and_nodes() -> None:
    hall = pool(nodes={"gpus_per_node": 4, "off_w": 100.0, "on_before": 1}, idle_w_per_gpu=1000.0)
    document = day(job("a", 2.0, pool="hall", gpus=4), job("b", 1.0), pools=[hall], schema_version="1.1")
    plan, problem = planned(document), compile_problem(check_problem(document))
    assert plan.series is not None
    found = schedule_of(problem, plan)
    assert [np.flatnonzero(found.pattern[name]).tolist() for name in "ab"] == [on_slots(plan, name) for name in "ab"]
    assert {name: on.tolist() for name, on in found.nodes.items()} == plan.series.nodes_on
    assert found.nodes


def test_a_plan_between_the_slot_borders_is_of_no_use() -> None:
    last = before(day(job("a", 1.0)))
    problem = compile_problem(check_problem(day(job("a", 1.0))))
    between = Previous(last.plan, last.start + timedelta(minutes=20))
    assert replayed(problem, between) is None
    assert {plan.rung for plan in descend(problem, between)} == {"GREEDY", "SAFE"}


def test_the_last_starts_come_first_with_everything_else_planned_anew() -> None:
    # slot 3 was cheapest; now slot 0 is. The last starts are re-dispatched before anything else is tried.
    old = day(job("a", 1.0), prices=[40.0, 30.0, 20.0, 10.0])
    received = check_problem(
        day(job("a", 1.0), prices=[10.0, 20.0, 30.0, 40.0], series={"pv_available_mw": [0, 0, 0, 0.5]})
    )
    finds = list(work(compile_problem(received), Request(1e-9, 30.0, previous=before(old))))
    first = finds[0].plan
    assert first is not None
    assert (first.rung, on_slots(first)) == ("LP", [3])
    assert first.objective == pytest.approx(40.0 * 0.5), "half of it from the sun that was not foreseen"
    plans = [find.plan for find in finds if find.plan is not None]
    assert plans[-1].objective == pytest.approx(10.0)


# ---- where the child fails

FATES = {
    "dies": "os.kill(os.getpid(), signal.SIGKILL)",
    "crashes": "raise RuntimeError('the wheel came off')",
    "ends without a word": "pass",
    "raves": "print('*** glibc detected ***', flush=True)",
    "overeats": "hoard = bytearray(1 << 40)",
    "hangs": "time.sleep(30)",
    "says NaN": "say(stale | {'objective': float('nan')})",
    "says the last plan as it is": "say(stale)",
    "says the last plan as today's": "say(stale | {'problem_digest': digest})",
    "says that there is none": "say(none)",
}
CHILD = """#!{python} -SE
import hashlib, json, os, signal, sys, time
asked = json.load(sys.stdin)
raw = json.dumps(asked["problem"], sort_keys=True, separators=(",", ":"))
digest = hashlib.sha256(raw.encode()).hexdigest()
stale = asked.get("previous", {{"plan": {{}}}})["plan"]
none = dict(schema_version="1.0", name=asked["problem"]["name"], problem_digest=digest, status="infeasible",
            rung="MILP", solve_seconds=0.0, conflicts=["the moon is full"])
def say(plan):
    print(json.dumps({{"plan": plan, "bound": None}}), flush=True)
{fate}
"""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script in the place of the child; what it does is written into it."""
    script = tmp_path / "child"
    script.touch(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(rolling, "START_UP_S", 0.1)
    monkeypatch.setattr(rolling, "GRACE_S", 0.1)
    return script


@pytest.fixture
def heard(broken: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A child that is waited for, also where the machine is slow to start it."""
    monkeypatch.setattr(rolling, "START_UP_S", 60.0)
    return broken


PYTHON = sys.executable


def test_every_cycle_of_a_day_has_a_verified_plan_whatever_the_child_does(broken: Path) -> None:
    dice, raw, previous, rungs = random.Random(3), first_day(3), None, Counter[str]()
    for number in range(20):
        fate = list(FATES)[number % len(FATES)]
        broken.write_text(CHILD.format(python=PYTHON, fate=FATES[fate]))
        received = check_problem(raw)
        plan = rolling.plan(received, time_limit_s=0.1, previous=previous)
        assert plan.objective is not None, fate
        assert verify(received, plan) == [], fate
        rungs[plan.rung] += 1
        previous, raw = Previous(plan, received.document.horizon.start), next_day(raw, plan, dice)
    assert rungs.total() == 20
    assert rungs["GREEDY"]


def test_a_lower_rung_is_told_with_the_fault(heard: Path, caplog: pytest.LogCaptureFixture) -> None:
    heard.write_text(CHILD.format(python=PYTHON, fate=FATES["crashes"]))
    assert rolling.plan(check_problem(day(job("a", 1.0)))).rung == "GREEDY"
    assert "the wheel came off" in caplog.text
    assert "rung GREEDY" in caplog.text


def test_a_claim_that_there_is_no_plan_does_not_take_the_place_of_one(heard: Path) -> None:
    received = check_problem(day(job("a", 1.0)))
    good = dump_plan(planned(received.raw))
    heard.write_text(CHILD.format(python=PYTHON, fate=f"say({good!r})\nsay(none)"))
    assert dump_plan(rolling.plan(received, time_limit_s=0.1)) == good


def test_a_day_that_has_no_plan_is_still_told_so(heard: Path) -> None:
    heard.write_text(CHILD.format(python=PYTHON, fate=FATES["says that there is none"]))
    plan = rolling.plan(check_problem(day(job("a", 9.0))), time_limit_s=0.1)
    assert plan.conflicts == ["the moon is full"]


@pytest.mark.parametrize(("module", "heavy"), [("ladder", "highspy"), ("rolling", "pyomo")])
def test_the_rungs_load_no_solver_and_the_door_no_model(module: str, heavy: str) -> None:
    loaded = f"import sys, optimizer.{module}; print({heavy!r} in sys.modules)"
    assert subprocess.run([PYTHON, "-c", loaded], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("seed", range(25))
def test_whatever_the_referee_passes_costs_no_less_than_the_optimum(seed: int) -> None:
    document = random_day(seed)
    received = check_problem(document)
    passed = [plan for plan in descend(compile_problem(received), None) if not verify(received, plan)]
    if passed:
        best = planned(document)
        assert best.objective is not None, "a day with a plan was called impossible"
        assert min(plan.objective or 0.0 for plan in passed) >= best.objective - 1e-6 * max(1.0, abs(best.objective))
