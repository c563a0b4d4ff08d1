"""Training, scoring and serving the learned forecasts of a site: what the command and the planner call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from api.expected import forecast_of, whole_run
from api.forecast_shelf import Shelf
from api.gathered_past import gathered_past
from api.knowledge import Knowledge
from api.plant_states import in_known_states, pv_state
from ingest.errors import SourceUnavailable
from ingest.sources.outlook.forecast_history import Past, read_past, synthetic_past
from ingest.sources.outlook.weather import history_for, weather_for
from models.errors import Fault, InvalidInput
from models.forecast.fan import Fan
from models.forecast.history import History
from models.forecast.ladder import Rung, rung
from models.forecast.learned import DayScore, Learned, Report, train
from models.forecast.past import refuse_future
from models.forecast.plants import QUANTITIES, Prepared, history_of, prepared
from models.forecast.quantiles import QuantileForecast
from models.forecast.serving import served, usual
from models.forecast.site import PV, capacity_mw, forecast_site
from models.forecast.standing import (
    LEAST_DAYS,
    Standing,
    Verdict,
    beside_champion,
    judged,
    served_days,
    standing,
)
from models.horizon import Horizon
from models.site import Site
from models.sky import Place
from models.weather import WeatherTable


@dataclass(frozen=True, slots=True)
class Trained:
    """What training of one quantity came to; ``verdict`` says whether it now serves."""

    quantity: str
    model: Learned
    report: Report
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Watched:
    """How a kept model has done since it was trained."""

    quantity: str
    report: Report
    days: list[DayScore]
    standing: Standing


def past_of(site: Site, now: datetime, days: int, runs: Path | None, actual: Path | None, knowledge: Knowledge) -> Past:
    """The past that models learn from: two files, what a synthetic site makes up, or what the service gathered.

    Raises:
        InvalidInput: one file without the other, files that are refused, power of a plant that the site has not, or
            nothing gathered yet.
    """
    if (runs is None) != (actual is None):
        message = "give both, the weather runs and the measured power"
        raise InvalidInput("the past", [Fault("runs", "one_file", message)])
    if runs is not None and actual is not None:
        past = read_past(runs, actual)
        strange = [name for name in past.actual if capacity_mw(site)[name] == 0]
        if strange:
            message = "the site file has no such plant; drop the column, or add the plant to the site file"
            raise InvalidInput(f"the measured power {actual}", [Fault(name, "no_plant", message) for name in strange])
        return past
    if site.weather.kind == "synthetic":
        return synthetic_past(site, now, days)
    return gathered_past(site, now, days, knowledge)


def quantities(site: Site, past: Past) -> list[str]:
    """What can be learned: quantities that the site has plants for and the past has values of."""
    return [name for name in QUANTITIES if capacity_mw(site)[name] > 0 and name in past.actual]


def trained(site: Site, past: Past, now: datetime, shelf: Shelf) -> Iterator[Trained | tuple[str, InvalidInput]]:
    """Train each quantity, judge it against its baselines and its champion, and keep it where it is promoted.

    A quantity that cannot be learned yields its refusal; the others go on.

    Raises:
        InvalidInput: the site has nothing of which the past tells.
    """
    if not quantities(site, past):
        message = "neither sun nor wind of this site is told in the past; there is nothing to learn"
        raise InvalidInput(site.name, [Fault("solar, wind", "no_plant", message)])
    for quantity in quantities(site, past):
        try:
            ready, history = _rows(site, past, quantity, now)
            model, report = train(history, ready.features, now)
        except InvalidInput as error:
            yield quantity, error
            continue
        verdict = judged(report, _beside(shelf, quantity, report, history, ready, now))
        if verdict.promoted:
            shelf.put(model, report)
        yield Trained(quantity, model, report, verdict)


def _beside(
    shelf: Shelf, quantity: str, report: Report, history: History, ready: Prepared, now: datetime
) -> list[DayScore]:
    """The challenger's held-out days beside the champion's, where one that may still be used stands on the shelf."""
    found = shelf.models([quantity], lambda _: None)
    if quantity not in found or found[quantity][0].names != ready.features.names:
        return []
    return beside_champion(found[quantity][0], report, history, ready.features, now)


def scored(site: Site, past: Past, now: datetime, shelf: Shelf) -> Iterator[Watched]:
    """Score every kept model on the forecasts that followed its training, and note whether it may go on serving.

    Raises:
        InvalidInput: a model that does not fit what the site gives, or that knows more than was known at ``now``.
    """
    for quantity in quantities(site, past):
        card = shelf.card(quantity)
        if card is None:
            continue
        model, report = shelf.model(quantity)
        refuse_future(f"the model of {quantity}", model.known_until, now)
        ready, history = _rows(site, past, quantity, now)
        days = served_days(model, history, ready.features, now)
        found = standing(report, days)
        fallen = shelf.fallen_back(quantity)
        if fallen is not None and len(days) < LEAST_DAYS:
            # Days that were lost since do not lift a fall that more of them had shown.
            found = replace(found, serves=False, reason=f"{fallen}; since then {found.reason}")
        else:
            shelf.note(quantity, card["digest"], found.serves, found.reason, len(days))
        yield Watched(quantity, report, days, found)


def fan_of(
    site: Site,
    model: Learned,
    past: Past | None,
    horizon: Horizon,
    now: datetime,
    base: Path | None,
    knowledge: Knowledge | None = None,
) -> tuple[Fan, Rung]:
    """The fan of a model's quantity for ``horizon``, by the highest step that the weather at hand allows.

    Raises:
        InvalidInput: not even a climatology is known.
    """
    found = _rung(site, horizon, now, base)
    if found.tables:
        return served(site, model, found, horizon, now, pv_state(site, now, knowledge).state), found
    place = Place(site.latitude_deg, site.longitude_deg, site.altitude_m)
    if past is None or model.quantity not in past.actual:
        message = f"no weather ({found.reason}) and no measured past; give --runs and --actual"
        raise InvalidInput("the forecast", [Fault("weather", "none", message)])
    actual = past.actual[model.quantity]
    cap = capacity_mw(site)[model.quantity]
    return usual(model.quantity, actual, place, horizon, now, cap, found.reason), found


def physics_band(site: Site, quantity: str, horizon: Horizon, now: datetime, base: Path | None) -> QuantileForecast:
    """What serves where the learned model does not: p10, p50, p90 of the physics.

    Raises:
        InvalidInput: no weather that covers the horizon.
    """
    weather, _ = weather_for(site, horizon, now, base)
    found = forecast_site(site, horizon, weather, now, history_for(site, now))
    return forecast_of(found, quantity)


def _rung(site: Site, horizon: Horizon, now: datetime, base: Path | None) -> Rung:
    tables: list[WeatherTable] = []
    failed = ""
    try:
        tables.append(weather_for(site, whole_run(horizon, now), now, base)[0])
    except InvalidInput as error:
        failed = f"{error.what}: {error.faults[0]}"
    except SourceUnavailable as error:
        failed = str(error).splitlines()[0]
    return rung(tables, horizon, now, failed)


def _rows(site: Site, past: Past, quantity: str, now: datetime) -> tuple[Prepared, History]:
    ready = prepared(site, quantity, past.runs, past.issues)
    history = history_of(ready, quantity, past.actual[quantity], past.limited.get(quantity))
    return ready, in_known_states(history, site, past, now) if quantity == PV else history
