"""From a published cap to the limit on the device: real agents on loopback, with the long poll and without.

``python -m bench.cap_reach [--changes N] [--agents N]``. Agents tick once a second, as in service; their devices are
imaginary, so no driver's time is in it. A change is a new plan whose one job is held lower; the clock runs from the
commit of the plan until an agent's state shows the new limit as applied. Limits: 2 s at p99 with the long poll, one
poll (30 s, up to a fifth late) and a tick without.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.served_caps import JOB, POOL, ServedCaps, served_caps

HIGH_W, LOW_W = 600.0, 400.0


class Node:
    """One agent with eight imaginary GPUs, all of the one job."""

    def __init__(self, folder: Path, number: int, served: ServedCaps, wait_s: float) -> None:
        self.folder = folder / f"n{number}-{wait_s:g}"
        (self.folder / "run" / "placement").mkdir(parents=True)
        (self.folder / "run" / "placement" / "1").write_text(json.dumps({"job": JOB, "gpus": list(range(8))}))
        (self.folder / "key").write_text(served.key)
        lines = [f'server = "{served.url}"', f'node = "{POOL}-n{number}"', f'key_file = "{self.folder}/key"']
        lines += ['actuator = "dry-run"', "dry_run_gpus = 8"]
        lines += [f'{name}_dir = "{self.folder / name}"' for name in ("state", "run", "lock")]
        lines += ["[timers]", f"wait_s = {wait_s}", "dwell_s = 0.0", "jitter_s = 0.0", "ramp_w_per_s = 5000.0"]
        (self.folder / "agent.toml").write_text("\n".join(lines) + "\n")
        command = [sys.executable, "-P", "-m", "agent", "run", "--config", str(self.folder / "agent.toml")]
        with (self.folder / "log.txt").open("w") as log:
            self.process = subprocess.Popen(command, stderr=log, cwd=self.folder)

    def applied(self) -> set[float]:
        """Limits that it says are applied."""
        try:
            status = json.loads((self.folder / "run" / "status.json").read_text())
        except (OSError, ValueError):
            return set()
        return {gpu["applied_w"] for gpu in status["gpus"]}


def reach_s(nodes: Sequence[Node], limit_w: float, within_s: float) -> list[float]:
    """Seconds until each node has applied a limit."""
    began = time.monotonic()
    took: dict[int, float] = {}
    while len(took) < len(nodes):
        for k, node in enumerate(nodes):
            if k not in took and node.applied() == {limit_w}:
                took[k] = time.monotonic() - began
        if time.monotonic() - began > within_s:
            raise TimeoutError(f"{limit_w:g} W after {within_s:g} s: {[node.applied() for node in nodes]}")
        time.sleep(0.005)
    return list(took.values())


def measure(folder: Path, served: ServedCaps, agents: int, changes: int, wait_s: float) -> list[float]:
    """Seconds of every change downwards on every node."""
    served.publish(HIGH_W)
    nodes = [Node(folder, number, served, wait_s) for number in range(1, agents + 1)]
    try:
        reach_s(nodes, HIGH_W, 120.0)
        found: list[float] = []
        for _ in range(changes):
            served.publish(LOW_W)
            found += reach_s(nodes, LOW_W, 120.0)
            served.publish(HIGH_W)
            reach_s(nodes, HIGH_W, 120.0)
        return found
    finally:
        for node in nodes:
            node.process.terminate()
        for node in nodes:
            node.process.wait(20)


def p99(seconds: Sequence[float]) -> float:
    """99th percentile."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[98]


def row(name: str, seconds: Sequence[float], limit_s: float) -> str:
    """A line of the table."""
    cut = statistics.quantiles(seconds, n=100, method="inclusive")
    return f"{name:10} {len(seconds):5} {cut[49]:7.2f} {cut[98]:7.2f} {max(seconds):7.2f} {limit_s:7.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a limit was passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=50)
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument(
        "--without", type=int, default=2, help="changes without the long poll; each takes a poll or two"
    )
    told = parser.parse_args(arguments)
    print(f"{'way':10} {'count':>5} {'p50 s':>7} {'p99 s':>7} {'max s':>7} {'limit s':>7}")
    with tempfile.TemporaryDirectory(prefix="chergui-reach-") as name, served_caps(Path(name) / "service") as served:
        held = True
        for way, changes, wait_s, limit_s in (
            ("long poll", told.changes, 30.0, 2.0),
            ("poll", told.without, 0.0, 37.0),
        ):
            if changes:
                took = measure(Path(name), served, told.agents, changes, wait_s)
                print(row(way, took, limit_s), flush=True)
                held = held and p99(took) <= limit_s
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
