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
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None

    async def changed(self, held: Version, within_s: float) -> None:
        """Return when another version than ``held`` is in force, or after ``within_s``."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        self._waiting += 1
        try:
            if self._looking is None or self._looking.done():
                self._turn = loop.create_future()
                self._looking = loop.create_task(self._look(held))
            turn = self._turn
            if turn is not None and loop.time() < deadline:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(turn), deadline - loop.time())
        finally:
            self._waiting -= 1

    async def _look(self, last: Version) -> None:
        """Look while somebody waits; ends at a change, or at a database that cannot be read (each asks for himself)."""
        turn = self._turn
        assert turn is not None
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
