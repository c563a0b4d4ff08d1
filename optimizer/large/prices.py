"""Rounds of pricing: slot prices that tell jobs when to run, and the bound that they prove.

Column generation with prices smoothed towards the best seen (Wentges 1997): prices of the
restricted master alone swing from slot to slot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from optimizer.energy_model import EnergyModel, SlotPrices
from optimizer.large.crowd import Crowd
from optimizer.large.fluid import first_rows
from optimizer.large.master import Master
from optimizer.large.pricing import TRIES, price
from optimizer.problem import Floats

SEEDS = (1.0, 0.9, 1.1)
"""Shares of the first prices at which schedules are made before the first master."""

HOLD, HOLD_MANY, MANY = 0.2, 0.05, 1000
"""Share of the mean price by which the master may leave the best prices, while it knows few schedules; and for more
kinds of jobs than so many, whose fluid gives first prices that are nearly right."""

SEED_TRIES = 6
"""Prices of work that are tried for a seed, whose schedules matter and whose bound does not."""

LEAST_KEPT, MOST_KEPT, BOLDER, MEEKER = 0.3, 0.9, 0.1, 0.2
"""Weight of the best prices so far against the master's: less by a step after every success, more after a failure."""

NEAR = 0.003
"""Relative distance of master and bound at which the prices are let go."""

CLOSED = 1e-4
PATIENCE, STALLED = 4, 2e-5
"""Rounds after which the bound must have gained at least so much of itself."""

MOST_ROUNDS = 80


@dataclass(frozen=True)
class Round:
    """State after a round: best bound so far with its prices, the master's value and its energy columns.

    ``rows`` are the prices of all rows of the energy model, ``theta`` each kind's price of work.
    """

    bound: float
    relaxed: float
    rows: Floats
    prices: SlotPrices
    columns: Floats
    theta: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def spread(self) -> float:
        """Relative distance of the master's value and the bound: how far the prices are from their best."""
        return (self.relaxed - self.bound) / max(1.0, abs(self.relaxed))


def rounds(
    energy: EnergyModel, crowd: Crowd, deadline: float, seeds: Sequence[Floats] = (), theta: Floats | None = None
) -> Iterator[Round]:
    """Rounds until the bound closes or the monotonic clock passes ``deadline``.

    ``seeds`` are row prices to begin with, best guess first (those of an earlier plan); without any, those of a
    fluid are taken.
    """
    if not crowd.kinds:
        return
    first = seeds[0] if seeds else first_rows(energy, crowd)
    if first is None:
        first = energy.import_prices()
    if theta is None:
        theta = crowd.first_theta(float(np.abs(first[energy.power_rows]).max()))
    problem = energy.problem
    # a group may stay idle: at the price of its work left undone, or at one that no schedule has
    idle = crowd.idle_cost(float(np.abs(problem.import_price + problem.carbon_cost).max()))
    master = Master(energy, crowd.parts, crowd.by_group(idle))

    def answer(prices: SlotPrices, quick: bool) -> Answer:
        priced = price(crowd, prices, theta, tries=SEED_TRIES if quick else TRIES)
        return Answer(float(priced.least.sum()), crowd.by_group(priced.money), priced.power, priced.gpus)

    begin = list(seeds) or [share * first for share in SEEDS]
    hold = HOLD if len(crowd.kinds) <= MANY else HOLD_MANY
    for found in close_in(energy, master, answer, begin, deadline, hold=hold):
        more = crowd.left_undone
        yield replace(found, bound=found.bound + more, relaxed=found.relaxed + more, theta=theta.copy())


@dataclass(frozen=True)
class Answer:
    """What jobs do at some prices: proven least cost of all, own money by group, power and GPUs per slot by part."""

    least: float
    money: Floats
    power: Floats
    gpus: Floats


def close_in(
    energy: EnergyModel,
    master: Master,
    answer: Callable[[SlotPrices, bool], Answer],
    seeds: Sequence[Floats],
    deadline: float,
    closed: float = CLOSED,
    hold: float = HOLD,
) -> Iterator[Round]:
    """Ask for answers at better and better prices, and mix them, until bound and mix meet.

    Args:
        energy: the energy model.
        master: takes the answers as columns.
        answer: what jobs do at slot prices; the flag says that a rough answer will do.
        seeds: row prices to begin with, at least one.
        deadline: instant of the monotonic clock at which to stop.
        closed: relative distance of bound and mix at which to stop.
        hold: share of the mean price by which prices may leave the best ones, while few answers are known.
    """
    best, best_bound = seeds[0], -np.inf

    def ask(rows: Floats, quick: bool) -> bool:
        nonlocal best, best_bound
        legal = energy.legal(rows)
        said = answer(energy.slot_prices(legal), quick)
        master.add(said.money, said.power, said.gpus)
        bound = energy.bound(legal, said.least)
        if bound <= best_bound:
            return False
        best, best_bound = legal, bound
        return True

    for rows in seeds:
        ask(rows, True)
    history: list[float] = []
    held, keep = True, LEAST_KEPT
    for _ in range(MOST_ROUNDS):
        if held:
            master.hold(best, hold)
        solved = master.solve()
        if solved is None:
            return
        relaxed, here, columns = solved
        if held and (relaxed - best_bound) / max(1.0, abs(relaxed)) < NEAR:
            held = False
            master.release()
            continue
        better = ask(keep * best + (1 - keep) * here, False)
        keep = max(LEAST_KEPT, keep - BOLDER) if better else min(MOST_KEPT, keep + MEEKER)
        history.append(best_bound)
        found = Round(best_bound, relaxed, best, energy.slot_prices(best), columns)
        yield found
        stalled = len(history) > PATIENCE and best_bound - history[-PATIENCE] < STALLED * abs(best_bound)
        if stalled and held:
            # the best prices lie beyond what holds them
            held, history = False, []
            master.release()
        # stalled: what is left between the two is the distance of jobs' own bounds and schedules
        if found.spread <= closed or (stalled and not held) or time.monotonic() > deadline:
            return
