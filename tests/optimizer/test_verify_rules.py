"""A rule is taken out of a day, the best plan without it is made, and the referee misses the rule in it.

The plans come from the oracle, so every number in them is true: what the referee finds is the rule.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import brute_force
import pytest

from optimizer.document import digest, parse_plan
from optimizer.refusals import check_problem
from optimizer.verify import Violation, verify

DOCUMENTS = Path(__file__).resolve().parents[1] / "contract" / "documents"

# document, where it is loosened, to what, and the one rule that its best plan then breaks
LOOSENED: list[tuple[str, str, Any, str]] = [
    ("min-pause-of-running", "jobs/0/min_pause_slots", 1, "job.min_pause"),
    ("count-one-by-one", "grid/import_limit_mw", 10.0, "grid.import_limit"),
    ("deadline-before-horizon-unmet", "jobs/0/deadline", None, "job.deadline"),
    ("release-after-horizon", "jobs/0/release", "2026-11-09T00:00:00Z", "job.release"),
    ("pinned-after-horizon", "jobs/0/pinned_start", None, "job.pinned_start"),
    ("pinned-inside", "jobs/0/pinned_start", None, "job.pinned_start"),
    ("held-running", "jobs/0/held", False, "job.held"),
    ("running-must-run-on", "jobs/0/min_run_slots", 1, "job.min_run"),
    ("max-pauses-running", "jobs/0/max_pauses", None, "job.max_pauses"),
    ("pool-maintenance", "pools/0/gpus", 4, "pool.gpus"),
    ("feed-per-slot", "feeds/0/limit_mw", 1.0, "feed.limit"),
    ("cooling-capacity", "cooling/capacity_heat_mw", None, "cooling.capacity"),
    ("infeasible-surplus", "grid/export_limit_mw", 3.0, "grid.export_limit"),
    ("ramp-with-job", "grid/import_ramp_mw_per_slot", None, "grid.ramp"),
    ("import-limit-per-slot", "grid/import_limit_mw", 10.0, "grid.import_limit"),
    ("soc-end", "batteries/0/soc_end_min_mwh", 0.0, "battery.soc_end"),
    ("infeasible-pool", "pools/0/gpus", 8, "pool.gpus"),
    ("infeasible-feed", "feeds/0/limit_mw", 3.0, "feed.limit"),
    ("infeasible-running-deadline", "jobs/0/deadline", None, "job.deadline"),
    ("infeasible-running-moved", "jobs/0/preemptible", True, "job.preemptible"),
    ("infeasible-pinned-early", "jobs/0/release", "2026-11-09T00:00:00Z", "job.release"),
    ("infeasible-min-run", "jobs/0/min_run_slots", 1, "job.min_run"),
    ("infeasible-base-load", "grid/import_limit_mw", 6.0, "grid.import_limit"),
    ("infeasible-soc-end", "batteries/0/soc_end_min_mwh", 2.0, "battery.soc_end"),
]


def rules_missed(raw: dict[str, Any], loosened: dict[str, Any]) -> list[Violation]:
    plan = brute_force.solve(loosened).plan
    assert plan is not None
    return verify(check_problem(raw), parse_plan({**plan, "problem_digest": digest(raw)}), gap=1e-9)


@pytest.mark.parametrize(("name", "path", "value", "rule"), LOOSENED, ids=[f"{n}-{p}" for n, p, _, _ in LOOSENED])
def test_a_plan_made_without_a_rule_breaks_that_rule(name: str, path: str, value: Any, rule: str) -> None:
    raw = json.loads((DOCUMENTS / f"{name}.json").read_text())
    loosened = copy.deepcopy(raw)
    *parents, last = path.split("/")
    place: Any = loosened
    for step in parents:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[last] = value
    found = {violation.rule for violation in rules_missed(raw, loosened)}
    assert found - {"job.late_h"} == {rule}  # work past a deadline that was not there is also late


def judged(on: str, **fields: Any) -> list[Violation]:
    """What a job of 1 MW breaks by running where ``on`` has an x; due work is not asked for."""
    job = {"id": "j", "levels": [{"power_mw": 1.0, "speed": 1.0}], "release": "2026-11-09T00:00:00Z"}
    job |= {"work_h": 9.0, "due_h": 0.0, "preemptible": True, **fields}
    raw = {
        "schema_version": "1.0",
        "name": "rules",
        "site": {"name": "paper"},
        "horizon": {"start": "2026-11-09T00:00:00Z", "step_minutes": 60, "slots": len(on)},
        "grid": {"import_limit_mw": 1.0},
        "jobs": [job],
    }
    runs = [
        {"start": f"2026-11-09T{k:02}:00:00Z", "end": f"2026-11-09T{k + 1:02}:00:00Z", "power_mw": 1.0, "speed": 1.0}
        for k, mark in enumerate(on)
        if mark == "x"
    ]
    power = [float(mark == "x") for mark in on]
    series = {name: [0.0] * len(on) for name in ("export_mw", "pv_used_mw", "wind_used_mw", "cooling_mw")}
    series |= dict.fromkeys(("import_mw", "it_mw", "heat_mw"), power) | {"base_load_mw": [0.0] * len(on)}
    plan = {
        "schema_version": "1.0",
        "name": "rules",
        "problem_digest": digest(raw),
        "status": "feasible",
        "rung": "GREEDY",
        "objective": 0.0,
        "solve_seconds": 0.0,
        "series": series,
        "jobs": [{"id": "j", "runs": runs, "work_done_h": float(len(runs))}],
    }
    return verify(check_problem(raw), parse_plan(plan))


RUNNING = {"state": "running"}


@pytest.mark.parametrize(
    ("on", "fields", "rules"),
    [
        # one session where no pause is allowed
        (".xx.", {"preemptible": False}, set()),
        ("x.x.", {"preemptible": False}, {"job.preemptible"}),
        ("....", {"preemptible": False, **RUNNING, "ran_slots": 3}, {"job.preemptible"}),
        (".xxx", {"preemptible": False, **RUNNING, "ran_slots": 3}, {"job.preemptible"}),
        ("....", {"preemptible": False, **RUNNING, "work_h": 0.0}, set()),
        ("....", {"preemptible": False, **RUNNING, "held": True, "min_run_slots": 9, "max_pauses": 0}, set()),
        (".x..", {"preemptible": False, "state": "paused"}, set()),
        # shortest session: elapsed slots, the end of the job and the end of the horizon
        (".x..", {"min_run_slots": 2}, {"job.min_run"}),
        (".x..", {"min_run_slots": 2, "work_h": 1.0}, set()),
        ("x.xx", {"min_run_slots": 2, "work_h": 3.0}, {"job.min_run"}),
        ("xx.x", {"min_run_slots": 2}, set()),
        ("x...", {"min_run_slots": 3, **RUNNING, "ran_slots": 2}, set()),
        ("x...", {"min_run_slots": 3, **RUNNING, "ran_slots": 1}, {"job.min_run"}),
        ("....", {"min_run_slots": 3, **RUNNING, "ran_slots": 2}, {"job.min_run"}),
        ("....", {"min_run_slots": 3, **RUNNING, "ran_slots": 3}, set()),
        ("....", {"min_run_slots": 1, **RUNNING, "ran_slots": 0}, set()),
        ("....", {"min_run_slots": 2, **RUNNING, "ran_slots": 0}, {"job.min_run"}),
        ("....", {"min_run_slots": 9, **RUNNING, "work_h": 0.0}, set()),
        # shortest pause: between sessions, and of a running job from slot 0
        ("x.x.", {"min_pause_slots": 2}, {"job.min_pause"}),
        ("x..x", {"min_pause_slots": 2}, set()),
        ("xxx.", {"min_pause_slots": 2}, set()),
        (".x..", {"min_pause_slots": 2, **RUNNING, "ran_slots": 1}, {"job.min_pause"}),
        ("..x.", {"min_pause_slots": 2, **RUNNING, "ran_slots": 1}, set()),
        (".x..", {"min_pause_slots": 2, "state": "paused"}, set()),
        # number of pauses
        ("x.x.", {"max_pauses": 0}, {"job.max_pauses"}),
        ("x.x.", {"max_pauses": 1}, set()),
        ("....", {"max_pauses": 0, **RUNNING, "ran_slots": 1}, {"job.max_pauses"}),
        (".x.x", {"max_pauses": 1, **RUNNING, "ran_slots": 1}, {"job.max_pauses"}),
        (".x.x", {"max_pauses": 2, **RUNNING, "ran_slots": 1}, set()),
        ("xx..", {"max_pauses": 0, **RUNNING, "ran_slots": 1}, set()),
        (".x..", {"max_pauses": 0, "state": "paused"}, set()),
        # a running job has been released; work may be passed by one slot at top speed
        ("x...", {**RUNNING, "release": "2026-11-09T02:00:00Z"}, set()),
        ("x...", {"release": "2026-11-09T02:00:00Z"}, {"job.release"}),
        ("xxx.", {"work_h": 2.0}, set()),
        ("xxxx", {"work_h": 2.0}, {"job.overrun"}),
        # orders
        (".x..", {"pinned_start": "2026-11-09T01:00:00Z"}, set()),
        ("..x.", {"pinned_start": "2026-11-09T01:00:00Z"}, {"job.pinned_start"}),
        ("....", {"pinned_start": "2026-11-09T01:00:00Z"}, {"job.pinned_start"}),
        ("..x.", {"pinned_start": "2026-11-08T23:00:00Z"}, set()),
        ("..x.", {"pinned_start": "2026-11-09T04:00:00Z"}, {"job.pinned_start"}),
        ("..x.", {"held": True}, {"job.held"}),
        (".x..", {"deadline": "2026-11-09T01:00:00Z"}, {"job.deadline"}),
        ("x...", {"deadline": "2026-11-09T01:00:00Z"}, set()),
    ],
)
def test_sessions_pauses_and_orders(on: str, fields: dict[str, Any], rules: set[str]) -> None:
    assert {violation.rule for violation in judged(on, **fields)} - {"job.late_h"} == rules


@pytest.mark.parametrize(
    ("on", "fields", "lost"),
    [
        ("xx.x", {}, 0.5),
        (".x.x", {}, 0.5),
        ("xx.x", {"state": "paused"}, 1.0),
        ("xx.x", {"state": "running", "ran_slots": 1}, 0.5),
        (".x.x", {"state": "running", "ran_slots": 1}, 1.0),
    ],
)
def test_each_session_that_resumes_loses_work(on: str, fields: dict[str, Any], lost: float) -> None:
    # the plan says that nothing is lost: the referee's amount is the loss
    (violation,) = judged(on, restart_loss_h=0.5, **fields)
    assert (violation.rule, violation.job, violation.amount) == ("job.work_done_h", "j", pytest.approx(lost))
