"""A list of jobs that is read again and again; a bad row is told and left out, the others count."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import httpx

from ingest.errors import SourceUnavailable
from ingest.sources.http import ask
from ingest.sources.job_list.rows import Format, facts_of, read_rows, readable
from models.errors import InvalidInput
from models.queued_job import QueuedJob

_MOST_BYTES = 64 << 20
_log = logging.getLogger("chergui.jobs")


class JobListSource:
    """``fetch`` gives the whole list; see :func:`from_file` and :func:`from_address`."""

    def __init__(self, name: str, fetch: Callable[[], bytes], form: Format, *, pool: str | None = None) -> None:
        self.name = name
        self.odd: tuple[str, ...] = ()
        """Rows of the last reading that could not be read, in words."""
        self._fetch = fetch
        self._form: Format = form
        self._pool = pool
        self._first_seen: dict[str, datetime] = {}

    def jobs(self, now: datetime) -> Sequence[QueuedJob]:
        """Every job that the list names.

        Raises:
            SourceUnavailable: the list cannot be had, or is none.
        """
        found: dict[str, QueuedJob] = {}
        odd: list[str] = []
        for place, row in read_rows(self._fetch(), self._form, self.name):
            try:
                job = facts_of(row, self._form, self._pool, self._first_seen.get(str(row.get("id")), now))
            except InvalidInput as error:
                odd.append(f"{place}: {readable(error)}")
                continue
            if job.id in found:
                odd.append(f"{place}: id: {job.id!r} stands twice; the first counts")
            found.setdefault(job.id, job)
        self._first_seen = {name: job.submitted_at for name, job in found.items()}
        for told in set(odd) - set(self.odd):
            _log.warning("%s: a row is left out: %s", self.name, told)
        self.odd = tuple(odd)
        return list(found.values())


def from_file(name: str, path: Path) -> Callable[[], bytes]:
    """Reads a file."""

    def fetch() -> bytes:
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise SourceUnavailable(name, f"{path} is larger than {_MOST_BYTES} bytes")
            return path.read_bytes()
        except OSError as error:
            raise SourceUnavailable(name, f"{path}: {error.strerror}") from None

    return fetch


def from_address(client: httpx.Client, url: str, timeout_s: float) -> Callable[[], bytes]:
    """Asks an address."""
    return lambda: ask(client, url, timeout_s=timeout_s, most_bytes=_MOST_BYTES).body
