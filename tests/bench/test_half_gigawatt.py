"""The half-gigawatt day: its size, its mixture, limits that can bind, and that a seed says the same for ever."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plan_here import plan_here

from bench import half_gigawatt
from bench.half_gigawatt import HALLS, SLOTS, make
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def whole(seed: int = 1) -> dict[str, Any]:
    return make(seed)


def gpu_hours(job: dict[str, Any], field: str = "due_h") -> float:
    return float(job["gpus"] * job["count"] * job[field])


@pytest.mark.parametrize("seed", [1, 2])
def test_the_day_has_the_size_that_its_name_says(seed: int) -> None:
    day = whole(seed)
    received = check_problem(day)
    assert len(received.document.pools) == len(HALLS) == 8
    assert 280_000 <= sum(pool["gpus"] for pool in day["pools"]) <= 320_000
    assert abs(sum(job["count"] == 1 for job in day["jobs"]) - 300) <= 8
    assert abs(sum(job["count"] > 1 for job in day["jobs"]) - 2000) <= 8
    full_mw = sum(
        max(job["levels"][-1]["power_mw"] / job["gpus"] for job in day["jobs"] if job["pool"] == pool["name"])
        * pool["gpus"]
        for pool in day["pools"]
    )
    heat_mw = full_mw / day["distribution_efficiency"]
    cooling_mw = max(max(t["slope"]) * heat_mw + max(t["intercept_mw"]) for t in day["cooling"]["tangents"])
    assert 400 <= heat_mw + cooling_mw + max(day["series"]["base_load_mw"]) <= 600
    assert min(day["cooling"]["capacity_heat_mw"]) >= heat_mw


@pytest.mark.parametrize("seed", [1, 2])
def test_every_pool_is_asked_for_most_of_its_day_and_large_jobs_hold_half_of_it(seed: int) -> None:
    day = whole(seed)
    for pool in day["pools"]:
        mine = [job for job in day["jobs"] if job["pool"] == pool["name"]]
        asked = sum(gpu_hours(job) for job in mine) / (24 * pool["gpus"])
        assert 0.68 <= asked <= 0.85, pool["name"]
        assert 0.45 <= sum(gpu_hours(job) for job in mine if job["count"] == 1) / sum(map(gpu_hours, mine)) <= 0.65
        assert max(job["gpus"] for job in mine) <= pool["gpus"] / 4


@pytest.mark.parametrize("seed", [1, 2])
def test_feeds_are_rated_below_what_the_due_work_would_draw_at_full_speed_in_part_of_the_day(seed: int) -> None:
    problem = compile_problem(check_problem(whole(seed)))
    for feed in problem.feeds:
        mine = [e for e in problem.entries if e.pool in feed.pools]
        full = sum(
            max(e.power[-1] / e.gpus for e in mine if e.pool == k) * problem.pools[k].gpus.max() for k in feed.pools
        )
        assert feed.limit.max() < 0.9 * full
        # energy that the due work takes at full speed, idle GPUs included, against what the feed lets through
        idle = sum(problem.pools[k].idle * problem.pools[k].gpus for k in feed.pools)
        work = sum(e.count * e.due_h * (e.power[-1] - e.gpus * problem.pools[e.pool or 0].idle) for e in mine)
        share = (work + float(idle.sum()) * problem.step_h) / (float(feed.limit.sum()) * problem.step_h)
        assert 0.88 <= share <= 1.05, feed.name


def test_supply_and_line_can_carry_the_day_but_not_all_pools_at_once() -> None:
    day = whole()
    grid, series = day["grid"], day["series"]
    supply = np.array(series["pv_available_mw"]) + series["wind_available_mw"] + np.array(grid["import_limit_mw"])
    feeds = sum(np.array(feed["limit_mw"]) for feed in day["feeds"])
    need = feeds / day["distribution_efficiency"] + series["base_load_mw"]
    assert need.mean() < supply.mean()
    assert (need > supply).sum() >= SLOTS // 10


def test_the_mixture_is_real() -> None:
    jobs = whole()["jobs"]
    queued = [job for job in jobs if job.get("state") != "running"]
    running = [job for job in jobs if job.get("state") == "running"]
    assert 20 <= len(running) <= 200
    assert {job["preemptible"] for job in running} == {True, False}
    assert 0.3 <= sum(job["preemptible"] for job in queued) / len(queued) <= 0.6
    assert sum("late_cost_per_h" in job for job in jobs) >= 200
    beyond = [job for job in jobs if "work_value_per_h" in job]
    assert len(beyond) >= 200
    assert all(job["due_h"] < job["work_h"] and job["work_value_per_h"] < job["unmet_cost_per_h"] for job in beyond)
    assert any(job["unmet_cost_per_h"] is None for job in jobs)
    assert len({len(job["levels"]) for job in jobs}) > 1
    assert len({job["tenant"] for job in jobs}) > 1


def test_a_seed_says_the_same_day_and_another_seed_another() -> None:
    assert make(3, 0.05) == make(3, 0.05)
    assert make(3, 0.05)["jobs"] != make(4, 0.05)["jobs"]


def test_a_fiftieth_of_it_is_planned_and_passes_the_referee() -> None:
    found = plan_here(check_problem(make(1, 0.02)), gap=0.5, time_limit_s=2.0)
    assert found.objective is not None


def test_the_command_writes_the_document_and_refuses_a_share_of_nothing() -> None:
    command = [sys.executable, "-m", "bench.half_gigawatt", "--seed", "2", "--share"]
    told = subprocess.run([*command, "0.01"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(told.stdout) == make(2, 0.01)
    refused = subprocess.run([*command, "0"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert refused.returncode == 2
    assert "outside 0 to 1" in refused.stderr


def test_no_row_says_how_many_slots_but_the_horizon() -> None:
    day = make(1, 0.01)
    assert day["horizon"]["slots"] == half_gigawatt.SLOTS
    assert all(len(values) == SLOTS for values in day["series"].values())
