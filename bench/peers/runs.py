"""One run of one solver on one instance: a process of its own on one core, timed from outside."""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULT = "RESULT "
OVERTIME_S = 240.0
"""What a process may take beyond its solver's limit for imports, building and export."""

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
_OURS_ALONE = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")


class Failed(Exception):
    """A run that brought no usable result; the message is the cause."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run said and how long its process took. Costs in the instance's currency, seconds.

    ``cpu_s`` is what the process and its children computed: on a busy machine it moves less than ``whole_s``.
    """

    whole_s: float
    cpu_s: float
    build_s: float
    solve_s: float
    cost: float
    bound: float | None
    violations: tuple[str, ...]
    violation_count: int
    status: str
    said: dict[str, Any]


def parse(output: str, whole_s: float, cpu_s: float) -> Run:
    """The run that a script's standard output tells of.

    The cost is the checker's, never the solver's own.

    Raises:
        Failed: no RESULT line, or one without a checked plan.
    """
    lines = [line for line in output.splitlines() if line.startswith(RESULT)]
    if not lines:
        raise Failed("it printed no RESULT line")
    try:
        said = json.loads(lines[-1].removeprefix(RESULT))
        cost, count = said.get("checked_cost"), said.get("n_violations", 0)
        build_s, solve_s = float(said["build_s"]), float(said["solve_s"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failed(f"its RESULT line cannot be read: {error!r}") from error
    if not isinstance(cost, int | float) or not math.isfinite(cost):
        raise Failed(f"it ended without a plan: {said.get('status', 'no status')}")
    bound = said.get("bound")
    if not isinstance(bound, int | float) or not math.isfinite(bound):
        bound = None
    breaches = tuple(str(text) for text in said.get("violations", ()))
    return Run(
        whole_s, cpu_s, build_s, solve_s, float(cost), bound, breaches, int(count), str(said.get("status")), said
    )


def run(
    python: Path,
    script: Path,
    instance: Path,
    *,
    gap: float,
    limit_s: float,
    core: int | None,
    setting: Mapping[str, str],
    more: Sequence[str] = (),
    overtime_s: float = OVERTIME_S,
) -> Run:
    """Run a script on an instance.

    Args:
        python: interpreter of the solver's environment.
        script: its command line is INSTANCE --gap --limit --threads.
        instance: file of the instance.
        gap: relative gap wanted.
        limit_s: limit of the solver itself.
        core: the one core that it and its children may use; None leaves them all.
        setting: variables of its environment, over the usual ones.
        more: further arguments.
        overtime_s: what it may take beyond ``limit_s`` before it is killed.

    Raises:
        Failed: it was killed, ended badly or brought no plan.
    """
    command = [str(python), str(script), str(instance)]
    command += ["--gap", str(gap), "--limit", str(limit_s), "--threads", "1", *more]
    environment = {k: v for k, v in os.environ.items() if k not in _OURS_ALONE} | _ONE_THREAD | dict(setting)
    began, computed = time.perf_counter(), _computed_s()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        output, words = process.communicate(timeout=limit_s + overtime_s)
    except subprocess.TimeoutExpired:
        raise Failed(f"stopped after {limit_s + overtime_s:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    whole_s, cpu_s = time.perf_counter() - began, _computed_s() - computed
    if process.returncode:
        last = [line.strip() for line in words.splitlines() if line.strip()][-1:]
        raise Failed(f"exit {process.returncode}: {last[0][:200] if last else 'it said nothing'}")
    return parse(output, whole_s, cpu_s)


def _computed_s() -> float:
    """Seconds that ended children and theirs have computed; one runs at a time, so a difference is one run's."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
