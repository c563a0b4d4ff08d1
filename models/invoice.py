"""A month's invoice from a tariff and what the meter counted, line by line as a supplier writes it.

Energy is counted by the period that each moment of the site's clock lies in (a slot over a border is split there);
the demand charge is on the highest slot; taxes on energy and fixed charges follow, then value-added tax on all of it.
Amounts are rounded to cents line by line, as invoices are, so that the sum is the sum of what is printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from zoneinfo import ZoneInfo

from models.errors import Fault, InvalidInput
from models.horizon import Horizon, local_day, rfc3339
from models.tariff import Tariff, period_at, pieces_of


@dataclass(frozen=True, slots=True)
class Line:
    """``amount`` = ``quantity`` x ``price``, in the tariff's money; credits are negative."""

    name: str
    quantity: float
    unit: str
    price: float
    amount: float


@dataclass(frozen=True, slots=True)
class Invoice:
    """Lines, their sum, value-added tax and what is to be paid."""

    start: datetime
    end: datetime
    lines: tuple[Line, ...]
    net: float
    vat: float
    total: float


def month_of(year: int, month: int, zone: ZoneInfo, step: timedelta) -> Horizon:
    """Slots of a calendar month of the site's clock, whatever it does to its hours.

    Raises:
        InvalidInput: ``step`` does not divide the month.
    """
    start, _ = local_day(date(year, month, 1), zone)
    end, _ = local_day(date(year + month // 12, month % 12 + 1, 1), zone)
    slots, rest = divmod(end - start, step)
    if rest:
        fault = Fault("step", "unfit_step", f"{step} does not divide {year}-{month:02}; use a quarter of an hour")
        raise InvalidInput("the invoice", [fault])
    return Horizon(start, step, slots)


def invoice(
    tariff: Tariff, horizon: Horizon, zone: ZoneInfo, import_mw: Sequence[float], export_mw: Sequence[float] = ()
) -> Invoice:
    """Invoice of what was drawn and given back on the slots of ``horizon`` (one billing period).

    Args:
        tariff: of the supplier.
        horizon: the billing period, see :func:`month_of`.
        zone: the site's clock.
        import_mw: mean power of each slot, shape ``(slots,)``, at least 0.
        export_mw: the same given back; empty: none.

    Raises:
        InvalidInput: wrong lengths, values that are missing or negative; each kind with its first place.
    """
    given = list(export_mw) or [0.0] * horizon.slots
    _check(horizon, import_mw, given)
    drawn: dict[str, dict[float, float]] = {}
    back: dict[float, float] = {}
    width, count = pieces_of(horizon)
    hours = width / timedelta(hours=1)
    for k, start in enumerate(horizon.starts()):
        for piece in range(count):
            period = period_at(tariff, start + piece * width, zone)
            priced = drawn.setdefault(period.name, {})
            priced[period.price_per_mwh] = priced.get(period.price_per_mwh, 0.0) + import_mw[k] * hours
            sold = tariff.export_price_per_mwh if period.export_price_per_mwh is None else period.export_price_per_mwh
            back[sold] = back.get(sold, 0.0) + given[k] * hours
    lines = [_line(name, mwh, "MWh", price) for name, rows in drawn.items() for price, mwh in rows.items() if mwh]
    total_mwh = sum(mwh for rows in drawn.values() for mwh in rows.values())
    lines += [_line("export", -mwh, "MWh", price) for price, mwh in back.items() if mwh]
    if tariff.demand_charge_per_mw:
        lines.append(_line("demand", max(import_mw), "MW", tariff.demand_charge_per_mw))
    if tariff.fixed_per_month:
        lines.append(_line("fixed", 1.0, "month", tariff.fixed_per_month))
    if tariff.tax_per_mwh:
        lines.append(_line("energy tax", total_mwh, "MWh", tariff.tax_per_mwh))
    net = round(sum(line.amount for line in lines), 2)
    vat = round(net * tariff.vat_rate, 2)
    return Invoice(horizon.start, horizon.end, tuple(lines), net, vat, round(net + vat, 2))


def _line(name: str, quantity: float, unit: str, price: float) -> Line:
    return Line(name, round(quantity, 6), unit, price, round(quantity * price, 2))


def _check(horizon: Horizon, import_mw: Sequence[float], export_mw: Sequence[float]) -> None:
    faults = []
    for name, values in (("import_mw", import_mw), ("export_mw", export_mw)):
        if len(values) != horizon.slots:
            message = f"{len(values)} values for {horizon.slots} slots from {rfc3339(horizon.start)}; give one a slot"
            faults.append(Fault(name, "length", message))
            continue
        missing = [k for k, value in enumerate(values) if not isfinite(value)]
        if missing:
            at = rfc3339(horizon.at(missing[0]).astimezone(UTC))
            message = f"{len(missing)} slot(s) missing, the first at {at}; fill them from the meter's own record"
            faults.append(Fault(f"{name}.{missing[0]}", "missing", message))
        below = next((k for k, value in enumerate(values) if value < 0), None)
        if below is not None:
            message = f"{values[below]:g} MW; imports and exports are given apart, both at least 0"
            faults.append(Fault(f"{name}.{below}", "negative", message))
    if faults:
        raise InvalidInput("the invoice", faults)
