"""What run-time forecasts are worth: days of the queue planned every three hours in closed loop, by different beliefs.

    python -m bench.learn_jobs_loop [--days 225,232] [--beliefs limit,p50,p75,p90,truth]

The planner sees a job when it arrives and believes its time limit, a quantile of the learned run time (re-estimated by
what it has run), or the truth. The world then runs the job's true length: one that ends early frees its GPUs at once,
one that outlasts its belief keeps them, and what was planned on them waits. All jobs are due inside the 72 h, so that
every belief does the same work. Cost is of what happened: energy and peak at the site's tariff, late and undone work at
the site's prices. Ours and assumed: the limits (bench.learn_jobs), deadlines (limit plus GAIA's waits), the site (the
sample hall, without its cooling), its sun, known in advance.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from bench import real_inputs
from bench.learn_jobs import BEGIN, gaia_jobs, learned
from ingest.site_file import find_site, read_site
from ingest.sources.outlook.weather import weather_for
from models.forecast.site import forecast_site
from models.horizon import Horizon, use_packaged_time_zones
from models.jobs import TrainingJob
from models.learn.run_times import LEVELS
from models.learn.survival import total_h
from models.site import Site
from models.tariff import prices
from optimizer.compose import Availability, SiteState, compose
from optimizer.document import JobPlan, Plan, Run
from optimizer.finds import Request
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.verify import verify
from optimizer.worker import work

HOUR = timedelta(hours=1)
WINDOW, EPOCH = 72, 3
_LEAST_H = 0.05
Belief = Callable[["Real"], float]


@dataclass(slots=True)
class Real:
    """A job of the queue with its truth; ``done_h`` is work at full speed so far."""

    job: TrainingJob
    length_h: float
    limit_h: float
    quantiles_h: list[float]
    done_h: float = 0.0
    session: int = 0
    late_h: float = 0.0
    ever: bool = False

    @property
    def over(self) -> bool:
        return self.done_h >= self.length_h - 1e-9


def beliefs() -> dict[str, Belief]:
    """Hours in all that the planner believes of a job."""

    def quantile(level: float) -> Belief:
        return lambda real: total_h(LEVELS, real.quantiles_h, real.done_h, level, real.limit_h)

    return {
        "limit": lambda real: real.limit_h,
        "p50": quantile(0.5),
        "p75": quantile(0.75),
        "p90": quantile(0.9),
        "truth": lambda real: real.length_h,
    }


@dataclass(slots=True)
class Happened:
    """What a belief led to. Money in the site's currency; GPU-hours of full-speed work."""

    energy: float = 0.0
    peak: float = 0.0
    late: float = 0.0
    undone: float = 0.0
    gpu_h: float = 0.0
    waited_h: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def cost(self) -> float:
        return self.energy + self.peak + self.late + self.undone


class Day:
    """One day of the queue at the sample hall, refilled with measured A100s; 72 one-hour slots from its midnight."""

    def __init__(self, day: int, count: int, utilisation: float) -> None:
        data = real_inputs.shared_data()
        site = real_inputs.with_a100(read_site(find_site("local")), real_inputs.measured_a100(data))
        self.site: Site = site.model_copy(update={"cooling": None})
        self.start = datetime(2026, 6, 25, tzinfo=UTC)
        horizon = Horizon(self.start, HOUR, WINDOW)
        weather, _ = weather_for(self.site, horizon, self.start)
        self.pv = [float(v) for v in forecast_site(self.site, horizon, weather, self.start)["pv_available_mw"].p50]
        self.tariff = prices(self.site.tariff, horizon, self.site.zone)
        self.base = self.site.base_load_mw(horizon)
        self.day, self.count, self.utilisation = day, count, utilisation

    def queue(self, known: dict[int, tuple[float, float, int, float, list[float]]]) -> list[Real]:
        """The day's largest jobs; ``known``: arrival, length, units, limit and quantiles by place in the trace."""
        here = [row for row in known.values() if row[0] // 24 == self.day and row[1] >= 0.5]
        here = [row for row in here if row[0] % 24 + row[3] + _wait_h(row[3]) <= WINDOW]  # all must be done inside
        kept = sorted(sorted(here, key=lambda row: -row[1] * row[2])[: self.count])
        rows = tuple((row[0] % 24, row[1], row[2]) for row in kept)
        queue = real_inputs.QueueDay(self.day, rows, len(here), 1.0)
        jobs = real_inputs.jobs_of(self.site, queue, self.start, self.utilisation)
        found = []
        for job, (_, length, _, limit, quantiles) in zip(jobs, kept, strict=True):
            due = job.release + timedelta(hours=limit + _wait_h(limit))
            found.append(Real(job.model_copy(update={"deadline": due}), length, limit, quantiles))
        return found

    def run(self, queue: list[Real], belief: Belief) -> Happened:
        """Plan and live through the window."""
        happened = Happened()
        peak = self.site.grid.peak_assumed_mw
        for first in range(0, WINDOW, EPOCH):
            now = self.start + first * HOUR
            known = [real for real in queue if real.job.release <= now and not real.over]
            plan = self._plan(known, belief, first, peak, happened) if known else None
            for t in range(first, min(first + EPOCH, WINDOW)):
                facility = self._live(known, plan, t, happened)
                peak = max(peak, self._pay(facility, t, happened))
        happened.peak = self.site.tariff.demand_charge_per_mw * (peak - self.site.grid.peak_assumed_mw)
        for real in queue:
            left = max(0.0, real.length_h - real.done_h)
            happened.undone += self.site.wishes.unmet_per_gpu_h["normal"] * real.job.gpus * left
            happened.late += self.site.wishes.late_per_gpu_h["normal"] * real.job.gpus * real.late_h
        return happened

    def _plan(self, known: list[Real], belief: Belief, first: int, peak: float, happened: Happened) -> Plan:
        horizon = Horizon(self.start + first * HOUR, HOUR, WINDOW - first)
        jobs = []
        for real in known:
            left = max(_LEAST_H, belief(real) - real.done_h)
            state = "running" if real.session else "paused" if real.ever else "queued"
            jobs.append(real.job.model_copy(update={"work_h": left, "state": state, "ran_slots": real.session}))
        sky = Availability(self.pv[first:], [0.0] * horizon.slots, self.base[first:])
        raw = compose(self.site, horizon, sky, jobs, SiteState({}, peak), f"loop-{self.day}-{first}")
        received = check_problem(raw)
        best: Plan | None = None
        for find in work(compile_problem(received), Request(gap=0.005, time_limit_s=4.0)):
            if find.plan is None or (best is not None and (find.plan.objective or 0) > (best.objective or 0)):
                continue
            if verify(received, find.plan, 0.005):
                happened.refused += 1
            else:
                best = find.plan
        assert best is not None, "no plan passed the referee"
        return best

    def _live(self, known: list[Real], plan: Plan | None, t: int, happened: Happened) -> float:
        """One hour of the world; MW at the meter before sun."""
        said = {} if plan is None else {job.id: job for job in plan.jobs}
        at = self.start + t * HOUR
        free = {pool.name: pool.gpus for pool in self.site.pools}
        it_w = 0.0
        wanted = [(real, _wanted(real, said.get(real.job.id), at)) for real in known if not real.over]
        for real, run in sorted(wanted, key=lambda pair: not pair[0].session):  # what runs already keeps its GPUs
            if run is None or real.job.gpus > free[real.job.pool]:
                real.session = 0
                continue
            free[real.job.pool] -= real.job.gpus
            lost = real.job.restart_loss_h if real.ever and not real.session else 0.0
            if not real.ever:
                happened.waited_h.append((at - real.job.release) / HOUR)
            share = min(1.0, (real.length_h - real.done_h + lost) / run.speed)
            gain = max(0.0, run.speed * share - lost)
            if real.job.deadline is not None and at >= real.job.deadline:
                real.late_h += gain
            real.done_h += gain
            real.ever, real.session = True, real.session + 1
            happened.gpu_h += gain * real.job.gpus
            idle_w = self.site.idle_w(self.site.pool(real.job.pool)) * real.job.gpus
            it_w += share * run.power_mw * 1e6 + (1 - share) * idle_w
        it_w += sum(self.site.idle_w(pool) * free[pool.name] for pool in self.site.pools)
        return it_w / 1e6 / self.site.distribution_efficiency + self.base[t]

    def _pay(self, load_mw: float, t: int, happened: Happened) -> float:
        bought = max(0.0, load_mw - self.pv[t])
        sold = min(max(0.0, self.pv[t] - load_mw), self.site.grid.export_limit_mw)
        happened.energy += bought * self.tariff.import_per_mwh[t] - sold * self.tariff.export_per_mwh[t]
        return bought


def _wait_h(limit_h: float) -> float:
    return 6.0 if limit_h <= 2.0 else 24.0


def _wanted(real: Real, planned: JobPlan | None, at: datetime) -> Run | None:
    """The plan's run of this hour; one that outlasts its planned work goes on as it last ran."""
    runs = [] if planned is None else planned.runs
    here = next((run for run in runs if run.start <= at < run.end), None)
    if here is not None:
        return here
    ended = bool(real.session and runs) and all(run.end <= at for run in runs)
    return runs[-1] if ended else None


def known_jobs() -> dict[int, tuple[float, float, int, float, list[float]]]:
    """Jobs of the four scored weeks with their quantiles as of their submission."""
    found = learned(gaia_jobs())
    quantiles = found.model.of(found.rows, found.limits)
    return {
        k: (
            (job.submitted_at - BEGIN) / HOUR,
            job.run_h,
            job.gpus,
            float(job.limit_h or np.nan),
            [float(q) for q in quantiles[k]],
        )
        for k, job in enumerate(found.late)
    }


def main(argv: list[str] | None = None) -> int:
    """Print a table of what each belief led to."""
    parser = argparse.ArgumentParser(description="What run-time forecasts are worth in closed loop.")
    parser.add_argument("--days", default="225,232", help="days of the trace, 219 to 246 (default: 225,232)")
    parser.add_argument("--beliefs", default="limit,p50,p75,truth", help="of limit, p50, p75, p90, truth")
    parser.add_argument("--jobs", type=int, default=20, help="largest jobs kept of each day (default: 20)")
    parser.add_argument("--utilisation", type=float, default=0.8, help="GPU-hours asked of a day's (default: 0.8)")
    parser.add_argument("--out", type=Path, help="file for the figures (JSON)")
    args = parser.parse_args(argv)
    use_packaged_time_zones()
    known = known_jobs()
    every = beliefs()
    table: dict[str, dict[str, dict[str, object]]] = {}
    print(
        f"{'day':>4} {'belief':<7}{'cost':>9}{'energy':>9}{'peak':>8}{'late':>8}{'undone':>9}{'GPU-h':>8}{'wait h':>8}"
    )
    for day in (int(text) for text in args.days.split(",")):
        place = Day(day, args.jobs, args.utilisation)
        for name in args.beliefs.split(","):
            began = time.perf_counter()
            got = place.run(place.queue(known), every[name])
            wait = float(np.mean(got.waited_h)) if got.waited_h else 0.0
            print(
                f"{day:>4} {name:<7}{got.cost:>9,.0f}{got.energy:>9,.0f}{got.peak:>8,.0f}{got.late:>8,.0f}"
                f"{got.undone:>9,.0f}{got.gpu_h:>8,.0f}{wait:>8.1f}   {time.perf_counter() - began:.0f} s",
                flush=True,
            )
            table.setdefault(str(day), {})[name] = {**dataclasses.asdict(got), "waited_h": wait, "cost": got.cost}
    if args.out is not None:
        args.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
