"""What a round expects of the loads that it does not decide, from their meters, and why it knows no better.

Base load and each service by the highest step that has shown itself: learned, the usual of the hour, what the site file
says. IT load the same, but the site file says nothing of it, and it is told, not planned on: what computing draws is
what plans decide. Cooling is what the plant draws for that IT load, by the straight pieces that the plan reckons with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from api.expected import LEVEL_OF
from api.knowledge import Knowledge, first_line
from models import cooling
from models.cooling import Tangents
from models.errors import InvalidInput
from models.forecast.learned import LEVELS, PROVEN_DAYS
from models.forecast.load_serving import (
    NEEDED,
    LoadVerdict,
    judged_load,
    judged_usual,
    lead_h,
    load_on,
    usual_on,
)
from models.horizon import Horizon, rfc3339
from models.series import Series, Values
from models.site import Site
from models.site_asks import Service

HOUR = timedelta(hours=1)
BASE, IT, COOLING, SERVICE = "base_load_mw", "it_mw", "cooling_mw", "inference_mw"
_STRANGE = 10.0  # times the most that the site file says: another unit, not another load
_GIVEN = 0.98  # of what a service asked for, under which a plan held it back
Shape = Callable[[Horizon], list[float]]


@dataclass(frozen=True, slots=True)
class ExpectedLoad:
    """``mw`` to plan with, one a slot (None: the site's own shape); ``rise_mw``: P90 - P50, how far it may exceed that.

    ``bands`` MW by level, ``told`` how it was made and how good that has been; None where nothing is metered.
    """

    mw: list[float] | None
    rise_mw: Values
    bands: dict[str, list[float]] | None
    told: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ExpectedLoads:
    """By name, as in the forecasts of a plan: ``base_load_mw``, ``inference_mw/SERVICE``, ``it_mw``."""

    by_name: Mapping[str, ExpectedLoad] = field(default_factory=dict)

    @property
    def base_mw(self) -> list[float] | None:
        """Base load to plan with; None: the site's own shape."""
        return self.by_name[BASE].mw

    @property
    def services_mw(self) -> dict[str, list[float]]:
        """Of the services whose meters tell more than the site file: what they will ask for."""
        names = {name: load for name, load in self.by_name.items() if name.startswith(f"{SERVICE}/")}
        return {name.partition("/")[2]: load.mw for name, load in names.items() if load.mw is not None}

    @property
    def rise_mw(self) -> Values:
        """P90 - P50 of all that is planned on; they err for different reasons, so squares add."""
        rises = [load.rise_mw for name, load in self.by_name.items() if name != IT]
        total: Values = np.sqrt(np.sum(np.square(rises), axis=0))
        return total

    @property
    def told(self) -> dict[str, dict[str, Any]]:
        """How each was made and how good that has been."""
        return {name: load.told for name, load in self.by_name.items() if load.told is not None}

    @property
    def bands(self) -> dict[str, dict[str, list[float]]]:
        """MW by level."""
        return {name: load.bands for name, load in self.by_name.items() if load.bands is not None}


def expected_loads(
    site: Site, horizon: Horizon, now: datetime, knowledge: Knowledge | None, read: Mapping[str, Series] | None = None
) -> ExpectedLoads:
    """Loads of a site for ``horizon`` as known at ``now``.

    ``read``: hourly pasts by name, in the place of its meters.
    """
    shapes = _shapes(site)
    lead = lead_h(horizon, now)
    found = {}
    for name, shape in shapes.items():
        past = NEEDED + lead * HOUR
        load = _metered(name, now, past, knowledge) if read is None else _lately(read.get(name), now, past)
        found[name] = _expected(name, shape, load, site, horizon, now, knowledge)
    return ExpectedLoads(found)


def load_names(site: Site) -> list[str]:
    """Names of the loads of a site that can be metered."""
    return list(_shapes(site))


def with_cooling(
    loads: ExpectedLoads, site: Site, bulbs: tuple[Sequence[float], Sequence[float]], learned: Tangents | None
) -> ExpectedLoads:
    """Cooling power beside the IT load, where that is expected: by ``learned`` pieces, else by the site file's physics.

    ``bulbs``: dry and wet, °C, one a slot. Of a plant of units nothing is told: which of them run is the plan's choice.
    """
    it = loads.by_name[IT]
    if it.bands is None or it.told is None or site.cooling is None or site.cooling.units:
        return loads
    pieces = learned or cooling.tangents(site.cooling, *bulbs)
    bands = {level: _cooling_mw(np.array(mw), site, pieces) for level, mw in it.bands.items()}
    made = "the learned COP" if learned is not None else "the site file's physics"
    told = it.told | {"reason": f"the IT load through {made}", "scores": None}
    return ExpectedLoads({**loads.by_name, COOLING: replace(it, mw=bands["p50"], bands=bands, told=told)})


def _cooling_mw(it_mw: Values, site: Site, pieces: Tangents) -> list[float]:
    heat = np.minimum(it_mw / site.distribution_efficiency, pieces.capacity_heat_mw)
    power = np.maximum((pieces.slope * heat + pieces.intercept_mw).max(axis=0), 0.0)
    return [round(float(value), 6) for value in power]


def _shapes(site: Site) -> dict[str, Shape | None]:
    """What the site file says of each load, by name; None where it says nothing."""

    def of(one: Service) -> Shape:
        return lambda horizon: one.nominal_mw(horizon, site.zone)

    return {BASE: site.base_load_mw} | {f"{SERVICE}/{one.name}": of(one) for one in site.services} | {IT: None}


def _metered(name: str, now: datetime, past: timedelta, knowledge: Knowledge | None) -> Series | None:
    """What was metered; hours in which a plan gave a service less than it asked for tell nothing and are missing."""
    if knowledge is None:
        return None
    kind, _, asset = name.partition("/")
    if kind != SERVICE:
        return knowledge.metered(f"site.{name}", now, past)
    found = knowledge.metered("service.power_mw", now, past, asset=asset)
    given, asked = (
        knowledge.told(f"plan.{field}", now, past, asset=asset) for field in (SERVICE, "inference_asked_mw")
    )
    if found is None or given is None or asked is None:
        return found
    return replace(found, values=np.where(given.values < _GIVEN * asked.values, np.nan, found.values))


def _lately(load: Series | None, now: datetime, past: timedelta) -> Series | None:
    """Of a past that was read, what was over at ``now``, as far back as meters are asked."""
    if load is None:
        return None
    over = max(0, min(len(load), (now - load.start) // HOUR))
    first = max(0, over - past // HOUR)
    return replace(load, start=load.start + first * HOUR, values=load.values[first:over]) if over > first else None


def _expected(
    name: str,
    shape: Shape | None,
    load: Series | None,
    site: Site,
    horizon: Horizon,
    now: datetime,
    knowledge: Knowledge | None,
) -> ExpectedLoad:
    nothing = ExpectedLoad(None, np.zeros(horizon.slots), None, None)
    if load is None or knowledge is None:
        return nothing
    lead = lead_h(horizon, now)
    told: dict[str, Any] = {
        "kind": "file",
        "step": None,
        "reason": "",
        "not_learned": None,
        "known_since": rfc3339(_newest(load)),
        "scores": None,
    }
    said = None if shape is None else np.array(shape(Horizon(load.start, HOUR, len(load))))
    if said is not None and (strange := _unit(load, said)) is not None:
        return replace(nothing, told=told | {"reason": strange})
    try:
        verdict = knowledge.once_a_day(f"{name} {lead} h", now, lambda: judged_load(load, said, lead, site.zone))
        if verdict is not None and verdict.serves:
            values = load_on(load, horizon, lead, site.zone, now, verdict)
            return _as_expected(
                values, told | {"kind": "learned", "reason": _gaps(load, lead), "scores": _scores(verdict)}
            )
        told["not_learned"] = _why(verdict)
    except InvalidInput as error:
        told["not_learned"] = first_line(error)
    try:
        usual = knowledge.once_a_day(f"{name} usual {lead} h", now, lambda: judged_usual(load, said, lead, site.zone))
        if usual is not None and usual.serves:
            hours = [start.replace(minute=0, second=0, microsecond=0) for start in horizon.starts()]
            return _as_expected(usual_on(load, hours, site.zone, now), told | {"kind": "usual"})
        why = _why(None) if usual is None else f"over {usual.days} days {usual.beside} did better than the usual"
    except InvalidInput as error:
        why = first_line(error)
    return nothing if shape is None else replace(nothing, told=told | {"reason": why})


def _as_expected(values: Values, told: dict[str, Any]) -> ExpectedLoad:
    """From quantiles at the learned levels, shape ``(levels, slots)``."""
    at = {name: values[int(np.argmin(np.abs(LEVELS - level)))] for name, level in LEVEL_OF.items()}
    bands = {name: [round(float(value), 6) for value in row] for name, row in at.items()}
    return ExpectedLoad(bands["p50"], at["p90"] - at["p50"], bands, told)


def _newest(load: Series) -> datetime:
    """End of the newest hour of which a credible value is known; where none is, the beginning."""
    known = np.flatnonzero(np.isfinite(load.values))
    return load.start + (int(known[-1]) + 1 if len(known) else 0) * HOUR


def _gaps(load: Series, lead: int) -> str:
    """What of the newest hours, which the forecast starts from, is missing."""
    missing = int(np.isnan(load.values[-lead:]).sum())
    if missing == 0:
        return ""
    return f"{missing} of the newest {lead} hours of its meter are missing; the same hours of days before stand in"


def _unit(load: Series, said: Values) -> str | None:
    """What makes the unit of a meter suspect, beside what the site file says of its hours."""
    known = load.values[np.isfinite(load.values)]
    usual, most = float(np.median(known)) if len(known) else 0.0, float(said.max())
    if not 0 < _STRANGE * most < usual:
        return None
    return f"its meter shows {usual:g} MW where the site file says {most:g} at most; check its unit or the site file"


def _why(verdict: LoadVerdict | None) -> str:
    if verdict is None:
        return "too many hours of its meter are missing to judge a forecast"
    return f"over {verdict.days} days {verdict.beside} did better"


def _scores(verdict: LoadVerdict) -> dict[str, Any]:
    return {
        "days": verdict.days,
        "proven": verdict.days >= PROVEN_DAYS,
        "beside": verdict.beside,
        "skill": verdict.skill,
        "cover_p05_p95": verdict.cover,
        "by_lead": [],
    }
