"""Slow states of a PV plant (dust on the modules, units that are out, dust in the air) and what they leave of it.

The physics know a clean, whole plant under the radiation of a weather model. What a plant really gives moves slowly
beside that, and a forecast takes the state of its last known day along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from models.series import Values

DAY = timedelta(days=1)
FRESH = timedelta(days=21)
"""Age from which on a state says nothing of today any more."""
_AHEAD_DAYS = 7.0  # that soiling is carried on; by then a newer day has told


@dataclass(frozen=True, slots=True)
class PlantState:
    """A plant beside its physics at ``as_of``, the end of the last day that told; shares, 1: as the physics say.

    ``level``: what cells and units give in all; ``working``: the part of it that was not lost at once (units out, or a
    dust storm) and not come back. ``soiling``: share lost slowly since the last cleaning, ``rate_per_day`` how fast.
    ``air``: logarithm by which the last day lay off the level, of which ``air_keeps`` is left a day later.
    ``spread``: standard deviation of the level's logarithm, ``days`` told it. ``cleaned``, ``lost``: when that was seen
    last.
    """

    as_of: datetime
    level: float
    working: float
    soiling: float
    rate_per_day: float
    air: float
    air_keeps: float
    spread: float
    days: int
    cleaned: date | None = None
    lost: date | None = None

    def cells(self, starts: Sequence[datetime]) -> Values:
        """Factor on the radiation that becomes power, a slot each: level, further soiling, what is left of the air."""
        ahead = np.array([(start - self.as_of) / DAY for start in starts])
        days = np.clip(ahead, 0.0, _AHEAD_DAYS)
        air = np.exp(self.air * self.air_keeps ** (days + 1.0))
        found: Values = self.level / self.working * (1.0 - self.rate_per_day * days) * air
        return found

    def spread_at(self, moment: datetime) -> float:
        """Standard deviation of the level's logarithm, which grows while no day tells: as a random walk of the rate."""
        age = max(0.0, (moment - self.as_of) / DAY)
        return float(np.hypot(self.spread, max(self.rate_per_day, 0.002) * age))

    def fresh(self, moment: datetime) -> bool:
        """Whether it still says anything of ``moment``."""
        return moment - self.as_of <= FRESH


def left_of(clean_mw: Values, stated_mw: Values) -> Values:
    """Share of a clean plant's power that a state leaves, by slot; 1 where there is none to lose."""
    some = clean_mw > 0
    found: Values = np.where(some, stated_mw / np.where(some, clean_mw, 1.0), 1.0)
    return found
