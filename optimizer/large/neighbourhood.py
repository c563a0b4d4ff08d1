"""Better plans from a plan where gangs are few and large: some gangs choose anew together, all the rest stays.

The gangs get schedules by column generation at prices that hold for them among the others, and HiGHS
chooses one schedule for each. What trial and error finds by luck among two thousand jobs has to be
searched for among a hundred.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from optimizer.energy_model import EnergyModel
from optimizer.large.improve import BoardCost, draw
from optimizer.large.listing import Listing
from optimizer.large.master import Master
from optimizer.large.pricing import price
from optimizer.problem import Floats, Ints

ROUNDS = 8
"""Schedules that every gang of a neighbourhood gets beside the one that it has."""

LEAST, FIRST, MOST = 6, 16, 80
"""Gangs that choose together: at the least, in the first neighbourhood, and at most."""

ALL, ALL_ROUNDS, ALL_SHARE, ALL_S = 120, 60, 0.5, 10.0
"""Gangs up to which all choose together once, schedules that each gets for it, share of the time left that HiGHS has
for it, and seconds under which neighbourhoods bring more."""

CHOOSE_S = 1.5
GAP = 1e-5


def search_around(
    energy: EnergyModel, listing: Listing, cost: BoardCost, least: Floats, good_enough: float, deadline: float
) -> Iterator[float]:
    """Make a board cheaper until the monotonic clock passes ``deadline``; its cost after every step that helped.

    Arguments as those of :func:`optimizer.large.improve.improve`.
    """
    rng = np.random.default_rng(2)
    best, size = cost.of(listing), FIRST
    at_once = len(listing.line) <= ALL and deadline - time.monotonic() >= ALL_S
    while (left := deadline - time.monotonic()) > 0 and best > good_enough:
        kept = listing.snapshot()
        if at_once:
            proven = _choose(energy, listing, np.arange(len(listing.line)), ALL_SHARE * left, ALL_ROUNDS)
        else:
            units = draw(listing.regret(least), listing.crowd.window[listing.line], rng, size)
            proven = _choose(energy, listing, units, min(CHOOSE_S, left), ROUNDS)
        found = cost.of(listing)
        if found < best - 1e-7 * max(1.0, abs(best)):
            best = found
            yield best
        else:
            listing.restore(kept)
        if at_once:
            at_once = False
            continue
        size = min(MOST, len(listing.line), size + size // 4) if proven else max(LEAST, size - size // 4)


def _choose(energy: EnergyModel, listing: Listing, units: Ints, time_limit_s: float, rounds: int) -> bool:
    """Give some units the schedules that are cheapest together; whether there are none better among those found.

    ``rounds``: schedules that each unit gets at most beside the one that it has, while they take less than half as long
    as HiGHS may take to choose.
    """
    begun = time.monotonic()
    crowd, copies = listing.crowd, listing.copies[units]
    chosen = crowd.chosen(listing.kind[units], copies)
    unit = chosen.parts.group
    # what a unit does now is what its present way does, the others do nothing
    now = listing.line[units][unit] == chosen.lines
    drawn = [np.where(now[:, None], copies[unit, None] * listing.drawn[units][unit], 0.0)]
    used = [now[:, None] & listing.on[units][unit]]
    money, theta, line = [listing.money[units].copy()], listing.theta[units].copy(), [listing.line[units].copy()]
    gpus = (copies[unit] * crowd.gpus[chosen.lines])[:, None]
    listing.lift(units)
    master = Master(energy, chosen.parts)
    listing.money[units] = 0.0
    master.carry(*listing.loads())
    master.add(money[0], drawn[0], gpus * used[0])
    for k in range(rounds):
        solved = master.solve()
        if solved is None or (k > 0 and time.monotonic() - begun > time_limit_s / 2):
            break
        if k == 0:
            master.begin_here()
        priced = price(chosen, energy.slot_prices(energy.legal(solved[1])), theta, strict=True)
        drawn.append(priced.power)
        used.append((priced.power > 0) | (priced.gpus > 0))
        money.append(priced.money)
        line.append(chosen.lines[priced.line])
        master.add(priced.money, priced.power, priced.gpus)
    picks, proven = np.zeros(len(units), dtype=np.int64), False
    if master.solve() is not None:
        chose = master.whole(time_limit_s, GAP)
        if chose is not None:
            picks, proven = chose
    for i, (u, pick) in enumerate(zip(units.tolist(), picks.tolist(), strict=True)):
        goes = line[pick][i]
        part = int(np.flatnonzero((unit == i) & (chosen.lines == goes))[0])
        listing.put(u, goes, used[pick][part], drawn[pick][part] / listing.copies[u], float(money[pick][i]))
    return proven
