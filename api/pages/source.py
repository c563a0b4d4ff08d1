"""Where the pages get their facts: the plan store and the clock, behind a few questions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol

from api.pages.actual import actual_view
from api.plan_store import PlanStore
from ingest.errors import StoreUnavailable
from ingest.ports import Clock, TelemetryStore
from ingest.quarantine import by_series

_HELD_S = 30.0
_HELD_BACK = timedelta(hours=1)


class DaySource(Protocol):
    """What the pages ask; ``request.app.state.day_source`` answers."""

    def now(self) -> datetime:
        """This instant."""

    def current(self) -> dict[str, Any] | None:
        """The edition in force with its drawings; None before the first plan."""

    def edition(self, plan_id: str) -> dict[str, Any]:
        """A published edition with its drawings, where they are still kept; raises ``NotFound``."""

    def modes(self) -> dict[str, str]:
        """Pool or asset to mode, in lower case."""

    def actual(self) -> dict[str, Any] | None:
        """Plan beside meters of the last hours (see ``actual``); None without telemetry."""

    def held_back(self) -> int | None:
        """How many readings of the last hour are held back; None without telemetry, or while its store is silent."""

    def simulated(self) -> dict[str, Any] | None:
        """Scenario and speed of a simulated site; None for a real one."""


class StoreSource:
    """The pages' facts from plan store and telemetry; ``targets`` are the site's pools and assets."""

    def __init__(
        self,
        store: PlanStore,
        clock: Clock,
        targets: tuple[str, ...] = (),
        meters: tuple[str, TelemetryStore] | None = None,
        simulated: dict[str, Any] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._targets = targets
        self._meters = meters
        self._simulated = simulated
        self._held: tuple[float, int] | None = None

    def now(self) -> datetime:
        """The service's clock."""
        return self._clock.now()

    def current(self) -> dict[str, Any] | None:
        """The plan in force."""
        return self._store.current(charts=True)

    def edition(self, plan_id: str) -> dict[str, Any]:
        """A published plan."""
        return self._store.edition(plan_id, charts=True)

    def modes(self) -> dict[str, str]:
        """Standing of every pool and asset; in shadow until somebody says otherwise."""
        held = self._store.now()
        return {name: held.target(name).mode.value.lower() for name in {*self._targets, *held.targets}}

    def actual(self) -> dict[str, Any] | None:
        """Plan beside meters."""
        if self._meters is None:
            return None
        site, store = self._meters
        return actual_view(store, site, self._clock.now())

    def held_back(self) -> int | None:
        """Counted anew once it is half a minute old: every open page asks."""
        if self._meters is None:
            return None
        at = self._clock.monotonic()
        if self._held is None or at - self._held[0] > _HELD_S:
            now = self._clock.now()
            try:
                count = sum(one.held for one in by_series(self._meters[1], now - _HELD_BACK, now))
            except StoreUnavailable:
                return None
            self._held = (at, count)
        return self._held[1]

    def simulated(self) -> dict[str, Any] | None:
        """As it was told."""
        return self._simulated
