"""The solver's process starts without the statistics that nobody asks it for, and has them when somebody does."""

from __future__ import annotations

import subprocess
import sys


def _said(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_worker_starts_without_them() -> None:
    assert _said("import optimizer.worker, sys; print('scipy.stats._stats_py' in sys.modules)").strip() == "False"


def test_who_reaches_for_them_gets_them() -> None:
    code = "import optimizer.late_imports; import scipy.stats; print(scipy.stats.norm.cdf(0.0))"
    assert float(_said(code)) == 0.5
