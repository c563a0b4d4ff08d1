"""Better solutions inside HiGHS, made into plans beside it: what a killed solver had found is not lost.

HiGHS tells a solution from its own thread, which must go on solving; making a plan of it is two small solves of
their own. They run in a second thread (HiGHS keeps one scheduler a thread and lets go of Python's lock while it
solves), always for the newest solution, and rest between two, so that the second thread takes a third of
a core at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

REST = 2.0
"""Seconds of rest for each second of work."""


class Newest(Generic[T]):
    """A place for one thing: a newer one takes the place of one that nobody has taken."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._thing: T | None = None
        self._closed = False

    def put(self, thing: T) -> None:
        """Leave a thing; never waits for whoever takes it."""
        with self._changed:
            self._thing = thing
            self._changed.notify()

    def close(self) -> None:
        """Nothing more will be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def rest(self, seconds: float) -> None:
        """Wait, at most until the place is closed."""
        end = time.monotonic() + seconds
        with self._changed:
            while not self._closed and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)

    def taken(self) -> Iterator[T]:
        """Things as they come, the newest each time, until the place is closed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._thing is not None)
                if self._closed or self._thing is None:
                    return
                thing, self._thing = self._thing, None
            yield thing


@contextmanager
def beside(work: Callable[[T], None]) -> Iterator[Callable[[T], None]]:
    """Have ``work`` done in a second thread on what the yielded function is called with, the newest first.

    At the end a thing that nobody took is dropped, what is being worked on is waited for, and what ``work`` raised
    is raised here.
    """
    place: Newest[T] = Newest()

    def worker() -> None:
        for thing in place.taken():
            begun = time.monotonic()
            work(thing)
            place.rest(REST * (time.monotonic() - begun))

    with ThreadPoolExecutor(1, "beside") as pool:
        done = pool.submit(worker)
        try:
            yield place.put
        finally:
            place.close()
        done.result()
