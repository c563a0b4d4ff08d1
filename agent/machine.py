"""The agent's state machine, without any I/O: answers and ticks go in, a state and limits come out.

Grants die early, restrictions die late, nothing rises without contact. Four things are kept apart:

- *what is held* (the last checked orders) from *whether it may be acted on* (:class:`models.lease.Lease`);
- lease time (this machine's boot clock, from the moment of asking) from plan time (the service's clock);
- a version that was seen (kept for good, lower ones are refused) from a version that is in force;
- contact from *rejoining*: out of a failsafe state only an answer leads that carries the token drawn at the entry
  into it. A late or replayed answer cannot know it, and no new plan needs to be published for the return.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from agent.clock import UNKNOWN, ServerClock
from agent.orders import Orders
from models.lease import AgentState, Lease, Timers, Version, effective_cap_w

LOCAL_OVERRIDE = "LOCAL_OVERRIDE"
"""Shown instead of the lease's state while an operator of this machine holds the caps lower."""
DISABLED = "DISABLED"
"""Shown while an operator of this machine has taken the agent out; the original limits are in force."""
NEVER = Version(0, 0)
"""No version was seen yet."""
_FALLEN = (AgentState.INIT_FAILSAFE, AgentState.FAILSAFE)


@dataclass(frozen=True, slots=True)
class Rules:
    """What this machine's own configuration says. Watts at the GPU, seconds.

    ``default_w`` serves until the first answer ever; without it a GPU gets the least that it accepts.
    """

    default_w: float | None = None
    ceiling_w: float = math.inf
    dwell_s: float = 300.0
    ramp_w_per_s: float = 20.0
    jitter_s: float = 60.0


@dataclass(frozen=True, slots=True)
class SiteFactor:
    """Word of the site guard: share of its cap that a GPU may have; ``default``: the default set is to hold."""

    share: float = 1.0
    default: bool = False


FREE = SiteFactor()
"""No guard, or one that has nothing to say."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """What the device says of itself, W."""

    index: int
    uuid: str
    min_w: float
    max_w: float


class Heard(StrEnum):
    """What became of an answer."""

    TAKEN = "taken"
    """Its lease holds."""
    WAITS = "waits"
    """Orders are held and their restrictions count, but failsafe is not left yet."""
    OLDER = "older version"
    OTHER_SITE = "another site"
    NOT_HELD = "304 for a version that is not held"


class Machine:
    """State of one agent. Not thread-safe: its owner locks."""

    def __init__(
        self,
        rules: Rules,
        now_s: float,
        *,
        held: Orders | None = None,
        clock: ServerClock = UNKNOWN,
        seen: Version = NEVER,
        draw: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        """``held``, ``clock`` and ``seen`` are what an earlier life kept; no lease outlives a restart."""
        self.rules = rules
        self.orders = held
        self.fresh = False
        """Whether ``orders`` came in this life, so that a 304 can renew them."""
        self.numbered = False
        """Whether the service gave them a tag; it does not where it could not number a state of affairs."""
        self.clock = clock
        self.lease = Lease(version=seen)
        self.entered_s = now_s
        self._draw = draw
        self.token: str | None = draw()

    @property
    def state(self) -> AgentState:
        """Of the lease, as of the last answer or tick."""
        return self.lease.state

    @property
    def timers(self) -> Timers:
        """The service's, of the orders held."""
        return self.orders.timers if self.orders else Timers()

    @property
    def etag_version(self) -> Version | None:
        """Version that a conditional request may name."""
        return self.orders.version if self.orders and self.fresh and self.numbered else None

    @property
    def wants_default_set(self) -> bool:
        """Whether not only the cap but the whole default set holds."""
        return self.state in _FALLEN or (self.orders is not None and self.orders.calls_for_default_set)

    def judge(self, orders: Orders) -> Heard:
        """Whether orders may be held at all."""
        if self.orders is not None and orders.site != self.orders.site:
            return Heard.OTHER_SITE
        return Heard.OLDER if orders.version < self.lease.version else Heard.TAKEN

    def take(
        self,
        orders: Orders,
        ttl_s: float,
        server_s: float,
        sent_s: float,
        got_s: float,
        token: str | None,
        *,
        numbered: bool = True,
    ) -> Heard:
        """A checked 200. ``sent_s`` and ``got_s`` are boot-clock seconds, ``token`` is the answer's."""
        verdict = self.judge(orders)
        if verdict is not Heard.TAKEN:
            return verdict
        self.orders, self.fresh, self.numbered = orders, True, numbered
        return self._contact(ttl_s, server_s, sent_s, got_s, token)

    def renew(
        self, version: Version, ttl_s: float, server_s: float, sent_s: float, got_s: float, token: str | None
    ) -> Heard:
        """A 304: it renews what is held, if that is what it speaks of."""
        if version < self.lease.version:
            return Heard.OLDER
        if self.orders is None or not self.fresh or self.orders.version != version:
            self.numbered = False  # ask without a condition next time
            return Heard.NOT_HELD
        return self._contact(ttl_s, server_s, sent_s, got_s, token)

    def _contact(self, ttl_s: float, server_s: float, sent_s: float, got_s: float, token: str | None) -> Heard:
        orders = self.orders
        assert orders is not None
        self.tick(got_s)
        self.clock = ServerClock.heard(server_s, sent_s, got_s)
        ttl_s = min(ttl_s, orders.timers.max_offline_s)
        if orders.source == "plan" and orders.valid_until_s is not None:
            ttl_s = min(ttl_s, orders.valid_until_s - server_s)
        if self.state in _FALLEN:
            rested = self.state is AgentState.INIT_FAILSAFE or got_s - self.entered_s >= self.rules.dwell_s
            if token is None or token != self.token or not rested:
                self.lease = replace(self.lease, version=orders.version)
                return Heard.WAITS
        # From the moment of asking: the service's count began no earlier than that.
        self._become(self.lease.renewed(sent_s, ttl_s, orders.version).at(got_s, self.timers), got_s)
        return Heard.WAITS if self.state in _FALLEN else Heard.TAKEN

    def tick(self, now_s: float) -> AgentState:
        """The lease as it stands now: without contact it only falls."""
        self._become(self.lease.at(now_s, self.timers), now_s)
        return self.state

    def reset(self, now_s: float) -> None:
        """Back to the start, as after being disabled."""
        self.lease = Lease(version=self.lease.version)
        self.entered_s, self.token = now_s, self._draw()

    def _become(self, lease: Lease, now_s: float) -> None:
        before, self.lease = self.lease.state, lease
        if lease.state in _FALLEN and before not in _FALLEN:
            self.entered_s, self.token = now_s, self._draw()
        elif lease.state not in _FALLEN:
            self.token = None

    def default_w(self, gpu: Gpu) -> float:
        """The default cap of a GPU: the service's last word, else this machine's configuration, else the least."""
        if self.orders is not None:
            return self.orders.default.limit_w
        return gpu.min_w if self.rules.default_w is None else self.rules.default_w

    def allowed_w(
        self,
        gpu: Gpu,
        now_s: float,
        *,
        jobs: Iterable[str] = (),
        last_applied_w: float | None = None,
        factor: SiteFactor = FREE,
        override_w: float = math.inf,
    ) -> float:
        """Limit that a GPU may have now, before the slow way up; never below what the device accepts.

        Args:
            gpu: the device.
            now_s: boot clock; the state is that of the last :meth:`tick`.
            jobs: those placed on the GPU, as this machine knows.
            last_applied_w: what it has now.
            factor: the site guard's.
            override_w: an operator's own limit on this machine; it only lowers.
        """
        placed, now, orders = list(jobs), self.clock.now(now_s), self.orders
        default = self.default_w(gpu)
        cap = effective_cap_w(
            self.state,
            hardware_max_w=gpu.max_w,
            default_w=default,
            planned_w=orders.planned_w(gpu.index, gpu.uuid, placed, now) if orders else None,
            last_applied_w=last_applied_w,
            hard_w=orders.hard_w(gpu.index, gpu.uuid, placed, now) if orders else (),
            site_ceiling_w=self.rules.ceiling_w,
        )
        if factor.default:
            cap = min(cap, default)
        return max(gpu.min_w, min(cap * factor.share, override_w))

    @property
    def ramp_w_per_s(self) -> float:
        """How fast a limit rises: the slower of the service's and this machine's."""
        told = self.orders.ramp_w_per_s if self.orders else None
        return self.rules.ramp_w_per_s if told is None else min(told, self.rules.ramp_w_per_s)

    @property
    def jitter_s(self) -> float:
        """Longest random wait before a rise: the longer of both."""
        told = self.orders.jitter_s if self.orders else None
        return self.rules.jitter_s if told is None else max(told, self.rules.jitter_s)
