"""A forecast of a load at work: judged on the days just past beside its baselines, then spread over the slots.

Below the learned forecast stands the usual: quantiles of the local hour on working days or others, as the meter showed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from models.errors import Fault, InvalidInput
from models.forecast.learned import LEVELS
from models.forecast.load import BAND_H, DAY_H, HOUR, Rolled, next_hours, rolling_load
from models.horizon import Horizon
from models.series import Series, Values

JUDGED_DAYS = 14
USUAL_DAYS, LEAST_USUAL_DAYS = 45, 14
_LEAST_ALIKE = 3
_WEEKEND = 5  # Saturday, counted from Monday
_FILE = "the site file"
LEAST_HOURS = 200  # judged, of the two weeks, from which anything is concluded
NEEDED = timedelta(hours=2 * BAND_H + JUDGED_DAYS * DAY_H)
"""Past that a forecast is made and judged from, the lead not counted."""


@dataclass(frozen=True, slots=True)
class LoadVerdict:
    """Mean absolute error over the judged hours, in the unit of the load: of the learned median and the best baseline.

    By the median, because a baseline is a point, and any spread would beat it. ``cover``: share of outcomes from P5 to
    P95. ``rolled``: the forecasts that were judged.
    """

    learned: float
    beside: str
    baseline: float
    cover: float
    days: int
    rolled: Rolled

    @property
    def serves(self) -> bool:
        """Whether the forecast beats its baselines."""
        return self.learned < self.baseline

    @property
    def skill(self) -> float:
        """1 - error / error of the best baseline."""
        return 1.0 - self.learned / self.baseline if self.baseline > 0 else float("-inf")


@dataclass(frozen=True, slots=True)
class UsualVerdict:
    """Mean absolute error over the judged hours of the usual's median and of ``beside``, what would hold without it."""

    usual: float
    beside: str
    baseline: float
    days: int

    @property
    def serves(self) -> bool:
        """Whether the usual beats what would hold without it."""
        return self.usual < self.baseline


def _persistence(lead: int) -> str:
    return f"{lead} h persistence"


def lead_h(horizon: Horizon, issued_at: datetime) -> int:
    """Whole days of lead that reach the end of ``horizon``, hours."""
    return DAY_H * max(1, -((issued_at - horizon.end) // timedelta(days=1)))


def judged_load(load: Series, told: Values | None, lead: int, zone: ZoneInfo) -> LoadVerdict | None:
    """How the last two weeks of ``load`` (hourly, to the last whole hour) would have been forecast.

    Baselines: the value ``lead`` hours before, and ``told`` (shape of the load), what the site file says of each hour,
    if it says anything. None where too many hours are missing to tell.

    Raises:
        InvalidInput: as :func:`models.forecast.load.rolling_load`.
    """
    first = len(load) - JUDGED_DAYS * DAY_H
    rolled = rolling_load(load, lead, zone, LEVELS, first)
    said = rolled.quantiles
    actual, before = load.values[first:], load.values[first - lead : -lead]
    there = np.isfinite(said).all(axis=1) & np.isfinite(actual) & np.isfinite(before)
    if there.sum() < LEAST_HOURS:
        return None

    def error(values: Values) -> float:
        return float(np.abs(values - actual)[there].mean())

    baselines = {_persistence(lead): error(before)} | ({} if told is None else {_FILE: error(told[first:])})
    best = min(baselines, key=lambda name: baselines[name])
    held = (actual[there] >= said[there, 0]) & (actual[there] <= said[there, -1])
    learned = error(said[:, int(np.argmin(np.abs(LEVELS - 0.5)))])
    return LoadVerdict(learned, best, baselines[best], float(held.mean()), int(there.sum()) // DAY_H, rolled)


def usual_on(load: Series, hours: Sequence[datetime], zone: ZoneInfo, issued_at: datetime) -> Values:
    """Quantiles at the levels of the learned forecasts for each of ``hours``, shape ``(levels, hours)``.

    Of the hours of the last 45 days known at ``issued_at`` with the same local hour, on working days or others alike;
    of all days where those are fewer than three.

    Raises:
        InvalidInput: less than 14 days known, or an hour of the day that none of them has.
    """
    over = max(0, min(len(load), (issued_at - load.start) // HOUR))
    values = load.values[max(0, over - USUAL_DAYS * DAY_H) : over]
    local = [start.astimezone(zone) for start in load.starts()[max(0, over - USUAL_DAYS * DAY_H) : over]]
    known = np.isfinite(values)
    if known.sum() < LEAST_USUAL_DAYS * DAY_H:
        message = f"{int(known.sum())} hours are known; {LEAST_USUAL_DAYS * DAY_H} are needed for the usual of each"
        raise InvalidInput("the load", [Fault("values", "too_short", message)])
    hour, rest = np.array([at.hour for at in local]), np.array([at.weekday() >= _WEEKEND for at in local])
    made: dict[tuple[int, bool], Values] = {}
    for start in hours:
        at = start.astimezone(zone)
        key = at.hour, at.weekday() >= _WEEKEND
        if key not in made:
            same = known & (hour == key[0])
            alike = same & (rest == key[1])
            if not same.any():
                message = f"no value at {key[0]} h is known; mend the meter"
                raise InvalidInput("the load", [Fault("values", "missing", message)])
            made[key] = np.quantile(values[alike if alike.sum() >= _LEAST_ALIKE else same], LEVELS)
    found: Values = np.stack([made[at.hour, at.weekday() >= _WEEKEND] for at in (h.astimezone(zone) for h in hours)], 1)
    return found


def judged_usual(load: Series, told: Values | None, lead: int, zone: ZoneInfo) -> UsualVerdict | None:
    """How the usual would have foretold the last two weeks, ``lead`` hours ahead.

    Beside ``told`` (shape of the load) as for :func:`judged_load`; where it is None, beside the value ``lead`` hours
    before. None where too few of their hours are known.

    Raises:
        InvalidInput: as :func:`usual_on`.
    """
    first = len(load) - JUDGED_DAYS * DAY_H
    if first < lead:
        message = f"{len(load)} hours; two weeks are judged and as much is needed before"
        raise InvalidInput("the load", [Fault("values", "too_short", message)])
    starts, middle = load.starts(), int(np.argmin(np.abs(LEVELS - 0.5)))
    said = np.concatenate(
        [
            usual_on(load, starts[day : day + DAY_H], zone, starts[day] + DAY_H * HOUR - lead * HOUR)[middle]
            for day in range(first, len(load), DAY_H)
        ]
    )
    actual = load.values[first:]
    beside = load.values[first - lead : -lead] if told is None else told[first:]
    there = np.isfinite(actual) & np.isfinite(beside)
    if there.sum() < LEAST_HOURS:
        return None
    errors = [float(np.abs(values - actual)[there].mean()) for values in (said, beside)]
    return UsualVerdict(errors[0], _persistence(lead) if told is None else _FILE, errors[1], int(there.sum()) // DAY_H)


def load_on(
    load: Series, horizon: Horizon, lead: int, zone: ZoneInfo, issued_at: datetime, verdict: LoadVerdict
) -> Values:
    """Quantiles at the levels of the learned forecasts on the slots of ``horizon``, shape ``(levels, slots)``.

    An hour's quantiles hold for each of its slots; ``verdict`` was made with the same lead, lately.

    Raises:
        InvalidInput: as :func:`models.forecast.load.next_hours`.
    """
    said = next_hours(load, lead, zone, LEVELS, issued_at, verdict.rolled)
    end = load.start + max(1, (issued_at - load.start) // HOUR) * HOUR
    hours = np.array([(start - end) // HOUR for start in horizon.starts()])
    found: Values = said[np.clip(hours, 0, len(said) - 1)].T
    return found
