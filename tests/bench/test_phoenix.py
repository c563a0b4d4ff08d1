"""The replay's own arithmetic, on the trial's public data."""

from __future__ import annotations

import pytest

from bench.phoenix import (
    DATA,
    FLOOR,
    Job,
    _floor_w,
    base_mw,
    cluster,
    most_by_curves,
    sweep,
    trial_jobs,
    trial_power,
    weighted,
)
from models.gpu_power import speed_at_limit

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"THE TRIAL'S DATA IS NOT AT {DATA}: the replay is NOT tested"
)


def test_weights_by_gpus_and_equal_ones() -> None:
    jobs = [Job("a", 30, "Flex 1", 1.0, "x"), Job("b", 10, "Flex 3", 0.6, "x")]
    assert weighted(jobs, {"a": 1.0, "b": 0.6}) == (pytest.approx(0.9), pytest.approx(0.8))


def test_the_trials_jobs_have_its_256_gpus_and_each_floor_is_the_least_cap_of_its_tier() -> None:
    curves = sweep(DATA)
    jobs, own = trial_jobs(DATA, curves)
    assert sum(job.gpus for job in jobs) == 256
    assert own == pytest.approx(0.90956, abs=1e-5)
    assert weighted(jobs, {job.name: job.trial for job in jobs})[0] == pytest.approx(0.87709, abs=1e-5)
    site = cluster(jobs, curves)
    for job in jobs:
        gpu, floor = site.gpu(job.name), _floor_w(site, job)
        assert speed_at_limit(gpu, "pretrain", floor) >= FLOOR[job.tier] > speed_at_limit(gpu, "pretrain", floor - 1)


def test_the_simulated_base_lies_within_two_percent_of_the_trials() -> None:
    curves = sweep(DATA)
    jobs, _ = trial_jobs(DATA, curves)
    base_w, mean, highest = trial_power(DATA)
    assert base_mw(cluster(jobs, curves), jobs) * 1e6 == pytest.approx(base_w, rel=0.02)
    assert 0.68 < mean < 0.69 < highest < 0.72, "as deep as was published"


def test_no_caps_reach_the_trials_figure_on_the_curves_that_were_published() -> None:
    curves = sweep(DATA)
    jobs, own = trial_jobs(DATA, curves)
    site = cluster(jobs, curves)
    by_gpus = {job.name: float(job.gpus) for job in jobs}
    full_mw = sum(job.gpus * curves[job.workload][-1]["drawn_w"] for job in jobs) / 1e6
    assert most_by_curves(site, jobs, full_mw, by_gpus) == pytest.approx(1.0)
    at_order = most_by_curves(site, jobs, 0.75 * full_mw, by_gpus)
    as_deep = most_by_curves(site, jobs, 0.688 * full_mw, by_gpus)
    assert as_deep < at_order < own
    assert as_deep < weighted(jobs, {job.name: job.trial for job in jobs})[0], "the trial's jobs kept more than that"
    with pytest.raises(ValueError, match="no caps keep every tier"):
        most_by_curves(site, jobs, 0.3 * full_mw, by_gpus)
