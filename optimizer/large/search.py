"""From slot prices to plans: price, list, re-dispatch, then better plans until the time is over."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from optimizer.direct import suits_milp
from optimizer.dispatch import Redispatched, at_levels, redispatch
from optimizer.finds import Best, Clock, Find, Request
from optimizer.first_come import in_order_of_release
from optimizer.greedy import FINES, Lister, SlotPrices, supported_it
from optimizer.large.improve import improve
from optimizer.large.prices import Round, rounds
from optimizer.problem import Floats, Ints, Problem
from optimizer.solve import Options

QUICK_ROUND = 2
"""Rounds of pricing before a quick list at rough prices and constant levels."""

QUICK_FINES = (1.0,)
QUICK_SHARE = 0.3
QUICK_JOBS = 300
"""More jobs than this wait for good prices before they are listed: listing them is what takes the time."""

LISTING_SHARE, PRICING_SHARE, SHORT_SHARE = 0.35, 0.7, 0.25
"""Shares of the time limit: latest start of the first listing, end of all pricing, and its end where HiGHS follows."""

NEARLY_CLOSED = 0.005
"""Relative distance of master and bound at which prices are good enough to list at."""

MARGINS = (1.0, 0.9, 0.75)
"""Shares of the supply that are tried in turn where ramps or batteries leave no dispatch."""


def search(problem: Problem, request: Request, clock: Clock, best: Best) -> Iterator[Find]:
    """Plans with a proven gap; all the time where HiGHS has no chance, a short while where it has."""
    if _first_come(problem, best):
        yield best.find()
    small = suits_milp(problem)
    options = Options(gap=1e-6, time_limit_s=max(2.0, request.time_limit_s / 2), threads=request.threads)
    pricing = rounds(problem, clock.at(SHORT_SHARE if small else PRICING_SHARE))
    last: Round | None = None
    for number, last in enumerate(pricing):
        best.prove(last.bound)
        if number == QUICK_ROUND and len(problem.entries) <= QUICK_JOBS and _quick(problem, last, options, best):
            yield best.find()
        if last.spread <= NEARLY_CLOSED or time.monotonic() > clock.at(LISTING_SHARE):
            break
    yield from _better_plans(problem, last, options, best, small=small)
    if small or best.proven or last is None:
        return
    if last.spread > NEARLY_CLOSED:
        # the listing came before its prices were good: finish them, then list once more
        for last in pricing:
            best.prove(last.bound)
            if last.spread <= NEARLY_CLOSED:
                break
        yield from _better_plans(problem, last, options, best, small=small)


def _better_plans(problem: Problem, last: Round | None, options: Options, best: Best, *, small: bool) -> Iterator[Find]:
    """List at the prices so far and, where HiGHS is not to come, search on from there while the prices are good."""
    clock = best.clock
    if last is None:
        prices, battery = _plain_prices(problem), np.zeros(problem.slots)
    else:
        prices, battery = _prices(last), last.battery
    for lister, found in _listed(problem, prices, _supply(problem, battery), options, best, clock.at(0.8)):
        yield best.find()
        if small or best.proven or (last is not None and last.spread > NEARLY_CLOSED and clock.left > 0):
            return
        for better, pattern in improve(problem, lister, found, prices, options, clock.at(0.93)):
            if best.offer(better, pattern, "GREEDY"):
                yield best.find()
            if best.proven:
                return


def safe(problem: Problem, request: Request, best: Best) -> Iterator[Find]:
    """The last resort: no new starts, only gangs that may not stop go on."""
    pattern: dict[str, Ints] = {}
    for e in problem.entries:
        on = np.zeros(problem.slots, dtype=np.int64)
        if e.must_stay and e.may_run:
            needed = int(np.ceil(e.due_h / (problem.step_h * max(e.top_speed, 1e-9)) - 1e-9))
            on[: min(max(1, needed, e.min_run - e.ran), e.last)] = e.count
        pattern[e.id] = on
    redone = redispatch(problem, pattern, Options(gap=1e-6, time_limit_s=max(2.0, request.time_limit_s / 2)))
    if redone is not None and best.offer(redone, pattern, "SAFE"):
        yield best.find()


def _first_come(problem: Problem, best: Best) -> bool:
    """A plan within the first second: jobs by release, each at the level that needs least energy; whether it holds."""
    frugal = {
        e.id: int(np.argmin(np.where(e.speed > 0, e.power / np.maximum(e.speed, 1e-9), np.inf)))
        for e in problem.entries
    }
    limit = supported_it(problem, problem.import_limit + problem.pv + problem.wind)
    pattern = in_order_of_release(problem, limit, frugal)
    found = at_levels(problem, pattern, frugal, Options(gap=1e-6, time_limit_s=5.0))
    return found is not None and best.offer(found, pattern, "GREEDY")


def _quick(problem: Problem, last: Round, options: Options, best: Best) -> bool:
    """One quick list at the levels that it chose, without asking for better ones; whether it can be supplied."""
    lister = Lister(problem, _prices(last), supported_it(problem, _supply(problem, last.battery)))
    pattern = lister.run(QUICK_FINES, best.clock.at(QUICK_SHARE))
    if pattern is None:
        return False
    levels = {e.id: lister.placed[e.id].level if e.id in lister.placed else 0 for e in problem.entries}
    found = at_levels(problem, pattern, levels, options)
    return found is not None and best.offer(found, pattern, "GREEDY")


def _listed(
    problem: Problem, prices: SlotPrices, supply: Floats, options: Options, best: Best, deadline: float
) -> Iterator[tuple[Lister, Redispatched]]:
    """List-scheduled plans that can be dispatched, at most one for each way of overbooking."""
    plain = problem.import_limit + problem.pv + problem.wind
    supplies = [supply, *(np.minimum(supply, share * plain) for share in MARGINS)]
    for limit in supplies:
        lister = Lister(problem, prices, supported_it(problem, limit))
        pattern = lister.run(FINES, deadline)
        if pattern is None:
            return
        found = redispatch(problem, pattern, options)
        if found is not None:
            best.offer(found, pattern, "GREEDY")
            yield lister, found
            return


def _prices(last: Round) -> SlotPrices:
    return SlotPrices(last.power_price, last.gpu_price)


def _supply(problem: Problem, battery: Floats) -> Floats:
    return problem.import_limit + problem.pv + problem.wind + battery


def _plain_prices(problem: Problem) -> SlotPrices:
    """Import at its price: what is known where nothing was priced."""
    buy = problem.step_h * np.maximum(problem.import_price + problem.carbon_cost, 0.0) / problem.efficiency
    pools = len(problem.pools)
    return SlotPrices(np.tile(buy, (pools + 1, 1)), np.zeros((pools, problem.slots)))
