"""Where the pages get their facts: the plan store and the clock, behind four questions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from api.plan_store import PlanStore
from ingest.ports import Clock


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


class StoreSource:
    """The pages' facts from a :class:`PlanStore`; ``targets`` are the site's pools and assets."""

    def __init__(self, store: PlanStore, clock: Clock, targets: tuple[str, ...] = ()) -> None:
        self._store = store
        self._clock = clock
        self._targets = targets

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
