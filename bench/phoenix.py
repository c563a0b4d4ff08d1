"""The Phoenix event again, on a simulated cluster: same order, jobs, tiers and curves; a replay, not a field trial.

``python -m bench.phoenix [--data FOLDER] [--margin 0.01]``. In May 2025 Emerald AI held 256 GPUs in Phoenix at three
quarters of their power for three hours (arXiv:2507.00909); its one-minute power, its jobs' performance and a sweep of
caps on the same cluster are public (Apache-2.0). Here the event is a hard load target of the service, the plan is
ours, caps are followed as our agent follows them (down at once, up by wait and ramp), and the simulated plant draws
what the sweep's curves say, breathing as it assumes. GPU power only, as in the trial's data: no host, no cooling.
What no distribution of caps can pass on these curves stands beside ours, solved as a linear program of its own.

Limits of the method: curves are steady-state means, so a phase of a job that draws more is not in them; performance is
what the curve promises at the cap, where the trial measured tokens and steps; GPUs per job are read off the sweep (its
power over its power per GPU), and the trial's own weights are not public, so its jobs are weighted here by GPUs and
equally, and its own figure stands beside them. Prices are equal for all jobs; the tiers are floors of speed. A plan
that aims at the target itself is above it whenever its jobs breathe in, so the event has a margin.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from scipy.optimize import linprog

from agent.climb import Climb, spread
from api.events import GridEvent, with_events
from models.gpu_power import envelope, speed_at_limit
from models.horizon import Horizon, parse_rfc3339, rfc3339
from models.jobs import TrainingJob
from models.plant.nature import Air
from models.plant.orders import JobOrder, Orders
from models.plant.scenarios import Works
from models.plant.step import Plant
from models.site import Site, site_from
from optimizer.compose import Availability, SiteState, compose
from optimizer.document import Plan
from optimizer.refusals import check_problem
from optimizer.rolling import plan

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "emerald"
START = parse_rfc3339("2025-05-04T15:10:00-07:00")
ORDER, END = START + timedelta(hours=1), START + timedelta(hours=4, minutes=20)
SETTLED = ORDER + timedelta(minutes=20)
"""From here on the trial's own mean is given."""
STEP, SLOTS = timedelta(minutes=5), 64
FLOOR = {"Flex 1": 0.9, "Flex 2": 0.7, "Flex 3": 0.5}
"""Least share of full speed of a tier, as published."""
RAMP_W_PER_S, JITTER_S = 20.0, 60.0
MARGIN = 0.01
"""Share below the target that the plan aims: what a few jobs breathe together."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job of the trial: its GPUs, its tier, how fast it was in the event, and its row of the sweep."""

    name: str
    gpus: int
    tier: str
    trial: float
    workload: str


def sweep(folder: Path) -> dict[str, list[dict[str, float]]]:
    """Points of each workload by rising cap; power per GPU, speed as share of the highest cap's."""
    found: dict[str, list[dict[str, float]]] = {}
    with (folder / "dvfs_sweep.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            watts = float(row["power per GPU"])
            gpus = float(row["total GPU power"]) / watts
            point = {"limit_w": float(row["GPU power cap"]), "drawn_w": watts, "gpus": gpus}
            found.setdefault(row["Workload"], []).append(point | {"speed": float(row["normalized throughput"])})
    return found


def trial_jobs(folder: Path, curves: Mapping[str, Sequence[Mapping[str, float]]]) -> tuple[list[Job], float]:
    """Jobs of the event, and the trial's own weighted performance."""
    jobs: list[Job] = []
    own = float("nan")
    with (folder / "SRP_exp_performance.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = row["Model"].strip()
            if name == "Weighted Performance":
                own = float(row["Performance"])
                continue
            workload = name.rsplit("-", 1)[0]
            gpus = round(curves[workload][0]["gpus"])
            jobs.append(Job(name, gpus, row["Flexibility"].strip(), float(row["Performance"]), workload))
    return jobs, own


def trial_power(folder: Path) -> tuple[float, float, float]:
    """Base before the order, W, and as shares of it the mean once settled and the highest minute of that time."""
    with (folder / "SRP_total_power.csv").open(encoding="utf-8") as file:
        rows = [(datetime.fromisoformat(row["timestamp"]), float(row["total"])) for row in csv.DictReader(file)]
    base = statistics.fmean(watts for at, watts in rows if START <= at < ORDER)
    held = [watts / base for at, watts in rows if SETTLED <= at < END]
    return base, statistics.fmean(held), max(held)


def cluster(jobs: Sequence[Job], curves: Mapping[str, Sequence[Mapping[str, float]]]) -> Site:
    """The cluster as a site: a pool and a catalogue row for each job, so that each has its own curve."""
    models, pools = [], []
    for job in jobs:
        points = [{key: point[key] for key in ("limit_w", "drawn_w", "speed")} for point in curves[job.workload]]
        curve = {"workload": "pretrain", "evidence": "measured", "source": "Emerald AI, 2025", "points": points}
        told = {"key": job.name, "min_limit_w": 100.0, "max_limit_w": 400.0, "idle_w": 60.0, "curves": [curve]}
        told |= {"limits_source": "Emerald AI", "limits_evidence": "measured", "idle_source": "assumed"}
        told |= {"idle_evidence": "assumed", "host_w_per_gpu": 0.0, "host_source": "GPU power only"}
        models.append(told | {"host_evidence": "assumed"})
        default = {"limit_w": 100.0}
        pools.append({"name": job.name, "gpu": job.name, "gpus": job.gpus, "default": default, "host_w_per_gpu": 0.0})
    raw: dict[str, Any] = {
        "name": "phoenix",
        "timezone": "America/Phoenix",
        "currency": "USD",
        "latitude_deg": 33.4,
        "longitude_deg": -112.0,
        "distribution_efficiency": 1.0,
        "pools": pools,
        "gpu_models": models,
        "grid": {"import_limit_mw": 0.2, "export_limit_mw": 0.0, "firm_limit_mw": 0.2},
        "tariff": _flat(),
        "wishes": {"unmet_per_gpu_h": {"low": 10.0, "normal": 10.0, "high": 10.0}},
        "planning": {"step_minutes": 5, "horizon_h": 6.0, "gap": 0.001, "time_limit_s": 20.0},
    }
    return site_from(raw, "the Phoenix cluster")


def _flat() -> dict[str, Any]:
    period = {"name": "flat", "hours": [[0, 24]], "price_per_mwh": 50.0}
    return {"note": "assumed: energy is cheap beside work", "periods": [period]}


def planned(site: Site, jobs: Sequence[Job], target_mw: float, margin: float) -> Plan:
    """The day with the event as a hard load target, aimed at by ``margin`` lower."""
    horizon = Horizon(START, STEP, SLOTS)
    queue = [
        TrainingJob(
            id=job.name,
            pool=job.name,
            gpus=job.gpus,
            work_h=horizon.slots * horizon.step_h,
            release=START,
            state="running",
            cap_floor_w=_floor_w(site, job),
        )
        for job in jobs
    ]
    still = [0.0] * SLOTS
    document = compose(site, horizon, Availability(still, still), queue, SiteState({}, 0.2), "phoenix")
    event = GridEvent(id="phoenix", start=ORDER, end=END, most_import_mw=target_mw, margin_ratio=margin)
    return plan(check_problem(with_events(document, [event], horizon)), time_limit_s=site.planning.time_limit_s)


def most_by_curves(site: Site, jobs: Sequence[Job], target_mw: float, weights: Mapping[str, float]) -> float:
    """Highest weighted mean of speeds that caps can leave under a mean power, no job below the floor of its tier.

    An independent bound: caps may change at every moment, so each job has any mix of the points of its curve.
    """
    points = [(job, point) for job in jobs for point in envelope(site.gpu(job.name).curve("pretrain").points).points]
    gain = [weights[job.name] * point.speed for job, point in points]
    drawn = [job.gpus * point.drawn_w for job, point in points]
    slow = [[-point.speed if other is job else 0.0 for other, point in points] for job in jobs]
    found = linprog(
        [-value for value in gain],
        A_ub=[drawn, *slow],
        b_ub=[target_mw * 1e6, *(-FLOOR[job.tier] for job in jobs)],
        A_eq=[[float(other is job) for other, _ in points] for job in jobs],
        b_eq=[1.0] * len(jobs),
    )
    if not found.success:
        raise ValueError(f"no caps keep every tier under {target_mw * 1e3:.1f} kW: {found.message}")
    return float(-found.fun / sum(weights.values()))


def _floor_w(site: Site, job: Job) -> float:
    """Least cap that keeps a job at the speed of its tier, whole watts."""
    gpu = site.gpu(job.name)
    return float(next(w for w in range(100, 401) if speed_at_limit(gpu, "pretrain", w) >= FLOOR[job.tier]))


@dataclass(frozen=True, slots=True)
class Replay:
    """What the simulated cluster did: W per minute, and each job's share of full speed from order to end."""

    minutes: list[tuple[datetime, float]]
    performance: dict[str, float]


def base_mw(site: Site, jobs: Sequence[Job]) -> float:
    """What the simulated cluster draws without caps in the hour before the order: targets are shares of it."""
    plant, still = Plant(site), Air(0.0, 0.0, 25.0, 15.0)
    orders = Orders(tuple(JobOrder(job.name, job.name, job.gpus, "pretrain", 400.0) for job in jobs))
    state, drawn = plant.at_rest(START), list[float]()
    while state.at < ORDER:
        state, flows = plant.step(state, orders, still, Works(1.0, 1.0), 10.0)
        drawn.append(flows.it_mw)
    return statistics.fmean(drawn)


def replay(site: Site, jobs: Sequence[Job], found: Plan) -> Replay:
    """Let the caps reach the devices as an agent would, a step a second, and the plant draw what it draws."""
    plant, air, works = Plant(site), Air(0.0, 0.0, 25.0, 15.0), Works(1.0, 1.0)
    state = plant.at_rest(START)
    climbs = {job.name: Climb(400.0, 0.0) for job in jobs}
    runs = {job.id: job.runs for job in found.jobs}
    minutes: list[tuple[datetime, float]] = []
    before: dict[str, float] = {}
    seconds, watts = round((END - START).total_seconds()) + 600, 0.0
    for second in range(seconds):
        at = START + timedelta(seconds=second)
        if at == ORDER:
            before = dict(state.work_h)
        if at == END:
            after = dict(state.work_h)
        orders = []
        for job in jobs:
            run = next((r for r in runs[job.name] if r.start <= at < r.end), None)
            limit = 400.0 if run is None or run.limit_w is None else run.limit_w
            wait = JITTER_S * spread(job.name, "1.1")
            cap = climbs[job.name].step(limit, float(second), RAMP_W_PER_S, wait)
            orders.append(JobOrder(job.name, job.name, job.gpus, "pretrain", cap))
        state, flows = plant.step(state, Orders(tuple(orders)), air, works, 1.0)
        watts += flows.it_mw * 1e6 / 60
        if second % 60 == 59:
            minutes.append((at.replace(second=0), watts))
            watts = 0.0
    hours = (END - ORDER) / timedelta(hours=1)
    return Replay(minutes, {job.name: (after[job.name] - before[job.name]) / hours for job in jobs})


def weighted(jobs: Sequence[Job], values: Mapping[str, float]) -> tuple[float, float]:
    """Mean by GPUs, and with equal weights."""
    total = sum(job.gpus for job in jobs)
    return sum(job.gpus * values[job.name] for job in jobs) / total, statistics.fmean(values[j.name] for j in jobs)


def _gpus(jobs: Sequence[Job]) -> dict[str, float]:
    return {job.name: float(job.gpus) for job in jobs}


def show(title: str, jobs: Sequence[Job], done: Replay, share: float) -> bool:
    """A paragraph of figures; whether the target was reached within five minutes and held in every slot after that."""
    base = statistics.fmean(watts for at, watts in done.minutes if at < ORDER)
    under = next(at for at, watts in done.minutes if at >= ORDER and watts <= share * base * 1.001)
    held = [watts / base for at, watts in done.minutes if under <= at < END]
    by_gpus, equal = weighted(jobs, done.performance)
    slots = [statistics.fmean(held[k : k + 5]) for k in range(0, len(held) - 4, 5)]
    waited = (under - ORDER).seconds // 60
    print(f"{title}: base {base / 1e3:.1f} kW; under {share:.3f} of it {waited} min after the order,")
    print(f"  then mean {statistics.fmean(held):.3f}, highest slot {max(slots):.3f}, highest minute {max(held):.3f}")
    print(f"  performance {by_gpus:.3f} by GPUs, {equal:.3f} with equal weights")
    for job in jobs:
        told = f"floor {FLOOR[job.tier]:.1f}, ours {done.performance[job.name]:.3f}, trial {job.trial:.3f}"
        print(f"  {job.name:30} {job.gpus:3} GPUs, {job.tier}, {told}")
    return waited <= STEP.seconds // 60 and max(slots) <= share


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the trial's figures and ours, for the order and for the trial's depth; 1 where a target was not held."""
    parser = argparse.ArgumentParser(description="The Phoenix event on a simulated cluster")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--margin", type=float, default=MARGIN)
    told = parser.parse_args(arguments)
    folder, margin = cast(Path, told.data), cast(float, told.margin)
    curves = sweep(folder)
    jobs, own = trial_jobs(folder, curves)
    site = cluster(jobs, curves)
    base_w, mean, highest = trial_power(folder)
    by_gpus, equal = weighted(jobs, {job.name: job.trial for job in jobs})
    print(f"trial: base {base_w / 1e3:.1f} kW, settled mean {mean:.3f}, highest minute then {highest:.3f}")
    print(f"  performance {own:.3f} by its own weights, {by_gpus:.3f} by GPUs, {equal:.3f} with equal weights")
    base, held = base_mw(site, jobs), True
    for title, share in (("order (a quarter less)", 0.75), ("as deep as the trial went", mean)):
        found = planned(site, jobs, share * base, margin)
        print(f"plan: {found.status}, rung {found.rung}, gap {found.gap:.4f}; aimed {margin:.1%} below the target")
        held = show(title, jobs, replay(site, jobs, found), share) and held
        bounds = (most_by_curves(site, jobs, share * base, w) for w in (_gpus(jobs), dict.fromkeys(_gpus(jobs), 1.0)))
        print("  most that any caps leave on these curves: {:.3f} by GPUs, {:.3f} with equal weights".format(*bounds))
    print(f"from {rfc3339(ORDER)} to {rfc3339(END)}; a replay on the cluster's own curves, not a field trial")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
