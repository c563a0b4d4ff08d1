"""Whether telemetry carries a plan, asked often and looked up rarely: pulls come a thousand times a second."""

from __future__ import annotations

import threading

from api import logs
from ingest.coverage import coverage
from ingest.errors import StoreUnavailable
from ingest.ports import Clock, TelemetryStore
from models.site import Site

_FRESH_S = 5.0
_log = logs.get("web")


class Known:
    """Answer of the last look, at most :data:`_FRESH_S` old; while the store is silent the last answer holds."""

    def __init__(self, store: TelemetryStore, site: Site, clock: Clock) -> None:
        self._store, self._site, self._clock = store, site, clock
        self._mutex = threading.Lock()
        self._looked: float | None = None
        self._enough = True

    def enough(self) -> bool:
        """Whether enough is measured; what was never measured is not missed (see ingest.coverage)."""
        with self._mutex:
            now = self._clock.monotonic()
            if self._looked is None or now - self._looked >= _FRESH_S:
                self._looked = now
                self._look()
            return self._enough

    def _look(self) -> None:
        try:
            found = coverage(self._store, self._site, self._clock.now())
        except StoreUnavailable as error:
            _log.warning("coverage_not_known", reason=str(error))
            return
        if found.enough != self._enough:
            doubtful = [f"{one.metric} {one.why}" for one in found.doubtful]
            _log.warning("coverage", enough=found.enough, pools=dict(found.pools), doubtful=doubtful)
        self._enough = found.enough
