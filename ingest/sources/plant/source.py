"""The simulated site as one more source: asked like any other, it has lived up to the present each time.

Time is whatever the collector's clock says, so a clock that runs sixty times as fast makes a day pass in 24 minutes.
Weather comes in whole days (UTC), each repeatable by its date and seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np

from ingest.points import NS, Point, to_ns
from ingest.sources.outlook.weather import actual_weather, weather_for
from models.horizon import Horizon
from models.plant.faults import FaultySensors, Stamped, drawn_faults
from models.plant.meters import Reading, measured, readings
from models.plant.nature import Nature, nature
from models.plant.orders import Orders
from models.plant.scenarios import Scenario
from models.plant.step import MOST_STEP_S, Plant, PlantState
from models.site import Site
from models.weather import WeatherTable

STEP_S = 10.0
_DAY = timedelta(days=1)
_MOST_BEHIND = timedelta(hours=1)
"""A service that slept longer than this does not live through the night that it missed."""

Follow = Callable[[datetime], Orders]


def real_weather(site: Site, midnight: datetime, base: Path | None = None) -> WeatherTable:
    """The day from ``midnight`` as it "is": the synthetic year, or what the site's own source says of it.

    Raises:
        InvalidInput, SourceUnavailable, NotFound: as :func:`ingest.sources.outlook.weather.weather_for`.
    """
    horizon = Horizon(midnight, timedelta(hours=1), 24)
    if site.weather.kind == "synthetic":
        return actual_weather(site, horizon)
    return weather_for(site, horizon, midnight, base)[0]


class PlantSource:
    """``site`` under a ``scenario`` that began at ``began``; ``follow`` tells the orders of an instant.

    ``period_s`` is how often it is asked, in the machine's seconds; ``sweep_s`` how often its instruments are read, in
    the site's. ``faults_per_hour`` of its instruments: 0 for none.
    """

    def __init__(
        self,
        site: Site,
        scenario: Scenario,
        began: datetime,
        follow: Follow,
        *,
        period_s: float = 1.0,
        sweep_s: float = STEP_S,
        faults_per_hour: float = 1.0,
        seed: int = 1,
        base: Path | None = None,
        name: str = "plant",
    ) -> None:
        if not 0 < sweep_s <= MOST_STEP_S:
            raise ValueError(f"sweep_s {sweep_s:g}; take more than 0 and at most {MOST_STEP_S:g}")
        self.name = name
        self.period_s = period_s
        self.site = site
        self._scenario, self._began, self._follow = scenario, began, follow
        self._sweep_s, self._faults_per_hour, self._seed, self._base = sweep_s, faults_per_hour, seed, base
        self._plant = Plant(site)
        self._state = self._plant.at_rest(began)
        self._noise = np.random.default_rng([seed, 3])
        self._sensors = FaultySensors(())
        self._faults_until = began
        self._nature = lru_cache(maxsize=2)(self._day)

    @property
    def state(self) -> PlantState:
        """The site as it stands."""
        return self._state

    def poll(self, now: datetime) -> Sequence[Point]:
        """Every sweep since the last poll; see Source.

        Raises:
            InvalidInput, SourceUnavailable, NotFound: the day's weather cannot be had (see :func:`real_weather`).
        """
        if now - self._state.at > _MOST_BEHIND:
            self._state = replace(self._state, at=now - _MOST_BEHIND)
        points: list[Point] = []
        sweep = timedelta(seconds=self._sweep_s)
        while self._state.at + sweep <= now:
            points += self._swept(self._lived(sweep))
        return points

    def _lived(self, span: timedelta) -> list[Reading]:
        orders = self._follow(self._state.at)
        end = self._state.at + span
        flows = None
        while self._state.at < end:
            at = self._state.at
            seconds = min(STEP_S, (end - at).total_seconds())
            works = self._scenario.works((at - self._began) / timedelta(hours=1))
            air = self._nature(_midnight(at)).at(at)
            self._state, flows = self._plant.step(self._state, orders, air, works, seconds)
        return [] if flows is None else measured(readings(self.site, self._state, flows), self._noise)

    def _swept(self, rows: list[Reading]) -> list[Point]:
        at = self._state.at
        time_s = (at - self._began).total_seconds()
        if self._faults_per_hour and at >= self._faults_until:
            self._sensors = self._faulty(rows, time_s)
            self._faults_until = at + _DAY
        return [_point(stamped, to_ns(self._began)) for stamped in self._sensors.sweep(rows, time_s)]

    def _faulty(self, rows: list[Reading], time_s: float) -> FaultySensors:
        """Faults of the next day, after half an hour in which all is well."""
        rng = np.random.default_rng([self._seed, 5, int(time_s)])
        drawn = drawn_faults(rows, _DAY.total_seconds(), self._faults_per_hour, rng, 1800.0)
        return FaultySensors(replace(one, begins_s=one.begins_s + time_s, ends_s=one.ends_s + time_s) for one in drawn)

    def _day(self, midnight: datetime) -> Nature:
        weather = real_weather(self.site, midnight, self._base)
        return nature(self.site, weather, self._scenario, self._began, self._seed)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _point(stamped: Stamped, began_ns: int) -> Point:
    row = stamped.reading
    return Point(row.measurement, row.tags, ((row.field, row.value),), began_ns + round(stamped.time_s * NS))
