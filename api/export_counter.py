"""What a site has exported in the running year of its clock: by the meter, and by the plans where it was not believed.

A counter of a year has to outlive restarts and late meters. It is kept with the plan in force: what is settled until an
instant, and since then what the plans had in each slot. Every round reads the meter for those slots again, so that
values which arrive late (a spool that is sent after an outage) still count; after two days a slot is settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from api.following import horizon_of
from api.plan_store import Edition
from ingest.errors import StoreUnavailable
from ingest.good_means import good_means
from ingest.ports import TelemetryStore
from models.errors import NotFound
from models.horizon import parse_rfc3339, rfc3339
from models.site import Site

LATE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Exports:
    """``settled_mwh`` of the year before ``since``, and MWh that the plans had in each slot from there on."""

    settled_mwh: float
    since: datetime
    step: timedelta
    planned_mwh: tuple[float, ...] = ()

    @property
    def until(self) -> datetime:
        """End of the slots that it counts."""
        return self.since + len(self.planned_mwh) * self.step

    def to_json(self) -> dict[str, Any]:
        """As it is kept with the plan."""
        return {
            "settled_mwh": self.settled_mwh,
            "since": rfc3339(self.since),
            "step_minutes": self.step / timedelta(minutes=1),
            "planned_mwh": list(self.planned_mwh),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Exports:
        """As it was kept."""
        step = timedelta(minutes=raw["step_minutes"])
        return cls(raw["settled_mwh"], parse_rfc3339(raw["since"]), step, tuple(raw["planned_mwh"]))


def followed_exports(site: Site, kept: Mapping[str, Any] | None, edition: Edition | None, start: datetime) -> Exports:
    """The counter at ``start`` if the plan of ``edition`` was carried out; beyond its end nothing was exported.

    A counter that nobody kept begins with what the site file assumes. Slots of another length are settled first.
    """
    if kept is None or kept.get("exports") is None:
        return Exports(site.budgets.exported_assumed_mwh, start, site.planning.step)
    counter = Exports.from_json(kept["exports"])
    more = []
    at = counter.until
    while at + counter.step <= start:
        more.append(_planned_mwh(edition, at))
        at += counter.step
    counter = replace(counter, planned_mwh=(*counter.planned_mwh, *more))
    if counter.step != site.planning.step or counter.until != start:
        year = start.astimezone(site.zone).year
        settled = counter.settled_mwh if counter.since.astimezone(site.zone).year == year else 0.0
        for k, mwh in enumerate(counter.planned_mwh):
            settled += mwh if (counter.since + k * counter.step).astimezone(site.zone).year == year else 0.0
        counter = Exports(settled, start, site.planning.step)
    return counter


def _planned_mwh(edition: Edition | None, at: datetime) -> float:
    if edition is None or edition["plan"].get("series") is None:
        return 0.0
    horizon = horizon_of(edition)
    slot = horizon.slot(at)
    exported: list[float] = edition["plan"]["series"]["export_mw"]
    return exported[slot] * horizon.step_h if 0 <= slot < horizon.slots else 0.0


def counted(site: Site, store: TelemetryStore, exports: Exports) -> tuple[Exports, float, str]:
    """The counter with what is settled now, MWh of the year so far, and by how much of it the meter tells."""
    metered = _metered_mwh(site, store, exports)
    slots = [planned if known is None else known for planned, known in zip(exports.planned_mwh, metered, strict=True)]
    settled, since = exports.settled_mwh, exports.since
    told = sum(known is not None for known in metered)
    # what lies in another year than the slot that begins now counts no more
    year = exports.until.astimezone(site.zone).year
    planned = list(exports.planned_mwh)
    while slots and (since.astimezone(site.zone).year != year or since < exports.until - LATE):
        fresh = since.astimezone(site.zone).year == year
        gone = slots.pop(0)
        planned.pop(0)
        settled = round(settled + gone, 9) if fresh else 0.0
        since += exports.step
    kept = Exports(settled, since, exports.step, tuple(planned))
    how = f"exports of the year: the last {len(metered)} slots, {told} of them as metered, the rest as planned"
    return kept, round(settled + sum(slots), 9), how


def _metered_mwh(site: Site, store: TelemetryStore, exports: Exports) -> list[float | None]:
    if not exports.planned_mwh:
        return []
    hours = exports.step / timedelta(hours=1)
    nothing: list[float | None] = [None] * len(exports.planned_mwh)
    try:
        found = good_means(
            store, "site.export_mw", {"site": site.name}, exports.since, exports.until, exports.step
        ).values
    except (NotFound, StoreUnavailable):
        return nothing
    return [float(mean) * hours if mean == mean else None for mean in found]
