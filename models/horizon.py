"""Slots and time: half-open ``[start, start + k*step)`` in UTC, and the local days of a zone.

Everything inside is UTC; a zone is used for tariffs, days and display only. Zone rules come from
the ``tzdata`` distribution alone (:func:`use_packaged_time_zones`), because a system's older files
are wrong wherever a decree changed the rules (Morocco stays on UTC+0 since 2026-09-20).
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def use_packaged_time_zones() -> None:
    """Make the ``tzdata`` distribution the only source of zone rules; call before the first zone."""
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()


def parse_rfc3339(text: str) -> datetime:
    """Instant in UTC from an RFC 3339 text with an offset.

    Raises:
        ValueError: not RFC 3339, no offset, or no such instant.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an RFC 3339 time with an offset, such as 2026-06-01T00:00:00Z")
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    micro = int((match[7] or "0").ljust(6, "0")[:6])
    zone = match[8].upper()
    moment = datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
    if zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 23 or minutes > 59:
            raise ValueError(f"{text!r} has an offset beyond 23:59")
        shift = timedelta(hours=hours, minutes=minutes)
        try:
            moment = moment - shift if zone[0] == "+" else moment + shift
        except OverflowError:
            raise ValueError(f"{text!r} lies outside the years 1 to 9999") from None
    return moment


def rfc3339(moment: datetime) -> str:
    """RFC 3339 text with ``Z``; fractions only where there are any.

    Raises:
        ValueError: ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Horizon:
    """``slots`` half-open slots of ``step`` from ``start`` (an aware instant, kept in UTC)."""

    start: datetime
    step: timedelta
    slots: int

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError(f"horizon start {self.start!r} has no time zone")
        object.__setattr__(self, "start", self.start.astimezone(UTC))

    @property
    def step_h(self) -> float:
        """Length of a slot in hours."""
        return self.step / timedelta(hours=1)

    @property
    def end(self) -> datetime:
        """First instant after the last slot."""
        return self.at(self.slots)

    def at(self, slot: int) -> datetime:
        """First instant of ``slot`` (may lie outside the horizon)."""
        return self.start + slot * self.step

    def border(self, moment: datetime) -> int:
        """Number of the slot that begins at ``moment``; negative before the horizon.

        Raises:
            ValueError: ``moment`` is not on a slot border.
        """
        number, rest = divmod(moment - self.start, self.step)
        if rest:
            raise ValueError(f"{rfc3339(moment)} is not on a slot border of {self.step} from {rfc3339(self.start)}")
        return number

    def slot(self, moment: datetime) -> int:
        """Slot that contains ``moment``; may lie outside ``0..slots-1``."""
        return (moment - self.start) // self.step

    def starts(self) -> list[datetime]:
        """First instant of each slot."""
        return [self.at(k) for k in range(self.slots)]


def local_day(day: date, zone: zoneinfo.ZoneInfo) -> tuple[datetime, datetime]:
    """First instant of a local day and of the next one, in UTC (23, 24 or 25 hours apart)."""

    def midnight(d: date) -> datetime:
        return datetime(d.year, d.month, d.day, tzinfo=zone).astimezone(UTC)

    return midnight(day), midnight(day + timedelta(days=1))


def local_days(start: datetime, end: datetime, zone: zoneinfo.ZoneInfo) -> Iterator[tuple[date, datetime, datetime]]:
    """The local days that ``[start, end)`` touches, each with its instants cut to it, in UTC."""
    day = start.astimezone(zone).date()
    while True:
        first, last = local_day(day, zone)
        if first >= end:
            return
        yield day, max(first, start.astimezone(UTC)), min(last, end.astimezone(UTC))
        day += timedelta(days=1)
