"""What a site file asks beyond version 1.0, put into the contract's words on one horizon.

A site that asks for none of it gets the document it had. Times are put on slot borders outwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from models.horizon import Horizon, local_day, rfc3339
from models.site import Site
from models.site_asks import Generator, Outage, Promise, Service, Target
from models.supply import Battery
from optimizer import compose_plant
from optimizer.compose_plant import span, touches, upkeep


def with_asks(
    document: Mapping[str, Any],
    site: Site,
    horizon: Horizon,
    started: Mapping[str, Any] | None = None,
    services_mw: Mapping[str, Sequence[float]] | None = None,
) -> dict[str, Any]:
    """A composed document with everything that its site asks of version 1.1.

    Args:
        document: as composed for version 1.0.
        site: says what is asked.
        horizon: its slots.
        started: state of what is asked when slot 0 begins, as :func:`optimizer.carried.carried` gives it; none: as
            the site file assumes.
        services_mw: what services are expected to ask for, one a slot; of those not named what the site file says.
    """
    state = started or {}
    asked: dict[str, Any] = {}
    grid = {
        **_billing(site, horizon, state),
        **_budgets(site, state),
        **_outages(site.grid.outages, horizon),
        **upkeep(site.grid.maintenance, horizon),
    }
    if grid:
        asked["grid"] = {**document["grid"], **grid}
    events = [_target(one, horizon) for one in site.grid.targets if touches(one, horizon)]
    promises = [_promise(one, horizon, state) for one in site.grid.promises if touches(one, horizon)]
    made = [_generator(one, horizon, state) for one in site.generators]
    served = [_service(one, site, horizon, (services_mw or {}).get(one.name)) for one in site.services]
    for key, rows in (("events", events), ("nominations", promises), ("generators", made), ("inference", served)):
        if rows:
            asked[key] = rows
    kept = {b.name: _battery(b) | upkeep(b.maintenance, horizon) for b in site.batteries}
    if any(kept.values()):
        asked["batteries"] = [_with_reserve(raw, kept[raw["name"]], site) for raw in document["batteries"]]
    busy = _running(document)
    pools = [compose_plant.pool(site, raw, busy.get(raw["name"], 0), horizon, state) for raw in document["pools"]]
    if any(pools):
        asked["pools"] = [{**raw, **more} for raw, more in zip(document["pools"], pools, strict=True)]
    feeds = [upkeep(feed.maintenance, horizon) for feed in site.feeds]
    if any(feeds):
        asked["feeds"] = [{**raw, **more} for raw, more in zip(document["feeds"], feeds, strict=True)]
    if "cooling" in document and site.cooling is not None:
        told, instead = compose_plant.plant(document, site.cooling, horizon, state)
        more = {**_water(site, horizon, state), **told}
        if more:
            kept_of_it = {key: value for key, value in document["cooling"].items() if key not in instead}
            asked["cooling"] = {**kept_of_it, **more}
    return {**document, **asked, "schema_version": "1.1"} if asked else dict(document)


def _slots(hours: float, horizon: Horizon) -> int:
    return max(1, -(-timedelta(hours=hours) // horizon.step))


def _running(document: Mapping[str, Any]) -> dict[str, int]:
    """GPUs of running jobs by pool."""
    found: dict[str, int] = {}
    for job in document["jobs"]:
        if job.get("state") == "running" and job.get("pool") is not None:
            found[job["pool"]] = found.get(job["pool"], 0) + job.get("gpus", 0) * job.get("count", 1)
    return found


def _billing(site: Site, horizon: Horizon, state: Mapping[str, Any]) -> dict[str, Any]:
    slots = billing_slots(site, horizon.step)
    if slots == 1:
        return {}
    elapsed = elapsed_slots(site, horizon)
    told = {"billing_interval_slots": slots, "billing_elapsed_slots": elapsed}
    return told | ({"billing_elapsed_mwh": state.get("billing_elapsed_mwh", 0.0)} if elapsed else {})


def elapsed_slots(site: Site, horizon: Horizon) -> int:
    """Slots of the running billing interval before slot 0; intervals begin with the hour of UTC, or with its day."""
    midnight = horizon.start.replace(hour=0, minute=0, second=0, microsecond=0)
    return int((horizon.start - midnight) // horizon.step) % billing_slots(site, horizon.step)


def billing_slots(site: Site, step: timedelta) -> int:
    """Slots of a billing interval, at least one."""
    return max(1, -(-timedelta(minutes=site.grid.billing_minutes) // step))


def _budgets(site: Site, state: Mapping[str, Any]) -> dict[str, Any]:
    """The budgets; of the export allowance what this year has used of it, also where the horizon ends in the next."""
    told = site.budgets.model_dump(exclude={"note", "exported_assumed_mwh"}, exclude_none=True)
    if site.budgets.export_allowance_mwh is not None:
        told["exported_so_far_mwh"] = state.get("exported_mwh", site.budgets.exported_assumed_mwh)
    return told


def _outages(outages: Sequence[Outage], horizon: Horizon) -> dict[str, Any]:
    rows = [span(one, horizon) for one in outages if touches(one, horizon)]
    return {"outages": rows} if rows else {}


def _target(one: Target, horizon: Horizon) -> dict[str, Any]:
    return {"id": one.id, **span(one, horizon), **one.model_dump(include=_TARGET, exclude_none=True)}


_TARGET = {"most_import_mw", "least_import_mw", "cost_per_mwh"}


def _promise(one: Promise, horizon: Horizon, state: Mapping[str, Any]) -> dict[str, Any]:
    told = {"id": one.id, **span(one, horizon), "import_mw": one.import_mw}
    told |= {"over_cost_per_mwh": one.over_cost_per_mwh, "under_cost_per_mwh": one.under_cost_per_mwh}
    gone = state.get("promises", {}).get(one.id, 0.0)
    return told | ({"elapsed_mwh": gone} if one.start < horizon.start and gone else {})


def _generator(one: Generator, horizon: Horizon, state: Mapping[str, Any]) -> dict[str, Any]:
    left_out = {"note", "min_up_h", "min_down_h", "moved_price_per_mwh", "maintenance"}
    told = one.model_dump(exclude=left_out, exclude_none=True) | upkeep(one.maintenance, horizon)
    told |= {"min_up_slots": _slots(one.min_up_h, horizon), "min_down_slots": _slots(one.min_down_h, horizon)}
    on, slots = state.get("generators", {}).get(one.name, (False, 10_000))
    return told | {"on_before": bool(on), "state_slots": int(slots)}


def _service(one: Service, site: Site, horizon: Horizon, expected_mw: Sequence[float] | None) -> dict[str, Any]:
    power = one.nominal_mw(horizon, site.zone) if expected_mw is None else [round(mw, 9) for mw in expected_mw]
    least = [round(one.min_share * mw, 9) for mw in power]
    told = {"name": one.name, "power_mw": power, "min_power_mw": [min(a, b) for a, b in zip(least, power, strict=True)]}
    return told | {"below_nominal_cost_per_mwh": one.below_nominal_cost_per_mwh}


def _battery(of: Battery) -> dict[str, Any]:
    told: dict[str, Any] = {"soc_end_value_per_mwh": of.end_value_per_mwh} if of.end_value_per_mwh > 0 else {}
    if of.reserve_cost_per_mwh_h is not None and of.reserve_mwh > 0:
        told |= {"reserve_mwh": of.reserve_mwh, "below_reserve_cost_per_mwh_h": of.reserve_cost_per_mwh_h}
    return told


def _with_reserve(raw: Mapping[str, Any], more: Mapping[str, Any], site: Site) -> dict[str, Any]:
    """A priced reserve is a wish above the physical minimum, in the place of a floor."""
    if "reserve_mwh" not in more:
        return {**raw, **more}
    lowest = next(b.soc_min_mwh for b in site.batteries if b.name == raw["name"])
    return {**raw, **more, "soc_min_mwh": min(lowest, raw["soc_start_mwh"])}


def _water(site: Site, horizon: Horizon, state: Mapping[str, Any]) -> dict[str, Any]:
    water = None if site.cooling is None else site.cooling.water
    if water is None:
        return {}
    told: dict[str, Any] = {"water_m3_per_mwh": water.m3_per_mwh, "water_price_per_m3": water.price_per_m3}
    if water.limit_m3_per_day is None:
        return told
    limits: list[dict[str, Any]] = []
    day = horizon.start.astimezone(site.zone).date()
    while True:
        start, end = local_day(day, site.zone)
        if start >= horizon.end:
            return told | {"water_limits": limits}
        limit: dict[str, Any] = {"id": day.isoformat(), "start": rfc3339(start), "end": rfc3339(end)}
        limit["limit_m3"] = water.limit_m3_per_day
        if start < horizon.start:
            limit["so_far_m3"] = state.get("water_m3", 0.0)
        if water.over_cost_per_m3 is not None:
            limit["over_cost_per_m3"] = water.over_cost_per_m3
        limits.append(limit)
        day += timedelta(days=1)
