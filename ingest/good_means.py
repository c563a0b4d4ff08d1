"""What may be believed, as means or the newest: a planner asks for it, a page or an invoice for values as they came.

Values that the quality gate flagged BAD, and that nobody released since, are left out of their slot's mean; a slot that
has no others is missing. Nothing takes their place here: who plans says what is used instead, and how old it is. Flags
are known as long as raw values are kept; of older slots the store's own means hold. Light until it is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ingest.points import from_ns
from ingest.ports import Sample, TelemetryStore
from ingest.quarantine import bad_at

if TYPE_CHECKING:
    from models.series import Series


def good_means(
    store: TelemetryStore, metric: str, tags: Mapping[str, str], start: datetime, end: datetime, step: timedelta
) -> Series:
    """As :meth:`ingest.ports.TelemetryStore.query` for one series, of values that are not BAD; ``source`` says how many
    were left out.

    Raises:
        InvalidInput, NotFound, StoreUnavailable: as the store's own means.
    """
    found = store.query(metric, tags, start, end, step)
    bad = bad_at(store, metric, tags, start, end)
    if not bad:
        return found
    values = found.values.copy()
    for first, last in _runs(sorted({(from_ns(at) - start) // step for at in bad})):
        good: dict[int, list[float]] = {slot: [] for slot in range(first, last)}
        for one in store.raw(metric, tags, start + first * step, start + last * step):
            if one.time_ns not in bad:
                good[(from_ns(one.time_ns) - start) // step].append(float(one.value))
        for slot, kept in good.items():
            values[slot] = sum(kept) / len(kept) if kept else float("nan")
    return replace(found, values=values, source=f"{found.source}; {len(bad)} value(s) flagged BAD left out")


def last_good(
    store: TelemetryStore, metric: str, tags: Mapping[str, str], start: datetime, end: datetime
) -> Sample | None:
    """The newest value of exactly this series in ``[start, end)`` that is not BAD; None where there is none.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    readings = [one for one in store.raw(metric, tags, start, end) if dict(one.tags) == dict(tags)]
    bad = bad_at(store, metric, tags, start, end) if readings else {}
    return next((one for one in reversed(readings) if one.time_ns not in bad), None)


def _runs(slots: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Half-open runs of consecutive slots, so that each is read once."""
    first = last = -1
    for slot in slots:
        if slot != last:
            if first >= 0:
                yield first, last
            first = slot
        last = slot + 1
    if first >= 0:
        yield first, last
