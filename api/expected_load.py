"""What a round expects of the base load, by the highest step that has shown itself: learned from its meter, the usual
that the meter showed, the site file's shape; and why not by a higher one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from api.expected import LEVEL_OF
from api.knowledge import Knowledge, first_line
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

HOUR = timedelta(hours=1)
BASE = "base_load_mw"


@dataclass(frozen=True, slots=True)
class ExpectedLoad:
    """``mw`` to plan with, one a slot (None: the site's own shape); ``rise_mw``: P90 - P50, how far it may exceed that.

    ``bands`` MW by level, ``told`` how it was made and how good that has been; None where nothing is metered.
    """

    mw: list[float] | None
    rise_mw: Values
    bands: dict[str, list[float]] | None
    told: dict[str, Any] | None


def expected_load(site: Site, horizon: Horizon, now: datetime, knowledge: Knowledge | None) -> ExpectedLoad:
    """Base load of a site for ``horizon`` as known at ``now``."""
    nothing = np.zeros(horizon.slots)
    lead = lead_h(horizon, now)
    load = None if knowledge is None else knowledge.metered_base_load(now, NEEDED + lead * HOUR)
    if load is None or knowledge is None:
        return ExpectedLoad(None, nothing, None, None)
    told: dict[str, Any] = {
        "kind": "file",
        "step": None,
        "reason": "",
        "not_learned": None,
        "known_since": rfc3339(_newest(load)),
        "scores": None,
    }
    try:
        verdict = knowledge.once_a_day(BASE, now, lambda: _judged(site, load, lead))
        if verdict is None or not verdict.serves:
            return _usual(site, horizon, now, knowledge, load, told | {"not_learned": _why(verdict)})
        values = load_on(load, horizon, lead, site.zone, now, verdict)
    except InvalidInput as error:
        return _usual(site, horizon, now, knowledge, load, told | {"not_learned": first_line(error)})
    return _expected(values, told | {"kind": "learned", "scores": _scores(verdict)})


def _usual(
    site: Site, horizon: Horizon, now: datetime, knowledge: Knowledge, load: Series, told: dict[str, Any]
) -> ExpectedLoad:
    """The step below: the usual of the hour where it beat the site file, else that."""
    lead = lead_h(horizon, now)
    try:
        verdict = knowledge.once_a_day(
            f"{BASE} usual", now, lambda: judged_usual(load, _file(site, load), lead, site.zone)
        )
        if verdict is not None and verdict.serves:
            hours = [start.replace(minute=0, second=0, microsecond=0) for start in horizon.starts()]
            return _expected(usual_on(load, hours, site.zone, now), told | {"kind": "usual"})
        why = _why(None) if verdict is None else f"over {verdict.days} days the site file did better than the usual"
    except InvalidInput as error:
        why = first_line(error)
    return ExpectedLoad(None, np.zeros(horizon.slots), None, told | {"reason": why})


def _expected(values: Values, told: dict[str, Any]) -> ExpectedLoad:
    """From quantiles at the learned levels, shape ``(levels, slots)``."""
    at = {name: values[int(np.argmin(np.abs(LEVELS - level)))] for name, level in LEVEL_OF.items()}
    bands = {name: [round(float(value), 6) for value in row] for name, row in at.items()}
    return ExpectedLoad(bands["p50"], at["p90"] - at["p50"], bands, told)


def _judged(site: Site, load: Series, lead: int) -> LoadVerdict | None:
    return judged_load(load, _file(site, load), lead, site.zone)


def _file(site: Site, load: Series) -> Values:
    """What the site file says of each hour of the load."""
    return np.array(site.base_load_mw(Horizon(load.start, HOUR, len(load))))


def _newest(load: Series) -> datetime:
    """End of the newest hour of which a credible value is known; where none is, the beginning."""
    known = np.flatnonzero(np.isfinite(load.values))
    return load.start + (int(known[-1]) + 1 if len(known) else 0) * HOUR


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
