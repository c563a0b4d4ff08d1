"""What the meters say of the state that a round starts from, in the place of what following the plan makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from api.following import Memory
from ingest.errors import StoreUnavailable
from ingest.ports import TelemetryStore
from ingest.quarantine import bad_at
from models.errors import NotFound
from models.horizon import Horizon
from models.site import Site
from models.supply import Battery
from optimizer.compose_asks import billing_slots, elapsed_slots

FRESH = timedelta(minutes=15)
ASSUMED = "assumed: as planned since the service began"


def measured_memory(site: Site, store: TelemetryStore, memory: Memory, now: datetime) -> tuple[Memory, str]:
    """``memory`` with stored energy and peak as metered where a fresh, credible reading is there; and what was done.

    Stored energy is the newest reading of the last quarter of an hour that is not flagged BAD, moved into the
    battery's limits; the peak rises to the import of the last whole slot. A store that is silent changes nothing.
    """
    try:
        soc = {
            battery.name: reading
            for battery in site.batteries
            if (reading := _stored_mwh(site, store, battery, now)) is not None
        }
        peak = max(memory.peak_mw, _last_import_mw(site, store, memory.as_of))
    except StoreUnavailable:
        return memory, ASSUMED
    if not soc and peak == memory.peak_mw:
        return memory, ASSUMED
    told = [f"stored energy of {name} as metered" for name in soc]
    if peak > memory.peak_mw:
        told.append("peak as metered")
    return replace(memory, soc_mwh={**memory.soc_mwh, **soc}, peak_mw=peak), f"{', '.join(told)}; the rest {ASSUMED}"


def _stored_mwh(site: Site, store: TelemetryStore, battery: Battery, now: datetime) -> float | None:
    tags = {"site": site.name, "asset": battery.name}
    readings = [one for one in store.raw("battery.soc_mwh", tags, now - FRESH, now) if dict(one.tags) == tags]
    bad = bad_at(store, "battery.soc_mwh", tags, now - FRESH, now) if readings else {}
    good = [one for one in readings if one.time_ns not in bad]
    if not good:
        return None
    return min(max(float(good[-1].value), battery.soc_min_mwh), battery.top_mwh)


def _last_import_mw(site: Site, store: TelemetryStore, start: datetime) -> float:
    """Mean import of the last whole billing interval before ``start``, at least a slot; 0 where nothing was metered, or
    it was another month's."""
    slot = site.planning.step
    gone = elapsed_slots(site, Horizon(start, slot, 1))
    step, end = billing_slots(site, slot) * slot, start - gone * slot
    if (end - step).astimezone(site.zone).month != start.astimezone(site.zone).month:
        return 0.0
    try:
        found = store.query("site.import_mw", {"site": site.name}, end - step, end, step, "mean").values
    except NotFound:
        return 0.0
    mean = float(found[0])
    return mean if mean == mean else 0.0
