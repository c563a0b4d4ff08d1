"""Months by hand: what a supplier would write, to the cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.checking import validated
from models.errors import InvalidInput
from models.horizon import Horizon, use_packaged_time_zones
from models.invoice import invoice, month_of
from models.tariff import Tariff, prices

use_packaged_time_zones()
QUARTER = timedelta(minutes=15)
LAAYOUNE = ZoneInfo("Africa/El_Aaiun")
PARIS = ZoneInfo("Europe/Paris")
SEASONAL = {
    "seasons": [
        {"name": "winter", "months": [10, 11, 12, 1, 2, 3]},
        {"name": "summer", "months": [4, 5, 6, 7, 8, 9]},
    ],
    "periods": [
        {"name": "off-peak", "season": "winter", "hours": [[0, 7], [22, 24]], "price_per_mwh": 700},
        {"name": "shoulder", "season": "winter", "hours": [[7, 17]], "price_per_mwh": 960},
        {"name": "peak", "season": "winter", "hours": [[17, 22]], "price_per_mwh": 1340},
        {"name": "off-peak", "season": "summer", "hours": [[0, 7], [23, 24]], "price_per_mwh": 710},
        {"name": "shoulder", "season": "summer", "hours": [[7, 18]], "price_per_mwh": 970},
        {"name": "peak", "season": "summer", "hours": [[18, 23]], "price_per_mwh": 1350},
    ],
    "demand_charge_per_mw": 42_000.0,
    "tax_per_mwh": 12.0,
    "fixed_per_month": 1_500.0,
    "vat_rate": 0.2,
}
WORKING = {
    "periods": [
        {"name": "day", "days": ["mon", "tue", "wed", "thu", "fri"], "hours": [[8, 20]], "price_per_mwh": 120},
        {
            "name": "night",
            "days": ["mon", "tue", "wed", "thu", "fri"],
            "hours": [[0, 8], [20, 24]],
            "price_per_mwh": 80,
        },
        {"name": "rest", "days": ["sat", "sun"], "hours": [[0, 24]], "price_per_mwh": 60, "export_price_per_mwh": 20},
    ],
    "export_price_per_mwh": 45.0,
    "holidays": ["2026-05-01", "2026-05-08", "2026-05-14", "2026-05-25"],
}


def tariff(raw, **changes):
    return validated(Tariff, {**raw, **changes}, "the tariff")


def test_february_at_laayoune_has_an_hour_more_because_ramadan_begins():
    # 28 days and the hour that comes twice on the 15th (before 03:00, so off-peak): 673 h.
    # Off-peak 9 h x 28 + 1 = 253 h, shoulder 10 h x 28 = 280 h, peak 5 h x 28 = 140 h, at 10 MW all month:
    #   2,530 MWh x 700 = 1,771,000; 2,800 x 960 = 2,688,000; 1,400 x 1,340 = 1,876,000
    #   demand 10 MW x 42,000 = 420,000; fixed 1,500; tax 6,730 MWh x 12 = 80,760
    #   net 6,837,260; VAT 20 % 1,367,452; to pay 8,204,712
    month = month_of(2026, 2, LAAYOUNE, QUARTER)
    assert month.slots == 673 * 4
    found = invoice(tariff(SEASONAL), month, LAAYOUNE, [10.0] * month.slots)
    assert [(line.name, line.quantity, line.amount) for line in found.lines] == [
        ("off-peak", 2530.0, 1_771_000.0),
        ("shoulder", 2800.0, 2_688_000.0),
        ("peak", 1400.0, 1_876_000.0),
        ("demand", 10.0, 420_000.0),
        ("fixed", 1.0, 1_500.0),
        ("energy tax", 6730.0, 80_760.0),
    ]
    assert (found.net, found.vat, found.total) == (6_837_260.0, 1_367_452.0, 8_204_712.0)


def test_may_in_paris_counts_holidays_as_sundays_and_pays_for_what_is_given_back():
    # May 2026 begins on a Friday: 21 working days, less the 1st and 8th (Fridays), the 14th (Thursday) and the 25th
    # (Monday), 17 are left; 14 days count as rest. 2 MW by day, 1 MW otherwise, and 0.5 MW given back at rest from
    # 12:00 to 16:00 and by working day from 12:00 to 13:00.
    #   day 17 x 12 h x 2 MW = 408 MWh x 120 = 48,960; night 17 x 12 h x 1 MW = 204 x 80 = 16,320
    #   rest 14 x 24 h x 1 MW = 336 x 60 = 20,160
    #   given back: 17 x 1 h x 0.5 = 8.5 MWh x 45 = -382.50; 14 x 4 h x 0.5 = 28 x 20 = -560
    month = month_of(2026, 5, PARIS, QUARTER)
    assert month.slots == 31 * 96
    drawn, back = [], []
    for start in month.starts():
        clock = start.astimezone(PARIS)
        rest = clock.weekday() >= 5 or clock.day in (1, 8, 14, 25)
        drawn.append(2.0 if not rest and 8 <= clock.hour < 20 else 1.0)
        back.append(0.5 if 12 <= clock.hour < (16 if rest else 13) else 0.0)
    found = invoice(tariff(WORKING), month, PARIS, drawn, back)
    assert {(line.name, line.price): (line.quantity, line.amount) for line in found.lines} == {
        ("day", 120): (408.0, 48_960.0),
        ("night", 80): (204.0, 16_320.0),
        ("rest", 60): (336.0, 20_160.0),
        ("export", 45.0): (-8.5, -382.5),
        ("export", 20): (-28.0, -560.0),
    }
    assert (found.net, found.vat, found.total) == (84_497.5, 0.0, 84_497.5)


def test_march_in_paris_has_an_hour_less():
    assert month_of(2026, 3, PARIS, QUARTER).slots == (31 * 24 - 1) * 4
    assert month_of(2026, 12, PARIS, QUARTER).end == datetime(2026, 12, 31, 23, tzinfo=UTC)


def test_a_slot_over_a_border_is_split_there():
    # 06:30 to 07:30 at 4 MW: half an hour before the border and half an hour after it.
    horizon = Horizon(datetime(2026, 1, 5, 6, 30, tzinfo=UTC), timedelta(hours=1), 1)
    found = invoice(tariff(SEASONAL, vat_rate=0.0), horizon, ZoneInfo("UTC"), [4.0])
    assert [(line.name, line.quantity) for line in found.lines[:2]] == [("off-peak", 2.0), ("shoulder", 2.0)]


@settings(max_examples=40)
@given(st.lists(st.floats(0, 50), min_size=8, max_size=8), st.integers(0, 95))
def test_an_invoice_is_what_the_plan_thought_it_would_pay(watts, quarter):
    horizon = Horizon(datetime(2026, 3, 2, tzinfo=UTC) + quarter * QUARTER, timedelta(minutes=30), 8)
    plain = tariff(SEASONAL, vat_rate=0.0, fixed_per_month=0.0)
    thought = prices(plain, horizon, LAAYOUNE).import_per_mwh
    expected = sum(mw * 0.5 * price for mw, price in zip(watts, thought, strict=True)) + max(watts) * 42_000
    assert invoice(plain, horizon, LAAYOUNE, watts).net == pytest.approx(expected, abs=0.05)


def test_what_is_missing_negative_or_too_short_is_named():
    month = month_of(2026, 2, LAAYOUNE, QUARTER)
    values = [1.0] * month.slots
    values[5] = float("nan")
    values[9] = -0.5
    with pytest.raises(InvalidInput) as caught:
        invoice(tariff(SEASONAL), month, LAAYOUNE, values, [0.0])
    text = str(caught.value)
    assert "1 slot(s) missing, the first at 2026-02-01T00:15:00Z" in text
    assert "-0.5 MW" in text
    assert f"1 values for {month.slots} slots" in text
    with pytest.raises(InvalidInput, match="does not divide"):
        month_of(2026, 2, LAAYOUNE, timedelta(minutes=7))
