"""One writer at a time, across processes: an advisory lock on a file beside the data."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.errors import StoreBusy

_RETRY_S = 0.005


@contextmanager
def exclusive(path: Path, wait_s: float, store: str) -> Iterator[None]:
    """Hold ``path`` exclusively; the kernel frees it when the process dies, whatever the cause.

    Raises:
        StoreBusy: somebody else held it for longer than ``wait_s``.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise StoreBusy(store, f"another writer held it for {wait_s:g} s; try again") from None
                time.sleep(_RETRY_S)
        yield
    finally:
        os.close(handle)
