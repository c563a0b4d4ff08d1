"""Slow state of a site's PV in a round and in training: fitted to what the service gathered, used where it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from api.gathered_past import HOUR, gathered_past
from api.knowledge import Knowledge, first_line
from ingest.sources.outlook.forecast_history import Past
from models.errors import InvalidInput
from models.forecast.history import History
from models.forecast.plant_state import PlantState
from models.forecast.plants import in_states, sun_history
from models.forecast.site import PV, capacity_mw
from models.forecast.state_fit import LEAST_DAYS, StateVerdict, judged_state, state_at, telling_days
from models.horizon import Horizon, rfc3339
from models.site import Site
from models.weather import WeatherTable

PAST_DAYS = 90


@dataclass(frozen=True, slots=True)
class PvState:
    """``state`` to forecast with (None: clean and whole), and how it was found or why it is not used, for people."""

    state: PlantState | None
    told: dict[str, Any] | None


def pv_state(site: Site, now: datetime, knowledge: Knowledge | None) -> PvState:
    """State of the site's PV as its meter and the archived runs show it, fitted once a day; nothing where none is."""
    if knowledge is None or capacity_mw(site)[PV] == 0 or knowledge.measured(PV, now) is None:
        return PvState(None, None)
    found: PvState = knowledge.once_a_day("pv_state", now, lambda: _fitted(site, now, knowledge))
    return found


def in_known_states(history: History, site: Site, past: Past, now: datetime) -> History:
    """A history of sun with the state of each run's issue, where states foretold the days until ``now`` best.

    Whether they did is judged by what was known then: a past may go on beyond it.
    """
    days = telling_days(history, now)
    if not judged_state(days, now).serves:
        return history
    return in_states(history, site, past.runs, [state_at(days, issue) for issue in past.issues])


def _fitted(site: Site, now: datetime, knowledge: Knowledge) -> PvState:
    try:
        past = gathered_past(site, now, PAST_DAYS, knowledge)
        first = _first_of_days(past.runs, past.issues)
        runs, issues = [run for run, _ in first], [issue for _, issue in first]
        history = sun_history(site, runs, issues, past.actual[PV], past.limited.get(PV))
    except InvalidInput as error:
        return PvState(None, _told(None, f"no state is fitted: {first_line(error)}"))
    days = telling_days(history, now)
    state = state_at(days, now)
    if state is None:
        return PvState(None, _told(None, f"{len(days.known(now))} day(s) tell, {LEAST_DAYS} are needed"))
    verdict = judged_state(days, now)
    if not state.fresh(now):
        return PvState(None, _told(state, "the last day that told is too long ago"))
    return PvState(state if verdict.serves else None, _told(state, _why(verdict), used=verdict.serves))


def _first_of_days(runs: Sequence[WeatherTable], issues: Sequence[datetime]) -> list[tuple[WeatherTable, datetime]]:
    """The first run of each day, for a day: enough to see what moves over days."""
    found: dict[date, tuple[WeatherTable, datetime]] = {}
    for run, issue in zip(runs, issues, strict=True):
        if issue.date() not in found:
            found[issue.date()] = run.on(Horizon(run.start, HOUR, min(24, len(run)))), issue
    return list(found.values())


def _why(verdict: StateVerdict) -> str:
    return (
        f"foretold {verdict.days} days, each from the day before, with a mean error of {verdict.by_state:.1%}; "
        f"the physics alone with {verdict.by_physics:.1%}"
    )


def _told(state: PlantState | None, why: str, *, used: bool = False) -> dict[str, Any]:
    told: dict[str, Any] = {"used": used, "why": why}
    if state is None:
        return told
    return told | {
        "as_of": rfc3339(state.as_of),
        "level": round(state.level, 4),
        "working": round(state.working, 4),
        "soiling": round(state.soiling, 4),
        "rate_per_day": round(state.rate_per_day, 5),
        "air": round(state.air, 4),
        "spread": round(state.spread, 4),
        "days": state.days,
        "cleaned": None if state.cleaned is None else state.cleaned.isoformat(),
        "lost": None if state.lost is None else state.lost.isoformat(),
    }
