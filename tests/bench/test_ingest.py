"""The bench of telemetry runs whole: every figure is measured, each beside what stands beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)
def test_a_tiny_run_prints_every_row(tmp_path: Path) -> None:
    tiny = "--series 40 --minutes 45 --batches 2 --reads 3 --nodes 30 --fleet-minutes 4 --planner 0"
    command = [sys.executable, "-m", "bench.ingest", *tiny.split(), "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=580)
    assert done.returncode == 0, done.stderr
    table = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")][1:]
    assert [row[0].split(",")[0] for row in table] == [
        "| line protocol",
        "| line protocol",
        "| embedded store",
        "| the same",
        "| 0.75 h of one series of 40 in 15-min means",
        "| moving days to files",
        "| the same series from the files",
        "| push endpoint",
        "| 30 nodes x 8 series a minute",
    ]
    assert all(row[-1] in ("yes |", "no |", "– |") for row in table)
    assert list(tmp_path.iterdir()) == []
