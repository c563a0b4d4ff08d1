"""Prices of a time-of-use tariff, on days of 23, 24 and 25 hours."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from models.checking import validated
from models.errors import InvalidInput
from models.horizon import Horizon, local_day, use_packaged_time_zones
from models.tariff import Tariff, prices

use_packaged_time_zones()

RAW = {
    "seasons": [
        {"name": "winter", "months": [10, 11, 12, 1, 2, 3]},
        {"name": "summer", "months": [4, 5, 6, 7, 8, 9]},
    ],
    "periods": [
        {"name": "off-peak", "season": "winter", "hours": [[0, 7], [22, 24]], "price_per_mwh": 700},
        {"name": "shoulder", "season": "winter", "hours": [[7, 17]], "price_per_mwh": 960},
        {"name": "peak", "season": "winter", "hours": [[17, 22]], "price_per_mwh": 1340, "export_price_per_mwh": 210},
        {"name": "off-peak", "season": "summer", "hours": [[0, 7], [23, 24]], "price_per_mwh": 700},
        {"name": "shoulder", "season": "summer", "hours": [[7, 18]], "price_per_mwh": 960},
        {"name": "peak", "season": "summer", "hours": [[18, 23]], "price_per_mwh": 1340},
    ],
    "export_price_per_mwh": 180.0,
}


def tariff(**changes):
    return validated(Tariff, {**RAW, **changes}, "the tariff")


def day_of(day, zone, minutes=15):
    first, last = local_day(day, zone)
    step = timedelta(minutes=minutes)
    return Horizon(first, step, (last - first) // step)


@pytest.mark.parametrize(
    ("zone", "day", "slots", "off_peak"),
    [
        ("Africa/El_Aaiun", date(2026, 6, 3), 96, 32),
        ("Africa/El_Aaiun", date(2026, 2, 15), 100, 40),  # Ramadan begins: the hour before 03:00 comes twice
        ("Africa/El_Aaiun", date(2026, 3, 22), 92, 32),  # Ramadan ends: the hour from 02:00 is missing
        ("Europe/Paris", date(2026, 3, 29), 92, 32),
        ("Europe/Paris", date(2026, 10, 25), 100, 40),
    ],
)
def test_every_slot_of_a_local_day_has_the_price_of_its_own_clock(zone, day, slots, off_peak):
    horizon = day_of(day, ZoneInfo(zone))
    found = prices(tariff(), horizon, ZoneInfo(zone))
    assert horizon.slots == len(found.import_per_mwh) == len(found.export_per_mwh) == slots
    assert Counter(found.period)["peak"] == 20
    assert Counter(found.period)["off-peak"] == off_peak
    for start, price, name in zip(horizon.starts(), found.import_per_mwh, found.period, strict=True):
        assert price == {"off-peak": 700, "shoulder": 960, "peak": 1340}[name]
        hour = start.astimezone(ZoneInfo(zone)).hour
        assert (name == "off-peak") == (hour < 7 or hour >= (23 if day.month in range(4, 10) else 22))


def test_el_aaiun_stays_on_utc_after_the_decree_of_september_2026():
    zone = ZoneInfo("Africa/El_Aaiun")
    found = prices(tariff(), day_of(date(2026, 11, 25), zone), zone)
    assert found.period.index("peak") == 17 * 4
    assert datetime(2026, 11, 25, 12, tzinfo=UTC).astimezone(zone).hour == 12


def test_a_slot_that_spans_two_periods_has_their_mean():
    horizon = Horizon(datetime(2026, 1, 5, 6, 30, tzinfo=UTC), timedelta(hours=1), 2)
    found = prices(tariff(), horizon, ZoneInfo("UTC"))
    assert found.import_per_mwh == [(700 + 960) / 2, 960]


def test_a_holiday_counts_as_the_day_it_is_told_to_be():
    periods = [
        {"name": "work", "days": ["mon", "tue", "wed", "thu", "fri"], "hours": [[0, 24]], "price_per_mwh": 100},
        {"name": "rest", "days": ["sat", "sun"], "hours": [[0, 24]], "price_per_mwh": 50},
    ]
    raw = tariff(seasons=[], periods=periods, holidays=["2026-05-01"])
    horizon = Horizon(datetime(2026, 4, 30, tzinfo=UTC), timedelta(hours=1), 72)
    assert [prices(raw, horizon, ZoneInfo("UTC")).import_per_mwh[h] for h in (0, 24, 48)] == [100, 50, 50]


def test_export_price_of_a_period_wins_over_the_tariffs_own():
    horizon = Horizon(datetime(2026, 1, 5, 16, tzinfo=UTC), timedelta(hours=1), 2)
    assert prices(tariff(), horizon, ZoneInfo("UTC")).export_per_mwh == [180, 210]


def test_holes_doubles_and_backward_hours_are_named_all_at_once():
    periods = [dict(p) for p in RAW["periods"]]
    periods[1]["hours"] = [[8, 18]]
    with pytest.raises(InvalidInput) as caught:
        tariff(periods=periods)
    text = str(caught.value)
    assert "07:00-08:00 on mon in season winter" in text
    assert "shoulder and peak both cover 17:00-18:00" in text
    periods[0]["hours"] = [[22, 7]]
    with pytest.raises(InvalidInput, match=r"split it at midnight: \[22, 24\] and \[0, 7\]"):
        tariff(periods=periods)


def test_a_month_in_no_season_and_an_unknown_season_are_refused():
    with pytest.raises(InvalidInput, match="no one covers month 9"):
        tariff(seasons=[RAW["seasons"][0], {"name": "summer", "months": [4, 5, 6, 7, 8]}])
    with pytest.raises(InvalidInput, match="'autumn' is no season of this tariff; known: winter, summer"):
        tariff(periods=[{"name": "x", "season": "autumn", "hours": [[0, 24]], "price_per_mwh": 1}])
