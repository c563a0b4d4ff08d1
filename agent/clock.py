"""Two clocks: this machine's boot clock, which never jumps, and what it tells about the service's.

Leases run on the boot clock alone (``CLOCK_BOOTTIME``: it goes on through a suspend). The instants of a plan are the
service's; its present is reckoned from the last answer plus what the boot clock has counted since, so that a jump of
this machine's wall clock changes nothing. What is not known exactly is an interval: grants must hold in all of it,
restrictions hold if any of it is theirs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_s() -> float:
    """Seconds on a clock that never jumps and does not stop in a suspend."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def boot_id() -> str:
    """Name of this boot; empty where the system gives none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class ServerClock:
    """What is known of the service's clock: it showed something in [low, high] at boot-clock second ``at_s``.

    ``high`` is infinite after a reboot without contact, because nobody counted while the machine was off.
    """

    low_s: float
    high_s: float
    at_s: float

    @classmethod
    def heard(cls, server_s: float, sent_s: float, got_s: float) -> ServerClock:
        """From an answer: its time was taken between sending and receipt, and cut to whole seconds."""
        return cls(server_s, server_s + 1.0 + (got_s - sent_s), got_s)

    def now(self, now_s: float) -> tuple[float, float]:
        """Interval of the service's present, epoch seconds."""
        passed = max(0.0, now_s - self.at_s)
        return self.low_s + passed, self.high_s + passed

    @classmethod
    def remembered(cls, low_s: float, high_s: float, at_s: float, same_boot: bool, now_s: float) -> ServerClock:
        """As it was kept: exact within one boot; after another one "at least that, and nobody knows how much more"."""
        if same_boot and at_s <= now_s:
            return cls(low_s, high_s, at_s)
        return cls(low_s, float("inf"), now_s)


UNKNOWN = ServerClock(float("-inf"), float("inf"), 0.0)
"""Before the first answer ever."""
