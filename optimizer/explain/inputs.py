"""What differs between two problem documents, by cause, and the documents in between that have one cause changed."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any, Literal

from models.horizon import parse_rfc3339

Cause = Literal["forecast", "prices", "jobs", "state", "site"]
CAUSES: tuple[Cause, ...] = ("forecast", "prices", "jobs", "state", "site")
Raw = dict[str, Any]

_NO_CAUSE = {"schema_version", "name", "horizon", "gap", "time_limit_s"}
_STATE = {
    "peak_so_far_mw",
    "billing_elapsed_slots",
    "billing_elapsed_mwh",
    "exported_so_far_mwh",
    "soc_start_mwh",
    "on_before",
    "started_before",
    "start_c",
    "start_mwh",
    "state_slots",
}
_PROGRESS = {"work_h", "due_h", "state", "ran_slots"}
_PRICED = ("price", "cost", "charge", "carbon")


def changed(a: Raw, b: Raw) -> list[Cause]:
    """Causes for which anything differs, once ``a`` lies on the horizon of ``b``."""
    return [cause for cause in CAUSES if with_cause(a, b, cause) != a]


def laid_on(a: Raw, b: Raw) -> Raw:
    """``a`` on the horizon of ``b``: every series moved by the slots between them; what it does not reach is ``b``'s.

    What is no cause (name, horizon, gap asked, time limit) is ``b``'s too.
    """
    step = timedelta(minutes=b["horizon"].get("step_minutes", 15))
    gone = (parse_rfc3339(b["horizon"]["start"]) - parse_rfc3339(a["horizon"]["start"])) // step
    slots = a["horizon"]["slots"], b["horizon"]["slots"]
    laid = {key: _moved(value, b.get(key), gone, slots) for key, value in a.items() if key not in _NO_CAUSE}
    return {**{key: copy.deepcopy(b[key]) for key in b if key in _NO_CAUSE}, **laid}


def _moved(value: Any, other: Any, gone: int, slots: tuple[int, int]) -> Any:
    if isinstance(value, dict):
        mates = other if isinstance(other, dict) else {}
        return {key: _moved(item, mates.get(key), gone, slots) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) == slots[0] and all(isinstance(item, int | float) for item in value):
        kept = value[max(0, gone) :][: slots[1]]
        rest = other if isinstance(other, list) and len(other) == slots[1] else [value[-1]] * slots[1]
        return [*kept, *rest[len(kept) :]]
    mates = {item.get("name", item.get("id")): item for item in other or [] if isinstance(item, dict)}
    return [
        _moved(item, mates.get(item.get("name", item.get("id"))), gone, slots) if isinstance(item, dict) else item
        for item in value
    ]


def with_cause(a: Raw, b: Raw, cause: Cause) -> Raw:
    """``a`` with everything that belongs to one cause as in ``b``; both on the same horizon."""
    if cause in ("jobs", "state"):
        return {**(_with_state(a, b) if cause == "state" else a), "jobs": _jobs(a, b, cause)}
    keys = {*a, *b} - _NO_CAUSE - {"jobs"}
    mixed = {key: a[key] for key in a if key in _NO_CAUSE or key == "jobs"}
    for key in sorted(keys):
        value = _mixed(a.get(key), b.get(key), (key,), cause)
        if value is not None:
            mixed[key] = value
    return mixed


def _with_state(a: Raw, b: Raw) -> Raw:
    return {key: _mixed(value, b.get(key), (key,), "state") if key != "jobs" else value for key, value in a.items()}


def _mixed(a: Any, b: Any, path: tuple[str, ...], cause: Cause) -> Any:
    if isinstance(a, dict) and isinstance(b, dict):
        mixed = {key: _mixed(a.get(key), b.get(key), (*path, key), cause) for key in dict.fromkeys([*a, *b])}
        return {key: value for key, value in mixed.items() if value is not None or (key in a and a[key] is None)}
    if _named(a) and _named(b) and [x["name"] for x in a] == [x["name"] for x in b]:
        return [_mixed(x, y, path, cause) for x, y in zip(a, b, strict=True)]
    return b if _cause_of(path) == cause else a


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(x, dict) and "name" in x for x in value)


def _cause_of(path: tuple[str, ...]) -> Cause:
    last = path[-1]
    if last in _STATE:
        return "state"
    if any(word in last for word in _PRICED):
        return "prices"
    if path[0] in ("series", "cooling", "inference"):
        return "forecast"
    return "site"


def _jobs(a: Raw, b: Raw, cause: Literal["jobs", "state"]) -> list[Raw]:
    """``a``'s jobs with ``b``'s progress, or ``b``'s jobs with ``a``'s progress where it knows them."""
    mine, theirs = ({job["id"]: job for job in raw.get("jobs", [])} for raw in (a, b))
    base, progress = (mine, theirs) if cause == "state" else (theirs, mine)
    found = []
    for i, job in base.items():
        other = progress.get(i)
        kept = {key: value for key, value in job.items() if other is None or key not in _PROGRESS}
        if other is not None:
            kept |= {key: other[key] for key in other if key in _PROGRESS}
        found.append(kept)
    return found
