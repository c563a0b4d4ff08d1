"""A made-up day of jobs for a sample site: the same site, day and seed give the same jobs, always.

Every job says ``source="synthetic"``. The mix is *assumed*: lognormal run times around the site's median (0.5 to
14 h), gangs as powers of two times a node with a heavy tail (most under 5 % of their pool, a few carry most of the
GPU-hours), half preemptible, more arrivals in working hours, a fifth waiting from before midnight (with windows that
count from midnight: what was due yesterday is not today's to plan).
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from models.gpu_power import CapCurve
from models.horizon import local_day
from models.jobs import Priority, TrainingJob, Workload
from models.site import GpuPool, Site

Values = NDArray[np.float64]
Whole = NDArray[np.int_]
_SMALL = 0.05
_FITS = 6
_TENANTS = ("atlas", "argan", "sirocco", "tifinagh")
_PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high")
_SLACK = {"low": (2.0, 5.0), "normal": (1.7, 3.5), "high": (1.5, 2.5)}


def synthetic_jobs(site: Site, day: date, seed: int = 1) -> list[TrainingJob]:
    """Jobs of one local day, by release.

    GPU-hours are ``site.synthetic.utilisation`` of what the pools offer in that day, whatever its length; the
    number of jobs is ``site.synthetic.jobs_per_day``, split over the pools by their ``job_share``.
    """
    shares = np.array([pool.job_share for pool in site.pools])
    counts = np.maximum(1, np.round(shares / shares.sum() * site.synthetic.jobs_per_day)).astype(int)
    found: list[TrainingJob] = []
    for k, (pool, count) in enumerate(zip(site.pools, counts, strict=True)):
        rng = np.random.default_rng([seed, day.toordinal(), k])
        found += _pool_jobs(site, pool, day, int(count), rng)
    return sorted(found, key=lambda job: (job.release, job.id))


def _pool_jobs(site: Site, pool: GpuPool, day: date, count: int, rng: np.random.Generator) -> list[TrainingJob]:
    first, last = local_day(day, site.zone)
    hours = (last - first) / timedelta(hours=1)
    run = np.clip(rng.lognormal(np.log(site.synthetic.median_run_h), 0.6, count), 0.5, 14.0)
    wanted = site.synthetic.utilisation * pool.gpus * hours
    gangs = _gangs(pool, run, wanted, rng)
    for _ in range(_FITS):  # what the clip takes from one job, the others make up for
        run = np.clip(run * wanted / float(gangs @ run), 0.5, 14.0)
    offset = _arrivals_h(count, hours, rng)
    jobs = []
    for j in range(count):
        priority = _PRIORITIES[int(rng.choice(3, p=[0.45, 0.4, 0.15]))]
        release = first + timedelta(minutes=5 * round(offset[j] * 12))
        window = max(run[j] * rng.uniform(*_SLACK[priority]), run[j] + 1.0)
        preemptible = bool(rng.random() < 0.5)
        jobs.append(
            TrainingJob(
                id=f"syn-{day:%Y%m%d}-{pool.name}-{j:03d}",
                pool=pool.name,
                gpus=int(gangs[j]),
                workload=_workload(site.gpu(pool.gpu).curves, float(rng.random())),
                work_h=round(float(run[j]), 2),
                release=release,
                deadline=max(release, first) + timedelta(minutes=5 * round(window * 12)),
                priority=priority,
                preemptible=preemptible,
                restart_loss_h=round(float(rng.uniform(0.05, 0.25)), 2) if preemptible else 0.0,
                min_run_slots=4 if preemptible else 1,
                min_pause_slots=2 if preemptible else 1,
                max_pauses=3 if preemptible else None,
                tenant=_TENANTS[int(rng.integers(len(_TENANTS)))],
                source="synthetic",
                submitted_at=release - timedelta(minutes=5 * int(rng.integers(1, 25))),
            )
        )
    return jobs


def _workload(curves: tuple[CapCurve, ...], draw: float) -> Workload:
    known: tuple[Workload, ...] = tuple(curve.workload for curve in curves)
    wanted: Workload = "pretrain" if draw < 0.45 else "finetune" if draw < 0.8 else "inference"
    return wanted if wanted in known else known[0]


def _gangs(pool: GpuPool, run_h: Values, wanted: float, rng: np.random.Generator) -> Whole:
    """Gangs whose GPU-hours come nearest to ``wanted``.

    Six of ten are under 5 % of the pool; the tail of the others, up to a sixth of the pool, is bent until the
    sum fits.
    """
    sizes = [pool.gpus_per_node]
    while sizes[-1] * 2 <= pool.gpus // 6:
        sizes.append(sizes[-1] * 2)
    choice = np.array([min(size, pool.gpus) for size in sizes])
    small = choice[choice < _SMALL * pool.gpus]
    large = choice[choice >= _SMALL * pool.gpus]
    draw = rng.random(run_h.size)
    few = small[(draw * small.size).astype(int)] if small.size else choice[np.zeros(run_h.size, int)]
    is_small = (rng.permutation(run_h.size) < round(0.6 * run_h.size)) & bool(small.size)
    best = few
    for bend in np.linspace(3.0, -3.0, 121):
        weight = large.astype(float) ** -bend
        many = large[np.searchsorted(np.cumsum(weight / weight.sum()), draw).clip(0, large.size - 1)]
        gangs = np.where(is_small, few, many)
        if abs(gangs @ run_h - wanted) < abs(best @ run_h - wanted):
            best = gangs
    return best


def _arrivals_h(count: int, hours: float, rng: np.random.Generator) -> Values:
    """Hours after local midnight: a fifth up to six hours before it, the rest denser from 8 to 18 h."""
    early = rng.random(count) < 0.2
    working = rng.random(count) < 0.6
    spread = np.where(working, rng.uniform(8, 18, count), rng.uniform(0, hours - 0.5, count))
    return np.where(early, -rng.uniform(0, 6, count), spread)
