"""What a round expects of sun, wind and heat: learned where a model of the site serves, else the physics.

The weather comes by the highest step there is (:mod:`models.forecast.ladder`): ensemble, single run, last run,
climatology. Each quantity says by which, why not by a higher one, and what its forecasts have been worth so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from api.knowledge import Champion, Knowledge, first_line
from api.plant_states import pv_state
from ingest.errors import SourceUnavailable
from ingest.sources.outlook.weather import SourceNote, history_for, weather_for
from ingest.sources.outlook.weather_runs import members_for, run_for
from models.errors import Fault, InvalidInput
from models.forecast.bulbs import moved
from models.forecast.fan import Fan
from models.forecast.ladder import Rung, rung
from models.forecast.learned import LEAD_EDGES_H, PROVEN_DAYS, Report
from models.forecast.plant_state import PlantState
from models.forecast.plants import QUANTITIES
from models.forecast.quantiles import QuantileForecast
from models.forecast.serving import served, usual
from models.forecast.site import PV, WIND, SiteForecast, capacity_mw, forecast_site
from models.horizon import Horizon, rfc3339
from models.series import Series, Values
from models.site import Site
from models.sky import Place
from models.weather import WeatherTable

SPARE = timedelta(hours=24)
"""Asked of the weather beyond the horizon, so that a run still covers one when its source has been silent for a day."""
LEVEL_OF = {"p05": 0.05, "p10": 0.1, "p30": 0.3, "p50": 0.5, "p70": 0.7, "p90": 0.9, "p95": 0.95}
"""Quantiles that an edition keeps, by their name."""


@dataclass(frozen=True, slots=True)
class Expected:
    """``bands``: MW by quantity and level; ``told``: by quantity how it was made and how good that has been.

    ``tables``: the weather that it rests on.
    """

    forecast: SiteForecast
    note: SourceNote
    bands: dict[str, dict[str, list[float]]]
    told: dict[str, dict[str, Any]]
    tables: tuple[WeatherTable, ...] = ()


def expected(site: Site, horizon: Horizon, now: datetime, base: Path | None, knowledge: Knowledge | None) -> Expected:
    """Forecast of a site for ``horizon`` from what is known at ``now``; ``base`` is where file paths start from.

    Raises:
        InvalidInput: no weather that may be used, and nothing measured to take a climatology from.
        CherguiError: the weather's source does not answer, and nothing is kept.
    """
    found, note = weather_step(site, horizon, now, base, knowledge)
    usuals = {} if found.tables else _usuals(site, horizon, now, knowledge, found)
    plant = pv_state(site, now, knowledge)
    forecast = _physics(site, horizon, now, found, usuals, plant.state)
    if found.tables and knowledge is not None:
        note = _air_moved(forecast, note, now, knowledge)
    bands: dict[str, dict[str, list[float]]] = {}
    told: dict[str, dict[str, Any]] = {}
    for quantity in QUANTITIES:
        if capacity_mw(site)[quantity] == 0:
            continue
        fan, champion = _learned(site, quantity, horizon, now, found, knowledge, plant.state)
        if isinstance(fan, Fan):
            _put(forecast, quantity, fan.band())
        bands[quantity] = _bands(fan if isinstance(fan, Fan) else usuals.get(quantity, forecast_of(forecast, quantity)))
        told[quantity] = {
            "kind": "learned" if isinstance(fan, Fan) else "physics" if found.tables else "usual",
            "step": found.step,
            "reason": found.reason,
            "not_learned": None if isinstance(fan, Fan) else fan,
            "known_since": rfc3339(forecast_of(forecast, quantity).available_at),
            "scores": None if champion is None else _scores(champion),
            "state": plant.told if quantity == PV else None,
        }
    return Expected(forecast, note, bands, told, found.tables)


def forecast_of(forecast: SiteForecast, quantity: str) -> QuantileForecast:
    """Sun or wind of a site's forecast."""
    return forecast["pv_available_mw"] if quantity == PV else forecast["wind_available_mw"]


def weather_step(
    site: Site, horizon: Horizon, now: datetime, base: Path | None, knowledge: Knowledge | None
) -> tuple[Rung, SourceNote]:
    """The weather to forecast from, and where it is from; a run that comes is kept, a source that is silent leaves one.

    Raises:
        InvalidInput: none that may be used, and no ``knowledge`` to step down to.
        SourceUnavailable: the same, because the source does not answer.
    """
    tables: list[WeatherTable] = []
    failed: list[str] = []
    silent: InvalidInput | SourceUnavailable | None = None
    whole = whole_run(horizon, now)
    note = SourceNote("measured", False, None, "no weather forecast")
    try:
        table, note = weather_for(site, whole, now, base)
        tables.append(table)
        if knowledge is not None:
            knowledge.keep(table)
    except (InvalidInput, SourceUnavailable) as error:
        silent = error
        failed.append(first_line(error))
    try:
        tables += members_for(site, whole, now, base)
    except (InvalidInput, SourceUnavailable) as error:
        failed.append(f"no ensemble: {first_line(error)}")
    how = "the forecast is silent, its ensemble is not"
    if not tables:
        tables, how = _runs_left(site, horizon, now, base, knowledge, failed)
    if not tables and silent is not None and knowledge is None:
        raise silent
    found = rung(tables, horizon, now, "; ".join(failed))
    if not found.tables and knowledge is None:
        raise InvalidInput("the weather", [Fault("weather", "not_usable", found.reason)])
    if found.tables and silent is not None:
        used = found.tables[0]
        note = SourceNote(used.source, used.synthetic, used.available_at, how)
    return found, note


def _runs_left(
    site: Site, horizon: Horizon, now: datetime, base: Path | None, knowledge: Knowledge | None, failed: list[str]
) -> tuple[list[WeatherTable], str]:
    """What there is where no source answers: the stored single run, or what was kept where that was known later."""
    kept, refused = ([], []) if knowledge is None else knowledge.last_runs()
    failed += refused
    try:
        run = run_for(site, horizon, now, base)
    except InvalidInput as error:
        failed.append(f"no stored run: {first_line(error)}")
        run = None
    if run is None or any(_known(table) > _known(run) for table in kept):
        return kept, "kept from when its source last answered"
    return [run], "a stored single run; the forecast is silent"


def _known(table: WeatherTable) -> datetime:
    return table.available_at or datetime.min.replace(tzinfo=UTC)


def whole_run(horizon: Horizon, now: datetime) -> Horizon:
    """From the hour that the newest run is of, because models saw runs from their beginning, to beyond the end."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    start = min(hour - timedelta(hours=hour.hour % 6), horizon.start)
    return Horizon(start, horizon.step, -((start - horizon.end - SPARE) // horizon.step))


def _physics(
    site: Site, horizon: Horizon, now: datetime, found: Rung, usuals: dict[str, Fan], state: PlantState | None
) -> SiteForecast:
    """By the site's physics on each table, averaged; on the last step the usual, and the site's hot day."""
    each = [forecast_site(site, horizon, table, now, history_for(site, now), state) for table in found.tables]
    if not each:
        return _without_weather(site, horizon, now, usuals)
    first = each[0]
    if len(each) == 1:
        return first
    return {
        "pv_available_mw": _mean([one["pv_available_mw"] for one in each]),
        "wind_available_mw": _mean([one["wind_available_mw"] for one in each]),
        "dry_bulb_c": first["dry_bulb_c"].with_values(_mean_of([one["dry_bulb_c"].values for one in each])),
        "wet_bulb_c": first["wet_bulb_c"].with_values(_mean_of([one["wet_bulb_c"].values for one in each])),
    }


def _mean_of(values: Sequence[Values]) -> Values:
    mean: Values = np.mean(values, axis=0)
    return mean


def _mean(each: Sequence[QuantileForecast]) -> QuantileForecast:
    first = each[0]
    p10, p50, p90 = np.mean([one.quantiles() for one in each], axis=0)
    method = first.method if first.capacity_mw == 0 else f"{first.method}; mean of {len(each)} weather models"
    return QuantileForecast(
        first.horizon,
        p10,
        p50,
        p90,
        first.capacity_mw,
        max(one.available_at for one in each),
        method,
        ", ".join(dict.fromkeys(one.source for one in each)),
        any(one.synthetic for one in each),
    )


def _usuals(site: Site, horizon: Horizon, now: datetime, knowledge: Knowledge | None, found: Rung) -> dict[str, Fan]:
    """The usual of the hour of day for each plant of the site, from its meters.

    Raises:
        InvalidInput: a plant of which nothing was metered.
    """
    place = Place(site.latitude_deg, site.longitude_deg, site.altitude_m)
    usuals = {}
    for quantity, cap in capacity_mw(site).items():
        if cap == 0:
            continue
        actual = None if knowledge is None else knowledge.measured(quantity, now)
        if actual is None:
            message = f"no weather ({found.reason}), and no meter of {quantity} to take the usual from"
            raise InvalidInput("the weather", [Fault("weather", "none", message)])
        usuals[quantity] = usual(quantity, actual, place, horizon, now, cap, found.reason)
    return usuals


def _without_weather(site: Site, horizon: Horizon, now: datetime, usuals: dict[str, Fan]) -> SiteForecast:
    def band(quantity: str) -> QuantileForecast:
        if quantity in usuals:
            return usuals[quantity].band()
        none = np.zeros(horizon.slots)
        return QuantileForecast(horizon, none, none, none, 0.0, now, "the site has none")

    def hot(value: float) -> Series:
        # Cooling then draws as on the day that the site is built for: too much power is asked for, never too little.
        return Series(horizon.start, horizon.step, np.full(horizon.slots, value), "degC", "the site's design day")

    return {
        "pv_available_mw": band(PV),
        "wind_available_mw": band(WIND),
        "dry_bulb_c": hot(site.design_dry_bulb_c),
        "wet_bulb_c": hot(site.design_wet_bulb_c),
    }


def _air_moved(forecast: SiteForecast, note: SourceNote, now: datetime, knowledge: Knowledge) -> SourceNote:
    """Both bulbs moved by what the site's thermometer has shown, and the note that says so."""
    error = knowledge.air_error(now)
    if error is None:
        return note
    forecast["dry_bulb_c"], forecast["wet_bulb_c"] = moved(forecast["dry_bulb_c"], forecast["wet_bulb_c"], error)
    mean = float(error.by_hour.mean())
    return replace(
        note, method=f"{note.method}; moved by {mean:+.1f} K as {error.hours} hours of the site's meter show"
    )


def _learned(
    site: Site,
    quantity: str,
    horizon: Horizon,
    now: datetime,
    found: Rung,
    knowledge: Knowledge | None,
    state: PlantState | None,
) -> tuple[Fan | str, Champion | None]:
    """The learned fan with its model, or why the physics serve."""
    if knowledge is None:
        return "no models are kept here", None
    champion = knowledge.champion(quantity)
    if isinstance(champion, str):
        return champion, None
    if not found.tables:
        return "no weather to apply the model to", None
    try:
        return served(site, champion.model, found, horizon, now, state), champion
    except InvalidInput as error:
        return f"the model does not fit: {first_line(error)}", None


def _put(forecast: SiteForecast, quantity: str, band: QuantileForecast) -> None:
    if quantity == PV:
        forecast["pv_available_mw"] = band
    else:
        forecast["wind_available_mw"] = band


def _bands(found: Fan | QuantileForecast) -> dict[str, list[float]]:
    if isinstance(found, Fan):
        return {name: _rounded(found.at(level)) for name, level in LEVEL_OF.items()}
    return {name: _rounded(getattr(found, name)) for name in ("p10", "p50", "p90")}


def _rounded(values: Values) -> list[float]:
    return [round(float(value), 6) for value in values]


def _scores(champion: Champion) -> dict[str, Any]:
    """Held-out scores of training; skill: 1 - pinball / pinball of the best baseline, null for a lead without any."""
    report, days = champion.report, champion.report.days + champion.days_since
    return {
        "days": days,
        "proven": days >= PROVEN_DAYS,
        "beside": report.best_baseline,
        "skill": report.skill,
        "cover_p05_p95": report.reliability.cover,
        "by_lead": _by_lead(report),
    }


def _by_lead(report: Report) -> list[dict[str, float | None]]:
    edges = [0.0, *LEAD_EDGES_H, None]
    return [
        {"from_h": first, "to_h": last, "skill": skill}
        for first, last, skill in zip(edges[:-1], edges[1:], report.skill_by_lead, strict=True)
    ]
