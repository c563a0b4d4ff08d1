"""A planned day held by real agents: is each enforced limit the plan's, and does the plant then draw what was planned?

``python -m bench.day_held [--nodes 4] [--jobs 14] [--slots 96]`` (needs a C compiler for the NVML stand-in). The whole
planner plans a day of the sample hall. Slot by slot, as fast as it goes, the plan's caps are served by the real web
process, placement is written as a prolog writes it, and real agents hold the limits of stand-in GPUs, which accept what
a driver accepts. When each GPU enforces what the plan says, rounded down as its device does, the simulated plant draws
for a quarter of an hour what *those limits, read back,* let flow, its jobs breathing as it assumes. Goals: every limit
as planned; power within 1 % of the plan's expected draw.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.served_caps import ServedCaps, served_caps
from bench.slurm_day import planned, site_of
from models.horizon import parse_rfc3339, rfc3339, use_packaged_time_zones
from models.jobs import TrainingJob
from models.plant.nature import Air
from models.plant.orders import JobOrder, Orders
from models.plant.scenarios import Works
from models.plant.step import Plant
from models.site import Site
from tests.support.gpu_world import build
from tests.support.node import Node

FIRST = datetime(2026, 11, 25, tzinfo=UTC)
GPUS = 8
"""Of a node."""
STEP_S, PATIENCE_S = 10.0, 60.0
_BULBS = ("dry_bulb_c", "wet_bulb_c")


@dataclass
class Held:
    """What was seen: limits that were not the plan's, seconds from publishing to enforced, MW of each slot."""

    limits: int = 0
    wrong: list[str] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    planned_mw: list[float] = field(default_factory=list)
    drawn_mw: list[float] = field(default_factory=list)

    @property
    def slot_errors(self) -> list[float]:
        """Distance of each slot's power from the plan's, as a share of it, rising."""
        return sorted(abs(d / p - 1) for d, p in zip(self.drawn_mw, self.planned_mw, strict=True))

    @property
    def day_error(self) -> float:
        """The same of the day's energy, with its sign."""
        return sum(self.drawn_mw) / sum(self.planned_mw) - 1


def day_of_jobs(count: int, nodes: int, seed: int = 7) -> list[TrainingJob]:
    """Gangs of whole nodes that arrive through the day, one to six hours of work, with room to be moved."""
    rng = random.Random(seed)
    found = []
    for k in range(count):
        release = FIRST + timedelta(minutes=15 * rng.randrange(0, 56))
        work_h = rng.choice([1.0, 2.0, 3.0, 4.0, 6.0])
        job = {"id": f"job-{k}", "pool": "hall", "gpus": GPUS * rng.choice([1, 1, 2, max(1, nodes // 2)])}
        job |= {"work_h": work_h, "release": rfc3339(release), "preemptible": k % 3 == 0}
        job |= {"deadline": rfc3339(release + timedelta(hours=work_h + 8)), "workload": "pretrain"}
        found.append(TrainingJob.model_validate(job))
    return found


def running_at(edition: Mapping[str, Any], at: datetime) -> dict[str, tuple[int, float]]:
    """Jobs that run in the slot that begins then: GPUs and limit, W."""
    gpus = {job["id"]: job["gpus"] for job in edition["problem"]["jobs"] if job.get("gpus")}
    return {
        job["id"]: (gpus[job["id"]], run["limit_w"])
        for job in edition["plan"]["jobs"]
        for run in job["runs"]
        if parse_rfc3339(run["start"]) <= at < parse_rfc3339(run["end"])
    }


def placed(
    before: Mapping[str, Sequence[int]], jobs: Mapping[str, tuple[int, float]], nodes: int
) -> dict[str, list[int]]:
    """Nodes of each job, counted from 0; who runs already stays where it is."""
    found = {name: list(where) for name, where in before.items() if name in jobs}
    free = [k for k in range(nodes) if not any(k in where for where in found.values())]
    for name, (gpus, _) in jobs.items():
        if name not in found:
            count = gpus // GPUS
            found[name], free = free[:count], free[count:]
            if len(found[name]) < count:
                raise ValueError(f"{name} has no {count} free nodes: the plan holds more GPUs than there are")
    return found


class Hall:
    """Real agents on stand-in GPUs, one a node."""

    def __init__(self, folder: Path, served: ServedCaps, nodes: int) -> None:
        (folder / "nvml").mkdir()
        library = build(folder / "nvml")
        self.nodes = [self._node(folder / f"n{k + 1}", k, library, served) for k in range(nodes)]
        pool = served.doors.site.pool("hall")
        self.idle_w = pool.default.limit_w if pool.default.idle_limit_w is None else pool.default.idle_limit_w
        self._where: dict[str, list[int]] = {}

    def _node(self, folder: Path, k: int, library: Path, served: ServedCaps) -> Node:
        (folder / "run" / "placement").mkdir(parents=True)
        (folder / "key").write_text(served.key)
        node = Node(folder, library, served.url)
        node.world.gpus = [{**node.world.gpus[0], "uuid": f"GPU-{k}{j}"} for j in range(GPUS)]
        node.world.save()
        text = (folder / "agent.toml").read_text().replace('"hall-n1"', f'"hall-n{k + 1}"')
        (folder / "agent.toml").write_text(f'key_file = "{folder}/key"\n{text}')
        node.start()
        return node

    def place(self, jobs: Mapping[str, tuple[int, float]]) -> None:
        """Write who has which node, as prologs and epilogs do."""
        after = placed(self._where, jobs, len(self.nodes))
        for name, where in self._where.items():
            for k in set(where) - set(after.get(name, ())):
                (self.nodes[k].folder / "run" / "placement" / name).unlink()
        for name, where in after.items():
            for k in set(where) - set(self._where.get(name, ())):
                beside = self.nodes[k].folder / "run" / "placement" / f".{name}.new"
                beside.write_text(json.dumps({"job": name, "gpus": list(range(GPUS))}))
                beside.rename(beside.with_name(name))
        self._where = after

    def wanted(self, jobs: Mapping[str, tuple[int, float]]) -> list[float]:
        """Limit of each GPU of the plan, W, as a device rounds it: whole milliwatts down."""
        found = [self.idle_w] * (GPUS * len(self.nodes))
        for name, where in self._where.items():
            for k in where:
                found[k * GPUS : (k + 1) * GPUS] = [math.floor(jobs[name][1] * 1000 + 1e-6) / 1000] * GPUS
        return found

    def enforced(self) -> list[float]:
        """Limit that each device enforces, read from the stand-in itself, W."""
        return [limit for node in self.nodes for limit in node.limits()]

    def limit_of(self, job: str) -> float:
        """Mean of what a job's devices enforce, W."""
        enforced = self.enforced()
        return statistics.fmean(enforced[k * GPUS + j] for k in self._where[job] for j in range(GPUS))

    def end(self) -> None:
        """Kill every agent."""
        for node in self.nodes:
            node.end()


def hold(edition: Mapping[str, Any], site: Site, folder: Path, nodes: int, slots: int) -> Held:
    """Play the day."""
    plant, seen = Plant(site), Held()
    state = plant.at_rest(FIRST)
    with served_caps(folder / "service") as served:
        hall = Hall(folder, served, nodes)
        try:
            for k in range(slots):
                jobs = running_at(edition, FIRST + k * site.planning.step)
                _cap(hall, served, jobs, k, seen)
                told = (JobOrder(name, "hall", g, "pretrain", hall.limit_of(name)) for name, (g, _) in jobs.items())
                orders, air, drawn = Orders(tuple(told)), _air(edition, k), []
                for _ in range(round(site.planning.step.total_seconds() / STEP_S)):
                    state, flows = plant.step(state, orders, air, Works(1.0, 1.0), STEP_S)
                    drawn.append(flows.it_mw)
                seen.drawn_mw.append(statistics.fmean(drawn))
                seen.planned_mw.append(edition["plan"]["series"]["it_mw"][k])
        finally:
            hall.end()
    return seen


def _cap(hall: Hall, served: ServedCaps, jobs: Mapping[str, tuple[int, float]], k: int, seen: Held) -> None:
    """Place jobs, publish their caps, and wait until the devices enforce them."""
    hall.place(jobs)
    served.publish_jobs(jobs)
    began, wanted = time.monotonic(), hall.wanted(jobs)
    while hall.enforced() != wanted and time.monotonic() - began < PATIENCE_S:
        time.sleep(0.02)
    seen.took_s.append(time.monotonic() - began)
    for gpu, (limit, planned_w) in enumerate(zip(hall.enforced(), wanted, strict=True)):
        seen.limits += 1
        if limit != planned_w:
            seen.wrong.append(f"slot {k}, GPU {gpu}: {limit:g} W, planned {planned_w:g} W")


def _air(edition: Mapping[str, Any], k: int) -> Air:
    """Weather of a slot as the plan expected it."""
    given = edition["problem"]["series"]
    return Air(*(_at(given.get(key), k) for key in ("pv_available_mw", "wind_available_mw", *_BULBS)))


def _at(values: Any, k: int) -> float:
    return float(values[k]) if isinstance(values, list) else 0.0


def report(seen: Held) -> list[str]:
    """Lines to print."""
    errors, took = seen.slot_errors, sorted(seen.took_s)
    ninety_five = errors[min(len(errors) - 1, round(0.95 * len(errors)))]
    return [
        f"{seen.limits - len(seen.wrong)} of {seen.limits} enforced limits are the plan's, rounded as devices round",
        f"from a new plan and a new placement to all of them enforced: median {took[len(took) // 2]:.2f} s, "
        f"worst {took[-1]:.2f} s",
        f"IT energy of {len(errors)} slots: {seen.day_error:+.2%} of what was planned; a slot's power is off by "
        f"{statistics.median(errors):.2%} (median), {ninety_five:.2%} (p95), {errors[-1]:.2%} (worst)",
        *seen.wrong[:5],
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was seen; 1 where a limit was another, or the day's energy is more than 1 % off."""
    use_packaged_time_zones()
    parser = argparse.ArgumentParser(description="A planned day held by real agents")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=14)
    parser.add_argument("--slots", type=int, default=96)
    told = parser.parse_args(arguments)
    site = site_of(told.nodes)
    edition = planned(site, day_of_jobs(told.jobs, told.nodes), FIRST, 10.0)
    print(f"plan: {edition['plan']['rung']}, {len(edition['plan']['jobs'])} jobs on {told.nodes} nodes", flush=True)
    with tempfile.TemporaryDirectory(prefix="chergui-held-") as name:
        seen = hold(edition, site, Path(name), told.nodes, told.slots)
    print("\n".join(report(seen)))
    return 1 if seen.wrong or abs(seen.day_error) > 0.01 else 0


if __name__ == "__main__":
    sys.exit(main())
