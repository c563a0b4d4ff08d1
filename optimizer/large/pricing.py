"""What each job would do at given slot prices, and what it costs at the very least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.energy_model import SlotPrices
from optimizer.large.crowd import Chosen, Crowd
from optimizer.large.kernels import price_all
from optimizer.problem import Floats

TRIES = 30
TOLERANCE = 1e-5
"""Relative distance of a job's proven cost and its schedule's at which it is priced well enough."""


@dataclass(frozen=True)
class Priced:
    """By kind: proven least cost and own money (starts, late, unmet, value) of its schedule; by group: its sums."""

    least: Floats
    money: Floats
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
    lines, slots = len(crowd.times), prices.power.shape[1]
    least, money = np.zeros(lines), np.zeros(lines)
    power, gpus = np.zeros((crowd.groups, slots)), np.zeros((crowd.groups, slots))
    price_all(
        *crowd.arrays,
        crowd.times,
        crowd.group,
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
    )
    return Priced(least, money, power, gpus)
