"""How well the quality gate finds faults: ``python -m bench.quality``.

The simulated site runs for some hours with jobs that come and go; its instruments get faults at random places and
times (seeded). Every reading then passes the gate as it would in the collector. Counted are events (was a fault seen
while it lasted, and how soon), faulty readings, and flags on readings that nothing was wrong with, both in this run
and in one without any fault.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np

from ingest.points import NS, Point, Tags, to_ns
from ingest.quality import Gate
from ingest.quality_limits import limits_of
from ingest.site_file import read_site, sample_path
from ingest.sources.outlook.weather import actual_weather
from models.horizon import Horizon, use_packaged_time_zones
from models.jobs import Workload
from models.plant.faults import FaultySensors, SensorFault, Stamped, drawn_faults
from models.plant.meters import Reading, measured, readings
from models.plant.nature import nature
from models.plant.orders import JobOrder, Orders
from models.plant.scenarios import CALM, SCENARIOS
from models.plant.step import Plant
from models.site import Site

STEP_S = 10.0
QUIET_S = 1200.0
BEGAN = datetime(2026, 6, 1, 8, tzinfo=UTC)
_SWAP_S = 1800.0
_WORKLOADS: tuple[Workload, ...] = ("pretrain", "finetune", "inference")
RECALL_WANTED, FALSE_WANTED = 0.95, 0.005


@dataclass
class Tally:
    """Counts of some runs. ``delay_s`` holds, per kind, seconds from the begin of a fault to its first flag."""

    events: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    delay_s: dict[str, list[float]] = field(default_factory=dict)
    faulty: int = 0
    faulty_flagged: int = 0
    clean: int = 0
    clean_flagged: Counter[str] = field(default_factory=Counter)
    gate_s: float = 0.0

    @property
    def recall(self) -> float:
        """Share of the faults that were seen while they lasted."""
        return sum(self.seen.values()) / max(1, sum(self.events.values()))

    @property
    def false_share(self) -> float:
        """Share of good readings that were flagged."""
        return sum(self.clean_flagged.values()) / max(1, self.clean)


def sweeps(site: Site, seed: int, hours: float, scenario: str) -> Iterator[tuple[float, list[Reading]]]:
    """Measured readings of the simulated site, one list every :data:`STEP_S`, with seconds since the begin."""
    plant, told = Plant(site), SCENARIOS[scenario]
    rng = np.random.default_rng([seed, 7])
    weather = actual_weather(site, Horizon(BEGAN + timedelta(hours=1), timedelta(hours=1), int(hours) + 2))
    air = nature(site, weather, told, BEGAN, seed)
    state = plant.at_rest(BEGAN)
    orders = Orders()
    for k in range(round(hours * 3600 / STEP_S)):
        if k * STEP_S % _SWAP_S == 0:
            orders = _orders(site, rng, k)
        works = told.works(k * STEP_S / 3600)
        state, flows = plant.step(state, orders, air.at(state.at), works, STEP_S)
        yield (k + 1) * STEP_S, measured(readings(site, state, flows), rng)


def _orders(site: Site, rng: np.random.Generator, k: int) -> Orders:
    jobs = []
    for pool in site.pools:
        gpu, left = site.gpu(pool.gpu), pool.gpus
        for n in range(int(rng.integers(1, 4))):
            gang = int(left * rng.uniform(0.2, 0.6)) // 8 * 8
            left -= gang
            limit = float(rng.uniform(gpu.min_limit_w, gpu.max_limit_w))
            jobs.append(JobOrder(f"{pool.name}-{k}-{n}", pool.name, max(8, gang), _WORKLOADS[n], limit))
    battery = {
        b.name: float(rng.choice([0.0, 1.0, -1.0])) * b.power_mw * float(rng.uniform(0.2, 0.6)) for b in site.batteries
    }
    return Orders(tuple(jobs), battery)


def measure(seed: int, hours: float, per_hour: float, scenario: str = CALM, tally: Tally | None = None) -> Tally:
    """One run; ``per_hour`` faults an hour over all series (0: a clean run)."""
    site = read_site(sample_path("dakhla"))
    tally = tally or Tally()
    gate, sensors, faults = Gate(limits_of(site)), FaultySensors(()), list[SensorFault]()
    first_flag: dict[SensorFault, float] = {}
    for time_s, rows in sweeps(site, seed, hours, scenario):
        if time_s == QUIET_S and per_hour:
            rng = np.random.default_rng([seed, 11])
            faults = drawn_faults(rows, hours * 3600, per_hour, rng, QUIET_S + STEP_S)
            sensors = FaultySensors(faults)
        told = sensors.sweep(rows, time_s)
        _judge(gate, told, time_s, tally, first_flag)
        _silences(gate, faults, time_s, first_flag)
    for fault in faults:
        tally.events[fault.kind] += 1
        if fault in first_flag:
            tally.seen[fault.kind] += 1
            tally.delay_s.setdefault(fault.kind, []).append(first_flag[fault] - fault.begins_s)
    return tally


def _judge(
    gate: Gate, told: Sequence[Stamped], time_s: float, tally: Tally, first_flag: dict[SensorFault, float]
) -> None:
    began = to_ns(BEGAN)
    batch = [
        Point(
            row.reading.measurement, row.reading.tags, ((row.reading.field, row.reading.value),), _ns(began, row.time_s)
        )
        for row in told
    ]
    begun = time.process_time()
    judged = gate.judge(batch, _ns(began, time_s))
    tally.gate_s += time.process_time() - begun
    flags: dict[tuple[str, Tags], tuple[str, ...]] = {(f.metric, f.tags): f.flags for f in judged.findings}
    for row in told:
        found = flags.get((row.reading.metric, row.reading.tags))
        if row.fault is not None:
            tally.faulty += 1
            tally.faulty_flagged += found is not None
            if found is not None:
                first_flag.setdefault(row.fault, time_s)
            continue
        tally.clean += 1
        if found is not None:
            tally.clean_flagged[f"{row.reading.metric} {','.join(found)}"] += 1


def _silences(gate: Gate, faults: Sequence[SensorFault], time_s: float, first_flag: dict[SensorFault, float]) -> None:
    waiting = [f for f in faults if f.kind == "silence" and f not in first_flag and f.begins_s < time_s <= f.ends_s]
    if not waiting or time_s % 60:
        return
    silent = {(one.metric, one.tags) for one in gate.silent(_ns(to_ns(BEGAN), time_s))}
    for fault in waiting:
        if (fault.metric, fault.tags) in silent:
            first_flag[fault] = time_s


def _ns(began: int, seconds: float) -> int:
    return began + round(seconds * NS)


def report(faulty: Tally, clean: Tally) -> Iterator[str]:
    """The figures as Markdown."""
    yield "| fault | events | seen | first flag after, median |"
    yield "|---|---|---|---|"
    for kind in sorted(faulty.events):
        delays = faulty.delay_s.get(kind)
        after = f"{median(delays):.0f} s" if delays else "–"
        yield f"| {kind} | {faulty.events[kind]} | {faulty.seen[kind]} | {after} |"
    yield f"| all | {sum(faulty.events.values())} | {sum(faulty.seen.values())} ({faulty.recall:.1%}) | |"
    yield ""
    yield f"recall of events: {faulty.recall:.2%} (goal: at least {RECALL_WANTED:.0%})"
    yield f"faulty readings flagged: {faulty.faulty_flagged} of {faulty.faulty}"
    yield f"false flags beside faults: {faulty.false_share:.3%} of {faulty.clean} good readings"
    yield f"false flags without any fault: {clean.false_share:.3%} of {clean.clean} (goal: at most {FALSE_WANTED:.1%})"
    readings_ = faulty.clean + faulty.faulty + clean.clean
    yield f"gate: {(faulty.gate_s + clean.gate_s) / max(1, readings_) * 1e6:.2f} us of processor a reading"
    worst = (faulty.clean_flagged + clean.clean_flagged).most_common(5)
    if worst:
        yield "most frequent false flags: " + "; ".join(f"{what} {count}" for what, count in worst)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all seeds, print the figures; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--faults-per-hour", type=float, default=15.0)
    told = parser.parse_args(arguments)
    use_packaged_time_zones()
    faulty, clean = Tally(), Tally()
    for seed in range(1, told.seeds + 1):
        scenario = list(SCENARIOS)[(seed - 1) % len(SCENARIOS)]
        measure(seed, told.hours, told.faults_per_hour, scenario, faulty)
        measure(seed + 1000, told.hours, 0.0, scenario, clean)
    print("\n".join(report(faulty, clean)))
    return 0 if faulty.recall >= RECALL_WANTED and max(faulty.false_share, clean.false_share) <= FALSE_WANTED else 1


if __name__ == "__main__":
    raise SystemExit(main())
