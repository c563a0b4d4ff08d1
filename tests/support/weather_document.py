"""A made-up document in the shape of Open-Meteo's: dark and calm, the same at every hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ingest.sources.outlook import open_meteo

_UNITS = {
    "shortwave_radiation": "W/m²",
    "direct_normal_irradiance": "W/m²",
    "diffuse_radiation": "W/m²",
    "temperature_2m": "°C",
    "relative_humidity_2m": "%",
    "wind_speed_10m": "m/s",
    "surface_pressure": "hPa",
}


def document(start: datetime, hours: int = 48, parts: tuple[str, ...] = ("",)) -> dict[str, Any]:
    """``hours`` from ``start`` on; every part (such as ``_member01``) is 1 K warmer than the one before."""
    plain = dict.fromkeys(open_meteo.ASKED, 0.0) | {"relative_humidity_2m": 60.0, "surface_pressure": 1010.0}
    times = [(start + k * timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M") for k in range(hours + 1)]
    hourly: dict[str, list[Any]] = {"time": times}
    told = {"time": "iso8601"}
    for k, part in enumerate(parts):
        for name, value in plain.items():
            hourly[name + part] = [20.0 + k if name == "temperature_2m" else value] * len(times)
            told[name + part] = _UNITS[name]
    return {
        "latitude": 23.7,
        "longitude": -15.9,
        "elevation": 10.0,
        "utc_offset_seconds": 0,
        "hourly": hourly,
        "hourly_units": told,
    }
