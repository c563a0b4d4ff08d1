"""A made-up plant with a past: two features, a known law, forecasts and outcomes; learned in a second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from models.forecast.blend import Recipe
from models.forecast.features import Features, gathered
from models.forecast.history import History
from models.forecast.past import moment64
from models.forecast.rows import Rows
from models.sky import Place

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SMALL = Recipe(
    knots=(0.1, 0.5, 0.9), rounds=12, learning_rate=0.35, leaves=6, trees=10, boosting_min_leaf=20, forest_min_leaf=5
)


def made_past(days: int = 60, *, seed: int = 1, luck: float = 0.03, bias: float = 0.15) -> tuple[History, Features]:
    """Daily runs of 24 h; power is the forecast less a share, greater from 08 to 16 UTC, and some luck."""
    rng = np.random.default_rng(seed)
    n = days * 24
    said = np.clip(0.5 + 0.3 * np.sin(np.arange(n) / 9.0) + 0.2 * rng.standard_normal(days).repeat(24), 0.02, 1.0)
    dusty = np.where((np.arange(n) % 24 >= 8) & (np.arange(n) % 24 < 16), 0.4, 0.0)
    came = np.clip(said * (1 - bias - dusty) + luck * rng.standard_normal(n), 0.0, 1.0)
    starts = moment64(BEGIN) + np.arange(n) * np.timedelta64(HOUR)
    issued = np.repeat(starts[::24], 24)
    rows = Rows(Place(23.7, -15.9), HOUR, starts, issued, issued, {"wind_speed_m_s": 12.0 * said}, "made up")
    history = History(
        "wind_available_mw", rows, 10.0 * said, 10.0 * came, rows.ends, np.full(n, 10.0), np.zeros(n, dtype=np.bool_)
    )
    features = gathered({"speed": 12.0 * said, "hour": np.arange(n) % 24.0}, np.ones(n, dtype=np.bool_))
    return history, features


def at_day(day: float) -> datetime:
    """Instant ``day`` days after the beginning."""
    return BEGIN + day * DAY
