"""The service's clock: the machine's, or one that was set to another instant when the service began and runs on."""

from __future__ import annotations

from datetime import datetime, timedelta

from ingest.clock import SystemClock


class ShiftedClock(SystemClock):
    """Wall time moved by ``shift``; monotonic time is the machine's."""

    def __init__(self, shift: timedelta = timedelta(0)) -> None:
        self.shift = shift

    def now(self) -> datetime:
        """The present instant of this clock, UTC."""
        return super().now() + self.shift

    @classmethod
    def starting_at(cls, moment: datetime | None) -> ShiftedClock:
        """A clock that shows ``moment`` now; None: the machine's."""
        return cls(timedelta(0) if moment is None else moment - SystemClock().now())
