"""The baselines on the rows of a history: what a model has to beat, each from what was known at the row's issue.

``climatology``: quantiles of the hour of day over the last days before the issue. ``persistence``: the last known
value of the same time of day. ``clear-sky persistence``: its ratio to the physics under a cloudless sky, where such
is given. Both are single values, all levels alike. ``physics``: the plant's physics on the run's weather, with the
band of its own past errors by level: what serves where nothing is learned.
"""

from __future__ import annotations

import numpy as np

from models.forecast.calibration import calibrated
from models.forecast.history import History
from models.forecast.past import Moments
from models.forecast.rows import Flags
from models.series import Values

_SEASON_DAYS = 45
_LEAST_PER_HOUR = 5


def yardsticks(history: History, levels: Values) -> dict[str, Values]:
    """Quantiles as shares of the capacity by baseline, shape ``(n, len(levels))``; NaN where too little was known."""
    table = _Table(history)
    found = {
        "climatology": table.climatology(levels),
        "persistence": _level(table.persistence(), levels),
    }
    if history.cloudless_mw is not None:
        found["clear-sky persistence"] = _level(table.persistence(history.cloudless_mw), levels)
    return found


def banded_physics(history: History, awake: Flags, known: Flags, levels: Values) -> Values:
    """Physics with the quantiles of its errors on the rows ``known``; shape ``(n, len(levels))``, 0 where asleep."""
    single = _level(history.physics_share, levels)
    shifts = calibrated(single[known], history.share[known], levels)
    return np.where(awake[:, None], shifts.apply(single), 0.0)


def _level(values: Values, levels: Values) -> Values:
    return np.repeat(np.clip(values, 0.0, 1.0)[:, None], len(levels), axis=1)


class _Table:
    """Actual shares once a slot, in time order; limited slots are no example of anything."""

    def __init__(self, history: History) -> None:
        self.rows = history.rows
        starts, first = np.unique(self.rows.starts, return_index=True)
        self.starts = starts
        self.first = first
        self.share = np.where(history.limited, np.nan, history.share)[first]
        self.known_at = history.known_at[first]

    def persistence(self, scale: Values | None = None) -> Values:
        """The newest value of the same time of day that was known at the issue, up to a week old."""
        day = np.timedelta64(1, "D")
        found = np.full(len(self.rows), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self.share if scale is None else np.where(scale[self.first] > 0, self.share / scale[self.first], 0)
        for back in range(1, 8):
            place = np.searchsorted(self.starts, self.rows.starts - back * day)
            inside = np.minimum(place, len(self.starts) - 1)
            there = (self.starts[inside] == self.rows.starts - back * day) & (
                self.known_at[inside] <= self.rows.issued_at
            )
            fresh = there & np.isnan(found)
            found[fresh] = values[inside[fresh]]
        return found if scale is None else found * scale

    def climatology(self, levels: Values) -> Values:
        """Quantiles of the hour of day over the last :data:`_SEASON_DAYS` days known at each issue."""
        hours = _hour(self.starts)
        wanted = _hour(self.rows.starts)
        found = np.full((len(self.rows), len(levels)), np.nan)
        season = np.timedelta64(_SEASON_DAYS, "D")
        for first, last in zip(self.rows.edges[:-1], self.rows.edges[1:], strict=True):
            issue = self.rows.issued_at[first]
            known = (self.known_at <= issue) & (self.starts > issue - season) & np.isfinite(self.share)
            for hour in np.unique(wanted[first:last]):
                same = self.share[known & (hours == hour)]
                if len(same) >= _LEAST_PER_HOUR:
                    found[first:last][wanted[first:last] == hour] = np.quantile(same, levels)
        return found


def _hour(moments: Moments) -> Values:
    hours: Values = (moments - moments.astype("datetime64[D]")) // np.timedelta64(1, "h")
    return hours
