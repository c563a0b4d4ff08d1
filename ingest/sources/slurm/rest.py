"""slurmrestd: Slurm's queue over HTTP, or a socket of this machine."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from ingest.errors import SourceUnavailable
from ingest.sources.http import ask, secret
from ingest.sources.slurm.commands import jobs_of

_MOST_BYTES = 1 << 30
_SAYS_WHY = (401, 500, 511)
"""Statuses whose body says what is wrong: a bad token, a controller that is away."""
_VERSION = re.compile(r"/slurm/v0\.0\.(\d+)/jobs/?")


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
        return jobs_of(self._name, self._get(f"/slurm/{self._version}/jobs"))

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
        url = self._base + path
        answer = ask(self._client, url, timeout_s=self._timeout_s, most_bytes=_MOST_BYTES, statuses=(200, *_SAYS_WHY))
        return answer.body

    def close(self) -> None:
        """Give up the connection."""
        self._client.close()
