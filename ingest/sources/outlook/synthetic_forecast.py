"""A made-up forecast of the made-up weather: the synthetic year with an error that grows with lead time.

So that plan and day differ offline as they do in life. The error is seeded by climate and run: the same
run always says the same. Its size is *assumed*, in the order of what day-ahead weather models leave: from
hour 0 to 48, 0.06 to 0.16 of the clear-sky index (none under a cloudless sky at night), 0.5 to 1.4 m/s of
wind, 0.4 to 1.2 K, 3 to 8 % of humidity; each an AR(1) over the hours (0.85).
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from ingest.sources.outlook.typical_year import TypicalYear
from models.series import Values
from models.sky import clear_sky
from models.weather import WeatherTable

RUN_EVERY = timedelta(hours=6)
HOUR = timedelta(hours=1)
_RHO = 0.85


def run_before(now: datetime) -> datetime:
    """Issue time of the newest run: 00, 06, 12, 18 UTC."""
    start = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return start - timedelta(hours=start.hour % 6)


def forecast(year: TypicalYear, climate: str, run: datetime, start: datetime, hours: int) -> WeatherTable:
    """What the run of ``run`` says of ``hours`` hours from ``start`` (whole hours); known since ``run``.

    Hours before the run are the synthetic weather itself.
    """
    lead = np.array([(start + k * HOUR - run) / HOUR for k in range(hours)])
    return disturbed(year.table(start, hours, run), lead, noise(climate, run, lead))


def noise(climate: str, run: datetime, lead_h: Values) -> Values:
    """Standard noise of a run at rising whole lead hours, shape ``(4, hours)``: sun, wind, heat, humidity."""
    rng = np.random.default_rng(zlib.crc32(f"{climate} {run.isoformat()}".encode()))
    first = max(0, int(lead_h[0]))
    drawn = _ar1(rng, first + len(lead_h))
    return drawn[:, first:]


def disturbed(actual: WeatherTable, lead_h: Values, drawn: Values) -> WeatherTable:
    """``actual`` (hourly) with errors of the size of each hour's lead; unchanged where the lead is negative."""
    grown = (1.0 - np.exp(-np.maximum(lead_h, 0.0) / 24.0)) / (1.0 - np.exp(-2.0))
    past = lead_h < 0

    def size(at_once: float, after_48h: float) -> Values:
        sized: Values = np.where(past, 0.0, at_once + (after_48h - at_once) * np.minimum(grown, 1.0))
        return sized

    sky = clear_sky(actual.place, actual.start, HOUR, len(actual))
    off = size(0.06, 0.16) * drawn[0]
    ghi = np.clip(actual["ghi_w_m2"] + off * sky.ghi_w_m2, 0.08 * sky.ghi_w_m2, 1.05 * sky.ghi_w_m2)
    # Clearness moves the beam about twice as fast as the whole; the rest of it comes from the sky.
    dni = np.clip(actual["dni_w_m2"] + 1.8 * off * sky.dni_w_m2, 0.0, 1.03 * sky.dni_w_m2)
    dni = np.minimum(dni, ghi / np.maximum(sky.cos_zenith, 0.05))
    dhi = np.maximum(ghi - dni * sky.cos_zenith, 0.05 * ghi)
    said = {
        "ghi_w_m2": ghi,
        "dni_w_m2": dni,
        "dhi_w_m2": dhi,
        "wind_speed_m_s": np.maximum(actual["wind_speed_m_s"] + size(0.5, 1.4) * drawn[1], 0.0),
        "temp_air_c": actual["temp_air_c"] + size(0.4, 1.2) * drawn[2],
        "relative_humidity_pct": np.clip(actual["relative_humidity_pct"] + size(3.0, 8.0) * drawn[3], 5.0, 99.0),
    }
    columns = dict(actual.columns) | {name: np.where(past, actual[name], values) for name, values in said.items()}
    return replace(actual, columns=columns, source=f"synthetic forecast of the {actual.source}")


def _ar1(rng: np.random.Generator, hours: int) -> Values:
    shocks = rng.standard_normal((hours, 4)).T * np.sqrt(1 - _RHO**2)
    out = np.empty((4, hours))
    last = rng.standard_normal(4)
    for k in range(hours):
        last = _RHO * last + shocks[:, k]
        out[:, k] = last
    return out
