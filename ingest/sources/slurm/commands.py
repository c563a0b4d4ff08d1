"""Slurm's own commands: every version has them, and no daemon more is needed.

Each question has a deadline: with a controller that is away, they would try for minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ingest.errors import SourceUnavailable


class Commands:
    """``squeue`` and ``scontrol`` of this machine."""

    def __init__(self, name: str = "slurm", *, conf: Path | None = None, timeout_s: float = 20.0) -> None:
        self._name = name
        self._timeout_s = timeout_s
        # Times are read and written in UTC, whatever the machine's zone is.
        self._env = {**os.environ, "TZ": "UTC"} | ({} if conf is None else {"SLURM_CONF": str(conf)})

    def raw_jobs(self) -> Sequence[Mapping[str, Any]]:
        """Jobs of ``squeue --json``."""
        return jobs_of(self._name, self.run("squeue", "--json"))

    def run(self, program: str, *arguments: str) -> bytes:
        """What a command of Slurm prints.

        Raises:
            SourceUnavailable: it is not installed, fails, or takes too long; ``reason`` holds its words.
        """
        path = shutil.which(program, path=f"{self._env.get('PATH', '')}:/usr/bin:/usr/local/bin:/opt/slurm/bin")
        if path is None:
            raise SourceUnavailable(self._name, f"there is no {program} on this machine; install Slurm's client tools")
        try:
            done = subprocess.run(  # noqa: S603  a fixed program, no shell
                [path, *arguments],
                env=self._env,
                timeout=self._timeout_s,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
            )
        except subprocess.TimeoutExpired:
            reason = f"{program} gave no answer within {self._timeout_s:g} s; is slurmctld up?"
            raise SourceUnavailable(self._name, reason) from None
        except OSError as error:
            raise SourceUnavailable(self._name, f"{program} cannot be run: {error}") from None
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()[-500:]
            raise SourceUnavailable(self._name, f"{program} ended with {done.returncode}: {said}")
        return done.stdout

    def close(self) -> None:
        """Nothing is held."""


def jobs_of(name: str, body: bytes) -> Sequence[Mapping[str, Any]]:
    """Jobs of an answer in JSON.

    Raises:
        SourceUnavailable: it is torn, says an error, or holds no list of jobs.
    """
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceUnavailable(name, f"no JSON came ({error}): {body[:60]!r}") from None
    jobs = raw.get("jobs") if isinstance(raw, dict) else None
    errors = raw.get("errors") if isinstance(raw, dict) else None
    if errors:  # a bad token comes with status 200 and its error in the body
        told = "; ".join(str(one.get("description") or one.get("error")) for one in errors if isinstance(one, dict))
        raise SourceUnavailable(name, f"Slurm says: {told[:300]}")
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise SourceUnavailable(name, "the answer holds no list of jobs")
    return jobs
