"""Better plans from a plan: take some jobs off the board, list them again, re-dispatch, keep what is cheaper.

Which jobs: those whose place costs most above the least that pricing proves for them (their regret;
regrets sum to the gap), with some chance so that no round repeats the last one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from optimizer.dispatch import Redispatched, redispatch
from optimizer.greedy import Lister, SlotPrices, supported_it
from optimizer.problem import Entry, Floats, Problem
from optimizer.sessions import Pattern
from optimizer.solve import Options

SHARE = 0.25
"""Share of the entries that a round takes off the board, at most :data:`MOST` of them."""

MOST = 120
STALE = 25
"""Rounds without a better plan after which the search rests."""


def improve(
    problem: Problem,
    lister: Lister,
    plan: Redispatched,
    slot_prices: SlotPrices,
    options: Options,
    deadline: float,
    seed: int = 1,
) -> Iterator[tuple[Redispatched, Pattern]]:
    """Ever cheaper plans until the monotonic clock passes ``deadline`` or nothing gets better."""
    rng = np.random.default_rng(seed)
    best, stale = plan, 0
    while time.monotonic() < deadline and stale < STALE:
        regret = np.array([_regret(problem, e, best, slot_prices) for e in lister.order])
        size = max(2, min(MOST, round(SHARE * len(regret))))
        chosen = _draw(regret, min(size, len(regret)), rng)
        kept = lister.snapshot()
        lister.board.it_limit = supported_it(problem, _supply(problem, best))
        ruined = [lister.order[j] for j in chosen]
        for e in ruined:
            lister.lift(e)
        shuffled = [ruined[j] for j in rng.permutation(len(ruined))]
        lister.sweep(shuffled, 2.0)
        lister.sweep(ruined, None)
        lister.make_room()
        pattern = lister.pattern()
        found = redispatch(problem, pattern, options)
        if found is not None and found.cost < best.cost - 1e-9 * max(1.0, abs(best.cost)):
            best, stale = found, 0
            yield best, pattern
        else:
            lister.restore(kept)
            stale += 1


def _draw(regret: Floats, size: int, rng: np.random.Generator) -> list[int]:
    """Indices, likelier where the regret is larger."""
    weight = np.maximum(regret, 0.0) + 1e-3 * max(1e-9, float(np.abs(regret).mean()))
    # the largest of weight^(1/u) is a weighted sample without replacement (Efraimidis and Spirakis 2006)
    keys = np.log(rng.random(len(weight))) / weight
    return [int(j) for j in np.argsort(-keys)[:size]]


def _regret(problem: Problem, e: Entry, plan: Redispatched, prices: SlotPrices) -> float:
    """What the entry costs in this plan at the slots' prices, above doing its work in the cheapest slots."""
    power_price, gpu_price = prices.of(e)
    power, on = plan.schedule.power(e.id), plan.schedule.pattern[e.id]
    paid = float(power_price @ power + gpu_price @ on)
    speed = plan.schedule.speed(e.id)
    done = problem.step_h * float(speed.sum())
    missing = max(0.0, e.count * e.due_h - done)
    level = int(np.argmin(np.where(e.speed > 0, e.power / np.maximum(e.speed, 1e-9), np.inf)))
    window = np.sort((power_price * e.power[level] + gpu_price)[e.first : e.last])
    gain = problem.step_h * max(float(e.speed[level]), 1e-9)
    needed = min(len(window), int(np.ceil(e.due_h / gain - 1e-9)))
    return paid + (e.unmet_cost or 0.0) * missing - e.count * float(window[:needed].sum())


def _supply(problem: Problem, plan: Redispatched) -> Floats:
    supply = problem.import_limit + problem.pv + problem.wind
    for b in problem.batteries:
        supply = supply + plan.energy.discharge[b.name] - plan.energy.charge[b.name]
    return supply
