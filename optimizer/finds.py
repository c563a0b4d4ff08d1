"""What a solve finds on its way: requests, finds, and the best plan with the best bound so far."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from models.courses import Courses
from optimizer.dispatch import Redispatched, calmed
from optimizer.document import Plan
from optimizer.extract import Rung, extract, with_bound
from optimizer.kept_prices import KeptPrices
from optimizer.problem import Problem
from optimizer.replay import Previous
from optimizer.sessions import Pattern
from optimizer.solve import Options
from optimizer.weighed import Hedge

Method = Literal["auto", "direct", "large"]
"""By the problem's size and shape; the whole model in HiGHS; or slot prices, for many jobs."""

CALM_S = 2.0
"""Seconds that a plan's set-points may take to be calmed."""


@dataclass(frozen=True)
class Request:
    """How hard to try.

    ``courses``: what sun, wind and load may do instead, over which starts are to be weighed (:mod:`optimizer.hedge`);
    ``risk``: 0 to 1, weight of the mean of the worst tenth of them against the mean of all.
    """

    gap: float
    time_limit_s: float
    threads: int = 1
    method: Method = "auto"
    previous: Previous | None = None
    courses: Courses | None = None
    risk: float = 0.0


@dataclass(frozen=True)
class Find:
    """Something found: a plan, a better bound, the prices that prove it.

    ``certain``: that there is no plan was found by arithmetic, before any solver could err. ``hedge``: the plan is the
    one whose starts do best over the courses, whatever it costs beside the others.
    """

    plan: Plan | None = None
    bound: float | None = None
    prices: KeptPrices | None = None
    certain: bool = False
    hedge: Hedge | None = None


class Clock:
    """Seconds since the solve began, and those that are left."""

    def __init__(self, limit_s: float) -> None:
        self.begun, self.limit_s = time.monotonic(), limit_s

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.begun

    @property
    def left(self) -> float:
        """Seconds until the limit; negative after it."""
        return self.limit_s - self.elapsed

    def at(self, share: float) -> float:
        """Instant of the monotonic clock at a share of the limit."""
        return self.begun + share * self.limit_s


class Best:
    """The cheapest plan so far, its on-slots, and the best proven bound."""

    def __init__(self, problem: Problem, gap: float, clock: Clock) -> None:
        self.problem, self.gap, self.clock = problem, gap, clock
        self.plan: Plan | None = None
        self.pattern: Pattern | None = None
        self.bound: float | None = None
        self._found: Redispatched | None = None

    @property
    def proven(self) -> bool:
        """Whether the plan is as good as was asked."""
        return self.plan is not None and self.plan.status == "optimal"

    def offer(self, found: Redispatched, pattern: Pattern, rung: Rung) -> bool:
        """Take a plan if it is cheaper than the best; whether it was."""
        if self.plan is not None and self.plan.objective is not None and found.cost >= self.plan.objective:
            return False
        self._found = found
        self.plan = extract(self.problem, found.schedule, found.energy, rung, self.clock.elapsed)
        self.pattern = pattern
        return True

    def prove(self, bound: float | None) -> None:
        """Take a bound if it is better than the best."""
        if bound is not None and (self.bound is None or bound > self.bound):
            self.bound = bound

    @property
    def told_less(self) -> bool:
        """Whether more is proven than the best plan says of itself."""
        told = None if self.plan is None else self.plan.bound
        return self.plan is not None and self.bound is not None and (told is None or self.bound > told)

    def calm(self) -> bool:
        """Give the best plan calmer set-points at the same cost; whether there were any."""
        if self.plan is None or self._found is None:
            return False
        found = calmed(self.problem, self._found, Options(gap=1e-9, time_limit_s=CALM_S))
        if found is self._found:
            return False
        self._found = found
        self.plan = extract(self.problem, found.schedule, found.energy, self.plan.rung, self.clock.elapsed)
        return True

    def find(self, rung: Rung | None = None) -> Find:
        """The best plan with what is proven about it, under ``rung`` if its last step earned another."""
        if self.plan is None:
            return Find(bound=self.bound)
        self.plan = with_bound(self.plan, self.bound, self.gap)
        change: dict[str, object] = {"solve_seconds": self.clock.elapsed}
        if rung is not None:
            change["rung"] = rung
        self.plan = self.plan.model_copy(update=change)
        return Find(self.plan, self.bound)
