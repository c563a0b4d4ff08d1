"""The way from one limit to the next: down at once; up after a wait, then by a ramp.

The wait spreads a fleet's return over time, so that no step hits the grid when a plan comes in or an outage ends. It is
drawn from the job's name and the plan's version: all GPUs of a gang, on whatever node, rise together (the slowest
would hold back the rest), and jobs rise apart.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from models.lease import ramped_w

_LONGEST_STEP_S = 5.0
"""A tick that comes later than this (a suspend, a stalled machine) rises no further for it."""
_REST_S = 60.0
"""A rise that goes on within this time is the same rise, and waits only once."""


def spread(who: str, version: object) -> float:
    """A number in [0, 1), the same wherever it is asked for."""
    digest = hashlib.sha256(f"{who}/{version}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@dataclass(slots=True)
class Climb:
    """One GPU's limit on its way; ``applied_w`` is what was last decided."""

    applied_w: float
    at_s: float
    wait_until_s: float | None = None
    rising_s: float = 0.0

    def step(self, target_w: float, now_s: float, ramp_w_per_s: float, delay_s: float) -> float:
        """Next limit: never above ``target_w``, and above the present one only after the wait, by the ramp."""
        begun = max(self.at_s, now_s - _LONGEST_STEP_S)
        if target_w < self.applied_w:
            self.applied_w, self.wait_until_s = target_w, None
        elif target_w > self.applied_w:
            if self.wait_until_s is None or now_s - self.rising_s > _REST_S:
                self.wait_until_s = now_s + delay_s
            self.rising_s = now_s
            passed = now_s - max(begun, self.wait_until_s)
            if passed > 0:
                self.applied_w = ramped_w(self.applied_w, target_w, passed, ramp_w_per_s)
        self.at_s = now_s
        return self.applied_w
