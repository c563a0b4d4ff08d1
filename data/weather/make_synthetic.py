"""Make the synthetic typical years that the sample sites run on where nobody is asked outside.

    python -m data.weather.make_synthetic

Nothing here was measured. A climate below is a handful of *assumed* numbers: the writers' reading of what
is commonly said of these coasts (a cool trade-wind desert coast that is windiest in summer afternoons and
now and then hot and dusty when the wind turns to the Sahara; a mild Atlantic city with winter rain and a
sea breeze). They are not taken from a data set, and no design should rest on them: name a TMY, an EPW or
a forecast service in the site file instead. What is computed rather than assumed: the sun's position
(NREL SPA) and the cloudless sky (Ineichen & Perez 2002 with pvlib's monthly Linke turbidity map).

Clouds and wind are hourly and daily AR(1) noise with a fixed seed, so the same file comes out each time.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from models.sky import Place, clear_sky

Values = npt.NDArray[np.float64]
HERE = Path(__file__).parent
HOURS = 8760
YEAR = 2025  # any year without 29 February


@dataclass(frozen=True)
class Climate:
    """Assumed numbers of one place; months from January, hours of local mean solar time."""

    key: str
    title: str
    place: Place
    seed: int
    mean_c: tuple[float, float]  # coolest and warmest month
    warmest_day: int
    swing_c: float  # half of the daily range on an ordinary day
    clear_share: tuple[float, ...]  # by month: share of daylight hours with no cloud to speak of
    morning_stratus: float  # taken off the clear share before 10 h in June to September
    humidity_pct: float
    wind_m_s: tuple[float, ...]  # by month, at 10 m
    wind_swing: float  # half of the daily range over the mean, peak at 17 h
    wind_shape: float  # Weibull shape
    hot_spells: tuple[float, ...]  # by month: chance that a hot, dusty spell of 1 to 4 days begins on a day
    spell_warming_c: float


CLIMATES = (
    Climate(
        "dakhla",
        "Trade-wind desert coast near Dakhla",
        Place(23.70, -15.93, 12.0),
        20261,
        (17.5, 23.5),
        250,
        3.0,
        (0.68, 0.70, 0.72, 0.74, 0.74, 0.66, 0.58, 0.58, 0.62, 0.66, 0.66, 0.66),
        0.20,
        74.0,
        (6.6, 7.0, 7.5, 8.0, 8.3, 8.6, 8.6, 8.0, 7.4, 6.8, 6.4, 6.3),
        0.16,
        3.6,
        (0.03, 0.03, 0.04, 0.04, 0.03, 0.03, 0.04, 0.04, 0.04, 0.03, 0.03, 0.03),
        8.0,
    ),
    Climate(
        "casablanca",
        "Mild Atlantic city like Casablanca",
        Place(33.57, -7.59, 50.0),
        20262,
        (12.8, 23.2),
        225,
        3.8,
        (0.48, 0.48, 0.52, 0.54, 0.60, 0.64, 0.70, 0.70, 0.64, 0.56, 0.50, 0.46),
        0.18,
        76.0,
        (3.6, 3.7, 3.8, 3.9, 3.9, 3.9, 3.8, 3.7, 3.5, 3.4, 3.5, 3.6),
        0.35,
        2.1,
        (0.0, 0.0, 0.01, 0.01, 0.015, 0.02, 0.025, 0.025, 0.02, 0.01, 0.0, 0.0),
        8.0,
    ),
)


def _ar1(rng: np.random.Generator, n: int, rho: float) -> Values:
    """Standard normal noise whose neighbours correlate by ``rho``; ends meet, so that years follow each other."""
    shocks = rng.standard_normal(2 * n) * np.sqrt(1 - rho**2)
    out = np.empty(2 * n)
    last = rng.standard_normal()
    for k, shock in enumerate(shocks):
        last = rho * last + shock
        out[k] = last
    blend = np.minimum(1.0, np.arange(n) / 96.0)
    return (blend * out[:n] + (1 - blend) * out[n : 2 * n]) / np.sqrt(blend**2 + (1 - blend) ** 2)


def _spells(climate: Climate, month_of_day: npt.NDArray[np.int_], rng: np.random.Generator) -> Values:
    """Strength of hot, dusty spells by hour, 0 to 1, rising and falling over half a day."""
    days = np.zeros(HOURS // 24)
    day = 0
    while day < len(days):
        if rng.random() < climate.hot_spells[month_of_day[day] - 1]:
            length = int(rng.integers(1, 5))
            days[day : day + length] = rng.uniform(0.5, 1.0)
            day += length
        day += 1
    kernel = np.ones(13) / 13
    return np.convolve(np.repeat(days, 24), kernel, mode="same")


def year(climate: Climate) -> dict[str, Values]:
    """Columns of 8,760 hours from 1 January 00:00 UTC, each the mean over the hour that begins there."""
    rng = np.random.default_rng(climate.seed)
    start = datetime(YEAR, 1, 1, tzinfo=UTC)
    sky = clear_sky(climate.place, start, timedelta(hours=1), HOURS)
    hour = np.arange(HOURS)
    stamps = [start + timedelta(hours=int(k)) for k in hour]
    month = np.array([stamp.month for stamp in stamps])
    solar_h = (hour + 0.5 + climate.place.longitude_deg / 15.0) % 24
    season = np.cos(2 * np.pi * (hour / 24 - climate.warmest_day) / 365)
    spell = _spells(climate, month[::24], rng)

    share = np.array(climate.clear_share)[month - 1]
    share = share - climate.morning_stratus * ((solar_h < 10) & (month >= 6) & (month <= 9))
    rank = ndtr(0.75 * _ar1(rng, HOURS, 0.88) + 0.66 * np.repeat(_ar1(rng, HOURS // 24, 0.55), 24))
    cloud = np.clip((rank - share) / (1 - share), 0.0, 1.0)
    index = (1 - 0.72 * cloud**1.4) * (1 - 0.14 * spell)
    beam = (1 - cloud) ** 1.6 * (1 - 0.5 * spell)
    ghi = index * sky.ghi_w_m2
    dni = np.minimum(beam * sky.dni_w_m2, np.where(sky.cos_zenith > 0.01, ghi / np.maximum(sky.cos_zenith, 0.01), 0))
    dhi = np.maximum(ghi - dni * sky.cos_zenith, 0.05 * ghi)

    low, high = climate.mean_c
    slow = np.repeat(_ar1(rng, HOURS // 24, 0.7), 24)
    day_shape = np.cos(2 * np.pi * (solar_h - 14.5) / 24)
    temp = (
        (low + high) / 2
        + (high - low) / 2 * season
        + climate.swing_c * day_shape * (1 - 0.4 * cloud) * (1 + spell)
        + 1.1 * np.convolve(slow, np.ones(24) / 24, mode="same")
        + climate.spell_warming_c * spell
    )
    humidity = climate.humidity_pct - 11 * day_shape - 48 * spell + 5 * _ar1(rng, HOURS, 0.93) + 6 * cloud
    mean_wind = np.interp(
        hour / HOURS * 12, np.arange(-0.5, 13), [climate.wind_m_s[-1], *climate.wind_m_s, climate.wind_m_s[0]]
    )
    gust = ndtr(0.8 * _ar1(rng, HOURS, 0.94) + 0.6 * np.repeat(_ar1(rng, HOURS // 24, 0.6), 24))
    weibull = (-np.log(np.clip(1 - gust, 1e-6, 1))) ** (1 / climate.wind_shape)
    weibull = weibull / weibull.mean()
    wind = mean_wind * weibull * (1 + climate.wind_swing * np.cos(2 * np.pi * (solar_h - 17) / 24)) * (1 - 0.25 * spell)
    pressure = 1016.0 - climate.place.altitude_m / 8.4 - 1.5 * season + 2.5 * slow * 0.6
    return {
        "ghi_w_m2": ghi,
        "dni_w_m2": dni,
        "dhi_w_m2": dhi,
        "temp_air_c": temp,
        "relative_humidity_pct": np.clip(humidity, 8, 98),
        "wind_speed_m_s": wind,
        "pressure_pa": 100 * pressure,
        "aerosol_optical_depth": 0.18 + 0.9 * spell,
    }


_DIGITS = {"temp_air_c": 1, "wind_speed_m_s": 1, "aerosol_optical_depth": 2}


def text(climate: Climate) -> str:
    """The file's text: comment lines that say what it is, a header, 8,760 rows."""
    columns = year(climate)
    place = climate.place
    out = io.StringIO()
    out.write(f"# {climate.title}: SYNTHETIC typical year from ASSUMED climate numbers; nothing here was measured.\n")
    out.write(f"# Made by data/weather/make_synthetic.py (seed {climate.seed}); see there for every assumption.\n")
    out.write(f"# latitude_deg = {place.latitude_deg}\n# longitude_deg = {place.longitude_deg}\n")
    out.write(f"# altitude_m = {place.altitude_m}\n# wind_height_m = 10\n")
    out.write("# Each row is the mean over the hour that BEGINS at month, day, hour UTC; 365 days.\n")
    out.write("month,day,hour," + ",".join(columns) + "\n")
    shown = {name: np.round(values, _DIGITS.get(name, 0)) for name, values in columns.items()}
    start = datetime(YEAR, 1, 1, tzinfo=UTC)
    for k in range(HOURS):
        stamp = start + timedelta(hours=k)
        row = (f"{values[k]:.{_DIGITS.get(name, 0)}f}" for name, values in shown.items())
        out.write(f"{stamp.month},{stamp.day},{stamp.hour}," + ",".join(row) + "\n")
    return out.getvalue()


def main() -> None:
    """Write one ``.csv.gz`` a climate beside this file."""
    for climate in CLIMATES:
        target = HERE / f"{climate.key}.csv.gz"
        target.write_bytes(gzip.compress(text(climate).encode(), 9, mtime=0))
        print(f"{target.name}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
