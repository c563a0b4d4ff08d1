"""Real inputs for a day: a typical year, a job queue, a cluster's occupancy and measured cap curves.

The typical year ships with pvlib; the rest lies in ``../shared/data`` beside the checkout and is never
copied into the project. What is ours in between (scaling, workload classes, deadlines) is said in each
function and printed by the command.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pvlib

from models.gpu_power import CapCurve, CapPoint, GpuModel
from models.jobs import TrainingJob, Workload
from models.site import GpuPool, Site

A100 = "A100-SXM4 (cap range 100-400 W; 256-GPU Phoenix cluster)"
KEY = "A100-SXM4-measured"
HOST_W = 198.0  # per GPU: mean of Acme's 8 x A100 nodes, NSDI'24
_CLASSES: dict[str, Workload] = {"pretrain": "pretrain", "finetune": "finetune", "batch_inference": "inference"}
# GAIA's own setting: short jobs may wait 6 h, long ones 24 h; its border of 2 h is taken over.
_SHORT_H, _WAIT_SHORT_H, _WAIT_LONG_H = 2.0, 6.0, 24.0


class Missing(Exception):
    """A real input is not there; the message says which and where it was looked for."""


@dataclass(frozen=True, slots=True)
class QueueDay:
    """One day of a queue: hours after midnight, run hours and resource units of the jobs kept."""

    day: int
    rows: tuple[tuple[float, float, int], ...]
    jobs_that_day: int
    unit_hours_that_day: float

    @property
    def share_kept(self) -> float:
        """Share of the day's unit-hours that the kept jobs carry."""
        return sum(length * units for _, length, units in self.rows) / self.unit_hours_that_day


def tmy3_file() -> Path:
    """pvlib's own TMY3 file (Greensboro, North Carolina)."""
    return _there(Path(pvlib.__file__).parent / "data" / "723170TYA.CSV")


def shared_data() -> Path:
    """Folder of the real data beside the checkout.

    Raises:
        Missing: it is not there.
    """
    return _there(Path(__file__).resolve().parents[2] / "shared" / "data")


def _there(path: Path) -> Path:
    if not path.exists():
        raise Missing(f"{path} is not there; this command needs that real input and makes none up")
    return path


def busiest_gaia_day(data: Path, count: int, least_h: float = 0.5) -> QueueDay:
    """The day with the most unit-hours of GAIA's year, and its ``count`` largest jobs of at least ``least_h``."""
    days: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    with _there(data / "jobs" / "gaia_pai_100k_year.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            arrival = float(row["arrival_h"])
            days[int(arrival // 24)].append((arrival % 24, float(row["length_h"]), int(row["units"])))
    total = {day: sum(length * units for _, length, units in rows) for day, rows in days.items()}
    day = max(total, key=lambda d: total[d])
    long = [row for row in days[day] if row[1] >= least_h]
    kept = sorted(sorted(long, key=lambda row: -row[1] * row[2])[:count])
    return QueueDay(day, tuple(kept), len(days[day]), total[day])


def helios_day_shape(data: Path) -> list[float]:
    """24 factors around 1: running GPUs by hour of the day over May 2020 in Helios' cluster Earth/VCS."""
    hours: dict[int, list[float]] = defaultdict(list)
    with _there(data / "jobs" / "helios_earth_vcs_hourly_may2020.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            hours[int(row["time"][11:13])].append(float(row["running_gpu"]))
    means = [sum(hours[hour]) / len(hours[hour]) for hour in range(24)]
    return [mean / (sum(means) / 24) for mean in means]


def measured_a100(data: Path) -> GpuModel:
    """Emerald's measured A100 curves as a catalogue row: mean over the workloads of each class at each cap."""
    points: dict[Workload, dict[float, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    with _there(data / "gpu" / "power_cap_curves.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["gpu"] == A100:
                workload = _CLASSES[row["workload_class"]]
                points[workload][float(row["cap_w"])].append((float(row["avg_power_w"]), float(row["rel_throughput"])))
    source = "Emerald AI, Phoenix trial of May 2025, data/dvfs_sweep.csv (Apache-2.0)"
    curves = []
    for workload, caps in points.items():
        top = _mean(caps[max(caps)], 1)
        curves.append(
            CapCurve(
                workload=workload,
                evidence="measured",
                source=source,
                points=tuple(
                    CapPoint(limit_w=cap, drawn_w=_mean(caps[cap], 0), speed=min(1.0, _mean(caps[cap], 1) / top))
                    for cap in sorted(caps)
                ),
            )
        )
    return GpuModel(
        key=KEY,
        title="A100-SXM4 400 W, measured curves",
        min_limit_w=100.0,
        max_limit_w=400.0,
        idle_w=60.0,
        limits_source=source,
        limits_evidence="measured",
        idle_source="Acme traces, NSDI'24: idle mode",
        idle_evidence="measured",
        host_w_per_gpu=HOST_W,
        host_source="Acme traces, NSDI'24: mean node overhead",
        host_evidence="measured",
        curves=tuple(curves),
    )


def _mean(rows: list[tuple[float, float]], column: int) -> float:
    return sum(row[column] for row in rows) / len(rows)


def with_a100(site: Site, model: GpuModel) -> Site:
    """The site with every pool refilled with measured A100s to the same nameplate power (whole nodes)."""
    pools = []
    for pool in site.pools:
        old = site.gpu(pool.gpu).max_limit_w + site.host_w(pool)
        nodes = round(pool.gpus * old / (model.max_limit_w + HOST_W) / pool.gpus_per_node)
        default = pool.default.model_copy(update={"limit_w": min(pool.default.limit_w, 250.0), "idle_limit_w": 100.0})
        pools.append(
            pool.model_copy(
                update={
                    "gpu": KEY,
                    "gpus": nodes * pool.gpus_per_node,
                    "default": default,
                    "host_w_per_gpu": None,
                    "idle_w_per_gpu": None,
                }
            )
        )
    return site.model_copy(update={"pools": tuple(pools), "gpu_models": (*site.gpu_models, model)})


def jobs_of(site: Site, queue: QueueDay, midnight: datetime, utilisation: float) -> list[TrainingJob]:
    """The queue's jobs as gangs of the site.

    From the queue: arrival, length, size relative to the others. Ours: one factor turns units into GPUs
    (whole nodes above one, at most a third of the pool) so that the day asks for ``utilisation`` of the site's
    GPU-hours; jobs go to the pool with most room left; over 12 h counts as pretraining, the rest as
    fine-tuning; jobs over 2 h may pause (0.1 h lost at a resume); deadlines are length plus GAIA's waits.
    """
    wanted = utilisation * 24.0 * sum(pool.gpus for pool in site.pools)
    low, high = 0.0, 1e6
    for _ in range(60):
        factor = (low + high) / 2
        asked = sum(
            gang * min(length, 24.0)
            for (_, length, _), (_, gang) in zip(queue.rows, _gangs(site, queue, factor), strict=True)
        )
        low, high = (factor, high) if asked < wanted else (low, factor)
    jobs = []
    for k, ((arrival, length, _), (pool, gang)) in enumerate(zip(queue.rows, _gangs(site, queue, high), strict=True)):
        release = midnight + timedelta(minutes=round(arrival * 60))
        wait = _WAIT_SHORT_H if length <= _SHORT_H else _WAIT_LONG_H
        long = length > _SHORT_H
        jobs.append(
            TrainingJob(
                id=f"gaia-{queue.day}-{k:03d}",
                pool=pool.name,
                gpus=gang,
                workload="pretrain" if length > 12.0 else "finetune",
                work_h=round(length, 4),
                release=release,
                deadline=release + timedelta(minutes=round((length + wait) * 60)),
                preemptible=long,
                restart_loss_h=0.1 if long else 0.0,
                source="csv",
                submitted_at=release,
            )
        )
    return jobs


def _gangs(site: Site, queue: QueueDay, factor: float) -> list[tuple[GpuPool, int]]:
    left = {pool.name: 24.0 * pool.gpus for pool in site.pools}
    found: list[tuple[GpuPool, int]] = []
    for _, length, units in queue.rows:
        pool = max(site.pools, key=lambda p: left[p.name])
        gang = max(1, round(units * factor))
        if gang > pool.gpus_per_node:
            gang = round(gang / pool.gpus_per_node) * pool.gpus_per_node
        gang = min(gang, pool.gpus // 3)
        left[pool.name] -= gang * min(length, 24.0)
        found.append((pool, gang))
    return found
