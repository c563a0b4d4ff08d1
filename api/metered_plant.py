"""What the meters say of a site's plant when a round begins: temperatures, cold in the tank, nodes that are on.

The newest credible reading of the last quarter of an hour counts, and how old it is, is said. Where there is none, the
plan before tells, as if it had been carried out, and without one the site file: that is said too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from ingest.errors import StoreUnavailable
from ingest.points import from_ns
from ingest.ports import TelemetryStore
from ingest.quarantine import bad_at
from models.site import Site

FRESH = timedelta(minutes=15)
NODES_ON = "pool.nodes_on"
_Asked = tuple[str, str, dict[str, str], tuple[str, ...]]


def metered_plant(
    site: Site, store: TelemetryStore, now: datetime, planned_at: datetime | None
) -> tuple[dict[str, Any], list[str]]:
    """Readings as :func:`optimizer.carried.with_readings` takes them, and a phrase on where each figure is from.

    ``planned_at`` is when the plan in force was made; None: there is none.
    """
    found: dict[str, Any] = {}
    told = []
    otherwise = "as the site file assumes" if planned_at is None else f"as planned {_minutes(now, planned_at)} min ago"
    for what, metric, tags, place in _asked(site):
        try:
            reading = _newest(store, metric, {"site": site.name, **tags}, now)
        except StoreUnavailable:
            reading = None
        if reading is None:
            told.append(f"{what} {otherwise}")
            continue
        value, at = reading
        told.append(f"{what} as metered {_minutes(now, at)} min ago")
        if len(place) == 1:
            found[place[0]] = value
        else:
            found.setdefault(place[0], {})[place[1]] = value
    if "nodes_on" in found:
        found["nodes_on"] = {name: max(0, round(on)) for name, on in found["nodes_on"].items()}
    return found, told


def _minutes(now: datetime, at: datetime) -> int:
    return max(timedelta(0), now - at) // timedelta(minutes=1)


def _asked(site: Site) -> Iterator[_Asked]:
    """What is read, from which series, and where it goes."""
    plant = site.cooling
    if plant is not None and plant.mass is not None:
        tags = {"asset": plant.mass.asset or "mass"}
        yield "temperature of the thermal mass", plant.mass.metric, tags, ("temperature_c",)
    for mass in () if plant is None else plant.masses:
        tags = {"asset": mass.asset or mass.name}
        yield f"temperature of {mass.name}", mass.metric, tags, ("masses_c", mass.name)
    if plant is not None and plant.tank is not None:
        yield "cold in the tank", plant.tank.metric, {"asset": plant.tank.asset}, ("tank_mwh",)
    for pool in site.pools:
        if pool.nodes is not None:
            yield f"nodes on in {pool.name}", NODES_ON, {"pool": pool.name}, ("nodes_on", pool.name)


def _newest(store: TelemetryStore, metric: str, tags: dict[str, str], now: datetime) -> tuple[float, datetime] | None:
    readings = [one for one in store.raw(metric, tags, now - FRESH, now) if dict(one.tags) == tags]
    bad = bad_at(store, metric, tags, now - FRESH, now) if readings else {}
    good = [one for one in readings if one.time_ns not in bad]
    return (float(good[-1].value), from_ns(good[-1].time_ns)) if good else None
