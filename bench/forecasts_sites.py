"""Substations with three months of history, and the load of a GPU cluster: the service's own training on real data.

Sites: OpenSTEF's offline example (MPL-2.0), 15 min, 92 days; the last fifth is predicted by a model trained before it.
The weather forecast carries no issue time, so each UTC day counts as one run known at its midnight (assumed), and no
plant is described, so the physics are a plane to the south and a cubic law (assumed). Load: requested GPUs over
installed (dc-rl, MIT, from Alibaba's cluster trace 2026), hourly, half a year without its last 120 h.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from models.forecast.features import Features
from models.forecast.history import History
from models.forecast.learned import LEVELS, train
from models.forecast.load import BAND_H, rolling_load
from models.forecast.past import moment64
from models.forecast.reliability import Reliability, pinball, probabilities, reliability
from models.forecast.rows import Rows
from models.forecast.sun_features import Plane, sun_features, sun_physics
from models.forecast.wind_features import wind_features
from models.series import Series, Values
from models.sky import Place

QUARTER = timedelta(minutes=15)
SITES = (("OWD", "solar"), ("WEW", "wind"), ("LLS", "wind"))
PLANES = [Plane(20.0, 180.0)]
_RATED_M_S = 12.0
_LOAD_LEAD_H = 48


@dataclass(frozen=True)
class SiteScore:
    """Mean pinball over the levels P5 to P95 as a share of the capacity, on the last fifth."""

    name: str
    learned: float
    climatology: float
    reliability: Reliability
    scored_days: int


@dataclass(frozen=True)
class LoadScore:
    """Mean absolute error of the median and of 48 h persistence, as shares of the installed GPUs, over a part."""

    part: str
    mae: float
    persistence: float
    reliability: Reliability
    hours: int


def site_score(data: Path, site: str, kind: str) -> SiteScore:
    """Train before the last fifth, predict it, score it beside the hour-of-day climatology."""
    history, features = _history(data, site, kind)
    rows = history.rows
    day = np.unique(rows.issued_at)[int(0.8 * len(np.unique(rows.issued_at)))]
    issued = day.astype("datetime64[us]").astype(datetime).replace(tzinfo=UTC)
    model, report = train(history, features, issued)
    asked = rows.issued_at >= moment64(issued)
    said = model.predict(Features(features.names, features.values[asked], features.awake[asked]))
    actual, awake = history.share[asked], features.awake[asked]
    placed = probabilities(said[awake], LEVELS, actual[awake])
    usual = _usual(history, asked)
    return SiteScore(
        f"{kind} at {site}",
        float(pinball(said, LEVELS, actual).mean()),
        float(pinball(usual, LEVELS, actual).mean()),
        reliability(placed),
        report.days,
    )


def load_scores(data: Path) -> list[LoadScore]:
    """Refitted daily, each hour forecast 48 h before: all hours with eight weeks before them, and the later parts.

    Of the parts the last quarter has the persistence of the published trial, which is the one it was scored on.
    """
    table = pd.read_csv(data / "alibaba_spot_gpu_hourly.csv.gz")
    values = table["gpu_request_share"].to_numpy()[:-120]
    # The trace counts hours from a day that it does not name; its rhythm of days is all that is used of the clock.
    load = Series(datetime(2026, 1, 5, tzinfo=UTC), timedelta(hours=1), values, "1", "alibaba spot gpu")
    first = 2 * BAND_H + _LOAD_LEAD_H
    said = rolling_load(load, _LOAD_LEAD_H, ZoneInfo("UTC"), LEVELS, first).quantiles
    actual, before = values[first:], values[first - _LOAD_LEAD_H : -_LOAD_LEAD_H]
    median = said[:, int(np.argmin(np.abs(LEVELS - 0.5)))]
    parts = {"all that can be forecast": len(actual), "second half": len(values) // 2, "last quarter": len(values) // 4}
    return [
        LoadScore(
            part,
            float(np.abs(actual - median)[-hours:].mean()),
            float(np.abs(actual - before)[-hours:].mean()),
            reliability(probabilities(said[-hours:], LEVELS, actual[-hours:])),
            hours,
        )
        for part, hours in parts.items()
    ]


def substation(data: Path, site: str, kind: str, step: timedelta = QUARTER) -> tuple[Rows, Values]:
    """Weather of a substation, a run a UTC day, beside the power that came, MW; means over ``step``."""
    table = pd.read_csv(data / "nl_sites_pv_wind_15min.csv.gz", parse_dates=["timestamp_utc"])
    part = table[table["site"] == site].set_index("timestamp_utc")
    place = Place(float(part["lat"].iloc[0]), float(part["lon"].iloc[0]))
    part.index = pd.DatetimeIndex(part.index).tz_localize(None) - QUARTER
    part = part[["nwp_wind_100m_m_s", "nwp_radiation_J_m2_h", f"{kind}_mw"]].resample(step).mean()
    starts = part.index.to_numpy().astype("datetime64[us]")
    issued = starts.astype("datetime64[D]").astype("datetime64[us]")
    speed = part["nwp_wind_100m_m_s"].to_numpy()
    ghi = np.maximum(part["nwp_radiation_J_m2_h"].to_numpy() / 3600.0, 0.0)
    columns = {"ghi_w_m2": ghi, "wind_speed_m_s": speed} if kind == "solar" else {"wind_speed_m_s": speed}
    rows = Rows(place, step, starts, issued, issued, columns, f"OpenSTEF {site}")
    return rows, np.maximum(-part[f"{kind}_mw"].to_numpy(), 0.0)


def _history(data: Path, site: str, kind: str) -> tuple[History, Features]:
    rows, power = substation(data, site, kind)
    cap = np.full(len(rows), power.max())
    free = np.zeros(len(rows), dtype=np.bool_)
    if kind == "solar":
        sun = sun_physics(rows, PLANES)
        physics = sun.physics * cap
        return History("solar", rows, physics, power, rows.ends, cap, free), sun_features(rows, PLANES)
    physics = np.clip(rows["wind_speed_m_s"] / _RATED_M_S, 0.0, 1.0) ** 3 * cap
    return History("wind", rows, physics, power, rows.ends, cap, free), wind_features(rows)


def _usual(history: History, asked: np.ndarray) -> Values:
    """Quantiles of the hour of day over everything before the rows asked."""
    hours = (history.rows.starts - history.rows.starts.astype("datetime64[D]")) // np.timedelta64(1, "h")
    out = np.empty((int(asked.sum()), len(LEVELS)))
    for hour in range(24):
        out[hours[asked] == hour] = np.quantile(history.share[~asked & (hours == hour)], LEVELS)
    return out
