"""One writer per GPU: an advisory lock on a file named after its UUID, freed by the kernel when the holder dies."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from models.errors import CherguiError


class Claimed(CherguiError):
    """Another process holds a GPU; ``uuid`` and ``holder`` say which and who."""

    code = "Claimed"

    def __init__(self, uuid: str, holder: str) -> None:
        self.uuid = uuid
        self.holder = holder
        super().__init__(f"GPU {uuid} is held by {holder or 'another process'}; one writer per GPU")


class Claims:
    """Locks of this process, kept until it ends or they are released."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def take(self, uuid: str) -> None:
        """Claim a GPU; again is no matter.

        Raises:
            Claimed: another process has it.
        """
        if uuid in self._held:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"gpu-{re.sub(r'[^A-Za-z0-9_-]', '_', uuid)}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 200, 0).decode(errors="replace").strip()
            os.close(handle)
            raise Claimed(uuid, holder) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()}\n".encode(), 0)
        self._held[uuid] = handle

    def release(self) -> None:
        """Give all back."""
        for handle in self._held.values():
            os.close(handle)
        self._held.clear()
