"""The past that a service gathered by itself: archived weather runs, what its meters say of the plants, its plans.

So that training needs no files. Hours in which a plan left sun or wind unused are marked as limited: they never teach.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from api.knowledge import Knowledge
from ingest.sources.outlook.forecast_history import LEADS_H, Past
from models.errors import Fault, InvalidInput
from models.forecast.plants import QUANTITIES
from models.forecast.site import capacity_mw
from models.horizon import Horizon
from models.series import Series
from models.site import Site
from models.weather import WeatherTable

HOUR = timedelta(hours=1)
USED = 0.98
"""Share of what was offered below which a plan left some unused."""


def gathered_past(site: Site, now: datetime, days: int, knowledge: Knowledge) -> Past:
    """Runs of the last ``days`` days as they were known, and hourly power beside them.

    Raises:
        InvalidInput: no run was archived yet, or no plant of the site is metered.
    """
    tables, refused = knowledge.past_runs(now - timedelta(days=days))
    runs = [run for table in tables if (run := _hourly(table)) is not None]
    actual: dict[str, Series] = {}
    limited: dict[str, Series] = {}
    for quantity in QUANTITIES:
        if capacity_mw(site)[quantity] == 0:
            continue
        measured = knowledge.measured(quantity, now, days)
        if measured is None:
            continue
        actual[quantity] = measured
        planned = knowledge.planned_use(quantity, now, days)
        if planned is not None:
            used, offered = planned
            left = used.values < USED * offered.values
            limited[quantity] = Series(used.start, HOUR, left.astype(np.float64), "1", "plans")
    faults = []
    if not runs:
        why = "".join(f"; {one}" for one in refused[:3])
        message = f"no weather run is archived yet: run the service, or give --runs and --actual{why}"
        faults.append(Fault("runs", "no_past", message))
    if not actual:
        message = "neither site.pv_mw nor site.wind_mw is metered; name a source under [telemetry], or give --actual"
        faults.append(Fault("actual", "no_past", message))
    if faults:
        raise InvalidInput("the past", faults)
    return Past(runs, [_known(run) for run in runs], actual, limited)


def _hourly(table: WeatherTable) -> WeatherTable | None:
    """The run from the hour in which it was known, two days at most; None where that has holes or no whole hours."""
    first = max(_known(table).replace(minute=0, second=0, microsecond=0), table.start)
    hours = min(LEADS_H, (table.end - first) // HOUR)
    if first.minute or hours <= 0:
        return None
    try:
        return table.on(Horizon(first, HOUR, hours))
    except InvalidInput:
        return None


def _known(table: WeatherTable) -> datetime:
    if table.available_at is None:
        raise ValueError(f"{table.source} does not say since when it was known")
    return table.available_at
