"""Rules between the sections of a site, on plain data that may itself be faulty elsewhere.

They look at raw tables rather than at checked classes, so that a broken reference is told next to a typing error.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from models.errors import Fault

_ASSETS = ("solar", "wind", "batteries", "generators", "services")


def cross_faults(raw: Mapping[str, Any]) -> list[Fault]:
    """What is wrong between sections, on data that may itself be faulty elsewhere.

    Names twice, feeds, shed groups and phases that point nowhere, defaults outside a GPU's limits.
    """
    found: list[Fault] = []
    for section in ("feeds", "phases", "shed_groups", "tenants"):
        found += _twice(_rows(raw, section))
    found += _twice([*_rows(raw, "pools"), *_rows(raw, "partners")])
    found += _twice([*(row for section in _ASSETS for row in _rows(raw, section)), *_in_cooling(raw, "units")])
    pools = [row.get("name") for _, row in _rows(raw, "pools")]
    phases = [row.get("name") for _, row in _rows(raw, "phases")]
    owner: dict[str, str] = {}
    for section in ("feeds", "shed_groups"):
        for place, row in _rows(raw, section):
            for k, name in enumerate(_list(row.get("pools"))):
                if name not in pools:
                    known = ", ".join(map(str, pools)) or "none"
                    message = f"{name!r} is no pool of this site; known: {known}"
                    found.append(Fault(f"{place}.pools[{k}]", "unknown_pool", message))
                elif section == "feeds" and name in owner:
                    message = f"{name!r} already hangs on feed {owner[name]!r}; a pool has one feed, take it from one"
                    found.append(Fault(f"{place}.pools[{k}]", "pool_on_two_feeds", message))
                elif section == "feeds":
                    owner[name] = str(row.get("name"))
    models = {row.get("key"): row for _, row in _rows(raw, "gpu_models")}
    for place, row in [*_rows(raw, "pools"), *_rows(raw, "partners")]:
        if row.get("phase") is not None and row["phase"] not in phases:
            message = f"{row['phase']!r} is no phase of this site; known: {', '.join(map(str, phases)) or 'none'}"
            found.append(Fault(f"{place}.phase", "unknown_phase", message))
        if "gpu" in row and row["gpu"] not in models:
            near = difflib.get_close_matches(str(row["gpu"]), [str(key) for key in models], 1, 0.5)
            mend = f"did you mean {near[0]}?" if near else f"known: {', '.join(map(str, models)) or 'none'}"
            message = f"{row['gpu']!r} is in no catalogue and no row of gpu_models; {mend}"
            found.append(Fault(f"{place}.gpu", "unknown_gpu", message))
        found += _default_faults(place, row, models.get(row.get("gpu")))
    found += _plant_faults(raw)
    return [*found, *_speed_faults(raw)]


def _plant_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    """Heat of a pool that enters no mass that there is, or more than all of it; more nodes on than there are."""
    masses = [row.get("name") for _, row in _in_cooling(raw, "masses")]
    for place, row in _rows(raw, "pools"):
        shares = row.get("heat_shares")
        if isinstance(shares, Mapping):
            for name in shares:
                if name not in masses:
                    known = ", ".join(map(str, masses)) or "none"
                    message = f"{name!r} is no mass of [[cooling.masses]]; known: {known}"
                    yield Fault(f"{place}.heat_shares.{name}", "unknown_mass", message)
            whole = sum(share for share in shares.values() if isinstance(share, float | int))
            if whole > 1 + 1e-9:
                message = f"the shares make {whole:g}; lower them to 1 in all"
                yield Fault(f"{place}.heat_shares", "shares_above_1", message)
        nodes, size = row.get("nodes"), row.get("gpus_per_node", 8)
        on = nodes.get("on_assumed") if isinstance(nodes, Mapping) else None
        if isinstance(on, int) and isinstance(size, int) and isinstance(row.get("gpus"), int) and size > 0:
            there = row["gpus"] // size
            if on > there:
                message = f"{on} nodes are on, the pool has {there}; lower it"
                yield Fault(f"{place}.nodes.on_assumed", "too_high", message)


def _speed_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    """A partner of other GPUs, and nothing that tells how fast a job would be there."""
    rows = [*_rows(raw, "pools"), *_rows(raw, "partners")]
    if not _rows(raw, "partners") or len({row.get("gpu") for _, row in rows}) < 2:
        return
    for place, row in rows:
        if row.get("relative_speed") is None:
            message = f"pools and partners differ in their GPUs; say how fast {row.get('gpu')} is beside the others"
            yield Fault(f"{place}.relative_speed", "missing", message)


def _default_faults(place: str, pool: Mapping[str, Any], gpu: Mapping[str, Any] | None) -> Iterable[Fault]:
    default = pool.get("default")
    if gpu is None or not isinstance(default, Mapping):
        return
    low, high = gpu.get("min_limit_w"), gpu.get("max_limit_w")
    for key in ("limit_w", "idle_limit_w"):
        value = default.get(key)
        if not (isinstance(value, float | int) and isinstance(low, float | int) and isinstance(high, float | int)):
            continue
        if not low <= value <= high:
            yield Fault(
                f"{place}.default.{key}",
                "outside_limits",
                f"{value:g} W lies outside the {low:g} to {high:g} W that {pool.get('gpu')} accepts; move it inside",
            )


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _rows(raw: Mapping[str, Any], section: str) -> list[tuple[str, Mapping[str, Any]]]:
    rows = _list(raw.get(section))
    return [(f"{section}[{k}]", row) for k, row in enumerate(rows) if isinstance(row, Mapping)]


def _in_cooling(raw: Mapping[str, Any], section: str) -> list[tuple[str, Mapping[str, Any]]]:
    cooling = raw.get("cooling")
    rows = _rows(cooling, section) if isinstance(cooling, Mapping) else []
    return [(f"cooling.{place}", row) for place, row in rows]


def _twice(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterable[Fault]:
    seen: dict[Any, str] = {}
    for place, row in rows:
        name = row.get("name")
        if name is None:
            continue
        if name in seen:
            yield Fault(f"{place}.name", "duplicate_name", f"{name!r} already stands at {seen[name]}; rename one")
        seen.setdefault(name, place)
