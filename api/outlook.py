"""What a planner would read of a site's weather, prices and carbon now: tried source by source, a line each. Heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from api.expected import whole_run
from api.gathering import horizon_at
from ingest.errors import SourceUnavailable
from ingest.sources.outlook.market import read_series
from ingest.sources.outlook.weather import weather_for
from ingest.sources.outlook.weather_runs import members_for, run_for
from models.errors import Fault, InvalidInput
from models.horizon import Horizon, rfc3339
from models.market import MarketSeries
from models.site import Site
from models.weather import WeatherTable


class Tried(NamedTuple):
    """A source by its key in the site file, whether it can be used, and what it says or why it cannot."""

    name: str
    good: bool
    told: str


def outlook(site: Site, now: datetime, base: Path) -> Iterator[Tried]:
    """Each source that the site file names, asked once; made-up weather is none."""
    horizon = horizon_at(site, now)
    whole = whole_run(horizon, now)
    weather, market = site.weather, site.market
    if weather.kind != "synthetic":
        yield _tried("weather", lambda: _table(weather_for(site, whole, now, base)[0], horizon))
    if weather.ensemble is not None:
        yield _tried("weather.ensemble", lambda: _members(members_for(site, whole, now, base), horizon))
    if weather.runs is not None:
        yield _tried("weather.runs", lambda: _run(run_for(site, horizon, now, base), horizon))
    price = f"{site.currency}/MWh"
    for key, source, unit in (
        ("import_price", market.import_price, price),
        ("export_price", market.export_price, price),
        ("carbon", market.carbon, "kg/MWh"),
    ):
        if source is not None:
            yield _tried(f"market.{key}", partial(_series, source, unit, now, base))


def _tried(name: str, ask: Callable[[], str]) -> Tried:
    try:
        return Tried(name, True, ask())
    except (InvalidInput, SourceUnavailable) as error:
        return Tried(name, False, str(error))


def _table(table: WeatherTable, horizon: Horizon) -> str:
    """What a table says of the first slot. It is held to the whole horizon first."""
    warmth = table.on(horizon)["temp_air_c"][0]
    known = "no time" if table.available_at is None else rfc3339(table.available_at)
    return f"{table.source}, to {rfc3339(table.end)}, known since {known}; {warmth:.1f} degC now"


def _members(tables: list[WeatherTable], horizon: Horizon) -> str:
    return f"{len(tables)} members, the first: {_table(tables[0], horizon)}"


def _run(table: WeatherTable | None, horizon: Horizon) -> str:
    if table is None:
        message = "none that is known by now covers the horizon; look at its folder and at run_delay_h"
        raise InvalidInput("the stored runs", [Fault("weather.runs", "none", message)])
    return _table(table, horizon)


def _series(source: MarketSeries, unit: str, now: datetime, base: Path) -> str:
    series = read_series(source, unit, now, base)
    span = f"{rfc3339(series.start)} to {rfc3339(series.start + len(series) * series.step)}"
    return f"{len(series)} values from {span}, the first {series.values[0]:g} {series.unit}"
