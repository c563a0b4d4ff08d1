"""A source that is made when it is first asked, so that one that cannot be made yet costs the others nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from ingest.points import Point
from ingest.ports import Settling, Source


class LateSource:
    """Stands for the source that ``make`` gives; asked again for one after each failure of it."""

    def __init__(self, name: str, period_s: float, make: Callable[[], Source]) -> None:
        self.name = name
        self.period_s = period_s
        self._make = make
        self._source: Source | None = None

    def poll(self, now: datetime) -> Sequence[Point]:
        """See Source; raises as making it does, too."""
        if self._source is None:
            self._source = self._make()
        return self._source.poll(now)

    def settle(self, batch: Sequence[Point], kept: bool) -> None:
        """See Settling."""
        if isinstance(self._source, Settling):
            self._source.settle(batch, kept)

    def close(self) -> None:
        """Give back what was made, if it can be given back."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()
