"""Waiting for another version: one look at the database a tenth of a second for everybody who waits, none for nobody.

A long poll is a hint, not a lease: whoever waits gets the same answer as one who asks now, only sooner after a change.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from anyio import to_thread

from api.store.engine import StateUnavailable
from models.lease import Version

_LOOK_S = 0.1


class Watch:
    """Wakes those who wait as soon as ``read`` tells another version. For one event loop."""

    def __init__(self, read: Callable[[], Version]) -> None:
        self._read = read
        self._turn: asyncio.Future[None] | None = None
        self._last: Version | None = None
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None

    async def changed(self, held: Version, within_s: float) -> None:
        """Return when another version than ``held`` is in force, or after ``within_s``; sometimes sooner."""
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            if self._looking is None or self._looking.done():
                self._turn, self._last = loop.create_future(), held
                self._looking = loop.create_task(self._look(self._turn, held))
            elif held != self._last:  # it was read before the last change, or those who wait had read before it
                return
            assert self._turn is not None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._turn), within_s)
        finally:
            self._waiting -= 1

    async def _look(self, turn: asyncio.Future[None], last: Version) -> None:
        """Look while somebody waits; ends at a change, or at a database that cannot be read (each asks for himself)."""
        try:
            while self._waiting:
                if await to_thread.run_sync(self._read) != last:
                    return
                await asyncio.sleep(_LOOK_S)
        except StateUnavailable:
            return
        finally:
            if not turn.done():
                turn.set_result(None)
