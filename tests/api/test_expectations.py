"""Run times that the accounting teaches take the place of padded limits in the plan, and fall away with it."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from api.clock import ShiftedClock
from api.expectations import Draw, Expectations
from api.job_round import list_turn, run_times_told
from api.job_sources import expectations_of
from ingest.accounting import COLUMNS, ENERGY
from ingest.points import Point, canonical, to_ns
from ingest.policy_file import PolicyFile
from ingest.site_file import read_site, sample_path
from ingest.stores.memory import MemoryStore
from models.job_policy import Policy, PolicyRow, judge
from models.queued_job import QueuedJob, Words

NOW = datetime(2026, 6, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
JOB = QueuedJob("a", "json", "queued", 8, NOW - HOUR, limit_h=24.0, partition="train", user="amina", name="llama-99")


def row(k, run_h):
    submit = NOW - timedelta(hours=1000 - 3 * k)
    times = [int((submit + h * HOUR).timestamp()) for h in (0.0, 0.5, 0.5 + run_h)]
    cells = ["amina", f"llama-{k}", "train", *map(str, times), "1-00:00:00", "gres/gpu=8", "COMPLETED"]
    return "|".join(cells)


def accounting(path, run_h, jobs=300):
    """Jobs that ask for a day and run about ``run_h``."""
    rows = [row(k, run_h * (0.9 + 0.02 * (k % 11))) for k in range(jobs)]
    path.write_text("\n".join(["|".join(COLUMNS), *rows]) + "\n")


@pytest.fixture
def path(tmp_path):
    accounting(tmp_path / "sacct.txt", 2.0)
    return tmp_path / "sacct.txt"


def test_the_planner_gets_the_stated_quantile_and_not_the_limit(house, path):
    class Listed:
        name = "queue"

        def jobs(self, now):
            told = replace(JOB, id="told", words=Words(work_h=7.0))
            return [JOB, replace(JOB, id="running", state="running", ran_h=1.5), told]

    (path.parent / "policy.toml").write_text('[[rows]]\nname = "r"\npartitions = ["train"]\nlongest_delay_h = 6.0\n')
    policy = PolicyFile(path.parent / "policy.toml")
    clock = ShiftedClock(NOW - datetime.now(UTC))
    times = Expectations(path, 0.9)
    turn = list_turn(60.0, Listed(), policy, house.doors.site, house.doors.jobs, clock, times)
    assert turn.take()
    assert turn.told["ok"], turn.told
    left = {known.job.id: known.job.work_h for known in house.doors.jobs.open()}
    assert left["a"] == pytest.approx(2.2, abs=0.2), "not the 24 h that were asked for"
    assert left["running"] == pytest.approx(left["a"] - 1.5, abs=0.15), "of what it has not run yet"
    assert left["told"] == 7.0
    assert turn.told["run_times"] == "P90 of run times as 300 ended jobs had them"


def test_a_newer_accounting_is_learned_from_at_the_next_look(path):
    times = Expectations(path, 0.9)
    assert times.of([JOB], NOW)[0].expected_h == pytest.approx(2.2, abs=0.2)
    accounting(path, 5.0)
    os.utime(path, (0, 0))
    assert times.of([JOB], NOW)[0].expected_h == pytest.approx(5.5, abs=0.5)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no column User"),
        ("|".join(COLUMNS) + "\n", "no job in it has ended"),
        ("|".join(COLUMNS) + "\n" + row(0, 1.0) + "\n", "200 are needed"),
        (None, "No such file"),
    ],
)
def test_while_nothing_is_learned_the_limits_count_and_it_is_said(path, text, why):
    times = Expectations(path, 0.9)
    times.of([JOB], NOW)
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert times.of([JOB], NOW)[0].expected_h is None
    assert times.told.startswith("the time limits count: ")
    assert why in times.told


def test_a_file_that_was_away_for_a_while_teaches_again(path):
    times = Expectations(path, 0.9)
    before = times.of([JOB], NOW)
    aside = path.rename(path.with_suffix(".aside"))
    assert times.of([JOB], NOW)[0].expected_h is None
    aside.rename(path)
    assert times.of([JOB], NOW) == before
    assert times.told.startswith("P90")


def metered(path, watts, jobs=300):
    """Jobs of 8 GPUs and two hours whose nodes' meters counted ``watts`` a GPU, 100 W of it the host's."""
    luck = watts * np.random.default_rng(1).uniform(0.95, 1.05, jobs)
    rows = [f"{row(k, 2.0)}|{round((w + 100.0) * 8 * 7200)}" for k, w in enumerate(luck)]
    path.write_text("\n".join(["|".join((*COLUMNS, ENERGY)), *rows]) + "\n")


def test_what_such_jobs_drew_becomes_the_levels_of_the_plan(path):
    metered(path, 300.0)
    times = Expectations(path, 0.9, Draw(0.9, lambda _: 100.0))
    (job,) = times.of([JOB], NOW)
    assert job.drawn_w == pytest.approx(312.0, abs=5.0), "P90 of 285 to 315 W, evenly"
    assert job.expected_h == pytest.approx(2.0, abs=0.1)
    assert times.power_told == "P90 of what 300 ended jobs drew per GPU"
    rows = Policy(rows=(PolicyRow(name="r", partitions=("train",), longest_delay_h=6.0),))
    planned = judge(job, rows, {"hall": 96}, NOW).job
    assert planned.drawn_w == pytest.approx(job.drawn_w, abs=0.1)
    assert run_times_told(times)["drawn_power"] == times.power_told


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (lambda path: accounting(path, 2.0), "no column ConsumedEnergyRaw"),
        (lambda path: metered(path, 9000.0), "0 jobs with drawn_w"),
        (lambda path: metered(path, 300.0, jobs=120), "120 jobs with drawn_w"),
    ],
)
def test_while_no_power_is_learned_the_curves_count_and_it_is_said(path, write, why):
    write(path)
    times = Expectations(path, 0.9, Draw(0.9, lambda _: 100.0))
    assert times.of([JOB], NOW)[0].drawn_w is None
    assert times.power_told.startswith("the power curves count: ")
    assert why in times.power_told


def test_telemetry_of_whole_nodes_that_nothing_held_back_tells_what_jobs_drew(path):
    """300 jobs of an hour on two nodes of four GPUs; every third ran under a limit and drew less."""
    store, first = MemoryStore(), NOW - timedelta(hours=600)
    luck = np.random.default_rng(2).uniform(290.0, 310.0, 300)
    rows, points = [], []
    for k in range(300):
        start = first + timedelta(hours=2 * k)
        capped = k % 3 == 0
        times = [int((start + h * HOUR).timestamp()) for h in (-0.5, 0.0, 1.0)]
        cells = ["amina", f"llama-{k}", "train", *map(str, times), "1-00:00:00", "gres/gpu=8", "COMPLETED", "n[1-2]"]
        rows.append("|".join(cells))
        for node in ("n1", "n2"):
            for gpu in range(4):
                tags = canonical({"site": "local", "node": node, "gpu": str(gpu)})
                fields = (("power_w", 200.0 if capped else luck[k]), ("limit_w", 250.0 if capped else 400.0))
                points += [Point("gpu", tags, fields, to_ns(start + q * HOUR / 4)) for q in range(4)]
    store.write(points, NOW)
    path.write_text("\n".join(["|".join((*COLUMNS, "NodeList")), *rows]) + "\n")
    site = read_site(sample_path("local"))
    jobs = site.jobs.model_copy(update={"accounting": path.name, "power_from": "telemetry", "drawn_level": 0.9})
    times = expectations_of(site.model_copy(update={"jobs": jobs}), path.parent, store)
    (job,) = times.of([JOB], NOW)
    assert times.power_told == "P90 of what 200 ended jobs drew per GPU"
    assert job.drawn_w == pytest.approx(308.0, abs=4.0), "of 290 to 310 W, none of the 200 W under a limit"


def test_a_nodes_meter_is_less_its_host_and_a_gpus_is_its_own(tmp_path):
    site = read_site(sample_path("local"))

    def beside(**told):
        jobs = site.jobs.model_copy(update={"accounting": "sacct.txt", **told})
        return expectations_of(site.model_copy(update={"jobs": jobs}), tmp_path)._draw

    assert beside() is None
    assert beside(power_from="gpu_energy").other_w("train") == 0.0
    assert beside(power_from="node_energy").other_w("train") == site.host_w(site.pools[0])


def test_a_site_that_names_no_accounting_plans_with_limits(tmp_path):
    site = read_site(sample_path("local"))
    assert expectations_of(site, tmp_path) is None
    jobs = site.jobs.model_copy(update={"accounting": "sacct.txt", "expected_level": 0.75})
    assert expectations_of(site.model_copy(update={"jobs": jobs}), tmp_path) is not None
