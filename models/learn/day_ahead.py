"""Tomorrow's heat of a site from the heat of days that ended, in one step per slot of the day.

A forecast of the *load*; a learned COP turns it into power (:mod:`models.learn.chiller`). Everything that a row looks
at had ended at the row's issue time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from models.errors import Fault, InvalidInput
from models.forecast.past import known_part
from models.series import Series, Values

Array = npt.NDArray[np.float64]
LEAST_DAYS = 21
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False)
class DayAhead:
    """Trees that know what a slot's load is after yesterday's; learned from ``rows`` slots."""

    trees: Any
    zone: str
    rows: int

    def forecast(self, past: Series, issued_at: datetime) -> Values:
        """Load of the 24 h from ``issued_at``, a slot border; shape ``(slots a day,)``, unit of ``past``.

        ``past`` may go on beyond ``issued_at``: what had not ended by then is not looked at.

        Raises:
            InvalidInput: ``issued_at`` on no slot border, or not a whole slot of the day before known.
        """
        rows, _ = _rows(known_part(past, issued_at), issued_at, self.zone)
        if not np.isfinite(rows[:, 0]).any():
            message = f"nothing is known of the day before {issued_at.isoformat()}; a forecast needs it"
            raise InvalidInput("the past load", [Fault("values", "too_short", message)])
        with threadpool_limits(1, user_api="openmp"):
            found: Values = np.maximum(self.trees.predict(rows), 0.0)
        return found


def fit_day_ahead(past: Series, issue_hour_utc: int, zone: str, until: datetime) -> DayAhead:
    """Learn from each day of ``past`` that had ended at ``until``, as it was seen at ``issue_hour_utc`` before it.

    Raises:
        InvalidInput: fewer than 21 days with values, or a step that does not divide a day.
    """
    known = known_part(past, until)
    first = known.start.replace(hour=issue_hour_utc, minute=0, second=0, microsecond=0) + _DAY
    inputs, wanted = [], []
    issue = first
    while issue + _DAY <= min(until, known.end):
        rows, actual = _rows(known, issue, zone)
        inputs.append(rows)
        wanted.append(actual)
        issue += _DAY
    x = np.concatenate(inputs) if inputs else np.empty((0, 9))
    y = np.concatenate(wanted) if wanted else np.empty(0)
    there = np.isfinite(y) & np.isfinite(x[:, 0])
    days = int(there.sum()) * past.step / _DAY
    if days < LEAST_DAYS:
        message = f"{days:.1f} days of values; at least {LEAST_DAYS} are needed; until then take yesterday's"
        raise InvalidInput("the past load", [Fault("values", "too_few", message)])
    trees = HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=150, learning_rate=0.05, min_samples_leaf=100, early_stopping=False
    )
    with threadpool_limits(1, user_api="openmp"):  # small data: threads that wait for a busy core bring nothing
        return DayAhead(trees.fit(x[there], y[there]), zone, int(there.sum()))


def _rows(past: Series, issue: datetime, zone: str) -> tuple[Array, Values]:
    """Inputs of the 24 h from ``issue`` and what came, NaN where it is not in ``past``.

    Inputs: the slot one, two and seven days before, weekday and hour of the local clock, the last day's mean, the last
    slot, the last week's mean, the slots since the issue.
    """
    per_day = _DAY // past.step
    place, rest = divmod(issue - past.start, past.step)
    if rest or per_day * past.step != _DAY:
        message = f"{issue.isoformat()} is no border of slots of {past.step}; issue on one"
        raise InvalidInput("the past load", [Fault("issued_at", "no_border", message)])
    slots = place + np.arange(per_day)
    local = [(issue + k * past.step).astimezone(ZoneInfo(zone)) for k in range(per_day)]

    def back(days: int) -> Array:
        return _at(past.values, slots - days * per_day)

    day, week = _at(past.values, place - 1 - np.arange(per_day)), _at(past.values, place - 1 - np.arange(7 * per_day))
    columns = [
        back(1),
        back(2),
        back(7),
        np.array([t.weekday() for t in local], float),
        np.array([t.hour + t.minute / 60 for t in local]),
        np.full(per_day, _mean(day)),
        np.full(per_day, _mean(day[:2])),
        np.full(per_day, _mean(week)),
        np.arange(per_day, dtype=float),
    ]
    return np.stack(columns, axis=1), _at(past.values, slots)


def _at(values: Array, places: npt.NDArray[np.intp]) -> Array:
    found = np.full(len(places), np.nan)
    inside = (places >= 0) & (places < len(values))
    found[inside] = values[places[inside]]
    return found


def _mean(values: Array) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")
