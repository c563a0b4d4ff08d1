"""The planner's sign of life: a small file with its boot-clock time, compared by the web process.

Both stand on one machine, so CLOCK_BOOTTIME (it runs through a suspend) tells how long the planner has been
silent whatever the wall clock does; the boot id keeps a file of the last boot from counting. No flush to the
disk: after a lost machine it is worth nothing anyway.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_s() -> float:
    """Seconds on a clock that never jumps and does not stop in a suspend."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""


class SignOfLife:
    """One process' sign of life in ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._boot = _boot_id()

    def give(self) -> None:
        """Say "alive now"; readers see the old or the new file, never half of one."""
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        fresh.write_text(json.dumps({"boot": self._boot, "s": boot_s(), "pid": os.getpid()}), encoding="ascii")
        fresh.replace(self._path)

    def silent_s(self) -> float:
        """Seconds since the last sign; infinite where there is none of this boot."""
        try:
            told = json.loads(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return float("inf")
        return max(0.0, boot_s() - told["s"]) if told["boot"] == self._boot else float("inf")

    def pid(self) -> int | None:
        """Process id of the last sign; None where there is none."""
        try:
            return int(json.loads(self._path.read_text(encoding="ascii"))["pid"])
        except (OSError, ValueError):
            return None
