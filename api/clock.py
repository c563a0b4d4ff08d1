"""The service's clock: the machine's, one that was set to another instant and runs on, or a simulation's, which is
faster."""

from __future__ import annotations

from datetime import datetime, timedelta

from ingest.clock import SystemClock


class ShiftedClock(SystemClock):
    """Wall time moved by ``shift``, and ``speed`` times as fast from the machine's instant ``origin`` on.

    Monotonic time is the machine's: leases, pauses and signs of life are not simulated.
    """

    def __init__(self, shift: timedelta = timedelta(0), *, speed: float = 1.0, origin: datetime | None = None) -> None:
        self.shift = shift
        self._faster = speed - 1
        self._origin = origin

    def now(self) -> datetime:
        """The present instant of this clock, UTC."""
        real = super().now()
        ahead = timedelta(0) if self._origin is None else (real - self._origin) * self._faster
        return real + self.shift + ahead
