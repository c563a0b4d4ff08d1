"""The figures of the closed loop, each by the bench or test that judges it, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.system.plugged_slurm import has_slurm

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("-m", "pytest", "-q", "-s", "--timeout", "900")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: what it says, and the module or tests whose exit status says whether it holds."""

    line: str
    command: tuple[str, ...]
    needs_slurm: bool = False


FIGURES = (
    Figure(
        "an agent starts within half a second of one core and weighs under 60 MB",
        (*TESTS, "tests/agent/test_process.py"),
    ),
    Figure("our agent passes every case of the conformance kit", (*TESTS, "tests/agent/test_kit.py")),
    Figure(
        "lost agents are at the default in time, and no version falls (a sample)",
        (*TESTS, "tests/agent/test_lost.py"),
    ),
    Figure(
        "a site of 30 % firm is granted with shed groups only, and they suffice in their seconds",
        (*TESTS, "tests/system/test_weak_grid.py"),
    ),
    Figure(
        "a real Slurm: windows, pauses, budget, hooks, release, with us alive and dead",
        (*TESTS, "-m", "peer", "tests/api/slurm/test_slurm_peer.py"),
        needs_slurm=True,
    ),
    Figure(
        "a cap is applied within 2 s of its plan, at p99",
        ("-m", "bench.cap_reach", "--changes", "25", "--without", "0"),
    ),
    Figure(
        "a day of plans is enforced to the milliwatt, and draws what was planned within 1 %",
        ("-m", "bench.day_held"),
    ),
    Figure(
        "1,000 agents and a planner that solves: 0 errors, 100 ms at p99",
        ("-m", "bench.agents_load", "--seconds", "60"),
    ),
    Figure(
        "64 nodes, 200 jobs, a simulated day of a real Slurm: none failed by us, none late",
        ("-m", "bench.slurm_day", "--speed", "225", "--limit-s", "6", "--every-min", "45"),
        needs_slurm=True,
    ),
    Figure("the Phoenix event is kept within its ramp", ("-m", "bench.phoenix")),
)


def figures() -> bool:
    """Run all of them; whether all hold."""
    missed = [figure.line for figure in FIGURES if not _holds(figure)]
    print(
        f"{len(FIGURES) - len(missed)} of {len(FIGURES)} figures hold" + "".join(f"\n  NOT: {line}" for line in missed)
    )
    return not missed


def _holds(figure: Figure) -> bool:
    began = time.monotonic()
    print(f"figure: {figure.line}", flush=True)
    if figure.needs_slurm and not has_slurm():
        print("           NOT RUN: not root, or no Slurm here", flush=True)
        return False
    told = [sys.executable, *figure.command]
    done = subprocess.run(told, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    for line in done.stdout.strip().splitlines()[-12:]:
        print(f"           {line[:160]}")
    word = "holds" if done.returncode == 0 else "DOES NOT HOLD"
    print(f"           {word}, {time.monotonic() - began:.0f} s", flush=True)
    return done.returncode == 0
