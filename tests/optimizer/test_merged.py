"""Identical jobs as one integer a slot: the same optimum, and counts that come apart into jobs of their own."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
import random_days
from hypothesis import given
from hypothesis import strategies as st
from plan_here import plan_here

from optimizer.aggregate import Merged, merged
from optimizer.build import build
from optimizer.finds import Request
from optimizer.preflight import conflicts
from optimizer.problem import Problem, compile_problem
from optimizer.refusals import check_problem
from optimizer.solve import Options, solve
from optimizer.verify import verify
from optimizer.worker import work

SEEDS = range(7000, 7000 + 30 * int(os.environ.get("CHERGUI_SOAK", "1")))


def alike_day(seed: int) -> dict[str, Any]:
    """A random day of which every job has one level, most can be merged, and all are told two or three times."""
    dice = random.Random(seed)
    day = random_days.day(seed)
    jobs = []
    for job in day["jobs"]:
        job["levels"] = job["levels"][-1:]
        job.pop("count", None)
        if dice.random() < 0.8:
            job["state"] = "queued"
            told = {"ran_slots", "pinned_start", "restart_loss_h", "start_cost", "max_pauses", "min_run_slots"}
            must = {"unmet_cost_per_h", "due_h"} if dice.random() < 0.6 else set()
            job = {name: value for name, value in job.items() if name not in told | must}
        jobs += [{**job, "id": f"{job['id']}-{k}"} for k in range(dice.choice([1, 2, 3]))]
    day["jobs"] = [job for job in jobs if job["state"] != "running"] or jobs[:1]
    return day


def compiled(raw: dict[str, Any]) -> Problem:
    return compile_problem(check_problem(raw))


def least(problem: Problem) -> float | None:
    """Optimum of the whole exact model."""
    outcome = solve(build(problem, exact=True)[0], Options(1e-9, 60.0))
    return outcome.objective if outcome.status == "optimal" else None


@pytest.mark.parametrize("seed", SEEDS)
def test_the_merged_model_has_the_optimum_of_the_one_that_tells_every_job(seed: int) -> None:
    problem = compiled(alike_day(seed))
    if conflicts(problem):
        return  # told before any model is built
    alone, together = least(problem), least(merged(problem).problem)
    assert (alone is None) == (together is None)
    assert alone is None or together == pytest.approx(alone, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS[:8])
def test_its_plan_tells_every_job_and_passes_the_referee(seed: int) -> None:
    received = check_problem(alike_day(seed))
    plan = plan_here(received)
    assert [job.id for job in plan.jobs] == (
        [] if plan.status == "infeasible" else [j.id for j in received.document.jobs]
    )


def test_most_such_days_merge_something_of_each_kind() -> None:
    entries = [e for seed in SEEDS for e in merged(compiled(alike_day(seed))).problem.entries if e.share is not None]
    kinds = [(e.preemptible, e.count > 1) for e in entries]
    assert all(kinds.count(kind) >= 3 for kind in ((True, True), (False, True), (True, False), (False, False)))


def site(jobs: list[dict[str, Any]], slots: int = 24) -> dict[str, Any]:
    prices = [20.0 + 7.0 * ((5 * t) % 11) for t in range(slots)]
    horizon = {"start": "2026-11-09T00:00:00Z", "step_minutes": 60, "slots": slots}
    named = {"schema_version": "1.0", "name": "alike", "site": {"name": "alike"}, "horizon": horizon}
    grid = {"import_limit_mw": 12.0, "demand_charge_per_mw": 40.0}
    return {**named, "series": {"import_price_per_mwh": prices}, "grid": grid, "jobs": jobs}


def gang(name: str, **changes: Any) -> dict[str, Any]:
    job = {"id": name, "work_h": 5.0, "levels": [{"power_mw": 1.0, "speed": 1.0}], "release": "2026-11-09T00:00:00Z"}
    return {**job, "deadline": "2026-11-10T00:00:00Z", **changes}


def standing_for(ids: str, **changes: Any) -> Merged:
    """One entry with changed fields, and whom it stands for."""
    problem = compiled(site([gang("0", work_h=3.0, preemptible=True)]))
    entry = replace(problem.entries[0], **changes)
    return Merged(replace(problem, entries=(entry,)), {"0": tuple(ids)})


@pytest.mark.parametrize("preemptible", [True, False])
def test_forty_identical_jobs_are_one_integer_a_slot(preemptible: bool) -> None:
    raw = site([gang(f"j{k:02}", preemptible=preemptible, release="2026-11-09T02:00:00Z") for k in range(40)])
    model, _ = build(merged(compiled(raw)).problem)
    integers = [v for v in model.component_data_objects(pyo.Var) if v.is_integer()]
    assert len(integers) == 22 if preemptible else 22 - 5 + 1


@pytest.mark.parametrize("preemptible", [True, False])
def test_the_whole_model_of_forty_identical_jobs_is_proven(preemptible: bool) -> None:
    received = check_problem(site([gang(f"j{k:02}", preemptible=preemptible) for k in range(40)]))
    finds = list(work(compile_problem(received), Request(1e-6, 60.0, method="direct")))
    plan = [find.plan for find in finds if find.plan is not None][-1]
    assert plan.status == "optimal"
    assert verify(received, plan, 1e-6) == []
    assert [job.work_done_h for job in plan.jobs] == [5.0] * 40


def test_a_class_keeps_its_members_and_the_share_of_each() -> None:
    short = {"deadline": "2026-11-09T07:00:00Z", "work_h": 7.0}
    kinds = merged(compiled(site([gang("a", **short), gang("b", **short), gang("c")])))
    a, c = kinds.problem.entries
    assert (a.count, a.share, kinds.members["a"]) == (2, (7, 7), ("a", "b"))
    assert (c.count, c.share) == (1, (5, 5))


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({}, (3, 3)),
        ({"work_h": 3.0, "due_h": 2.0}, (2, 3)),
        ({"work_h": 2.5, "due_h": 2.5}, (3, 3)),
        ({"work_h": 3.5, "due_h": 2.0}, None),  # the last half slot of a longer share is worth less than the others
        ({"unmet_cost": 9.0}, (0, 3)),
        ({"unmet_cost": 9.0, "work_h": 2.5, "due_h": 2.5}, None),
        ({"loss_h": 0.1}, None),
        ({"start_cost": 1.0}, None),
        ({"max_pauses": 2}, None),
        ({"min_run": 2}, None),
        ({"preemptible": False}, (3, 3)),
        ({"preemptible": False, "loss_h": 0.1, "start_cost": 1.0, "min_run": 2}, (3, 3)),
        ({"preemptible": False, "due_h": 2.0}, None),
        ({"preemptible": False, "unmet_cost": 9.0}, None),
        ({"state": "paused"}, None),
        ({"pinned": 3}, None),
        ({"count": 2}, None),  # copies of an entry share their work
        ({"after": ("b",)}, None),  # a field that means nothing to the merging
        ({"power": np.array([0.004, 0.008]), "speed": np.array([0.6, 1.0]), "limit_w": (1.0, 2.0)}, None),
    ],
)
def test_who_has_a_share(changes: dict[str, Any], share: tuple[int, int] | None) -> None:
    assert [e.share for e in merged(standing_for("a", **changes).problem).problem.entries] == [share]


def test_where_burning_may_pay_a_run_may_be_one_slot_longer() -> None:
    raw = site([gang("a"), gang("b", work_h=4.5), gang("c", preemptible=True)])
    raw["series"]["import_price_per_mwh"][3] = -5.0
    assert [e.share for e in merged(compiled(raw)).problem.entries] == [(5, 6), (5, 5), (5, 6)]


def test_a_job_that_another_waits_for_stays_by_itself() -> None:
    jobs = [gang("a"), gang("b"), gang("c", after=["a"])]
    kinds = merged(compiled({**site(jobs), "schema_version": "1.1"}))
    assert kinds.members == {"a": ("a",), "b": ("b",), "c": ("c",)}


@given(st.integers(1, 6), st.integers(1, 12), st.data())
def test_equal_shares_come_apart(copies: int, slots: int, data: st.DataObject) -> None:
    each = data.draw(st.integers(0, slots))
    draw = st.permutations(range(slots))
    counts = np.zeros(slots, dtype=np.int64)
    for _ in range(copies):
        counts[data.draw(draw)[:each]] += 1
    kinds = standing_for("abcdef"[:copies], count=copies, share=(each, each))
    parts = kinds.apart({"0": counts}, {})
    assert (np.sum(list(parts.values()), axis=0) == counts).all()
    assert all(part.sum() == each and part.max(initial=0) <= 1 for part in parts.values())
    assert (kinds.together(parts)["0"] == counts).all()


def test_a_copy_that_runs_goes_on() -> None:
    counts = np.array([1, 1, 1, 1, 1, 1])
    parts = standing_for("ab", count=2, share=(3, 3)).apart({"0": counts}, {})
    assert [part.tolist() for part in parts.values()] == [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]


def test_counts_of_starts_come_apart_and_together_again() -> None:
    problem = compiled(site([gang(name) for name in "abc"], slots=24))
    kinds = merged(problem)
    begun = {"a": {(2, 5): 2, (9, 5): 1}}
    parts = kinds.apart({}, begun)
    assert [np.flatnonzero(parts[name])[0] for name in "abc"] == [2, 2, 9]
    assert kinds.begun(parts, "a") == begun["a"]
