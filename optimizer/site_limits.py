"""What the site can carry: the IT power behind a supply, cooling and base load taken off."""

from __future__ import annotations

import numpy as np

from optimizer.problem import Floats, Problem


def supported_it(problem: Problem, supply: Floats) -> Floats:
    """Largest IT power per slot whose heat, cooling and base load a supply can carry (bisection)."""
    low, high = np.zeros(problem.slots), np.maximum(supply - problem.base, 0.0) * problem.efficiency
    if problem.cooling is not None and problem.cooling.capacity is not None:
        high = np.minimum(high, problem.cooling.capacity * problem.efficiency)
    for _ in range(50):
        heat = high / problem.efficiency
        if (heat + problem.cooling_power(heat) + problem.base <= supply + 1e-12).all():
            return high
        middle = (low + high) / 2
        heat = middle / problem.efficiency
        fits = heat + problem.cooling_power(heat) + problem.base <= supply
        low = np.where(fits, middle, low)
        # a slot that carries all of its upper end keeps it
        whole = high / problem.efficiency
        high = np.where(fits | (whole + problem.cooling_power(whole) + problem.base <= supply), high, middle)
    return low
