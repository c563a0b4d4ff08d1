"""From slot prices to plans: price, list, re-dispatch, then better plans until the time is over."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from optimizer.direct import suits_milp
from optimizer.dispatch import Redispatched, at_levels, redispatch
from optimizer.finds import Best, Clock, Find, Request
from optimizer.greedy import FINES, Lister, SlotPrices, supported_it
from optimizer.large.improve import improve
from optimizer.large.prices import Round, rounds
from optimizer.problem import Floats, Ints, Problem
from optimizer.sessions import Pattern
from optimizer.solve import Options

FIRST_PLAN_ROUND = 2
"""Rounds of pricing before the first plan: prices are rough and levels constant, but a plan is there."""

FIRST_FINES = (1.0,)

PRICING_SHARE, SHORT_SHARE = 0.35, 0.15
"""Shares of the time limit for pricing: before a search, and before HiGHS takes the whole model."""

MARGINS = (1.0, 0.9, 0.75)
"""Shares of the supply that are tried in turn where ramps or batteries leave no dispatch."""


def search(problem: Problem, request: Request, clock: Clock, best: Best) -> Iterator[Find]:
    """Plans with a proven gap; all the time where HiGHS has no chance, a short while where it has."""
    small = suits_milp(problem)
    options = Options(gap=1e-6, time_limit_s=max(2.0, request.time_limit_s / 2), threads=request.threads)
    last: Round | None = None
    for number, last in enumerate(rounds(problem, clock.at(SHORT_SHARE if small else PRICING_SHARE))):
        best.prove(last.bound)
        if number == FIRST_PLAN_ROUND and _first_plan(problem, last, options, best):
            yield best.find()
    if last is None:
        prices, battery = _plain_prices(problem), np.zeros(problem.slots)
    else:
        prices, battery = _prices(last), last.battery
    for lister, found in _listed(problem, prices, _supply(problem, battery), options, best):
        yield best.find()
        if not small and not best.proven:
            for better, pattern in improve(problem, lister, found, prices, options, clock.at(0.93)):
                best.offer(better, pattern, "GREEDY")
                yield best.find()
                if best.proven:
                    return
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


def _first_plan(problem: Problem, last: Round, options: Options, best: Best) -> bool:
    """One quick list at the levels that it chose, without asking for better ones; whether it can be supplied."""
    lister = Lister(problem, _prices(last), supported_it(problem, _supply(problem, last.battery)))
    pattern = lister.run(FIRST_FINES)
    levels = {e.id: lister.placed[e.id].level if e.id in lister.placed else 0 for e in problem.entries}
    found = at_levels(problem, pattern, levels, options)
    return found is not None and best.offer(found, pattern, "GREEDY")


def _listed(
    problem: Problem, prices: SlotPrices, supply: Floats, options: Options, best: Best
) -> Iterator[tuple[Lister, Redispatched]]:
    """List-scheduled plans that can be dispatched, at most one for each way of overbooking."""
    plain = problem.import_limit + problem.pv + problem.wind
    supplies = [supply, *(np.minimum(supply, share * plain) for share in MARGINS)]
    for limit in supplies:
        lister = Lister(problem, prices, supported_it(problem, limit))
        pattern: Pattern = lister.run(FINES)
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
