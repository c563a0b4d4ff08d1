"""Two ways to Slurm's queue: its commands (every version, no daemon more) and slurmrestd.

Each question has a deadline: with a controller that is away, Slurm's own commands try for minutes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from ingest.errors import SourceUnavailable
from ingest.sources.http import ask, secret

_MOST_BYTES = 1 << 30
_VERSION = re.compile(r"/slurm/v0\.0\.(\d+)/jobs/?")


class Queue(Protocol):
    """Something that tells Slurm's jobs as raw objects."""

    def raw_jobs(self) -> Sequence[Mapping[str, Any]]:
        """Every job that the controller still knows.

        Raises:
            SourceUnavailable: it does not answer, or with something else.
        """
        ...


class Commands:
    """``squeue`` and ``scontrol`` of this machine."""

    def __init__(self, name: str = "slurm", *, conf: Path | None = None, timeout_s: float = 20.0) -> None:
        self._name = name
        self._timeout_s = timeout_s
        # Times are read and written in UTC, whatever the machine's zone is.
        self._env = {**os.environ, "TZ": "UTC"} | ({} if conf is None else {"SLURM_CONF": str(conf)})

    def raw_jobs(self) -> Sequence[Mapping[str, Any]]:
        """Jobs of ``squeue --json``."""
        return _jobs(self._name, self.run("squeue", "--json"))

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


class Rest:
    """slurmrestd at ``http://host:port`` or ``unix:/path``; ``user`` and ``token_file`` for JWT."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        user: str | None = None,
        token_file: Path | None = None,
        version: str | None = None,
        timeout_s: float = 20.0,
    ) -> None:
        self._name = name
        self._user = user
        self._token_file = token_file
        self._version = version
        parts = urlsplit(url)
        unix = parts.path if parts.scheme == "unix" else None
        self._timeout_s = timeout_s
        self._base = "http://localhost" if unix else url.rstrip("/")
        self._client = httpx.Client(transport=httpx.HTTPTransport(uds=unix), timeout=timeout_s, trust_env=False)

    def raw_jobs(self) -> Sequence[Mapping[str, Any]]:
        """Jobs of ``/slurm/v0.0.NN/jobs``, in the newest version that the daemon serves unless one was named."""
        if self._version is None:
            self._version = self._newest()
        return _jobs(self._name, self._get(f"/slurm/{self._version}/jobs"))

    def _newest(self) -> str:
        try:
            paths = json.loads(self._get("/openapi/v3"))["paths"]
            found = [int(match[1]) for path in paths if (match := _VERSION.fullmatch(path))]
            return f"v0.0.{max(found)}"
        except (KeyError, TypeError, ValueError):
            reason = "slurmrestd does not say which versions it serves; name one with version"
            raise SourceUnavailable(self._name, reason) from None

    def _get(self, path: str) -> bytes:
        if self._user is not None:
            self._client.headers["X-SLURM-USER-NAME"] = self._user
        if self._token_file is not None:  # read each time: tokens live for half an hour
            self._client.headers["X-SLURM-USER-TOKEN"] = secret(self._token_file).removeprefix("SLURM_JWT=")
        return ask(self._client, self._base + path, timeout_s=self._timeout_s, most_bytes=_MOST_BYTES).body

    def close(self) -> None:
        """Give up the connection."""
        self._client.close()


def _jobs(name: str, body: bytes) -> Sequence[Mapping[str, Any]]:
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
