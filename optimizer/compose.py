"""A site's day as a problem document: what is known about site, weather, jobs and state, put into the contract's words.

The document is plain data, valid under :class:`optimizer.document.Problem` and the contract's further rules,
so a composed day and a hand-written one go through the same door.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models import cooling
from models.cooling import Tangents
from models.errors import Fault, InvalidInput
from models.horizon import Horizon, rfc3339
from models.jobs import TrainingJob
from models.site import Site
from models.supply import Battery
from models.tariff import prices
from optimizer.compose_jobs import job_document, job_faults, with_ways

_DIGITS = 9
_SOC_HAIR = 1e-6
_WEATHER_KEYS = ("pv_mw", "wind_mw", "fall_mw", "base_load_mw", "dry_bulb_c", "wet_bulb_c")
_MARKET_KEYS = ("import_price_per_mwh", "export_price_per_mwh", "carbon_kg_per_mwh")


@dataclass(frozen=True, slots=True)
class Availability:
    """What nature and maintenance give, one value a slot.

    ``base_load_mw`` None: the site's own shape. Bulb temperatures are needed where the site has a cooling
    plant. ``gpus``: available GPUs by pool, for pools under maintenance. Prices and carbon None: by the tariff and the
    grid's mean. ``fall_mw``: how far sun and wind together may fall below what stands here (P50 - P10); where the site
    prices missing headroom, the plan keeps that much. ``cooling``: straight pieces of the plant's power that were
    learned; None: the site file's physics.
    """

    pv_mw: Sequence[float]
    wind_mw: Sequence[float]
    base_load_mw: Sequence[float] | None = None
    dry_bulb_c: Sequence[float] | None = None
    wet_bulb_c: Sequence[float] | None = None
    gpus: Mapping[str, Sequence[int]] = field(default_factory=dict)
    import_price_per_mwh: Sequence[float] | None = None
    export_price_per_mwh: Sequence[float] | None = None
    carbon_kg_per_mwh: Sequence[float] | None = None
    fall_mw: Sequence[float] | None = None
    cooling: Tangents | None = None


@dataclass(frozen=True, slots=True)
class SiteState:
    """Where a site stands at the start of a horizon: stored energy by battery, highest import of the billing period,
    GPU-hours rented from each partner in this month."""

    soc_mwh: Mapping[str, float]
    peak_so_far_mw: float
    rented_gpu_h: Mapping[str, float] = field(default_factory=dict)


def assumed_state(site: Site) -> SiteState:
    """State until telemetry tells, as the site file assumes it."""
    return SiteState({b.name: b.assumed_mwh for b in site.batteries}, site.grid.peak_assumed_mw)


def compose(
    site: Site,
    horizon: Horizon,
    availability: Availability,
    jobs: Iterable[TrainingJob],
    state: SiteState,
    name: str,
) -> dict[str, Any]:
    """Raw problem document of one horizon.

    Times are put on slot borders: ``release`` and ``pinned_start`` up, ``deadline`` down, so that nothing starts
    early and no promise is stretched. A job whose deadline lies beyond the horizon owes its fair part inside
    (work x part of its window that the horizon covers, the window counted from release or slot 0, whichever is
    later) and earns the site's ``value_per_gpu_h`` for the rest. A battery below its reserve may be planned from
    where it stands; its end is asked no higher than it can be charged to.

    Raises:
        InvalidInput: series of a wrong length, unknown pools, gangs larger than their pool, more running GPUs than a
            pool has, ids twice, stored energy outside physical limits; every fault at once.
    """
    queue = list(jobs)
    faults = [
        *_series_faults(site, horizon, availability),
        *job_faults(site, queue, availability.gpus),
        *_state_faults(site, state),
    ]
    if faults:
        raise InvalidInput(f"the day {name!r} of site {site.name!r}", faults)
    tariff = prices(site.tariff, horizon, site.zone)
    base = availability.base_load_mw
    document: dict[str, Any] = {
        "schema_version": "1.0",
        "name": name,
        "site": {"name": site.name, "timezone": site.timezone, "currency": site.currency},
        "horizon": {
            "start": rfc3339(horizon.start),
            "step_minutes": round(horizon.step_h * 60),
            "slots": horizon.slots,
        },
        "series": {
            "pv_available_mw": _rounded(availability.pv_mw),
            "wind_available_mw": _rounded(availability.wind_mw),
            "base_load_mw": _rounded(site.base_load_mw(horizon) if base is None else base),
            "import_price_per_mwh": _told(availability.import_price_per_mwh, tariff.import_per_mwh),
            "export_price_per_mwh": _told(availability.export_price_per_mwh, tariff.export_per_mwh),
            "carbon_kg_per_mwh": _told(availability.carbon_kg_per_mwh, [site.grid.carbon_kg_per_mwh] * horizon.slots),
        },
        "grid": _grid(site, horizon, state),
        "batteries": [_battery(b, state.soc_mwh[b.name], horizon) for b in site.batteries],
        "distribution_efficiency": site.distribution_efficiency,
        "pools": [
            {
                "name": pool.name,
                "gpu": pool.gpu,
                "gpus": list(availability.gpus[pool.name]) if pool.name in availability.gpus else pool.gpus,
                "idle_w_per_gpu": site.idle_w(pool),
            }
            for pool in site.pools
        ],
        "feeds": [{"name": f.name, "pools": list(f.pools), "limit_mw": f.limit_mw} for f in site.feeds],
        "jobs": [job_document(site, horizon, job) for job in queue],
        "gap": site.planning.gap,
        "time_limit_s": site.planning.time_limit_s,
    }
    dry, wet = availability.dry_bulb_c, availability.wet_bulb_c
    if dry is not None:
        document["series"]["dry_bulb_c"] = _rounded(dry)
    if wet is not None:
        document["series"]["wet_bulb_c"] = _rounded(wet)
    if site.cooling is not None and dry is not None and wet is not None:
        document["cooling"] = _cooling(availability.cooling or cooling.tangents(site.cooling, dry, wet))
    document = with_ways(document, site, horizon, state.rented_gpu_h)
    price = site.planning.reserve_price_per_mwh
    if price is not None and availability.fall_mw is not None and any(availability.fall_mw):
        reserve = {"drop_mw": _rounded(availability.fall_mw), "cost_per_mwh": price}
        document |= {"schema_version": "1.1", "reserve": reserve}
        _store_against_fall(document["batteries"], site, horizon, availability.fall_mw, price)
    return document


def _store_against_fall(
    batteries: list[dict[str, Any]], site: Site, horizon: Horizon, fall_mw: Sequence[float], price: float
) -> None:
    """Stored energy that lasts through the fall until the next plan, shared by power; half of what a battery plans with
    at most. Headroom counts the power of a battery, and an empty one has none."""
    slots = max(1, round(site.planning.replan_minutes / 60 / horizon.step_h))
    hours = slots * horizon.step_h
    power_mw = sum(battery["power_mw"] for battery in batteries)
    for battery in batteries:
        share = battery["power_mw"] / power_mw / battery["discharge_efficiency"]
        half = (battery["soc_max_mwh"] - battery["soc_min_mwh"]) / 2
        ahead = [horizon.step_h * sum(fall_mw[t : t + slots]) for t in range(horizon.slots)]
        battery["reserve_mwh"] = _rounded(min(half, share * energy) for energy in ahead)
        battery["below_reserve_cost_per_mwh_h"] = price / hours


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]


def _told(given: Sequence[float] | None, usual: Sequence[float]) -> list[float]:
    return _rounded(usual if given is None else given)


def _grid(site: Site, horizon: Horizon, state: SiteState) -> dict[str, Any]:
    return {
        "import_limit_mw": site.import_limit_mw(horizon) if site.grid.windows else site.grid.import_limit_mw,
        "export_limit_mw": site.grid.export_limit_mw,
        "demand_charge_per_mw": site.tariff.demand_charge_per_mw,
        "peak_so_far_mw": state.peak_so_far_mw,
        "import_ramp_mw_per_slot": site.grid.import_ramp_mw_per_slot,
        "carbon_price_per_kg": site.grid.carbon_price_per_kg,
    }


def _battery(battery: Battery, soc_mwh: float, horizon: Horizon) -> dict[str, Any]:
    start = min(max(soc_mwh, battery.soc_min_mwh), battery.top_mwh)
    reach = start + horizon.slots * horizon.step_h * battery.power_mw * battery.charge_efficiency
    return {
        "name": battery.name,
        "power_mw": battery.power_mw,
        "energy_mwh": battery.energy_mwh,
        "charge_efficiency": battery.charge_efficiency,
        "discharge_efficiency": battery.discharge_efficiency,
        "soc_start_mwh": start,
        "soc_min_mwh": min(battery.floor_mwh, start),
        "soc_max_mwh": battery.top_mwh,
        "soc_end_min_mwh": min(battery.end_min_mwh, reach),
        "wear_cost_per_mwh": battery.wear_cost_per_mwh,
    }


def _cooling(found: Tangents) -> dict[str, Any]:
    return {
        "tangents": [
            {"slope": _rounded(slope), "intercept_mw": _rounded(intercept)}
            for slope, intercept in zip(found.slope, found.intercept_mw, strict=True)
        ],
        "capacity_heat_mw": _rounded(found.capacity_heat_mw),
    }


def _series_faults(site: Site, horizon: Horizon, availability: Availability) -> Iterable[Fault]:
    needed = ["pv_mw", "wind_mw"]
    if site.cooling is not None:
        needed += ["dry_bulb_c", "wet_bulb_c"]
    series: dict[str, Sequence[float] | None] = {
        key: getattr(availability, key) for key in (*_WEATHER_KEYS, *_MARKET_KEYS)
    }
    for key, values in series.items():
        if values is None:
            if key in needed:
                yield Fault(f"availability.{key}", "missing", "the site's cooling plant needs it; add it")
        elif len(values) != horizon.slots:
            message = f"{len(values)} values for {horizon.slots} slots; give one a slot"
            yield Fault(f"availability.{key}", "wrong_length", message)
    known = {pool.name: pool.gpus for pool in site.pools}
    for name, gpus in availability.gpus.items():
        place = f"availability.gpus.{name}"
        if name not in known:
            yield Fault(place, "unknown_pool", f"there is no pool {name!r}; known: {', '.join(known)}")
        elif len(gpus) != horizon.slots:
            yield Fault(place, "wrong_length", f"{len(gpus)} values for {horizon.slots} slots; give one a slot")
        elif not all(0 <= n <= known[name] for n in gpus):
            yield Fault(place, "outside_limits", f"some value lies outside 0 to {known[name]}; mend it")


def _state_faults(site: Site, state: SiteState) -> Iterable[Fault]:
    for battery in site.batteries:
        place = f"state.soc_mwh.{battery.name}"
        if battery.name not in state.soc_mwh:
            yield Fault(place, "missing", "no stored energy is known; take assumed_state(site) or read the battery")
            continue
        soc = state.soc_mwh[battery.name]
        hair = _SOC_HAIR * battery.energy_mwh
        if not battery.soc_min_mwh - hair <= soc <= battery.top_mwh + hair:
            yield Fault(
                place,
                "outside_limits",
                f"{soc:g} MWh lies outside {battery.soc_min_mwh:g} to {battery.top_mwh:g} MWh; check the reading, or "
                "mend soc_min_mwh and soc_max_mwh in the site file",
            )
    if state.peak_so_far_mw < 0:
        yield Fault("state.peak_so_far_mw", "negative", f"{state.peak_so_far_mw:g} MW; write 0 or more")
