"""A store that may be away, behind a spool that is not: a write is safe before it is sent."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ingest.errors import StoreUnavailable
from ingest.line_protocol import encode, parse
from ingest.points import Point, from_ns, to_ns
from ingest.ports import Across, Sample, TelemetryStore, Written
from ingest.spool import Spool

if TYPE_CHECKING:
    from models.series import Series

_log = logging.getLogger("chergui.ingest.spool")
_BELIEVED = "# believed_at_ns="
"""First line of a batch that was believed since a stated instant: a comment to all others."""
_JOIN_S = 5.0


class SpooledStore:
    """Writes go to ``spool`` and from there to ``store``; reads ask ``store``.

    A batch is handed over at the write itself, or, after :meth:`start`, by a thread of its own, so that a slow
    server delays nobody. A failed hand-over is tried again at the next write or :meth:`drain`, not sooner than
    ``retry_s`` after it. Points that the server refuses for good are counted in ``refused`` and
    logged: by then the writer has its answer.
    """

    def __init__(
        self,
        spool: Spool,
        store: TelemetryStore,
        *,
        retry_s: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.refused = 0
        self.last_error = ""
        self._spool, self._store = spool, store
        self._retry_s, self._monotonic = retry_s, monotonic
        self._not_before = float("-inf")
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Hand over in a thread from now on, beginning with what an earlier process left."""
        self._thread = threading.Thread(target=self._keep_draining, name="spool", daemon=True)
        self._news.set()
        self._thread.start()

    def _keep_draining(self) -> None:
        while not self._closing.is_set():
            self._news.wait(self._retry_s)
            self._news.clear()
            if not self._closing.is_set():
                self.drain()

    @property
    def waiting_bytes(self) -> int:
        """How much waits for the server."""
        return self._spool.waiting_bytes

    def write(self, batch: Sequence[Point], believed_at: datetime | None = None) -> Written:
        """See TelemetryStore; safe on this machine's disk when it returns."""
        if batch:
            head = "" if believed_at is None else f"{_BELIEVED}{to_ns(believed_at)}\n"
            self._spool.append(head + encode(batch))
            if self._thread is None:
                self.drain()
            else:
                self._news.set()
        return Written(stored=sum(len(p.fields) for p in batch))

    def drain(self) -> None:
        """Hand over what waits, unless the last try failed a moment ago."""
        if self._monotonic() < self._not_before:
            return
        try:
            self._spool.drain(self._send)
        except StoreUnavailable as error:
            self._not_before = self._monotonic() + self._retry_s
            if not self.last_error:
                _log.warning("%s; %d bytes wait in the spool", error, self._spool.waiting_bytes)
            self.last_error = str(error)
        else:
            if self.last_error:
                _log.info("the store is back and has everything")
            self.last_error = ""

    def _send(self, lines: str) -> None:
        believed_at = None
        if lines.startswith(_BELIEVED):
            believed_at = from_ns(int(lines[len(_BELIEVED) : lines.index("\n")]))
        points, _ = parse(lines)
        for refusal in self._store.write(points, believed_at).refused:
            self.refused += 1
            _log.warning("refused for good: %s: %s", encode([points[refusal.index]]), refusal.message)

    def query(
        self,
        metric: str,
        tags: Mapping[str, str],
        start: datetime,
        end: datetime,
        step: timedelta,
        across: Across = "one",
        as_of: datetime | None = None,
    ) -> Series:
        """See TelemetryStore."""
        return self._store.query(metric, tags, start, end, step, across, as_of)

    def latest(self, metric: str, tags: Mapping[str, str]) -> list[Sample]:
        """See TelemetryStore."""
        return self._store.latest(metric, tags)

    def raw(
        self,
        metric: str,
        tags: Mapping[str, str],
        start: datetime,
        end: datetime,
        as_of: datetime | None = None,
    ) -> list[Sample]:
        """See TelemetryStore."""
        return self._store.raw(metric, tags, start, end, as_of)

    def metrics(self) -> list[str]:
        """See TelemetryStore."""
        return self._store.metrics()

    def close(self) -> None:
        """See TelemetryStore; what waits stays in the spool."""
        self._closing.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
        self._spool.close()
        self._store.close()
