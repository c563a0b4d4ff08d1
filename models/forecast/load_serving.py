"""A forecast of base load at work: judged on the days just past beside its baselines, then spread over the slots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from models.forecast.learned import LEVELS
from models.forecast.load import BAND_H, DAY_H, HOUR, next_hours, rolling_load
from models.horizon import Horizon
from models.series import Series, Values

JUDGED_DAYS = 14
LEAST_HOURS = 200  # judged, of the two weeks, from which anything is concluded
NEEDED = timedelta(hours=2 * BAND_H + JUDGED_DAYS * DAY_H)
"""Past that a forecast is made and judged from, the lead not counted."""


@dataclass(frozen=True, slots=True)
class LoadVerdict:
    """Mean absolute error over the judged hours, in the unit of the load: of the learned median and the best baseline.

    By the median, because a baseline is a point, and any spread would beat it. ``cover``: share of outcomes from P5 to
    P95.
    """

    learned: float
    beside: str
    baseline: float
    cover: float
    days: int

    @property
    def serves(self) -> bool:
        """Whether the forecast beats its baselines."""
        return self.learned < self.baseline

    @property
    def skill(self) -> float:
        """1 - error / error of the best baseline."""
        return 1.0 - self.learned / self.baseline if self.baseline > 0 else float("-inf")


def lead_h(horizon: Horizon, issued_at: datetime) -> int:
    """Whole days of lead that reach the end of ``horizon``, hours."""
    return DAY_H * max(1, -((issued_at - horizon.end) // timedelta(days=1)))


def judged_load(load: Series, usual: Values, lead: int, zone: ZoneInfo) -> LoadVerdict | None:
    """How the last two weeks of ``load`` (hourly, to the last whole hour) would have been forecast.

    Baselines: the value ``lead`` hours before, and ``usual`` (shape of the load), what the site file says of each hour.
    None where too many hours are missing to tell.

    Raises:
        InvalidInput: as :func:`models.forecast.load.rolling_load`.
    """
    first = len(load) - JUDGED_DAYS * DAY_H
    said = rolling_load(load, lead, zone, LEVELS, first)
    actual, before, told = load.values[first:], load.values[first - lead : -lead], usual[first:]
    there = np.isfinite(said).all(axis=1) & np.isfinite(actual) & np.isfinite(before)
    if there.sum() < LEAST_HOURS:
        return None

    def error(values: Values) -> float:
        return float(np.abs(values - actual)[there].mean())

    baselines = {f"{lead} h persistence": error(before), "the site file": error(told)}
    best = min(baselines, key=lambda name: baselines[name])
    held = (actual[there] >= said[there, 0]) & (actual[there] <= said[there, -1])
    learned = error(said[:, int(np.argmin(np.abs(LEVELS - 0.5)))])
    return LoadVerdict(learned, best, baselines[best], float(held.mean()), int(there.sum()) // DAY_H)


def load_on(load: Series, horizon: Horizon, lead: int, zone: ZoneInfo, issued_at: datetime) -> Values:
    """Quantiles at the levels of the learned forecasts on the slots of ``horizon``, shape ``(levels, slots)``.

    An hour's quantiles hold for each of its slots.

    Raises:
        InvalidInput: as :func:`models.forecast.load.next_hours`.
    """
    said = next_hours(load, lead, zone, LEVELS, issued_at)
    end = load.start + max(1, (issued_at - load.start) // HOUR) * HOUR
    hours = np.array([(start - end) // HOUR for start in horizon.starts()])
    found: Values = said[np.clip(hours, 0, len(said) - 1)].T
    return found
