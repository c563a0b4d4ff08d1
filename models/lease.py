"""Leases and what a cap is worth without one: a leaf of standard library only, shared by service and agent.

Three sentences carry it all: *grants die early, restrictions die late, nothing rises without contact.* A limit
above the default is a grant and falls to the default as soon as the lease is in doubt; one below it stays. Lease
time runs on a monotonic clock from the moment of receipt, so that a jump of the wall clock can never extend it.
Watts at the GPU, seconds, boot-clock seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Mode(StrEnum):
    """What a pool or asset lets the planner do."""

    SHADOW = "shadow"
    """Plans are made and shown; the default set is served."""
    AUTO = "auto"
    """The plan in force is served while its lease holds."""
    FAILSAFE = "failsafe"
    """An operator's order: the default set is served whatever is planned."""


class AgentState(StrEnum):
    """Where an agent stands; it starts in the first."""

    INIT_FAILSAFE = "INIT_FAILSAFE"
    CONTROLLED = "CONTROLLED"
    STALE = "STALE"
    FAILSAFE = "FAILSAFE"


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Number of what is in force: ``seq`` rises by one with every change, ``epoch`` with a restore from backup.

    Agents keep the highest that they have seen and refuse lower ones.
    """

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Version from ``epoch.seq``.

        Raises:
            ValueError: it is not written like that.
        """
        epoch, dot, seq = text.partition(".")
        if not (dot and epoch.isascii() and epoch.isdecimal() and seq.isascii() and seq.isdecimal()):
            raise ValueError(f"{text!r} is no version; write epoch.seq, such as 3.1843")
        return cls(int(epoch), int(seq))


@dataclass(frozen=True, slots=True)
class Timers:
    """How long contact may fail: ``stale_after_s`` until grants are dropped, ``max_offline_s`` until failsafe."""

    poll_s: float = 30.0
    stale_after_s: float = 120.0
    max_offline_s: float = 900.0


def timers_for(lease_s: float) -> Timers:
    """Timers that fit a lease: stale after a third of it at most, and four polls before that, so that three questions
    in a row may fail before a grant is dropped."""
    stale_after_s = min(120.0, lease_s / 3)
    return Timers(stale_after_s / 4, stale_after_s, lease_s)


def lease_left_s(lease_s: float, silent_s: float, valid_left_s: float) -> float:
    """Seconds that a plan may still be acted on; 0 when it may not.

    Args:
        lease_s: how long a sign of life of the planner holds.
        silent_s: seconds since the last one, by a clock that does not jump; infinite if there was none.
        valid_left_s: seconds until the plan ends (negative after it).
    """
    return max(0.0, min(lease_s - silent_s, valid_left_s))


@dataclass(frozen=True, slots=True)
class Lease:
    """What an agent holds. ``until_s`` and ``contact_s`` are on its own boot clock."""

    state: AgentState = AgentState.INIT_FAILSAFE
    version: Version = Version(0, 0)
    until_s: float = 0.0
    contact_s: float = float("-inf")

    def renewed(self, now_s: float, ttl_s: float, version: Version) -> Lease:
        """After an answer (200, or 304 with the version that is held); a lower version changes nothing."""
        if version < self.version:
            return self
        if ttl_s <= 0:
            return replace(self, version=version, contact_s=now_s, until_s=now_s).at(now_s)
        return Lease(AgentState.CONTROLLED, version, now_s + ttl_s, now_s)

    def at(self, now_s: float, timers: Timers = Timers()) -> Lease:
        """The same lease at a later moment: it only ever falls."""
        if self.state in (AgentState.INIT_FAILSAFE, AgentState.FAILSAFE):
            return self
        silent = now_s - self.contact_s
        if now_s >= self.until_s or silent > timers.max_offline_s:
            return replace(self, state=AgentState.FAILSAFE)
        if silent > timers.stale_after_s:
            return replace(self, state=AgentState.STALE)
        return self


def effective_cap_w(
    state: AgentState,
    *,
    hardware_max_w: float,
    default_w: float,
    planned_w: float | None = None,
    last_applied_w: float | None = None,
    hard_w: Iterable[float] = (),
    site_ceiling_w: float = float("inf"),
) -> float:
    """Limit that a GPU gets, W.

    Args:
        state: of the lease.
        hardware_max_w: what the device accepts at most; never exceeded.
        default_w: the pool's default.
        planned_w: the plan's limit for this moment; None: the plan says nothing, so the default holds.
        last_applied_w: what was last set; None: nothing yet.
        hard_w: restrictions that outlive a lease (grid event, thermal), those that hold now.
        site_ceiling_w: ceiling of the site guard.

    CONTROLLED follows the plan; STALE takes the least of what is applied, default and hard limits, so that a soft
    300 W stays 300 W and a grant is gone; both failsafe states take default and hard limits only.
    """
    limits = [hardware_max_w, site_ceiling_w, *hard_w]
    if state is AgentState.CONTROLLED:
        limits.append(default_w if planned_w is None else planned_w)
    else:
        limits.append(default_w)
        if state is AgentState.STALE and last_applied_w is not None:
            limits.append(last_applied_w)
    return min(limits)


def ramped_w(applied_w: float, target_w: float, passed_s: float, ramp_w_per_s: float = 20.0) -> float:
    """Next limit on the way to ``target_w``: down at once, up by ``ramp_w_per_s``."""
    return min(target_w, applied_w + ramp_w_per_s * passed_s) if target_w > applied_w else target_w
