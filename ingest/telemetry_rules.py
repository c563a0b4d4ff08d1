"""What is wrong with a site's telemetry sources beyond their own keys: units, profiles, maps, files, pools.

They look at raw tables that may be faulty elsewhere, as :mod:`models.site_rules` does, so that a wrong unit is told
next to a typing error.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ingest.catalogue import conversion
from models.errors import Fault, InvalidInput

_SECTIONS = ("scrape", "prometheus", "modbus", "mqtt")
_FILES = ("password_file", "token_file", "ca_file")


def telemetry_faults(raw: Mapping[str, Any], folder: Path | None) -> Iterator[Fault]:
    """Faults of ``[telemetry]``, by dotted path; ``folder`` is where relative paths begin, None: not looked for."""
    telemetry = raw.get("telemetry")
    if not isinstance(telemetry, Mapping):
        return
    pools = [row.get("name") for row in _rows(raw, "pools")]
    nvml = telemetry.get("nvml")
    sources = [("telemetry.nvml", nvml)] if isinstance(nvml, Mapping) else []
    influxdb = telemetry.get("influxdb")
    if isinstance(influxdb, Mapping):
        sources.append(("telemetry.influxdb", influxdb))
    for section in _SECTIONS:
        sources += [(f"telemetry.{section}[{k}]", one) for k, one in enumerate(_rows(telemetry, section))]
    for place, source in sources:
        yield from _pool_faults(place, source, pools)
        yield from _file_faults(place, source, folder)
        for k, row in enumerate(_rows(source, "rows")):
            yield from _unit_faults(f"{place}.rows[{k}]", row)
            yield from _pool_faults(f"{place}.rows[{k}]", row, pools)
    for k, one in enumerate(_rows(telemetry, "scrape")):
        yield from _profile_faults(f"telemetry.scrape[{k}]", one)
    for k, one in enumerate(_rows(telemetry, "modbus")):
        yield from _map_faults(f"telemetry.modbus[{k}]", one, folder)


def _unit_faults(place: str, row: Mapping[str, Any]) -> Iterator[Fault]:
    metric, unit = row.get("metric"), row.get("unit", "")
    if isinstance(metric, str) and isinstance(unit, str):
        try:
            conversion(metric, unit)
        except ValueError as error:
            yield Fault(f"{place}.unit", "bad_unit", str(error))


def _pool_faults(place: str, source: Mapping[str, Any], pools: list[Any]) -> Iterator[Fault]:
    tags = source.get("tags")
    pool = tags.get("pool") if isinstance(tags, Mapping) else None
    if isinstance(pool, str) and pool not in pools:
        message = f"{pool!r} is no pool of this site; known: {', '.join(map(str, pools)) or 'none'}"
        yield Fault(f"{place}.tags.pool", "unknown_pool", message)


def _file_faults(place: str, source: Mapping[str, Any], folder: Path | None) -> Iterator[Fault]:
    for key in _FILES:
        path = source.get(key)
        if folder is not None and isinstance(path, str) and not (folder / path).is_file():
            message = f"there is no file {path!r} beside the site file; write one that the collector may read"
            yield Fault(f"{place}.{key}", "no_such_file", message)


def _profile_faults(place: str, source: Mapping[str, Any]) -> Iterator[Fault]:
    from ingest.sources.prometheus.profiles import profile_names

    name = source.get("profile")
    if isinstance(name, str) and name not in profile_names():
        near = difflib.get_close_matches(name, profile_names(), 1, 0.5)
        mend = f"did you mean {near[0]}?" if near else f"known: {', '.join(profile_names())}"
        yield Fault(f"{place}.profile", "unknown_profile", f"{name!r} is no profile that ships with Chergui; {mend}")


def _map_faults(place: str, device: Mapping[str, Any], folder: Path | None) -> Iterator[Fault]:
    from ingest.sources.modbus.register_map import map_names, read_map

    name = device.get("map")
    if not isinstance(name, str) or (folder is None and name not in map_names() and name.endswith(".toml")):
        return
    try:
        held = read_map(name, folder)
    except InvalidInput as error:
        for fault in error.faults:
            where = f"{name}: {fault.pointer}: " if fault.pointer else ""
            yield Fault(f"{place}.map", fault.code, f"{where}{fault.message}")
        return
    known = {one.metric for one in held.registers} | {one.metric for model in held.models for one in model.registers}
    flip = device.get("flip")
    for k, metric in enumerate(flip if isinstance(flip, list) else []):
        if isinstance(metric, str) and metric not in known:
            message = f"{metric!r} is not in the map {name}; it has {', '.join(sorted(known))}"
            yield Fault(f"{place}.flip[{k}]", "unknown_metric", message)


def _rows(table: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    """Tables of a list; what is none is told by the plain check, and counts here as an empty one."""
    rows = table.get(section)
    return [row if isinstance(row, Mapping) else {} for row in rows] if isinstance(rows, list) else []
