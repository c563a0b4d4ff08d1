"""What the meters say of the state that a round starts from, in the place of what following the plan makes of it.

What the quality gate flagged BAD is never taken; the last good reading is, and how old it is, is said.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from api.following import Memory
from api.gathering import Gathered
from ingest.errors import StoreUnavailable
from ingest.good_means import good_means, last_good
from ingest.points import from_ns
from ingest.ports import Sample, TelemetryStore
from models.errors import NotFound
from models.horizon import Horizon
from models.site import Site
from models.supply import Battery
from optimizer.compose_asks import billing_slots, elapsed_slots

STORED = "battery.soc_mwh"
FRESH = timedelta(minutes=15)
REMEMBERED = timedelta(days=1)
ASSUMED = "assumed: as planned since the service began"


class _Reading(NamedTuple):
    mwh: float
    at: datetime


def measured_memory(site: Site, store: TelemetryStore, gathered: Gathered, now: datetime) -> tuple[Memory, str]:
    """The state gathered, with stored energy and peak as metered where a credible reading is there; and what was done.

    Stored energy is the newest reading that is not flagged BAD, moved into the battery's limits: as it is where it is
    at most a quarter of an hour old, else moved on by what the plan has done since, if it is of the last day and newer
    than the state which that plan began from. The peak rises to the import of the last whole slot. A store that is
    silent changes nothing.
    """
    memory = gathered.memory
    soc: dict[str, float] = {}
    told = []
    try:
        for battery in site.batteries:
            reading = _newest(site, store, battery, now, gathered.known_at)
            if reading is not None:
                soc[battery.name], how = _stored_mwh(reading, battery, gathered, now)
                told.append(f"stored energy of {battery.name} {how}")
            elif _readings(site, store, battery, now - FRESH, now):
                told.append(f"stored energy of {battery.name} not as metered, which is flagged")
        peak = max(memory.peak_mw, _last_import_mw(site, store, memory.as_of))
    except StoreUnavailable:
        return memory, ASSUMED
    if peak > memory.peak_mw:
        told.append("peak as metered")
    if not told:
        return memory, ASSUMED
    return replace(memory, soc_mwh={**memory.soc_mwh, **soc}, peak_mw=peak), f"{', '.join(told)}; the rest {ASSUMED}"


def _stored_mwh(reading: _Reading, battery: Battery, gathered: Gathered, now: datetime) -> tuple[float, str]:
    stored, how = reading.mwh, "as metered"
    age = now - reading.at
    if age > FRESH:
        stored += gathered.memory.soc_mwh[battery.name] - gathered.followed(reading.at).soc_mwh[battery.name]
        how = f"as last metered {age // timedelta(minutes=1)} min ago, moved on as planned"
    return min(max(stored, battery.soc_min_mwh), battery.top_mwh), how


def _newest(
    site: Site, store: TelemetryStore, battery: Battery, now: datetime, known_at: datetime | None
) -> _Reading | None:
    """The newest good reading that says more than what is known already; None where there is none."""
    fresh = _good(site, store, battery, now - FRESH, now)
    if fresh is not None:
        return fresh
    earliest = now - REMEMBERED if known_at is None else max(known_at, now - REMEMBERED)
    return _good(site, store, battery, earliest, now - FRESH) if earliest < now - FRESH else None


def _readings(site: Site, store: TelemetryStore, battery: Battery, start: datetime, end: datetime) -> list[Sample]:
    tags = _tags(site, battery)
    return [one for one in store.raw(STORED, tags, start, end) if dict(one.tags) == tags]


def _tags(site: Site, battery: Battery) -> dict[str, str]:
    return {"site": site.name, "asset": battery.name}


def _good(site: Site, store: TelemetryStore, battery: Battery, start: datetime, end: datetime) -> _Reading | None:
    found = last_good(store, STORED, _tags(site, battery), start, end)
    return None if found is None else _Reading(float(found.value), from_ns(found.time_ns))


def _last_import_mw(site: Site, store: TelemetryStore, start: datetime) -> float:
    """Mean import of the last whole billing interval before ``start``, at least a slot; 0 where nothing credible was
    metered, or it was another month's."""
    slot = site.planning.step
    gone = elapsed_slots(site, Horizon(start, slot, 1))
    step, end = billing_slots(site, slot) * slot, start - gone * slot
    if (end - step).astimezone(site.zone).month != start.astimezone(site.zone).month:
        return 0.0
    try:
        found = good_means(store, "site.import_mw", {"site": site.name}, end - step, end, step).values
    except NotFound:
        return 0.0
    mean = float(found[0])
    return mean if mean == mean else 0.0
