"""A day of a real Slurm at speed: 64 pretended nodes, 200 jobs, our plans, and two hours in which we are dead.

``python -m bench.slurm_day [--speed 90] [--jobs 200] [--nodes 64]`` needs root and Debian's Slurm (`make test-peers`
installs it), and takes a day's length divided by the speed. It prints what became of the jobs and ends with 1 where one
failed, started beyond its latest start although there were GPUs for it, or was touched though no row names it.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
import tomllib
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from api import logs
from api.gathering import first_memory
from api.job_reading import judged_jobs
from api.planner import Task, cycle
from api.slurm.decide import decide
from api.slurm.hand import Hand
from api.slurm.order import Order
from api.slurm.view import PlanView, plan_view
from bench.slurm_sped import Pace, SpedSource, true_orders
from ingest.site_file import resolved_site, sample_path
from ingest.sources.slurm.commands import Commands
from ingest.sources.slurm.note import Note
from ingest.sources.slurm.source import SlurmSource
from models.horizon import use_packaged_time_zones
from models.job_policy import read_policy
from models.job_sources import Slurm, SlurmPool
from models.jobs import TrainingJob
from models.site import Site

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "peers"))
from slurm_cluster import Cluster, cluster

DAY = timedelta(hours=24)
FIRST = datetime(2026, 11, 25, tzinfo=UTC)
DEAD_H = (10.0, 12.0)
"""Hours of the day in which nobody looks and nobody plans."""
PLAN_S = 45
"""Of the machine's time: a job waits so long to be planned before it starts by itself."""
TOLERANCE_S = 4.0
"""Of the machine's time: Slurm looks at its queue each second, and 64 daemons share this machine."""
POLICY = {
    "rows": [
        {"name": "out", "qos": ["none"], "plan": False},
        {
            "name": "pausable",
            "partitions": ["train"],
            "job_names": ["p-*"],
            "longest_delay_h": 8.0,
            "pausable": True,
            "checkpoint_signal": "USR1",
            "checkpoint_s": 120.0,
            "restart_loss_h": 0.1,
            "max_pauses": 1,
            "min_run_slots": 4,
        },
        {"name": "training", "partitions": ["train"], "longest_delay_h": 6.0},
    ]
}
SCRIPT = """f={folder}/progress-$SLURM_JOB_ID
done=$(cat $f 2>/dev/null || echo 0); began=$(date +%s)
trap 'echo $((done + $(date +%s) - began)) > $f' USR1
sleep $(({seconds} - done > 0 ? {seconds} - done : 0)) & p=$!
while kill -0 $p 2>/dev/null; do wait $p; done; exit 0"""


@dataclass(slots=True)
class Work:
    """A job of the day: hours after its beginning, GPUs, hours that it runs and that it asks for."""

    at_h: float
    nodes: int
    run_h: float
    limit_h: float
    kind: str
    number: int = 0


@dataclass(slots=True)
class Log:
    """What was seen of a job while the day went on."""

    latest: datetime | None = None
    window: datetime | None = None
    told: list[Order] = field(default_factory=list)


def day_of_work(count: int, nodes: int, seed: int = 1) -> list[Work]:
    """Assumed mix: gangs of 1 to 8 nodes, half an hour to four hours, more by day; a tenth that nobody names."""
    rng = random.Random(seed)
    kinds = ["train"] * 6 + ["pausable"] * 2 + ["off", "debug"]
    work = []
    for k in range(count):
        run_h = round(min(4.0, max(0.5, rng.lognormvariate(0.3, 0.6))), 2)
        at_h = rng.choice([rng.uniform(0, 17), rng.uniform(7, 15)])
        size = min(nodes, rng.choice([1, 1, 1, 1, 2, 2, 4, 8]))
        work.append(Work(round(at_h, 3), size, run_h, round(run_h * 1.3, 2), kinds[k % len(kinds)]))
    return sorted(work, key=lambda one: one.at_h)


def site_of(nodes: int) -> Site:
    """The sample hall with ``nodes`` nodes: its supply grows with it."""
    raw: dict[str, Any] = tomllib.loads(sample_path("local").read_text(encoding="utf-8"))
    scale = nodes / 12
    raw["pools"][0]["gpus"] = nodes * 8
    raw["feeds"][0]["limit_mw"] *= scale
    for key in ("peak_dc_mw", "inverter_ac_mw"):
        raw["solar"][0][key] *= scale
    for key in ("import_limit_mw", "firm_limit_mw", "export_limit_mw", "peak_assumed_mw"):
        raw["grid"][key] *= scale
    raw["cooling"]["air"]["rated_heat_mw"] *= scale
    raw["base_load"]["mean_mw"] *= scale
    raw["planning"] = {**raw.get("planning", {}), "horizon_h": 24.0, "time_limit_s": 10.0}
    raw.pop("synthetic")
    return resolved_site(raw)


def planned(site: Site, jobs: list[TrainingJob], now: datetime, limit_s: float) -> dict[str, Any]:
    """An edition as the planner process makes it, here in a process of its own."""
    use_packaged_time_zones()
    outcome = cycle(Task(site, jobs, first_memory(site, now), None, limit_s), now)
    return {**outcome.edition, "plan_id": f"pln_{now:%H%M}"}


class Day:
    """The day as it goes on."""

    def __init__(self, found: Cluster, nodes: int, count: int, speed: int, every_min: float, limit_s: float) -> None:
        self.cluster, self.speed, self.nodes = found, speed, nodes
        self.every, self.limit_s = timedelta(minutes=every_min), limit_s
        self.site, self.policy = site_of(nodes), read_policy(POLICY, "the policy")
        self.work = day_of_work(count, nodes)
        self.pace = Pace(datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2), FIRST, speed)
        commands = Commands(conf=found.conf)
        self.limits: dict[int, int] = {}
        pools = [SlurmPool(pool="hall", partitions=("train",), nodes=f"gpu[1-{nodes}]")]
        self.source = SpedSource(SlurmSource(commands, pools), self.pace, self.limits)
        self.hand = Hand(commands)
        self.spec = Slurm(act=True, period_s=float(speed), settle_s=float(speed))
        self.logs: dict[int, Log] = {}
        self.began: set[int] = set()
        self.plan: PlanView | None = None
        self.plans, self.failed_plans, self.not_told = 0, 0, 0
        self.kinds: Counter[str] = Counter()
        self.rungs: Counter[str] = Counter()

    def run(self) -> None:
        """From the first hour until the queue is empty, at most a day and a half."""
        waiting: Future[dict[str, Any]] | None = None
        due, todo = FIRST, list(self.work)
        context = get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            while True:
                now = self.pace.now()
                while todo and now >= FIRST + timedelta(hours=todo[0].at_h):
                    self._submit(todo.pop(0))
                dead = DEAD_H[0] <= (now - FIRST) / timedelta(hours=1) < DEAD_H[1]
                if waiting is not None and waiting.done():
                    self._take(waiting)
                    waiting = None
                if not dead and now >= FIRST:
                    jobs = self._look(now)
                    if waiting is None and now >= due:
                        waiting = pool.submit(planned, self.site, jobs, now, self.limit_s)
                        due = now + self.every
                if not todo and not self.cluster.run("squeue", "-h"):
                    break
                if now > FIRST + 1.5 * DAY:
                    break
                time.sleep(0.5)

    def _submit(self, one: Work) -> None:
        seconds = max(1, round(one.run_h * 3600 / self.speed))
        name = {"pausable": "p-job"}.get(one.kind, "job")
        script = f"sleep {seconds}"
        if one.kind == "pausable":
            script = SCRIPT.format(folder=self.cluster.folder, seconds=seconds)
        options = ["-p", "debug" if one.kind == "debug" else "train", "-N", str(one.nodes), "-J", name]
        options += ["--gres=gpu:h100:8", "-t", "600", "--requeue", "-c", "1"]
        named = one.kind not in ("off", "debug")
        if named:
            options += ["--begin", f"now+{PLAN_S}"]
        if one.kind == "off":
            options += ["--comment", "chergui=off"]
        one.number = self.cluster.submit(script, *options)
        self.limits[one.number] = round(one.limit_h * 60)
        if named:
            self._note(one.number)

    def _note(self, number: int) -> None:
        """What deploy/slurm/job_submit.lua writes, in simulated time: a moment to be planned, then it starts anyway."""
        told = self.cluster.job(number)["EligibleTime"]
        eligible = datetime.strptime(told, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        start, begin = (int(self.pace.show(at).timestamp()) for at in (eligible, eligible - timedelta(seconds=PLAN_S)))
        comment = Note(start=start, begin=begin, restarts=0).comment("is being planned")
        self.cluster.run("scontrol", "update", f"JobId={number}", f"AdminComment={comment}")

    def _look(self, now: datetime) -> list[TrainingJob]:
        seen = self.source.read()
        judged = judged_jobs(seen.facts, self.policy, self.site, now)
        for one, job in zip(judged, seen.jobs, strict=True):
            log = self.logs.setdefault(job.number, Log())
            if job.state != "queued":
                self.began.add(job.number)
            if job.number not in self.began and one.latest_start is not None:
                log.latest = one.latest_start
        orders = decide(seen, judged, self.plan, {"hall"}, self.spec, None, now)
        told = true_orders(orders, self.pace)
        done = self.hand.carry_out(told, datetime.now(UTC))
        for item in done:
            self.kinds[item.order.kind] += item.fault is None
            self.not_told += item.fault is not None
            if item.order.job is not None:
                log = self.logs[item.order.job]
                log.told.append(item.order)
                if item.order.kind == "start" and item.order.job not in self.began and item.fault is None:
                    log.window = item.order.at
        return [one.job for one in judged if one.job is not None]

    def _take(self, waiting: Future[dict[str, Any]]) -> None:
        error = waiting.exception()
        if error is not None:
            self.failed_plans += 1
            print(f"  a plan failed: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
            return
        edition = waiting.result()
        if edition["plan"]["objective"] is None:
            self.failed_plans += 1
            return
        self.plans += 1
        self.rungs[edition["plan"]["rung"]] += 1
        self.plan = plan_view(edition)

    def report(self) -> int:
        """Print what became of it; the number of promises broken."""
        runs = finished(self.cluster)
        ends = {number: mine[-1].state for number, mine in runs.items()}
        states: Counter[str] = Counter(ends.get(one.number, "NEVER") for one in self.work)
        delays, waited, late, early, touched = [], [], [], [], []
        for one in self.work:
            log = self.logs.get(one.number, Log())
            if one.kind in ("off", "debug"):
                touched += [one.number] if log.told else []
                continue
            if log.latest is None or one.number not in runs:
                continue
            started = runs[one.number][0].start
            submitted, latest = self.pace.true(FIRST + timedelta(hours=one.at_h)), self.pace.true(log.latest)
            delays.append((started - submitted).total_seconds() * self.speed / 3600)
            if log.window is not None and started < log.window - timedelta(seconds=1):
                early.append(one.number)
            if (started - latest).total_seconds() > TOLERANCE_S:
                free_s = longest_room_s(runs, one, latest, started, self.nodes)
                (late if free_s > TOLERANCE_S else waited).append(one.number)
        named = sum(one.kind not in ("off", "debug") for one in self.work)
        restarts = sum(len(mine) - 1 for mine in runs.values())
        print(f"jobs {len(self.work)}: {dict(states)}; named by a row {named}, left alone {len(self.work) - named}")
        paused = self.kinds["requeue"]
        print(f"plans {self.plans} ({dict(self.rungs)}), failed {self.failed_plans}")
        print(f"pauses of ours {paused}; requeued by Slurm itself for its higher partition {restarts - paused}")
        print(f"told {sum(self.kinds.values())} ({dict(self.kinds)}), not told {self.not_told}")
        if delays:
            ordered = sorted(delays)
            middle, most = ordered[len(ordered) // 2], ordered[-1]
            print(f"start after submission, simulated hours: median {middle:.1f}, most {most:.1f}")
        print(f"started before the window that was told last: {len(early)} {early[:10]}")
        print(f"started beyond the latest start with nodes free for it: {len(late)} {late[:10]}")
        print(f"started beyond the latest start, every node it could have had at work: {len(waited)} {waited[:10]}")
        print(f"left alone but touched: {len(touched)} {touched[:10]}")
        bad = sum(count for state, count in states.items() if state != "COMPLETED")
        print(f"failed or never ended: {bad}")
        return bad + len(late) + len(early) + len(touched)


@dataclass(frozen=True, slots=True)
class Span:
    """A run of a job, as Slurm recorded it."""

    start: datetime
    end: datetime
    state: str
    nodes: int


def finished(found: Cluster) -> dict[int, list[Span]]:
    """Every run of every job, from Slurm's own record of completions."""
    runs: dict[int, list[Span]] = {}
    for line in (found.folder / "log" / "jobcomp.txt").read_text(encoding="utf-8").splitlines():
        row = dict(word.split("=", 1) for word in line.split() if "=" in word)
        start, end = (
            datetime.strptime(row[key], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC) for key in ("StartTime", "EndTime")
        )
        runs.setdefault(int(row["JobId"]), []).append(Span(start, end, row["JobState"], int(row["NodeCnt"])))
    return runs


def longest_room_s(runs: dict[int, list[Span]], one: Work, first: datetime, last: datetime, nodes: int) -> float:
    """Longest stretch of [first, last) in which enough nodes were free for a job, in the machine's seconds."""
    others = [span for mine in runs.values() for span in mine if span.end > first and span.start < last]
    borders = sorted({first, last, *(b for s in others for b in (s.start, s.end) if first < b < last)})
    longest = stretch = 0.0
    for begin, end in pairwise(borders):
        busy = sum(span.nodes for span in others if span.start <= begin < span.end)
        stretch = stretch + (end - begin).total_seconds() if nodes - busy >= one.nodes else 0.0
        longest = max(longest, stretch)
    return longest


def main() -> int:
    """Run the day and print it."""
    use_packaged_time_zones()
    logs.configure("bench", logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=int, default=90)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--every-min", type=float, default=30.0, help="simulated minutes between plans")
    parser.add_argument("--limit-s", type=float, default=10.0, help="seconds that a solve may take")
    asked = parser.parse_args()
    with cluster(asked.nodes) as found:
        day = Day(found, asked.nodes, asked.jobs, asked.speed, asked.every_min, asked.limit_s)
        began = time.monotonic()
        day.run()
        print(f"{asked.nodes} pretended nodes, speed {asked.speed}, {time.monotonic() - began:.0f} s", end="; ")
        print(f"nobody looked or planned from {DEAD_H[0]:g} to {DEAD_H[1]:g} h")
        return 1 if day.report() else 0


if __name__ == "__main__":
    sys.exit(main())
