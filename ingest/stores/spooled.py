"""A store that may be away, behind a spool that is not: a write is safe before it is sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ingest.errors import StoreUnavailable
from ingest.line_protocol import encode, parse
from ingest.points import Point
from ingest.ports import Across, Sample, TelemetryStore, Written
from ingest.spool import Spool

if TYPE_CHECKING:
    from models.series import Series

_log = logging.getLogger("chergui.ingest.spool")


class SpooledStore:
    """Writes go to ``spool`` and from there to ``store``; reads ask ``store``.

    A failed hand-over is tried again at the next write or :meth:`drain`, not sooner than
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

    def write(self, batch: Sequence[Point]) -> Written:
        """See TelemetryStore; safe on this machine's disk when it returns."""
        if batch:
            self._spool.append(encode(batch))
            self.drain()
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
        points, _ = parse(lines)
        for refusal in self._store.write(points).refused:
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
    ) -> Series:
        """See TelemetryStore."""
        return self._store.query(metric, tags, start, end, step, across)

    def latest(self, metric: str, tags: Mapping[str, str]) -> list[Sample]:
        """See TelemetryStore."""
        return self._store.latest(metric, tags)

    def raw(self, metric: str, tags: Mapping[str, str], start: datetime, end: datetime) -> list[Sample]:
        """See TelemetryStore."""
        return self._store.raw(metric, tags, start, end)

    def close(self) -> None:
        """See TelemetryStore; what waits stays in the spool."""
        self._spool.close()
        self._store.close()
