"""Run times that the accounting teaches take the place of padded limits in the plan, and fall away with it."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.clock import ShiftedClock
from api.expectations import Expectations
from api.job_round import list_turn
from api.job_sources import expectations_of
from ingest.accounting import COLUMNS
from ingest.policy_file import PolicyFile
from ingest.site_file import read_site, sample_path
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


def test_a_site_that_names_no_accounting_plans_with_limits(tmp_path):
    site = read_site(sample_path("local"))
    assert expectations_of(site, tmp_path) is None
    jobs = site.jobs.model_copy(update={"accounting": "sacct.txt", "expected_level": 0.75})
    assert expectations_of(site.model_copy(update={"jobs": jobs}), tmp_path) is not None
