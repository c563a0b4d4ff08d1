"""Made-up days of jobs: the same for the same seed, and what their docstring promises."""

from datetime import date, timedelta

import numpy as np
import pytest

from ingest.site_file import SAMPLES, read_site, sample_path
from ingest.sources.synthetic_jobs import synthetic_jobs
from models.horizon import local_day

DAYS = [date(2026, 6, 3), date(2026, 2, 15), date(2026, 3, 22), date(2026, 11, 25)]


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_day_has_the_jobs_and_the_gpu_hours_that_the_site_says(name, day):
    site = read_site(sample_path(name))
    jobs = synthetic_jobs(site, day)
    first, last = local_day(day, site.zone)
    assert len(jobs) == site.synthetic.jobs_per_day
    assert len({job.id for job in jobs}) == len(jobs)
    assert all(job.source == "synthetic" for job in jobs)
    assert [job.release for job in jobs] == sorted(job.release for job in jobs)
    assert first - timedelta(hours=6) <= jobs[0].release < first
    assert jobs[-1].release < last
    for pool in site.pools:
        own = [job for job in jobs if job.pool == pool.name]
        asked = sum(job.gpus * job.work_h for job in own)
        offered = pool.gpus * ((last - first) / timedelta(hours=1))
        assert asked / offered == pytest.approx(site.synthetic.utilisation, abs=0.04)
        assert all(job.gpus <= pool.gpus // 3 and job.gpus % pool.gpus_per_node == 0 for job in own)
    assert all(0.5 <= job.work_h <= 14 for job in jobs)
    room = timedelta(hours=1)
    assert all(job.deadline - max(job.release, first) >= timedelta(hours=job.work_h - 0.1) + room for job in jobs)


def test_the_same_seed_gives_the_same_day_and_another_one_another():
    site = read_site(sample_path("dakhla"))
    assert synthetic_jobs(site, DAYS[0], 3) == synthetic_jobs(site, DAYS[0], 3)
    assert synthetic_jobs(site, DAYS[0], 3) != synthetic_jobs(site, DAYS[0], 4)
    assert synthetic_jobs(site, DAYS[0], 3) != synthetic_jobs(site, DAYS[1], 3)


def test_the_mix_is_what_the_docstring_says():
    site = read_site(sample_path("dakhla"))
    jobs = [job for seed in range(8) for job in synthetic_jobs(site, DAYS[0], seed)]
    small = [job.gpus < 0.05 * site.pool(job.pool).gpus for job in jobs]
    assert np.mean(small) == pytest.approx(0.6, abs=0.02)
    assert np.mean([job.preemptible for job in jobs]) == pytest.approx(0.5, abs=0.1)
    assert np.mean([job.release < local_day(DAYS[0], site.zone)[0] for job in jobs]) == pytest.approx(0.2, abs=0.08)
    assert {job.workload for job in jobs} == {"pretrain", "finetune", "inference"}
    assert {job.priority for job in jobs} == {"low", "normal", "high"}
