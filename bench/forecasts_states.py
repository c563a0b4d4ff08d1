"""Slow states of real PV plants: does the day ahead go better in the state known at its issue than by physics alone?

Rolling, a run a day: the state is fitted to the days known at the issue and taken only where it is fresh and foretold
the last days better, as the service does. Plants: the PV substation (three months, orientation *assumed*) and the three
solar plants of GEFCom2014 (27 months, ECMWF's radiation). A second time with a state *planted* in the same outcomes, so
that there is something to find: units lost for three weeks, and dust for 40 days with a cleaning after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.forecasts_gefcom import PLANES, solar_rows, solar_zones
from bench.forecasts_sites import PLANES as SUBSTATION_PLANES
from bench.forecasts_sites import substation
from models.forecast.history import History
from models.forecast.rows import Flags, Rows
from models.forecast.state_fit import judged_state, state_at, telling_days
from models.forecast.sun_features import Plane, sun_physics
from models.series import Values

SITE = "OWD"
HOUR = timedelta(hours=1)
_FIRST, _APART, _AFTER = 40, 120, 10  # days: first planted one, from one to the next, scored after its end


@dataclass(frozen=True)
class Planted:
    """A state laid over what came: ``left`` of it by days since its begin, for ``days``, then all again."""

    name: str
    days: int
    left: Callable[[Values], Values]


PLANTED = (
    Planted("planted: 15 % of the units out for 21 days", 21, lambda day: np.full(len(day), 0.85)),
    Planted("planted: 0.3 % of dust a day for 40 days, then clean", 40, lambda day: 1.0 - 0.003 * (day + 1.0)),
)


@dataclass(frozen=True, eq=False)
class RealPlant:
    """A plant's past beside its physics, and in which of its hours the sun is up."""

    name: str
    history: History
    awake: Flags


@dataclass(frozen=True)
class StateScore:
    """Mean absolute errors as shares of the capacity over awake hours.

    ``in_state``: in the state where it serves, else physics; ``scaled``: physics times the one factor that would have
    erred least; ``served``: share of the ``issues`` in which a state did; ``served_physics`` and ``served_state``: the
    errors of those alone (NaN: none).
    """

    plant: str
    outcome: str
    issues: int
    physics: float
    in_state: float
    scaled: float
    served: float
    served_physics: float
    served_state: float


def real_plants(data: Path, quick: bool = False) -> Iterator[RealPlant]:
    """The substation, and unless ``quick`` the three plants of the contest."""
    rows, power = _in_sun_time(*substation(data, SITE, "solar", HOUR))
    yield _plant(f"PV at {SITE}", rows, SUBSTATION_PLANES, power)
    if not quick:
        for zone, part in solar_zones(data).items():
            power = part["power"].to_numpy()
            yield _plant(f"GEFCom2014 solar {zone}", solar_rows(zone, part, service=True), [PLANES[zone]], power)


def state_scores(plant: RealPlant) -> Iterator[StateScore]:
    """What came as it came, then with each state planted in it: beside the physics, and beside physics on its level.

    The second time because a loss may just make up for a bias of the physics, and then nothing is left to find.
    """
    days = _sun_days(plant.history.rows)
    yield _scored(plant, "as it came", np.ones(len(days), dtype=np.bool_))
    level = _on_its_level(plant)
    begins = range(_FIRST, int(days[-1]) - max(one.days for one in PLANTED) - _AFTER, _APART)
    for one in PLANTED:
        left, scored = np.ones(len(days)), np.zeros(len(days), dtype=np.bool_)
        for begin in begins:
            there = (days >= begin) & (days < begin + one.days)
            left[there] = one.left((days[there] - begin).astype(np.float64))
            scored |= (days >= begin) & (days < begin + one.days + _AFTER)
        for beside, name in ((plant, one.name), (level, f"{one.name}, physics on the level of what came")):
            laid = replace(beside.history, actual_mw=beside.history.actual_mw * left)
            yield _scored(replace(beside, history=laid), name, scored)


def in_known_states(history: History, runs: Iterable[slice]) -> tuple[Values, Flags]:
    """Physics of these runs as shares, each in the state that would serve at its issue, and in which one did."""
    told, served = history.physics_share.copy(), np.zeros(len(history.rows), dtype=np.bool_)
    days, fitted = telling_days(history, _moment(history.rows.ends.max())), cache(state_at)
    for run in runs:
        issue = _moment(history.rows.issued_at[run.start])
        state = fitted(days, issue)
        if state is not None and state.fresh(issue) and judged_state(days, issue, fitted).serves:
            left = state.cells([_moment(start) for start in history.rows.starts[run]]) * state.working
            told[run], served[run] = np.minimum(told[run] * left, 1.0), True
    return told, served


def best_factor(physics: Values, actual: Values) -> float:
    """The factor on physics with the least mean absolute error: the median of the ratios, weighted by physics."""
    some = physics > 0
    ratio, weight = actual[some] / physics[some], physics[some]
    order = np.argsort(ratio)
    half = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
    return float(ratio[order][half])


def _in_sun_time(rows: Rows, power: Values) -> tuple[Rows, Values]:
    """The substation with its radiation an hour later and its power two hours earlier.

    Geometry says so: the sun stands highest there at 11.6 h UTC, the mean day of the radiation at 10.6 h, that of the
    power at 13.5 h, as local summer time has it, which held on all 92 days. Learned models find that by themselves,
    physics do not.
    """
    ghi = np.roll(rows["ghi_w_m2"], 1)  # a night's hour comes round
    came = np.append(power[2:], [0.0, 0.0])
    return replace(rows, columns={**rows.columns, "ghi_w_m2": ghi}), came


def _plant(name: str, rows: Rows, planes: Sequence[Plane], power: Values) -> RealPlant:
    """Capacity: the highest power, because none is stated."""
    sun = sun_physics(rows, planes)
    bare = replace(rows, columns={**rows.columns, "ghi_w_m2": sun.clear_ghi_w_m2})
    cap = np.full(len(rows), np.nanmax(power))
    free = np.zeros(len(rows), dtype=np.bool_)
    cloudless = sun_physics(bare, planes).physics
    history = History("solar", rows, sun.physics * cap, power, rows.ends, cap, free, cloudless * cap)
    return RealPlant(name, history, sun.up)


def _on_its_level(plant: RealPlant) -> RealPlant:
    """The plant with its physics times the one factor that would have erred least."""
    history = plant.history
    assert history.cloudless_mw is not None
    known = plant.awake & np.isfinite(history.actual_mw)
    factor = best_factor(history.physics_share[known], history.share[known])
    physics, cloudless = (
        np.minimum(factor * mw, history.capacity_mw) for mw in (history.physics_mw, history.cloudless_mw)
    )
    return replace(plant, history=replace(history, physics_mw=physics, cloudless_mw=cloudless))


def _scored(plant: RealPlant, outcome: str, scored: Flags) -> StateScore:
    history, edges = plant.history, plant.history.rows.edges
    runs = [slice(first, last) for first, last in pairwise(edges) if scored[first:last].all()]
    told, served = in_known_states(history, runs)
    counted = np.zeros(len(scored), dtype=np.bool_)
    for run in runs:
        counted[run] = plant.awake[run] & np.isfinite(history.actual_mw[run])
    physics, actual = history.physics_share, history.share
    scaled = np.minimum(best_factor(physics[counted], actual[counted]) * physics, 1.0)

    def error(said: Values, where: Flags) -> float:
        return float(np.abs(said - actual)[where].mean()) if where.any() else float("nan")

    return StateScore(
        plant.name,
        outcome,
        len(runs),
        error(physics, counted),
        error(told, counted),
        error(scaled, counted),
        sum(bool(served[run.start]) for run in runs) / len(runs),
        error(physics, counted & served),
        error(told, counted & served),
    )


def _sun_days(rows: Rows) -> npt.NDArray[np.int64]:
    """Day of the site's sun of each row, from the first on."""
    shift = np.timedelta64(timedelta(hours=rows.place.longitude_deg / 15.0))
    days: npt.NDArray[np.int64] = (rows.starts + shift).astype("datetime64[D]").astype(np.int64)
    return np.asarray(days - days[0], dtype=np.int64)


def _moment(at: np.datetime64) -> datetime:
    found: datetime = at.astype("datetime64[us]").astype(datetime)
    return found.replace(tzinfo=UTC)
