"""GEFCom2014 solar and wind, rolling as in the contest, with the models that the service uses.

Each task trains on everything before its month, predicts the month from each day's ECMWF run, and is calibrated on
the predictions of earlier tasks (at most six months of them), so nothing is learned from what came later and the
first task is not calibrated at all.

Data: appendix of Hong et al. 2016, International Journal of Forecasting 32(3). The plants' place and planes are the
contest's description of them.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.forecast.blend import Recipe, fit
from models.forecast.calibration import calibrated
from models.forecast.features import Features
from models.forecast.reliability import pinball, probabilities
from models.forecast.rows import Rows
from models.forecast.sun_features import Plane, sun_features
from models.forecast.wind_features import wind_features
from models.series import Values
from models.sky import Place

LEVELS = np.arange(1, 100) / 100
HOUR = pd.Timedelta(hours=1)
CANBERRA = Place(-35.275, 149.114, 595.0)
PLANES = {1: Plane(36.0, 38.0), 2: Plane(35.0, 327.0), 3: Plane(21.0, 31.0)}
SOLAR_RECIPE = Recipe()
WIND_RECIPE = Recipe(rounds=120, leaves=24, boosting_min_leaf=100, boosting_features=0.4)
_CALIBRATION_DAYS = 183
_COLUMNS = ("quantiles", "actual", "awake", "ended", "climate")
# Published: (name, mean pinball of the scored tasks); from gefcom2014_leaderboard*.csv over the same tasks.
_ANCHORS = {"solar": ("Gang-gang", "dmlab", "Benchmark - Solar"), "wind": ("kPower", "dmlab", "Benchmark - Wind")}


@dataclass(frozen=True, eq=False)
class Plant:
    """Features of a plant or of several in one table, with what came; ``zone`` of each row."""

    features: Features
    target: Values
    ended: npt.NDArray[np.datetime64]
    zone: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Predicted:
    """Raw quantiles of one task: shape ``(n, 99)``, in rows of its plants one after the other."""

    task: int
    quantiles: Values
    actual: Values
    awake: npt.NDArray[np.bool_]
    ended: npt.NDArray[np.datetime64]
    climate: Values


@dataclass(frozen=True)
class Track:
    """What one run over all tasks came to."""

    name: str
    score: float
    by_task: dict[int, float]
    uncalibrated: float
    climatology: float
    placed: Values
    crossing: int
    outside: int
    night_not_zero: int
    anchors: dict[str, float]


def run(data: Path, track: str, service: bool, tasks: list[int], workers: int, keep: Path | None = None) -> Track:
    """All tasks of a track; ``service`` keeps neighbours inside a run (and, for wind, to the farm's own point).

    ``keep``: a folder for the raw quantiles of each plant and task; what stands there is not fitted again.
    """
    windows = pd.read_csv(data / "gefcom2014_tasks.csv", parse_dates=["train_end_incl", "test_end_incl", "test_start"])
    windows = windows[windows["track"] == track].set_index("task")
    plants = _solar(data, service) if track == "solar" else _wind(data, service)
    recipe = SOLAR_RECIPE if track == "solar" else WIND_RECIPE
    work = [(k, plant, windows.loc[k]) for k in sorted(tasks) for plant in plants]
    found: dict[int, list[Predicted]] = {}
    with ProcessPoolExecutor(workers) as pool:
        for one in pool.map(partial(_kept, recipe=recipe, keep=keep), work):
            found.setdefault(one.task, []).append(one)
    return _scored(data, track, plants, found, tasks)


def _kept(work: tuple[int, Plant, pd.Series], recipe: Recipe, keep: Path | None) -> Predicted:
    """What stands in the folder for this task, plant and recipe, or what is fitted now and put there whole."""
    if keep is None:
        return _predicted(work, recipe)
    task, plant, _ = work
    same = (task, plant.features.names, recipe, np.unique(plant.zone).tolist())
    marks = hashlib.sha256(repr(same).encode() + plant.features.values.tobytes() + plant.target.tobytes())
    path = keep / f"{marks.hexdigest()[:24]}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return Predicted(task, *(kept[name] for name in _COLUMNS))
    one = _predicted(work, recipe)
    keep.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        np.savez(file, **{name: getattr(one, name) for name in _COLUMNS})
    beside.replace(path)
    return one


def _predicted(work: tuple[int, Plant, pd.Series], recipe: Recipe) -> Predicted:
    task, plant, window = work
    begin, end = (window[key].tz_localize(None).to_datetime64() for key in ("test_start", "test_end_incl"))
    known = (plant.ended < begin) & np.isfinite(plant.target)
    learned = known & plant.features.awake
    asked = (plant.ended >= begin) & (plant.ended <= end) & np.isfinite(plant.target)
    awake = plant.features.awake[asked]
    model = fit(plant.features.values[learned], plant.target[learned], recipe)
    quantiles = np.zeros((int(asked.sum()), len(LEVELS)))
    quantiles[awake] = np.clip(model.predict(plant.features.values[asked][awake], LEVELS), 0.0, 1.0)
    return Predicted(task, quantiles, plant.target[asked], awake, plant.ended[asked], _climate(plant, known, asked))


def _climate(plant: Plant, known: npt.NDArray[np.bool_], asked: npt.NDArray[np.bool_]) -> Values:
    """Quantiles of the same plant and hour of day in everything before."""
    hours = (plant.ended - plant.ended.astype("datetime64[D]")) // np.timedelta64(1, "h")
    out = np.empty((int(asked.sum()), len(LEVELS)))
    for zone in np.unique(plant.zone):
        for hour in range(24):
            same = (plant.zone == zone) & (hours == hour)
            out[same[asked]] = np.quantile(plant.target[known & same], LEVELS)
    return out


def _scored(data: Path, track: str, plants: list[Plant], found: dict[int, list[Predicted]], tasks: list[int]) -> Track:
    done: list[list[Predicted]] = [[] for _ in plants]
    by_task, raw, climate, placed = {}, [], [], []
    crossing = outside = night = 0
    for task in sorted(found):
        losses = []
        for before, one in zip(done, found[task], strict=True):
            final = _calibrated(before, one)
            losses.append(pinball(final, LEVELS, one.actual))
            raw.append(pinball(one.quantiles, LEVELS, one.actual).mean())
            climate.append(pinball(one.climate, LEVELS, one.actual).mean())
            placed.append(probabilities(final[one.awake], LEVELS, one.actual[one.awake], seed=task))
            crossing += int((np.diff(final, axis=1) < 0).sum())
            outside += int(((final < 0) | (final > 1)).sum())
            night += int((final[~one.awake] != 0).sum())
            before.append(one)
        by_task[task] = float(np.concatenate(losses).mean())
    return Track(
        track,
        float(np.mean(list(by_task.values()))),
        by_task,
        float(np.mean(raw)),
        float(np.mean(climate)),
        np.concatenate(placed),
        crossing,
        outside,
        night,
        _anchors(data, track, tasks),
    )


def _calibrated(before: list[Predicted], one: Predicted) -> Values:
    """``one`` shifted by what earlier tasks of the same plant taught; asleep rows stay exactly 0."""
    recent = [p for p in before if one.ended[0] - p.ended[0] <= np.timedelta64(_CALIBRATION_DAYS, "D")]
    if not recent:
        return one.quantiles
    past = np.concatenate([p.quantiles[p.awake] for p in recent])
    came = np.concatenate([p.actual[p.awake] for p in recent])
    final = one.quantiles.copy()
    final[one.awake] = calibrated(past, came, LEVELS).apply(one.quantiles[one.awake])
    return final


def _anchors(data: Path, track: str, tasks: list[int]) -> dict[str, float]:
    board = pd.read_csv(data / "gefcom2014_leaderboard.csv")
    same = board[(board["track"] == track) & board["task"].isin(tasks)]
    means = same.groupby("team")["pinball"].mean()
    return {name: float(means[name]) for name in _ANCHORS[track]}


def _solar(data: Path, service: bool) -> list[Plant]:
    """All three plants in one table."""
    zones = solar_zones(data)
    rows = {zone: solar_rows(zone, part, service) for zone, part in zones.items()}
    made = {zone: sun_features(rows[zone], [PLANES[zone]], [rows[z] for z in zones if z != zone]) for zone in zones}
    first = next(iter(made.values()))
    features = Features(
        first.names, np.concatenate([f.values for f in made.values()]), np.concatenate([f.awake for f in made.values()])
    )
    return [
        Plant(
            features,
            np.concatenate([part["power"].to_numpy() for part in zones.values()]),
            np.concatenate([r.ends for r in rows.values()]),
            np.concatenate([np.full(len(r), zone) for zone, r in rows.items()]),
        )
    ]


def solar_zones(data: Path) -> dict[int, pd.DataFrame]:
    """Weather and power of each solar plant."""
    table = pd.read_csv(data / "gefcom2014_solar.csv.gz", parse_dates=["timestamp_utc"])
    return {int(zone): part.reset_index(drop=True) for zone, part in table.groupby("zone")}


def solar_rows(zone: int, part: pd.DataFrame, service: bool) -> Rows:
    """Radiation and rain are accumulated since 00 UTC, stamps mark the end of the hour, the rest are instants."""

    def each_hour(name: str) -> Values:
        per_day = part[name].to_numpy().reshape(-1, 24)
        hourly: Values = np.diff(per_day, axis=1, prepend=0.0).reshape(-1)
        return hourly

    columns = {
        "ghi_w_m2": np.maximum(each_hour("VAR169") / 3600.0, 0.0),
        "thermal_down_w_m2": each_hour("VAR175") / 3600.0,
        "net_top_w_m2": each_hour("VAR178") / 3600.0,
        "rain_mm": each_hour("VAR228") * 1000.0,
        "cloud_share": part["VAR164"].to_numpy(),
        "cloud_water": part["VAR78"].to_numpy(),
        "cloud_ice": part["VAR79"].to_numpy(),
        "relative_humidity_pct": part["VAR157"].to_numpy(),
        "pressure_pa": part["VAR134"].to_numpy(),
        "temp_air_c": part["VAR167"].to_numpy() - 273.15,
        "wind_speed_m_s": np.hypot(part["VAR165"], part["VAR166"]).to_numpy(),
        "east_10_m_s": part["VAR165"].to_numpy(),
        "north_10_m_s": part["VAR166"].to_numpy(),
        "plant": np.full(len(part), float(zone)),
    }
    return _rows(part, columns, CANBERRA, "GEFCom2014 solar", service)


def _wind(data: Path, service: bool) -> list[Plant]:
    """Each farm for itself."""
    table = pd.read_csv(data / "gefcom2014_wind.csv.gz", parse_dates=["timestamp_utc"])
    zones = {int(zone): part.reset_index(drop=True) for zone, part in table.groupby("zone")}
    rows = {zone: _wind_rows(part, service) for zone, part in zones.items()}
    return [
        Plant(
            wind_features(rows[zone], [] if service else [rows[z] for z in zones if z != zone]),
            part["power"].to_numpy(),
            rows[zone].ends,
            np.full(len(part), zone),
        )
        for zone, part in zones.items()
    ]


def _wind_rows(part: pd.DataFrame, service: bool) -> Rows:
    columns = {
        f"{ours}_{height}_m_s": part[f"{theirs}{height}"].to_numpy()
        for height in (10, 100)
        for ours, theirs in (("east", "U"), ("north", "V"))
    }
    return _rows(part, columns, Place(0.0, 0.0), "GEFCom2014 wind", service)


def _rows(part: pd.DataFrame, columns: dict[str, Values], place: Place, source: str, service: bool) -> Rows:
    ended = pd.DatetimeIndex(part["timestamp_utc"]).tz_localize(None)
    starts = (ended - HOUR).to_numpy().astype("datetime64[us]")
    run_at = (ended - HOUR).floor("D").to_numpy().astype("datetime64[us]")
    return Rows(place, HOUR.to_pytimedelta(), starts, run_at, run_at, columns, source, across_runs=not service)
