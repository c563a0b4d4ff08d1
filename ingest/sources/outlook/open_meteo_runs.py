"""Open-Meteo's other documents: ensembles, single runs and previous runs, each with when it was known.

Their shapes are the forecast's (:mod:`ingest.sources.outlook.open_meteo`; descriptions at
https://open-meteo.com/en/docs, read November 2026). In an *ensemble* document each variable comes once for the control
run and once a member (``_member01`` ...). A *single run* is one model run, asked for by its initialisation time; it
could be had some hours after that, which the document does not say, so the caller does. A *previous runs* document has
each variable once as last forecast and once for each lead of whole days (``_previous_day1`` ...): what was said 24, 48
... hours earlier for the same instant. Training on the last forecast would be training on what was not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from ingest.sources.outlook import open_meteo
from models.errors import Fault, InvalidInput
from models.forecast.past import PastPairs, moment64
from models.horizon import rfc3339
from models.series import Series
from models.weather import WeatherTable

DAY = timedelta(days=1)
USUAL_DELAY = timedelta(hours=7)
"""From a global model's initialisation until its run can be had: 3.5 to 7 h by the models' own pages; the longest."""
_STEM = "shortwave_radiation"


def ensemble(document: Any, *, fetched_at: datetime) -> list[WeatherTable]:
    """Control run first, then every member by number, on the slots that all of them reach.

    Raises:
        InvalidInput: as :func:`ingest.sources.outlook.open_meteo.parse`, no members, or more than one model.
    """
    parts = _parts(document, "member")
    if not parts:
        message = "no variable has members; ask the ensemble service, or read it as a forecast"
        raise InvalidInput("the ensemble document", [Fault("/hourly", "no_members", message)])
    tables = [open_meteo.parse(document, fetched_at=fetched_at)] if _has_control(document) else []
    tables += [open_meteo.parse(document, fetched_at=fetched_at, part=f"_member{digits}") for _, digits in parts]
    slots = min(len(table) for table in tables)
    names = ["control"] * _has_control(document) + [f"member {number}" for number, _ in parts]
    return [
        replace(table.cut(0, slots), source=f"{table.source}, {name}")
        for table, name in zip(tables, names, strict=True)
    ]


def single_run(
    document: Any, *, run: datetime, delay: timedelta = USUAL_DELAY, model: str | None = None
) -> WeatherTable:
    """One model run of ``run`` (its initialisation), known ``delay`` later.

    Raises:
        InvalidInput: as :func:`ingest.sources.outlook.open_meteo.parse`, a run without a zone, or after its own rows.
    """
    if run.tzinfo is None:
        fault = Fault("run", "no_time_zone", f"{run.isoformat()} has no time zone; runs are named in UTC")
        raise InvalidInput("the single run", [fault])
    table = open_meteo.parse(document, fetched_at=run + delay, model=model)
    if table.end <= run:
        message = f"its rows end at {rfc3339(table.end)}, before the run of {rfc3339(run)}; mend the run"
        raise InvalidInput("the single run", [Fault("run", "after_its_rows", message)])
    return replace(table, source=f"{table.source}, run of {rfc3339(run)}")


@dataclass(frozen=True, slots=True)
class PreviousRuns:
    """What was said for the same hours at whole days of lead: ``by_lead[days]``; 0 is the last forecast.

    Each table's ``available_at`` is when all of it was known; a single slot was known ``known_at``.
    """

    by_lead: Mapping[int, WeatherTable]

    @staticmethod
    def known_at(slot_start: datetime, days: int) -> datetime:
        """When the forecast of a slot with a lead of ``days`` was there at the latest."""
        return slot_start - days * DAY


def previous_runs(document: Any, *, fetched_at: datetime, model: str | None = None) -> PreviousRuns:
    """Every lead of a previous-runs document.

    Raises:
        InvalidInput: as :func:`ingest.sources.outlook.open_meteo.parse`, or no lead beside the last forecast.
    """
    leads = _parts(document, "previous_day")
    if not leads:
        message = "no variable has earlier runs; ask for temperature_2m_previous_day1 and so on"
        raise InvalidInput("the previous-runs document", [Fault("/hourly", "no_leads", message)])
    found: dict[int, WeatherTable] = {}
    if _has_control(document):
        found[0] = open_meteo.parse(document, fetched_at=fetched_at, model=model)
    for days, digits in leads:
        table = open_meteo.parse(document, fetched_at=fetched_at, model=model, part=f"_previous_day{digits}")
        known = min(fetched_at, PreviousRuns.known_at(table.end - table.step, days))
        found[days] = replace(table, available_at=known, source=f"{table.source}, {days} day(s) ahead")
    return PreviousRuns(found)


def asked_for(days: Sequence[int]) -> str:
    """The ``hourly`` parameter that brings every variable at these leads."""
    return ",".join(name + (f"_previous_day{day}" if day else "") for day in days for name in open_meteo.ASKED)


def past_pairs(said: Mapping[int, Series], actual: Series) -> PastPairs:
    """Pairs of forecast and outcome from series of the same unit by lead in days (0 is left out: nothing was ahead).

    ``actual`` counts as known when its slot is over. Slots in which either is missing are left out.

    Raises:
        InvalidInput: steps or starts that do not fit.
    """
    lead, forecast, outcome, ended = [], [], [], []
    for days, series in sorted(said.items()):
        if not days:
            continue
        offset, rest = divmod(series.start - actual.start, actual.step)
        if rest or series.step != actual.step:
            message = f"forecasts on slots of {series.step} from {rfc3339(series.start)} do not fit the outcomes'"
            raise InvalidInput("the past pairs", [Fault("start", "unfit_start", message)])
        for k, value in enumerate(series.values):
            place = offset + k
            if not 0 <= place < len(actual) or np.isnan(value) or np.isnan(actual.values[place]):
                continue
            lead.append(24.0 * days + actual.step / timedelta(hours=2))
            forecast.append(value)
            outcome.append(actual.values[place])
            ended.append(moment64(actual.start + (place + 1) * actual.step))
    return PastPairs(np.array(lead), np.array(forecast), np.array(outcome), np.array(ended, dtype="datetime64[us]"))


def _parts(document: Any, word: str) -> list[tuple[int, str]]:
    """Numbers of the members or leads, with their digits as the document writes them."""
    keys = document.get("hourly", {}) if isinstance(document, dict) else {}
    found = {match[1] for key in keys if (match := re.match(rf"{_STEM}_{word}(\d+)", key))}
    return sorted((int(digits), digits) for digits in found)


def _has_control(document: Mapping[str, Any]) -> bool:
    return any(
        key == _STEM or (key.startswith(_STEM + "_") and not re.match(rf"{_STEM}_(member|previous_day)\d+", key))
        for key in document["hourly"]
    )
