"""Errors of the telemetry stores; each carries what a door needs to answer (retry or not, and why)."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.points import Point
from models.errors import CherguiError


class StoreUnavailable(CherguiError):
    """A store could not take or give data now; nothing of the batch was kept. Retrying is right."""

    code = "StoreUnavailable"

    def __init__(self, store: str, reason: str) -> None:
        self.store = store
        self.reason = reason
        super().__init__(f"the telemetry store {store} is unavailable: {reason}")


class StoreBusy(StoreUnavailable):
    """Another writer held the store for longer than the caller would wait."""

    code = "StoreBusy"


class StoreFull(StoreUnavailable):
    """There is no room left (disk, quota or spool); nothing of the batch was kept."""

    code = "StoreFull"


class SourceUnavailable(CherguiError):
    """A source cannot be read at all now; ``reason`` is for the operator.

    ``points`` are what is known nevertheless, such as which of its targets are silent.
    """

    code = "SourceUnavailable"

    def __init__(self, source: str, reason: str, points: Sequence[Point] = ()) -> None:
        self.source = source
        self.reason = reason
        self.points = points
        super().__init__(f"the source {source} cannot be read: {reason}")
