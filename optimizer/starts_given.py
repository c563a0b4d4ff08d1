"""Levels and energy for given on-slots where burning energy never pays: the exact program, or the mix for very many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from optimizer.energy_model import EnergyModel
from optimizer.levels import Levels
from optimizer.problem import Floats
from optimizer.schedule import Schedule
from optimizer.sessions import Pattern

if TYPE_CHECKING:
    from optimizer.large.dispatch import MixedLevels

MANY = 20_000
"""Segments of curves over all on-slots, beyond which levels are mixed; the exact program takes half a second there."""


class Warm(Protocol):
    """A program that stays in memory: change the forecast, solve again."""

    def forecast(self, pv: Floats, wind: Floats) -> None:
        """Change what sun and wind offer, in the problem's unit, one value a slot."""

    def solve(self, time_limit_s: float) -> Schedule | None:
        """Cheapest levels; None where the on-slots cannot be supplied, or not in the time."""


class _Mixed:
    """Mixed levels that remember the prices which they ended at."""

    def __init__(self, energy: EnergyModel, mixed: MixedLevels, rows: Floats) -> None:
        self._energy, self._mixed, self._rows = energy, mixed, rows

    def forecast(self, pv: Floats, wind: Floats) -> None:
        self._mixed.forecast(pv, wind)

    def solve(self, time_limit_s: float) -> Schedule | None:
        found = self._mixed.solve(time_limit_s, [self._rows])
        if found is None:
            return None
        schedule, self._rows = found
        return schedule


def levels_of(
    energy: EnergyModel, pattern: Pattern, threads: int = 1, rows: Floats | None = None, gap: float = 1e-4
) -> Warm:
    """The program of a pattern's levels; ``rows`` are prices of the energy model's rows that are near the answer."""
    if sum(np.count_nonzero(pattern[e.id]) * (len(e.power) - 1) for e in energy.problem.entries) <= MANY:
        return Levels(energy, pattern, threads, min(gap, 1e-4))
    # its compiled arithmetic takes a second to load, which small problems need not wait for
    from optimizer.large.dispatch import MixedLevels

    return _Mixed(energy, MixedLevels(energy, pattern), energy.import_prices() if rows is None else rows)
