"""A published plan as telemetry, so that any dashboard over the store shows it beside what was measured.

Measurement ``plan``: a field for each series of the plan, tagged ``asset`` where it is one asset's, and the text
``plan_id``, which says of each slot whose plan it holds. Measurement ``forecast``: what the plan expected, tagged
``quantile`` (p10, p50, p90) and, of a service, with its name as ``asset``. Both are beliefs as of the plan's making: a
later plan takes their place, and ``as_of`` still finds them. Values belong to the slot that begins at their instant;
what is stored and how warm it is (``soc_mwh``, ``tank_mwh``, ``mass_c``, ``temperature_c``) hold at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from api import logs
from api.plan_store import Edition
from ingest.errors import StoreUnavailable
from ingest.points import Point, canonical, to_ns
from ingest.ports import TelemetryStore
from models.horizon import parse_rfc3339

_AT_THE_END = ("soc_mwh", "mass_c", "temperature_c", "tank_mwh")
_WEATHER = ("dry_bulb_c", "wet_bulb_c")
_log = logs.get("planner")


def write_back(store: TelemetryStore, edition: Edition) -> None:
    """Keep an edition in ``store``; where that is not possible now it is logged, and the plan holds all the same."""
    try:
        store.write(as_points(edition), parse_rfc3339(edition["created_at"]))
    except StoreUnavailable as error:
        _log.error("plan_not_written_back", plan_id=edition["plan_id"], reason=error.reason)


def as_points(edition: Edition) -> list[Point]:
    """Points of an edition that has its id; none of a plan that there is none of (infeasible), but its forecasts."""
    horizon = edition["problem"]["horizon"]
    first, step = parse_rfc3339(horizon["start"]), timedelta(minutes=horizon["step_minutes"])
    site = {"site": edition["site"]}
    told = {"plan_id": edition["plan_id"]}
    points: list[Point] = []
    series = edition["plan"].get("series") or {}
    if series and (services := edition["problem"].get("inference")):
        series = {**series, "inference_asked_mw": {one["name"]: one["power_mw"] for one in services}}
    whole = {name: values for name, values in series.items() if isinstance(values, list)}
    reached = {name: whole.pop(name) for name in _AT_THE_END if name in whole}
    points += _slots("plan", site, whole, first, step, told)
    points += _slots("plan", site, reached, first + step, step, {})
    for asset in sorted({asset for values in series.values() if isinstance(values, dict) for asset in values}):
        own = {name: values[asset] for name, values in series.items() if isinstance(values, dict) and asset in values}
        later = {name: own.pop(name) for name in _AT_THE_END if name in own}
        points += _slots("plan", {**site, "asset": asset}, own, first, step, told)
        points += _slots("plan", {**site, "asset": asset}, later, first + step, step, {})
    for level in ("p10", "p50", "p90"):
        bands = {name: levels[level] for name, levels in edition["bands"].items() if "/" not in name}
        weather = {name: edition["problem"]["series"].get(name) for name in _WEATHER} if level == "p50" else {}
        fields = {**bands, **{name: values for name, values in weather.items() if values}}
        points += _slots("forecast", {**site, "quantile": level}, fields, first, step, told)
        for name in edition["bands"].keys() - bands.keys():
            of, _, asset = name.partition("/")
            own = {of: edition["bands"][name][level]}
            points += _slots("forecast", {**site, "asset": asset, "quantile": level}, own, first, step, told)
    return points


def _slots(
    measurement: str,
    tags: Mapping[str, str],
    series: Mapping[str, list[Any]],
    first: datetime,
    step: timedelta,
    told: Mapping[str, str],
) -> Iterator[Point]:
    if not series:
        return
    key = canonical(tags)
    for k, values in enumerate(zip(*series.values(), strict=True)):
        fields = [(name, float(value)) for name, value in zip(series, values, strict=True)]
        yield Point(measurement, key, (*fields, *told.items()), to_ns(first + k * step))
