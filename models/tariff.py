"""A time-of-use tariff as data, and its prices on any horizon.

Hours, days and months are those of the site's clock; a day of 23 or 25 hours needs no special case,
because each slot asks the clock what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import gcd
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, Strict

from models.checking import AtLeast0, Checked, Fraction, Name, Number, Text
from models.errors import Fault
from models.horizon import Horizon

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Month = Annotated[int, Strict(), Field(ge=1, le=12)]
Hour = Annotated[float, Strict(), Field(ge=0, le=24, multiple_of=0.25)]


class Season(Checked):
    """Months of the year that share their hours."""

    name: Name
    months: tuple[Month, ...] = Field(min_length=1, description="1 = January")


class Period(Checked):
    """Hours with one price."""

    name: Name = Field(description="e.g. peak, shoulder, off-peak")
    season: Name | None = Field(None, description="none: every season")
    hours: tuple[tuple[Hour, Hour], ...] = Field(
        min_length=1, description="[from, to) of the local clock, e.g. [[22, 24], [0, 7]]; in quarter hours"
    )
    days: tuple[Day, ...] = DAYS
    price_per_mwh: Number
    export_price_per_mwh: Number | None = Field(None, description="none: the tariff's own")

    def faults(self) -> Iterable[Fault]:
        """Hours that run backwards."""
        for k, (first, last) in enumerate(self.hours):
            if first >= last:
                mend = f"split it at midnight: [{first:g}, 24] and [0, {last:g}]" if last else f"write [{first:g}, 24]"
                yield Fault(f"hours[{k}]", "hours_backwards", f"[{first:g}, {last:g}] ends before it begins; {mend}")


class Tariff(Checked):
    """Import and export prices by season, day and hour, and the charge on the month's highest import."""

    note: Text = Field("", description="where the figures are from; say 'assumed' where they are")
    seasons: tuple[Season, ...] = ()
    periods: tuple[Period, ...] = Field(min_length=1)
    export_price_per_mwh: Number = 0.0
    demand_charge_per_mw: AtLeast0 = Field(0.0, description="per MW of the month's highest import slot")
    holidays: tuple[date, ...] = Field((), description="local days on which holiday_as counts")
    holiday_as: Day = "sun"
    tax_per_mwh: AtLeast0 = Field(0.0, description="added to every import price")
    fixed_per_month: AtLeast0 = Field(0.0, description="on the invoice whatever is drawn; no plan can change it")
    vat_rate: Fraction = Field(0.0, description="on the whole invoice; 0 where it is deducted, as companies do")

    def faults(self) -> Iterable[Fault]:
        """Months and hours that no season or period covers, or that two cover."""
        names = [season.name for season in self.seasons]
        yield from _twice("seasons", names)
        if self.seasons:
            yield from _cover("seasons", "month", range(1, 13), [s.months for s in self.seasons], names)
        unknown = False
        for k, period in enumerate(self.periods):
            if period.season is not None and period.season not in names:
                unknown = True
                yield Fault(
                    f"periods[{k}].season",
                    "unknown_season",
                    f"{period.season!r} is no season of this tariff; known: {', '.join(names) or 'none'}",
                )
        if unknown:
            return
        every: list[str | None] = [*names] or [None]
        for season in every:
            for day in DAYS:
                fits = [p for p in self.periods if p.season in (None, season) and day in p.days]
                where = f" on {day}" + (f" in season {season}" if season else "")
                spans = [[q for a, b in p.hours for q in range(round(a * 4), round(b * 4))] for p in fits]
                yield from _cover("periods", "quarter hour", range(96), spans, [p.name for p in fits], where)


def _twice(place: str, names: list[str]) -> Iterator[Fault]:
    for k, name in enumerate(names):
        if name in names[:k]:
            yield Fault(f"{place}[{k}].name", "duplicate_name", f"{name!r} stands twice; rename one")


def _cover(
    place: str, unit: str, wanted: range, spans: Iterable[Iterable[int]], names: list[str], where: str = ""
) -> Iterator[Fault]:
    owners: dict[int, list[str]] = {item: [] for item in wanted}
    for name, span in zip(names, spans, strict=True):
        for item in span:
            owners[item].append(name)
    holes = [item for item, owner in owners.items() if not owner]
    doubles = [item for item, owner in owners.items() if len(owner) > 1]
    if holes:
        yield Fault(place, "not_covered", f"no one covers {_span(holes, unit)}{where}; add it to one")
    if doubles:
        both = " and ".join(dict.fromkeys(owners[doubles[0]]))
        yield Fault(place, "covered_twice", f"{both} both cover {_span(doubles, unit)}{where}; take it from one")


def _span(items: list[int], unit: str) -> str:
    if unit == "month":
        return f"month {', '.join(map(str, items))}"
    first = items[0]
    last = first
    while last + 1 in items:
        last += 1
    return f"{first // 4:02}:{first % 4 * 15:02}-{(last + 1) // 4:02}:{(last + 1) % 4 * 15:02}"


@dataclass(frozen=True, slots=True)
class Prices:
    """Per slot of a horizon: import and export price per MWh, and the name of the period it begins in."""

    import_per_mwh: list[float]
    export_per_mwh: list[float]
    period: list[str]


def period_at(tariff: Tariff, moment: datetime, zone: ZoneInfo) -> Period:
    """The period that holds at ``moment`` (aware)."""
    clock = moment.astimezone(zone)
    day = tariff.holiday_as if clock.date() in tariff.holidays else DAYS[clock.weekday()]
    season = next((s.name for s in tariff.seasons if clock.month in s.months), None)
    hour = clock.hour + clock.minute / 60
    return next(
        p
        for p in tariff.periods
        if p.season in (None, season) and day in p.days and any(a <= hour < b for a, b in p.hours)
    )


def pieces_of(horizon: Horizon) -> tuple[timedelta, int]:
    """Parts of a slot that lie each in one period, and how many of them make a slot: borders are quarter hours."""
    step = int(horizon.step / timedelta(minutes=1))
    piece = gcd(step, 15, horizon.start.minute)
    exact = horizon.start.second == 0 and horizon.start.microsecond == 0
    count = step // piece if exact else step
    return horizon.step / count, count


def prices(tariff: Tariff, horizon: Horizon, zone: ZoneInfo) -> Prices:
    """Mean price of each slot, per MWh, in the site's currency; ``period`` names the one a slot begins in."""
    width, count = pieces_of(horizon)
    paid: list[float] = []
    sold: list[float] = []
    names: list[str] = []
    for start in horizon.starts():
        found = [period_at(tariff, start + k * width, zone) for k in range(count)]
        paid.append(sum(p.price_per_mwh for p in found) / count + tariff.tax_per_mwh)
        sold.append(
            sum(
                tariff.export_price_per_mwh if p.export_price_per_mwh is None else p.export_price_per_mwh for p in found
            )
            / count
        )
        names.append(found[0].name)
    return Prices(paid, sold, names)
