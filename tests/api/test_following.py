"""What is believed to have happened while nobody told: the plan, slot by slot."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.following import Memory, arrived, as_it_stands, followed_job, followed_memory
from api.gathering import first_memory, gather, horizon_at, made_up_jobs, wants_made_up_jobs
from api.store.jobs import KnownJob, Progress
from ingest.site_file import read_site, sample_path
from models.horizon import rfc3339
from models.jobs import TrainingJob

T0 = datetime(2026, 11, 25, 6, tzinfo=UTC)
Q = timedelta(minutes=15)


def known(progress: Progress | None = None, **changes: Any) -> KnownJob:
    body = {"id": "a", "pool": "hall", "gpus": 8, "work_h": 2.0, "release": rfc3339(T0), "preemptible": True, **changes}
    job = TrainingJob.model_validate(body)
    return KnownJob(job, progress or Progress(job.work_h, job.state, job.ran_slots, T0), "open", None, "", "")


def edition(*runs: tuple[int, int, float], count: int = 1) -> dict[str, Any]:
    told = [
        {"start": rfc3339(T0 + a * Q), "end": rfc3339(T0 + b * Q), "speed": speed, "count": count}
        for a, b, speed in runs
    ]
    return {
        "problem": {"horizon": {"start": rfc3339(T0), "step_minutes": 15, "slots": 16}},
        "plan": {
            "jobs": [{"id": "a", "runs": told}],
            "series": {"soc_mwh": {"b": [float(k) for k in range(16)]}, "import_mw": [5.0] * 3 + [9.0] + [1.0] * 12},
        },
    }


def after(slots: int, plan: dict[str, Any], job: KnownJob) -> tuple[float, str, int, str]:
    progress, status, _ = followed_job(job, plan, T0 + slots * Q)
    return round(progress.work_left_h, 9), progress.state, progress.ran_slots, status


def test_a_job_works_pauses_and_pays_for_resuming() -> None:
    plan = edition((1, 3, 1.0), (5, 7, 0.8))
    job = known(restart_loss_h=0.1)
    assert after(0, plan, job) == (2.0, "queued", 0, "open")
    assert after(1, plan, job) == (2.0, "queued", 0, "open")
    assert after(2, plan, job) == (1.75, "running", 1, "open")
    assert after(3, plan, job) == (1.5, "running", 2, "open")
    assert after(4, plan, job) == (1.5, "paused", 0, "open")
    assert after(6, plan, job) == (1.4, "running", 1, "open"), "0.8 x 0.25 h less 0.1 h lost"
    assert after(9, plan, job) == (1.2, "paused", 0, "open")


def test_steps_add_up_to_the_whole_way() -> None:
    plan = edition((1, 3, 1.0), (5, 7, 0.8))
    job = known(restart_loss_h=0.1)
    for slot in range(12):
        progress, status, _ = followed_job(job, plan, T0 + slot * Q)
        job = KnownJob(job.job, progress, status, None, "", "")
    whole, _, _ = followed_job(known(restart_loss_h=0.1), plan, T0 + 11 * Q)
    assert job.progress.work_left_h == pytest.approx(whole.work_left_h)
    assert (job.progress.state, job.progress.ran_slots) == (whole.state, whole.ran_slots)


def test_what_was_said_in_the_middle_counts_from_there() -> None:
    plan = edition((0, 8, 1.0))
    said = known(Progress(2.0, "running", 4, T0 + timedelta(minutes=20)))
    assert after(4, plan, said) == (1.5, "running", 6, "open"), "slots 2 and 3; slot 1 had begun"


def test_a_job_whose_work_is_done_is_done() -> None:
    assert after(8, edition((0, 8, 1.0)), known()) == (0.0, "running", 8, "done")
    assert after(8, edition((0, 8, 1.0)), known(id="other")) == (2.0, "queued", 0, "open")


def test_copies_share_what_was_done() -> None:
    job = known(count=4, preemptible=False)
    assert after(2, edition((0, 2, 1.0), count=2), job) == (1.75, "queued", 0, "open")
    assert after(2, edition((0, 2, 1.0), count=4), job) == (1.5, "running", 2, "open")


def test_the_site_is_where_its_plan_said() -> None:
    site = read_site(sample_path("local"))
    memory = Memory(T0, {"b": 3.5}, 4.0)
    assert followed_memory(site, memory, edition(), T0) == memory
    assert followed_memory(site, memory, edition(), T0 + 3 * Q) == Memory(T0 + 3 * Q, {"b": 2.0}, 5.0)
    assert followed_memory(site, memory, edition(), T0 + 4 * Q).peak_mw == 9.0
    late = T0 + timedelta(days=3)
    assert followed_memory(site, memory, edition(), late) == Memory(late, {"b": 15.0}, 9.0)
    december = datetime(2026, 12, 2, tzinfo=UTC)
    assert followed_memory(site, memory, edition(), december).peak_mw == site.grid.peak_assumed_mw


def test_the_peak_is_the_mean_of_a_billing_interval_and_not_of_a_slot() -> None:
    site, memory = read_site(sample_path("local")), Memory(T0, {"b": 3.5}, 4.0)
    hourly = edition()
    # two slots of the running hour are behind with 2.5 MWh; 5, 5 end it at 5 MW, then 5, 9, 1, 1 make 4
    hourly["problem"]["grid"] = {"billing_interval_slots": 4, "billing_elapsed_slots": 2, "billing_elapsed_mwh": 2.5}
    assert followed_memory(site, memory, hourly, T0 + Q).peak_mw == 4.0
    assert followed_memory(site, memory, hourly, T0 + 2 * Q).peak_mw == 5.0
    assert followed_memory(site, memory, hourly, T0 + 6 * Q).peak_mw == 5.0


def test_made_up_jobs_are_the_same_each_time_and_stand_where_the_clock_does() -> None:
    site = read_site(sample_path("local"))
    assert wants_made_up_jobs(site)
    horizon = horizon_at(site, T0 + timedelta(minutes=7))
    assert (horizon.start, horizon.slots) == (T0, 144)
    jobs = made_up_jobs(site, horizon)
    assert jobs == made_up_jobs(site, horizon)
    assert {job.source for job, _ in jobs} == {"synthetic"}
    for job, progress in jobs:
        assert job.deadline is not None
        assert job.deadline > horizon.start
        assert job.release < horizon.end
        assert 0 < progress.work_left_h <= job.work_h
        assert (progress.work_left_h < job.work_h) == (job.release < horizon.start)
    over = known(deadline=rfc3339(T0 + Q)).job
    assert arrived(over, T0 + Q) is None


def test_a_job_that_may_no_longer_run_is_set_aside_with_the_reason() -> None:
    site = read_site(sample_path("local"))
    strict = site.model_copy(update={"wishes": site.wishes.model_copy(update={"late_per_gpu_h": {}})})
    late = known(deadline=rfc3339(T0 + Q))
    found = gather(strict, None, [late], T0 + 2 * Q)
    assert found.jobs == []
    assert found.changed["a"][2:] == ("set_aside", "its deadline has passed, and its priority may not run late")
    assert found.memory == first_memory(strict, T0 + 2 * Q)
    assert [k.job.id for k in gather(site, None, [late], T0 + 2 * Q).jobs] == ["a"]


def placed(*runs: tuple[int, int, str, int], **job: Any) -> dict[str, Any]:
    """A plan in which job a runs so: from, until, pool, gang."""
    found = edition(*((a, b, 1.0) for a, b, _, _ in runs))
    for run, (_, _, pool, gpus) in zip(found["plan"]["jobs"][0]["runs"], runs, strict=True):
        run |= {"pool": pool, "gpus": gpus}
    found["problem"] |= {
        "jobs": [{"id": "a", "pool": "hall", "gpus": 8, **job}],
        "pools": [{"name": "hall"}, {"name": "cloud", "partner": {"price_per_gpu_h": 1.0}}],
    }
    return found


def test_a_job_is_followed_to_where_the_plan_has_it_and_pays_for_a_changed_gang() -> None:
    job = known(pools=["annex"], gang_sizes=[4], restart_loss_h=0.2, resize_loss_h=0.1)
    plan = placed((0, 2, "annex", 4), (2, 3, "annex", 8))
    progress, _, _ = followed_job(job, plan, T0 + 2 * Q)
    assert (progress.work_left_h, progress.way) == (1.5, ("annex", 4))
    stands = as_it_stands(replace(job, progress=progress))
    assert (stands.state, stands.running_pool, stands.running_gpus) == ("running", "annex", 4)
    later, _, _ = followed_job(replace(job, progress=progress), plan, T0 + 3 * Q)
    assert (later.work_left_h, later.way) == (pytest.approx(1.35), ("annex", 8)), "0.25 h done, 0.1 h lost"
    over, _, _ = followed_job(replace(job, progress=later), plan, T0 + 5 * Q)
    assert (over.state, over.way) == ("paused", None)
    assert as_it_stands(replace(job, progress=over)).where == ("hall", 8)


def test_a_job_told_to_run_but_not_where_runs_as_planned_and_one_with_one_way_says_nothing() -> None:
    told = known(Progress(2.0, "running", 1, T0 + Q / 2), pools=["annex"], state="running")
    progress, _, _ = followed_job(told, placed((0, 4, "annex", 8)), T0 + 2 * Q)
    assert progress.way == ("annex", 8)
    plain, _, _ = followed_job(known(), placed((0, 4, "hall", 8)), T0 + 2 * Q)
    assert plain.way is None


def test_gpu_hours_of_partners_add_up_until_the_month_is_over() -> None:
    site = read_site(sample_path("local"))
    memory = Memory(T0, {"b": 1.0}, 4.0, {"cloud": 3.0})
    plan = placed((0, 2, "cloud", 4), (2, 4, "hall", 8), (6, 8, "cloud", 8))
    # two slots of four GPUs, then one of eight: 2 + 2 GPU-hours
    assert followed_memory(site, memory, plan, T0 + 7 * Q).rented_gpu_h == {"cloud": 7.0}
    assert Memory.from_json(Memory(T0, {}, 0.0, {"cloud": 7.0}).to_json()).rented_gpu_h == {"cloud": 7.0}
    # at 23:00 UTC on the last day it is midnight in Casablanca: what was rented before belongs to the month before
    end = datetime(2026, 11, 30, 22, 30, tzinfo=UTC)
    shifted = json.loads(json.dumps(plan).replace(rfc3339(T0), rfc3339(end)))
    for run, (a, b) in zip(shifted["plan"]["jobs"][0]["runs"], ((0, 2), (2, 4), (6, 8)), strict=True):
        run |= {"start": rfc3339(end + a * Q), "end": rfc3339(end + b * Q)}
    before = Memory(end, {"b": 1.0}, 4.0, {"cloud": 3.0})
    assert followed_memory(site, before, shifted, end + Q).rented_gpu_h == {"cloud": 4.0}
    assert followed_memory(site, before, shifted, end + 7 * Q).rented_gpu_h == {"cloud": 2.0}
