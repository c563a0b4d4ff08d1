"""What each job would do at given slot prices, and what it costs at the very least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.energy_model import SlotPrices
from optimizer.large.crowd import Chosen, Crowd
from optimizer.large.kernels import price_all
from optimizer.problem import Floats, Ints

TRIES = 30
TOLERANCE = 1e-5
"""Relative distance of a job's proven cost and its schedule's at which it is priced well enough."""


@dataclass(frozen=True)
class Priced:
    """By kind: proven least cost, own money (starts, late, unmet, value, going there) of its schedule, and the line of
    the way that this takes; by part of a column: its sums."""

    least: Floats
    money: Floats
    line: Ints
    power: Floats
    gpus: Floats


def price(
    crowd: Crowd | Chosen, prices: SlotPrices, theta: Floats, *, tries: int = TRIES, strict: bool = False
) -> Priced:
    """Price every kind, over all its copies.

    Args:
        crowd: the kinds, or some units.
        prices: of power and GPUs.
        theta: last price of an hour of work, by kind; renewed in place.
        tries: prices of work that are tried at most.
        strict: schedules of no more slots than the work can fill, as a plan has to have.
    """
    kinds, parts, slots = len(crowd.times), len(crowd.parts.row), prices.power.shape[1]
    least, money, line = np.zeros(kinds), np.zeros(kinds), np.zeros(kinds, dtype=np.int64)
    power, gpus = np.zeros((parts, slots)), np.zeros((parts, slots))
    price_all(
        *crowd.arrays,
        *crowd.mixing,
        crowd.times,
        crowd.part,
        prices.power,
        prices.gpus,
        theta,
        tries,
        TOLERANCE,
        strict,
        least,
        money,
        power,
        gpus,
        line,
    )
    return Priced(least, money, line, power, gpus)
