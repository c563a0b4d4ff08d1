"""Releasing flagged telemetry, on record: where the points that say so cannot be written, no audit row claims it."""

from __future__ import annotations

from sqlalchemy import Engine

from api.store.audit import record
from api.store.engine import writing
from ingest.ports import Clock, TelemetryStore
from ingest.quarantine import Which, release
from models.horizon import rfc3339


class Releases:
    """Releases in ``telemetry``, on record in the state database."""

    def __init__(self, engine: Engine, telemetry: TelemetryStore, clock: Clock) -> None:
        self._engine = engine
        self._telemetry = telemetry
        self._clock = clock

    def release(self, which: Which, actor: str, why: str) -> int:
        """Let the flagged values count as good; how many were not released before.

        Raises:
            InvalidInput, NotFound, StoreUnavailable: as :func:`ingest.quarantine.release`.
            StateUnavailable: the audit row cannot be written.
        """
        now = self._clock.now()
        with writing(self._engine) as connection:
            count = release(self._telemetry, which, actor, now, why)
            detail = {"tags": dict(which.tags or {}), "flag": which.flag, "why": why, "values": count}
            span = {"since": rfc3339(which.start), "until": rfc3339(which.end)}
            record(connection, now, actor, "quarantine.release", which.metric or "", {**detail, **span})
        return count
