"""COP of a plant from its own records, over heat and ambient; and its power as the straight pieces a plan can use.

Gradient-boosted trees (scikit-learn) of log COP, minimizing the absolute error so that odd hours do not lead; a warmer
ambient never raises the COP. What drifts slowly (fouling, set-points) is a factor learned from the last days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from models.cooling import Tangents
from models.errors import Fault, InvalidInput
from models.forecast.past import moment64
from models.learn.plant_records import PlantRecords

Array = npt.NDArray[np.float64]
_HELD_BACK = 0.2
_MOST_DRIFT = 0.15
_LEAST_DRIFT_ROWS = 24
_GRID = 61


@dataclass(frozen=True, slots=True, eq=False)
class LearnedChiller:
    """Answers for heat and ambient within what was seen; outside it the nearest seen COP holds.

    ``low``, ``high``: factors of the power between which 90 % of a held-back last fifth of the records lay.
    """

    trees: Any
    heat_range_mw: tuple[float, float]
    ambient_range_c: tuple[float, float]
    low: float
    high: float
    rows: int

    def cop(self, heat_mw: Array, ambient_c: Array) -> Array:
        """Heat over electric power; shapes broadcast."""
        heat, ambient = np.broadcast_arrays(np.asarray(heat_mw, float), np.asarray(ambient_c, float))
        asked = np.stack(
            [np.clip(heat, *self.heat_range_mw).ravel(), np.clip(ambient, *self.ambient_range_c).ravel()], 1
        )
        with threadpool_limits(1, user_api="openmp"):
            found: Array = np.exp(self.trees.predict(asked)).reshape(heat.shape)
        return found

    def power_mw(self, heat_mw: Array, ambient_c: Array, drift: float = 0.0) -> Array:
        """Electric MW; ``drift`` as :func:`drift` says."""
        found: Array = np.asarray(heat_mw, float) / self.cop(heat_mw, ambient_c) * np.exp(drift)
        return found


def fit_chiller(records: PlantRecords) -> LearnedChiller:
    """Learn from screened records (:func:`models.learn.plant_records.screen_records`), in order of time.

    Raises:
        InvalidInput: records that were not screened (not finite), or in which heat does not vary.
    """
    _check(records)
    cut = int(len(records) * (1 - _HELD_BACK))
    early, late = records.at(np.arange(cut)), records.at(np.arange(cut, len(records)))
    tried = _trees(early)
    with threadpool_limits(1, user_api="openmp"):
        cop = np.exp(tried.predict(np.stack([late.heat_mw, late.ambient_c], 1)))
    ratio = late.power_mw * cop / late.heat_mw
    low, high = np.quantile(ratio, [0.05, 0.95])
    return LearnedChiller(
        _trees(records),
        (float(records.heat_mw.min()), float(records.heat_mw.max())),
        (float(records.ambient_c.min()), float(records.ambient_c.max())),
        float(min(low, 1.0)),
        float(max(high, 1.0)),
        len(records),
    )


def _trees(records: PlantRecords) -> Any:
    trees = HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=200, min_samples_leaf=50, monotonic_cst=[0, -1], early_stopping=False
    )
    cop = np.log(records.heat_mw / records.power_mw)
    with threadpool_limits(1, user_api="openmp"):  # small data: threads that wait for a busy core bring nothing
        return trees.fit(np.stack([records.heat_mw, records.ambient_c], 1), cop)


def _check(records: PlantRecords) -> None:
    for name in ("heat_mw", "power_mw", "ambient_c"):
        if not np.isfinite(getattr(records, name)).all():
            message = "a value is missing or infinite; screen the records first"
            raise InvalidInput("the plant's records", [Fault(name, "not_finite", message)])
    if np.ptp(records.heat_mw) < 0.02 * float(np.median(records.heat_mw)):
        message = f"heat stays at {np.median(records.heat_mw):g} MW; record days on which it moves, or mend the sensor"
        raise InvalidInput("the plant's records", [Fault("heat_mw", "no_variation", message)])


def drift(chiller: LearnedChiller, records: PlantRecords, issued_at: datetime, days: int = 7) -> float:
    """Log of how much more the plant drew of late than it learned: median over the ``days`` before ``issued_at``.

    Rows of other times are not looked at. 0 where fewer than 24 rows are there; never beyond 0.15 either way (more
    than that is a fault of the plant or a sensor, not a drift).
    """
    end = moment64(issued_at)
    lately = records.at((records.time < end) & (records.time >= end - np.timedelta64(timedelta(days=days))))
    if len(lately) < _LEAST_DRIFT_ROWS:
        return 0.0
    ratio = np.log(lately.power_mw / chiller.power_mw(lately.heat_mw, lately.ambient_c))
    return float(np.clip(np.median(ratio), -_MOST_DRIFT, _MOST_DRIFT))


def learned_tangents(
    chiller: LearnedChiller, ambient_c: Array, capacity_mw: float, pieces: int = 4, drift: float = 0.0
) -> Tangents:
    """Straight pieces of the learned power over heat, per slot of ``ambient_c`` (slots,), as in :mod:`models.cooling`.

    Pieces are edges of the lower convex envelope of the learned power on 61 heats from the least seen to
    ``capacity_mw``, so they never exceed it there; ``error_mw`` is the most by which it exceeds them. Under the least
    heat seen, the straight line to no power at no heat is the learned power.

    Raises:
        InvalidInput: a capacity that is not above the least heat seen, or fewer than two pieces.
    """
    least = chiller.heat_range_mw[0]
    if not capacity_mw > least or pieces < 2:
        message = f"{capacity_mw:g} MW in {pieces} pieces; give more than {least:g} MW and at least 2 pieces"
        raise InvalidInput("the plant's capacity", [Fault("capacity_mw", "too_small", message)])
    heat = np.concatenate([[0.0], np.linspace(least, capacity_mw, _GRID)])
    ambient = np.atleast_1d(np.asarray(ambient_c, float))
    power = chiller.power_mw(heat[:, None], ambient[None, :], drift)
    slope = np.zeros((pieces, len(ambient)))
    intercept = np.zeros((pieces, len(ambient)))
    error = np.zeros(len(ambient))
    for t in range(len(ambient)):
        slope[:, t], intercept[:, t] = _lower_edges(heat, power[:, t], pieces)
        line = (slope[:, t] * heat[:, None] + intercept[:, t]).max(axis=1)
        error[t] = float((power[:, t] - line).max())
    return Tangents(slope, intercept, np.full(len(ambient), capacity_mw), np.maximum(error, 0.0))


def _lower_edges(x: Array, y: Array, pieces: int) -> tuple[Array, Array]:
    """Slopes and intercepts of ``pieces`` edges of the lower convex envelope: the first, then each the most useful."""
    hull: list[int] = []
    for k in range(len(x)):
        while len(hull) > 1 and (y[hull[-1]] - y[hull[-2]]) * (x[k] - x[hull[-1]]) >= (y[k] - y[hull[-1]]) * (
            x[hull[-1]] - x[hull[-2]]
        ):
            hull.pop()
        hull.append(k)
    left, right = np.array(hull[:-1]), np.array(hull[1:])
    slope = (y[right] - y[left]) / (x[right] - x[left])
    intercept = y[left] - slope * x[left]
    lines = slope[:, None] * x + intercept[:, None]
    chosen = [0]
    while len(chosen) < pieces:
        reached = lines[chosen].max(axis=0)
        chosen.append(int((y - np.maximum(reached, lines)).max(axis=1).argmin()))
    return slope[chosen], intercept[chosen]
