"""The weather of a site, from whatever its file names, with a note on where it came from.

Offline by default: a site that names no source gets the synthetic year of its climate, with a made-up
forecast error, labelled synthetic throughout. Only ``kind = "open_meteo"`` with an http address asks
anything outside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np

from ingest.sources.outlook import open_meteo, synthetic_forecast, typical_year, weather_csv
from models.errors import Fault, InvalidInput, NotFound
from models.forecast.past import PastPairs, moment64
from models.forecast.site import PV, WIND, ForecastHistory, pv_mw, wind_mw
from models.horizon import Horizon
from models.series import Values
from models.site import Site
from models.sky import Place
from models.supply import Solar, Wind
from models.weather import WeatherTable

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SEASON_DAYS = 14  # either side of the date: the season whose spread stands in for past errors
HISTORY_DAYS = 45


@dataclass(frozen=True, slots=True)
class SourceNote:
    """Where weather came from, for the page: ``issued_at`` None means it is no forecast at all."""

    source: str
    synthetic: bool
    issued_at: datetime | None
    method: str


def weather_for(
    site: Site, horizon: Horizon, now: datetime, base: Path | None = None
) -> tuple[WeatherTable, SourceNote]:
    """Weather that covers ``horizon``, as known at ``now``; ``base`` is the folder that file paths start from.

    Raises:
        InvalidInput: the file or document is refused, or does not cover the horizon.
        SourceUnavailable: a live service gives no answer.
        NotFound: the site names a synthetic climate that does not ship.
    """
    kind = site.weather.kind
    start, hours = _whole_hours(horizon)
    if kind == "synthetic":
        climate = climate_of(site)
        year = typical_year.synthetic_year(climate)
        run = synthetic_forecast.run_before(min(now, horizon.start))
        table = synthetic_forecast.forecast(year, climate, run, start, hours)
        note = SourceNote(table.source, True, run, "assumed climate and seeded error growing with lead time")
        return replace(table, climate=_season(year, start)), note
    if kind in ("tmy3", "epw"):
        path = _path(site, base)
        year = (typical_year.read_tmy3 if kind == "tmy3" else typical_year.read_epw)(path)
        table = replace(year.table(_floor(start, year.utc_offset), hours + 2, now), climate=_season(year, start))
        method = "typical year mapped onto the dates by month, day and hour of its standard time" + far_from(
            site, year.place
        )
        return table, SourceNote(table.source, False, None, method)
    if kind == "csv":
        table = weather_csv.read(_path(site, base))
        return table, SourceNote(table.source, False, table.available_at, "own file" + far_from(site, table.place))
    return _open_meteo(site, horizon, now, base)


def climate_of(site: Site) -> str:
    """Synthetic climate that a site names, or that has its name.

    Raises:
        NotFound: neither ships with the package.
    """
    named = site.weather.climate or site.name
    if named not in typical_year.synthetic_climates():
        raise NotFound("climate", named)
    return named


def actual_weather(site: Site, horizon: Horizon) -> WeatherTable:
    """What "really" happens at a synthetic site: the synthetic year itself, on the horizon's hours.

    Raises:
        InvalidInput: the site's weather is not synthetic, so nobody here knows what happens.
    """
    if site.weather.kind != "synthetic":
        fault = Fault("weather.kind", "not_synthetic", f"{site.weather.kind} has no actual; read it from telemetry")
        raise InvalidInput(f"the weather of {site.name!r}", [fault])
    start, hours = _whole_hours(horizon)
    return typical_year.synthetic_year(climate_of(site)).table(start, hours, start + hours * HOUR)


def history_for(site: Site, now: datetime) -> ForecastHistory | None:
    """Past (forecast, actual) pairs of a synthetic site, through its own physics; None for other sources.

    The forecast of the run at 00 UTC for its first and its second day, over the last 45 days, hourly.
    Other sites get pairs once their forecasts and meters have been stored.
    """
    if site.weather.kind != "synthetic":
        return None
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _synthetic_history(climate_of(site), site.solar, site.wind, midnight)


@lru_cache(maxsize=4)
def _synthetic_history(
    climate: str, fields: tuple[Solar, ...], farms: tuple[Wind, ...], today: datetime
) -> ForecastHistory:
    year = typical_year.synthetic_year(climate)
    first = today - HISTORY_DAYS * DAY
    hours = HISTORY_DAYS * 24
    actual = year.table(first, hours, today)
    ended = np.array([moment64(first + (k + 1) * HOUR) for k in range(hours)])
    clock = np.arange(hours) % 24 + 0.5
    truth = {PV: pv_mw(fields, actual), WIND: wind_mw(farms, actual)}
    rows: dict[str, list[Values]] = {PV: [], WIND: []}
    for back in (0, 1):
        leads = np.arange(24.0) + 24 * back
        drawn = [synthetic_forecast.noise(climate, first + (day - back) * DAY, leads) for day in range(HISTORY_DAYS)]
        said = synthetic_forecast.disturbed(actual, np.tile(leads, HISTORY_DAYS), np.concatenate(drawn, axis=1))
        rows[PV].append(pv_mw(fields, said))
        rows[WIND].append(wind_mw(farms, said))
    lead = np.concatenate([clock, clock + 24.0])
    return {
        name: PastPairs(lead, np.concatenate(rows[name]), np.tile(truth[name], 2), np.tile(ended, 2))
        for name in (PV, WIND)
    }


def _open_meteo(site: Site, horizon: Horizon, now: datetime, base: Path | None) -> tuple[WeatherTable, SourceNote]:
    url = site.weather.url or ""
    if url.startswith(("http://", "https://")):
        place = Place(site.latitude_deg, site.longitude_deg, site.altitude_m)
        hours = max(1, -(-(horizon.end - now) // HOUR))
        table = open_meteo.fetch(url, place, hours=hours, fetched_at=now)
        method = "asked live; known since it was fetched"
    else:
        table = open_meteo.read(_path(site, base))
        method = "document from a file; known since the file's time"
    return table, SourceNote(table.source, False, table.available_at, method + far_from(site, table.place))


def _path(site: Site, base: Path | None) -> Path:
    named = Path(site.weather.path or (site.weather.url or "").removeprefix("file://"))
    return named if named.is_absolute() or base is None else base / named


def _whole_hours(horizon: Horizon) -> tuple[datetime, int]:
    """Whole UTC hours that cover the horizon, with one to spare on either side."""
    start = horizon.start.replace(minute=0, second=0, microsecond=0) - HOUR
    return start, -(-(horizon.end - start) // HOUR) + 1


def _floor(start: datetime, offset: timedelta) -> datetime:
    """Last whole hour of a standard time at or before ``start`` (half-hour zones exist)."""
    return start - (start + offset - datetime(2000, 1, 1, tzinfo=UTC)) % HOUR


def _season(year: typical_year.TypicalYear, start: datetime) -> WeatherTable:
    first = _floor(start, year.utc_offset) - SEASON_DAYS * DAY
    return year.table(first, 2 * SEASON_DAYS * 24, start)


def far_from(site: Site, place: Place) -> str:
    """A warning where the weather's place is not the site's (more than half a degree off)."""
    apart = max(abs(site.latitude_deg - place.latitude_deg), abs(site.longitude_deg - place.longitude_deg))
    if apart <= 0.5:
        return ""
    return f"; of another place ({place.latitude_deg:g}, {place.longitude_deg:g}), {apart:.1f} degrees from the site"
