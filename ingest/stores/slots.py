"""Samples of several series, joined into one regular series: the same arithmetic for every store.

Imported only by reads: it pulls in NumPy, which the web process does without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import numpy as np

from ingest.catalogue import unit_of
from ingest.points import INT64_MAX, INT64_MIN, Tags, to_ns
from ingest.ports import Across
from models.errors import Fault, InvalidInput, NotFound
from models.horizon import rfc3339
from models.series import Series, Values

MAX_SLOTS = 1_000_000


def slot_count(start: datetime, end: datetime, step: timedelta) -> int:
    """Slots of ``step`` in ``[start, end)``.

    Raises:
        InvalidInput: a time without a zone, a step that is not positive, an empty range, one that
            is no multiple of the step, or more than a million slots.
    """
    faults = [
        Fault(name, "no_time_zone", f"{moment.isoformat()} has no time zone; give it one")
        for name, moment in (("start", start), ("end", end))
        if moment.tzinfo is None
    ]
    if step <= timedelta(0):
        faults.append(Fault("step", "not_positive", f"a step of {step} is not positive"))
    if not faults:
        count, rest = divmod(end - start, step)
        if count < 1 or rest:
            told = f"{rfc3339(start)} to {rfc3339(end)} is no whole number of slots of {step}"
            faults.append(Fault("end", "not_on_border", f"{told}; end on a slot border after the start"))
        elif not (to_ns(start) >= INT64_MIN and to_ns(end) <= INT64_MAX):
            faults.append(Fault("start", "out_of_range", "instants lie within the years 1678 to 2261"))
        elif count > MAX_SLOTS:
            faults.append(Fault("step", "too_many", f"{count} slots; ask for at most {MAX_SLOTS}"))
        else:
            return count
    raise InvalidInput("the query", faults)


def join(
    metric: str,
    tags: Mapping[str, str],
    start: datetime,
    step: timedelta,
    count: int,
    means: Mapping[Tags, Mapping[int, float]],
    across: Across,
    store: str,
    as_of: datetime | None = None,
) -> Series:
    """One series of ``count`` slots from the slot means of each matching series (slot → mean), known at ``as_of``.

    Raises:
        InvalidInput: ``across`` is "one" and several series match.
        NotFound: there is none.
    """
    if not means:
        told = ", ".join(f"{key}={value}" for key, value in sorted(tags.items())) or "any tags"
        raise NotFound("series with numeric samples in the range", f"{metric} ({told})")
    if across == "one" and len(means) > 1:
        some = "; ".join(",".join(f"{k}={v}" for k, v in found) for found in sorted(means)[:3])
        message = f"{len(means)} series match, such as {some}; name more tags or say how to join them"
        raise InvalidInput("the query", [Fault("across", "ambiguous", message)])
    table = np.full((len(means), count), np.nan)
    for row, found in zip(table, (means[key] for key in sorted(means)), strict=True):
        row[list(found)] = list(found.values())
    joins: dict[Across, Callable[..., Values]] = {
        "one": np.sum,
        "sum": np.sum,
        "mean": np.mean,
        "max": np.max,
        "min": np.min,
    }
    return Series(start, step, joins[across](table, axis=0), unit_of(metric), f"{store}:{metric}", False, as_of)
