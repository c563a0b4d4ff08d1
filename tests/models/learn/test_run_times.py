"""Run times and drawn power from the likes of a job."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidInput
from models.job_policy import judge, read_policy
from models.learn.ended_jobs import FEATURES, EndedJob, check_ended, log_hours, seen_at_submission, stem
from models.learn.run_times import LEVELS, JobQuantiles, fit_drawn_power, fit_run_times, with_expectations
from models.queued_job import QueuedJob, Words

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = BEGIN + timedelta(days=60)
USUAL_H = {("amina", "llama-#"): 20.0, ("amina", "eval"): 0.5, ("bilal", "sweep_#"): 3.0, ("bilal", "llama-#"): 8.0}
USUAL_W = dict(zip(USUAL_H, (380.0, 150.0, 300.0, 350.0), strict=True))


@cache
def jobs(count: int = 1000, seed: int = 1) -> tuple[EndedJob, ...]:
    """A made-up accounting: four kinds of jobs, each log-normal around its usual run; limits three times as long."""
    rng = np.random.default_rng(seed)
    kinds = list(USUAL_H)
    found = []
    for k in range(count):
        user, name = kinds[int(rng.integers(4))]
        hours = USUAL_H[user, name] * float(np.exp(rng.normal(0, 0.3)))
        at = BEGIN + timedelta(hours=float(k) * 24 * 70 / count)
        start = at + timedelta(hours=float(rng.exponential(1.0)))
        watts = USUAL_W[user, name] * float(np.exp(rng.normal(0, 0.05)))
        ended = start + timedelta(hours=hours)
        limit = round(3 * USUAL_H[user, name], 1)
        found.append(EndedJob(user, name.replace("#", str(k)), "a", 8, at, start, ended, limit, watts))
    return tuple(found)


@cache
def seen():  # type: ignore[no-untyped-def]
    return seen_at_submission(jobs(400), log_hours)


@cache
def model() -> JobQuantiles:
    return fit_run_times(jobs(), UNTIL)


def queued(user: str, name: str, limit_h: float = 60.0) -> QueuedJob:
    return QueuedJob("slurm-1", "slurm", "queued", 8, UNTIL, user=user, name=name, limit_h=limit_h)


def test_a_job_is_expected_to_run_like_its_likes_and_not_like_its_limit() -> None:
    assert model().expected_h(queued("amina", "llama-9999"), 0.5) == pytest.approx(20.0, rel=0.2)
    assert model().expected_h(queued("bilal", "sweep_7", limit_h=9.0), 0.5) == pytest.approx(3.0, rel=0.2)
    assert 0.55 < model().expected_h(queued("amina", "eval", limit_h=1.5), 0.9) < 1.2  # 0.73 in truth


def test_quantiles_cover_what_they_say_on_jobs_that_came_later() -> None:
    late = [job for job in jobs() if job.submitted_at >= UNTIL]
    rows, values, _, _ = seen_at_submission(jobs(), log_hours)
    found = model().of(rows[-len(late) :])
    hours = np.exp(values[-len(late) :])
    assert len(late) > 100
    assert np.mean(hours <= found[:, 2]) == pytest.approx(0.5, abs=0.12)
    assert np.mean((hours >= found[:, 0]) & (hours <= found[:, 4])) == pytest.approx(0.8, abs=0.1)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([*USUAL_H, ("nobody", "new")]),
    st.one_of(st.none(), st.floats(0.1, 100)),
    st.floats(0, 50),
    st.sampled_from([0.1, 0.5, 0.9]),
)
def test_every_expectation_lies_between_what_it_ran_and_its_limit(
    kind: tuple[str, str], limit: float | None, ran: float, level: float
) -> None:
    job = replace(queued(*kind), limit_h=limit, ran_h=ran, state="running")
    quantiles = model().of_job(job)
    assert (np.diff(quantiles) >= 0).all()
    assert quantiles[0] > 0
    found = model().expected_h(job, level)
    assert found >= ran
    if limit is not None:
        assert found <= max(limit, ran) * (1 + 1e-6)


def test_a_job_that_runs_on_is_estimated_anew() -> None:
    job = queued("bilal", "sweep_1", limit_h=9.0)
    assert model().expected_h(replace(job, state="running", ran_h=5.0), 0.5) > 5.0 > model().expected_h(job, 0.5)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_ended_later_teaches_nothing(seed: int) -> None:
    few = jobs(400)
    more = np.random.default_rng(seed).exponential(50, 400)
    later = [
        timedelta(hours=float(h)) if job.ended_at > UNTIL else timedelta() for job, h in zip(few, more, strict=True)
    ]
    changed = [replace(job, ended_at=job.ended_at + by) for job, by in zip(few, later, strict=True)]
    job = queued("amina", "llama-1")
    ours, theirs = (fit_run_times(rows, UNTIL) for rows in (few, changed))
    assert (ours.of_job(job) == theirs.of_job(job)).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 399))
def test_a_row_knows_only_jobs_that_had_ended_when_it_came(k: int) -> None:
    rows, _, order, _ = seen()
    before = [job for job in jobs(400) if job.ended_at <= order[k].submitted_at]
    assert rows[k, FEATURES.index("all_count")] == pytest.approx(np.log1p(len(before)))
    same = [job for job in before if (job.user, stem(job.name)) == (order[k].user, stem(order[k].name))]
    assert rows[k, FEATURES.index("like_count")] == pytest.approx(np.log1p(len(same)))


def test_long_jobs_that_have_not_ended_yet_are_reckoned_with() -> None:
    # Half of the jobs run 1 h, half 200 h. Of the long ones that began in the last 200 of 480 h none has ended, so that
    # all jobs of that time which did are short.
    rng = np.random.default_rng(4)
    begun = [BEGIN + timedelta(hours=float(h)) for h in np.sort(rng.uniform(0, 480, 1000))]
    until = BEGIN + timedelta(hours=480)
    runs = np.where(rng.random(1000) < 0.5, 1.0, 200.0) * np.exp(rng.normal(0, 0.02, 1000))
    every = [EndedJob("a", "x", "", 1, at, at, at + timedelta(hours=h)) for at, h in zip(begun, runs, strict=True)]
    ended = [job for job in every if job.ended_at <= until]
    assert not any(job.run_h > 100 for job in ended if job.submitted_at > BEGIN + timedelta(hours=300))
    job = QueuedJob("j", "slurm", "queued", 1, until, user="a", name="x")
    found = fit_run_times(ended, until).of_job(job)
    assert found[1] < 2.0
    assert found[3] > 100


def test_power_is_learned_where_telemetry_has_it() -> None:
    found = fit_drawn_power(jobs(), UNTIL)
    assert found.of_job(queued("amina", "llama-3"))[2] == pytest.approx(380, rel=0.05)
    assert found.of_job(queued("amina", "eval", limit_h=1.5))[2] == pytest.approx(150, rel=0.05)


def test_a_site_without_limits_or_names_still_learns() -> None:
    bare = [replace(job, limit_h=None, user="", name="") for job in jobs(400)]
    found = fit_run_times(bare, UNTIL).of_job(replace(queued("", ""), limit_h=None))
    assert found[0] < 3.0 < found[4]


def test_too_few_a_stuck_meter_and_impossible_records_are_refused() -> None:
    with pytest.raises(InvalidInput, match="until then the time limit and the catalogue count"):
        fit_run_times(jobs()[:150], UNTIL)
    with pytest.raises(InvalidInput, match="300 W for every job: the meter is stuck"):
        fit_drawn_power([replace(job, drawn_w=300.0) for job in jobs()], UNTIL)
    with pytest.raises(InvalidInput, match="0 jobs with drawn_w had ended"):
        fit_drawn_power([replace(job, drawn_w=None) for job in jobs()], UNTIL)
    one = jobs()[0]
    bad = [
        replace(one, submitted_at=one.ended_at),
        replace(one, gpus=0),
        replace(one, limit_h=float("nan")),
        replace(one, drawn_w=0.0),
        replace(one, started_at=one.started_at.replace(tzinfo=None)),
    ]
    with pytest.raises(InvalidInput) as refused:
        check_ended(bad)
    assert [fault.pointer for fault in refused.value.faults] == [
        "[0].started_at",
        "[1].gpus",
        "[2].limit_h",
        "[3].drawn_w",
        "[4].submitted_at",
    ]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [("llm-7b_run12", "llm-7b_run13", True), ("eval-3f9c2ab1", "eval-77c02de9", True), ("train", "eval", False)],
)
def test_names_are_alike_but_for_numbers_and_hashes(a: str, b: str, same: bool) -> None:
    assert (stem(a) == stem(b)) is same


def test_levels_are_those_that_the_page_names() -> None:
    assert LEVELS == (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def test_the_policy_plans_with_what_is_expected_in_place_of_the_limit() -> None:
    policy = read_policy({"rows": [{"name": "all", "longest_delay_h": 6.0}]}, "the policy")
    waiting = replace(queued("amina", "llama-1"), pool="hall")
    running = replace(waiting, state="running", ran_h=4.0)
    told = replace(waiting, words=Words(work_h=7.0))
    jobs_now = with_expectations([waiting, running, told], model(), 0.9)
    judged = [judge(job, policy, {"hall": 96}, UNTIL).job for job in jobs_now]
    expected = [model().expected_h(job, 0.9) for job in (waiting, running)]
    assert judged[0] is not None
    assert judged[1] is not None
    assert judged[2] is not None
    assert expected[0] < 60.0
    assert judged[0].work_h == pytest.approx(expected[0], abs=1e-3)
    assert judged[1].work_h == pytest.approx(expected[1] - 4.0, abs=1e-3)
    assert judged[2].work_h == 7.0  # what a job says of itself wins
