"""A chiller's COP and its day-ahead power on a recorded tropical plant: the last quarter, learned from what is before.

Power of a half hour = 2 x its energy. Day-ahead: issued at each UTC midnight, knows only what had ended then; the wet
bulb of tomorrow is taken as today's, because the data holds no weather forecast.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.real_inputs import shared_data
from models.learn.chiller import LearnedChiller, drift, fit_chiller, learned_tangents
from models.learn.day_ahead import fit_day_ahead
from models.learn.plant_records import PlantRecords, screen_records
from models.series import Series
from models.weather import wet_bulb_c

Array = npt.NDArray[np.float64]
HALF_HOUR = timedelta(minutes=30)
DAY = timedelta(days=1)
_PER_DAY = 48


@dataclass(frozen=True, slots=True, eq=False)
class Plant:
    """The recorded plant: times, MW of heat and power, degC of wet bulb and of the condenser's water."""

    time: npt.NDArray[np.datetime64]
    heat_mw: Array
    power_mw: Array
    wet_c: Array
    condenser_c: Array

    @property
    def cut(self) -> int:
        """First row of the last quarter."""
        return int(len(self.time) * 0.75)

    def records(self, ambient: Array) -> PlantRecords:
        return PlantRecords(self.time, self.heat_mw, self.power_mw, ambient)

    def series(self, values: Array) -> Series:
        """On whole half hours, NaN where the record has none, from the first UTC midnight before it."""
        start = self.time[0].astype("datetime64[D]")
        place = ((self.time - start) / np.timedelta64(HALF_HOUR)).astype(int)
        regular = np.full(place[-1] + 1, np.nan)
        regular[place] = values
        return Series(_midnight(start), HALF_HOUR, regular, "MW")


def _midnight(day: np.datetime64) -> datetime:
    return datetime.fromisoformat(f"{day}T00:00:00+00:00")


def read_plant(path: Path | None = None) -> Plant:
    """The Singapore chiller (Kaggle chiller-energy-data, through a public repository, MIT)."""
    path = path or shared_data() / "forecast" / "chiller_singapore_30min.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def column(name: str) -> Array:
        return np.array([float(row[name]) for row in rows])

    time = np.array([row["timestamp_utc"].removesuffix("Z") for row in rows], dtype="datetime64[us]")
    wet = wet_bulb_c(column("dry_bulb_c"), column("rh_pct"))
    power = column("chiller_kwh_per_30min") * 2 / 1000
    return Plant(time, column("load_kw_th") / 1000, power, wet, column("cw_temp_c"))


@dataclass(frozen=True, slots=True)
class Error:
    """Mean absolute error in kW and its mean share of the actual power."""

    mae_kw: float
    mape: float
    n: int


def _error(predicted: Array, actual: Array) -> Error:
    off = np.abs(predicted - actual)
    return Error(float(off.mean() * 1000), float((off / actual).mean()), len(actual))


@cache
def learned(plant: Plant, which: str = "wet_c") -> LearnedChiller:
    """From the rows before the last quarter, over ``which`` temperature."""
    return fit_chiller(screen_records(plant.records(getattr(plant, which)).at(np.arange(plant.cut))).records)


def known_load(plant: Plant, which: str = "wet_c", *, days: int = 0) -> Error:
    """Last quarter, load and one temperature known; ``days``: less the drift of so many days before each midnight."""
    chiller, ambient = learned(plant, which), getattr(plant, which)
    late = np.arange(plant.cut, len(plant.time))
    shift = np.zeros(len(late))
    if days:
        every = plant.records(ambient)
        day = plant.time[late].astype("datetime64[D]")
        for one in np.unique(day):
            shift[day == one] = drift(chiller, every, _midnight(one), days)
    predicted = chiller.power_mw(plant.heat_mw[late], ambient[late]) * np.exp(shift)
    return _error(predicted, plant.power_mw[late])


def constant_cop(plant: Plant) -> Error:
    """Baseline: the median COP of the rows before."""
    cop = float(np.median(plant.heat_mw[: plant.cut] / plant.power_mw[: plant.cut]))
    return _error(plant.heat_mw[plant.cut :] / cop, plant.power_mw[plant.cut :])


def straight_line(plant: Plant) -> Error:
    """Baseline: power as a straight line of the heat."""
    slope, level = np.polyfit(plant.heat_mw[: plant.cut], plant.power_mw[: plant.cut], 1)
    return _error(slope * plant.heat_mw[plant.cut :] + level, plant.power_mw[plant.cut :])


@dataclass(frozen=True, slots=True)
class DayAheadScore:
    """The same half hours: forecast heat with learned COP beside yesterday's power, and the heat alone."""

    ours: Error
    persistence: Error
    heat: Error
    heat_persistence: Error
    days: int


def day_ahead(plant: Plant, zone: str = "Asia/Singapore") -> DayAheadScore:
    """Rolling through the last quarter: heat learned anew each 30 days, COP of before with a week's drift."""
    heat, power, wet = (plant.series(v) for v in (plant.heat_mw, plant.power_mw, plant.wet_c))
    chiller = learned(plant)
    every = plant.records(plant.wet_c)
    begin = _midnight(plant.time[plant.cut].astype("datetime64[D]")) + DAY
    ours, yesterday, actual, heats, heats_before, heats_came = ([] for _ in range(6))
    model, days = None, 0
    issue = begin
    while issue + DAY <= heat.end:
        if model is None or days % 30 == 0:
            model = fit_day_ahead(heat, 0, zone, issue)
        place = (issue - heat.start) // HALF_HOUR
        rows, before = slice(place, place + _PER_DAY), slice(place - _PER_DAY, place)
        days += 1
        there = np.isfinite(power.values[rows]) & np.isfinite(power.values[before]) & np.isfinite(wet.values[before])
        if there.any():
            guess = model.forecast(heat, issue)
            watts = chiller.power_mw(guess, np.nan_to_num(wet.values[before], nan=25.0), drift(chiller, every, issue))
            ours.append(watts[there])
            yesterday.append(power.values[before][there])
            actual.append(power.values[rows][there])
            heats.append(guess[there])
            heats_before.append(heat.values[before][there])
            heats_came.append(heat.values[rows][there])
        issue += DAY
    came, heat_came = np.concatenate(actual), np.concatenate(heats_came)
    return DayAheadScore(
        _error(np.concatenate(ours), came),
        _error(np.concatenate(yesterday), came),
        _error(np.concatenate(heats), heat_came),
        _error(np.concatenate(heats_before), heat_came),
        days,
    )


def tangent_error(plant: Plant, pieces: int = 4) -> tuple[float, float]:
    """Largest error of the pieces over the usual wet bulbs: MW, and share of the power at the highest heat."""
    chiller = learned(plant)
    ambient = np.quantile(plant.wet_c, [0.05, 0.25, 0.5, 0.75, 0.95])
    capacity = float(np.quantile(plant.heat_mw, 0.99))
    found = learned_tangents(chiller, ambient, capacity, pieces)
    top = chiller.power_mw(np.array(capacity), ambient)
    worst = int(found.error_mw.argmax())
    return float(found.error_mw[worst]), float(found.error_mw[worst] / top[worst])
