"""Slots, RFC 3339 and the local days of zones that change their clocks, one by a decree of 2026."""

from __future__ import annotations

import itertools
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.horizon import Horizon, local_day, local_days, parse_rfc3339, rfc3339, use_packaged_time_zones

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)


@pytest.fixture(autouse=True)
def packaged_zones() -> Iterator[None]:
    """Zone rules from the tzdata distribution, as in the service; afterwards as they were."""
    before = zoneinfo.TZPATH
    use_packaged_time_zones()
    yield
    zoneinfo.reset_tzpath(to=before)
    zoneinfo.ZoneInfo.clear_cache()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


# ---- RFC 3339


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-01T00:00:00Z", utc(2026, 6, 1)),
        ("2026-06-01t00:00:00z", utc(2026, 6, 1)),
        ("2026-06-01 00:00:00Z", utc(2026, 6, 1)),
        ("2026-06-01T01:00:00+01:00", utc(2026, 6, 1)),
        ("2026-05-31T18:30:00-05:30", utc(2026, 6, 1)),
        ("2026-06-01T00:00:00-00:00", utc(2026, 6, 1)),
        ("2026-06-01T00:00:00+23:59", utc(2026, 5, 31, 0, 1)),
        ("2026-06-01T00:00:00.5Z", utc(2026, 6, 1, 0, 0, 0, 500_000)),
        ("2026-06-01T00:00:00.123456789Z", utc(2026, 6, 1, 0, 0, 0, 123_456)),
        ("2024-02-29T12:00:00Z", utc(2024, 2, 29, 12)),
    ],
)
def test_an_instant_is_read_in_utc(text: str, moment: datetime) -> None:
    read = parse_rfc3339(text)
    assert read == moment
    assert read.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-06-01",
        "2026-06-01T00:00:00",
        "2026-06-01T00:00Z",
        "2026-06-01T00:00:00+0100",
        "2026-06-01T00:00:00+01",
        "2026-06-01T00:00:00+24:00",
        "2026-06-01T00:00:00+01:60",
        "2026-06-01T24:00:00Z",
        "2026-06-01T00:00:60Z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-06-01T00:00:00Z ",
        " 2026-06-01T00:00:00Z",
        "2026-06-01T00:00:00.Z",
        "2026-06-01T00:00:00.1234567890Z",
        "20260601T000000Z",
        "2026-W23-1T00:00:00Z",
        "1781222400",
        "now",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00Z",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_rfc3339(text)


@pytest.mark.parametrize("text", ["２０２６-06-01T00:00:00Z", "2026-06-01T00:00:0٠Z"])
def test_only_ascii_digits_are_digits(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_rfc3339(text)


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))
def test_what_is_written_is_read_back(moment: datetime) -> None:
    assert parse_rfc3339(rfc3339(moment)) == moment


def test_it_is_written_in_utc_with_z() -> None:
    assert rfc3339(datetime(2026, 6, 1, 1, tzinfo=timezone(HOUR))) == "2026-06-01T00:00:00Z"
    assert rfc3339(utc(2026, 6, 1, 0, 0, 0, 250_000)) == "2026-06-01T00:00:00.250000Z"


def test_a_time_without_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="time zone"):
        rfc3339(datetime(2026, 6, 1))


# ---- slots


def test_a_horizon_is_kept_in_utc() -> None:
    horizon = Horizon(datetime(2026, 6, 1, 1, tzinfo=timezone(HOUR)), QUARTER, 96)
    assert horizon.start == utc(2026, 6, 1)
    assert horizon.start.tzinfo is UTC
    assert horizon.step_h == 0.25
    assert horizon.end == utc(2026, 6, 2)
    assert horizon.starts()[:2] == [utc(2026, 6, 1), utc(2026, 6, 1, 0, 15)]
    assert len(horizon.starts()) == 96


def test_a_horizon_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Horizon(datetime(2026, 6, 1), QUARTER, 96)


@pytest.mark.parametrize(
    ("moment", "border", "slot"),
    [
        (utc(2026, 6, 1), 0, 0),
        (utc(2026, 6, 1, 0, 14, 59), None, 0),
        (utc(2026, 6, 1, 0, 15), 1, 1),
        (utc(2026, 6, 1, 23, 45), 95, 95),
        (utc(2026, 6, 2), 96, 96),
        (utc(2026, 5, 31, 23, 45), -1, -1),
        (utc(2026, 5, 31, 23, 50), None, -1),
        (datetime(2026, 6, 1, 2, tzinfo=timezone(HOUR)), 4, 4),
        (utc(2026, 6, 1, 0, 15, 0, 1), None, 1),
    ],
)
def test_borders_are_half_open(moment: datetime, border: int | None, slot: int) -> None:
    horizon = Horizon(utc(2026, 6, 1), QUARTER, 96)
    assert horizon.slot(moment) == slot
    if border is None:
        with pytest.raises(ValueError, match="not on a slot border of 0:15:00"):
            horizon.border(moment)
    else:
        assert horizon.border(moment) == border
        assert horizon.at(border) == moment


@given(st.integers(-5000, 5000), st.integers(1, 60), st.integers(0, 3_599))
def test_a_slot_contains_its_instants(slot: int, minutes: int, seconds: int) -> None:
    horizon = Horizon(utc(2026, 6, 1), timedelta(minutes=minutes), 10)
    moment = horizon.at(slot) + timedelta(seconds=seconds % (60 * minutes))
    assert horizon.slot(moment) == slot
    assert horizon.at(slot) <= moment < horizon.at(slot + 1)


# ---- local days; Morocco's clocks: UTC+0 in Ramadan 2026, and for good from 2026-09-20

DAYS = [
    # zone, day, its first instant, its hours
    ("Africa/El_Aaiun", date(2026, 2, 14), utc(2026, 2, 13, 23), 24),
    ("Africa/El_Aaiun", date(2026, 2, 15), utc(2026, 2, 14, 23), 25),
    ("Africa/El_Aaiun", date(2026, 2, 16), utc(2026, 2, 16), 24),
    ("Africa/El_Aaiun", date(2026, 3, 21), utc(2026, 3, 21), 24),
    ("Africa/El_Aaiun", date(2026, 3, 22), utc(2026, 3, 22), 23),
    ("Africa/El_Aaiun", date(2026, 3, 23), utc(2026, 3, 22, 23), 24),
    ("Africa/El_Aaiun", date(2026, 9, 19), utc(2026, 9, 18, 23), 24),
    ("Africa/El_Aaiun", date(2026, 9, 20), utc(2026, 9, 19, 23), 25),
    ("Africa/El_Aaiun", date(2026, 9, 21), utc(2026, 9, 21), 24),
    ("Africa/El_Aaiun", date(2027, 1, 15), utc(2027, 1, 15), 24),
    ("Africa/Casablanca", date(2026, 9, 21), utc(2026, 9, 21), 24),
    ("Europe/Paris", date(2026, 3, 29), utc(2026, 3, 28, 23), 23),
    ("Europe/Paris", date(2026, 10, 25), utc(2026, 10, 24, 22), 25),
    ("Europe/Paris", date(2026, 6, 1), utc(2026, 5, 31, 22), 24),
    ("UTC", date(2026, 6, 1), utc(2026, 6, 1), 24),
]


@pytest.mark.parametrize(("zone", "day", "first", "hours"), DAYS, ids=[f"{z}-{d}" for z, d, _, _ in DAYS])
def test_a_local_day_has_its_hours(zone: str, day: date, first: datetime, hours: int) -> None:
    begin, end = local_day(day, zoneinfo.ZoneInfo(zone))
    assert (begin, end) == (first, first + hours * HOUR)
    assert begin.utcoffset() == end.utcoffset() == timedelta(0)


@pytest.mark.parametrize("month", range(10, 13))
def test_morocco_stays_on_utc_after_the_decree(month: int) -> None:
    zone = zoneinfo.ZoneInfo("Africa/El_Aaiun")
    for day in (1, 15, 28):
        assert datetime(2026, month, day, 12, tzinfo=zone).utcoffset() == timedelta(0)


@pytest.mark.parametrize("year", [2027, 2028, 2030])
def test_and_ramadan_changes_nothing_any_more(year: int) -> None:
    zone = zoneinfo.ZoneInfo("Africa/El_Aaiun")
    days = (date(year, 1, 1) + timedelta(days=k) for k in range(365))
    assert {end - begin for begin, end in (local_day(day, zone) for day in days)} == {24 * HOUR}


def test_days_of_a_stretch_are_cut_to_it() -> None:
    zone = zoneinfo.ZoneInfo("Africa/El_Aaiun")
    start, end = utc(2026, 2, 14, 12), utc(2026, 2, 16, 6)
    assert list(local_days(start, end, zone)) == [
        (date(2026, 2, 14), start, utc(2026, 2, 14, 23)),
        (date(2026, 2, 15), utc(2026, 2, 14, 23), utc(2026, 2, 16)),
        (date(2026, 2, 16), utc(2026, 2, 16), end),
    ]


@given(
    st.sampled_from(["Africa/El_Aaiun", "Europe/Paris", "Asia/Kathmandu", "America/New_York"]),
    st.integers(0, 365 * 24 * 4),
    st.integers(1, 800),
)
def test_days_cover_every_stretch_without_gap(zone: str, first: int, quarters: int) -> None:
    start = utc(2026, 1, 1) + first * QUARTER
    end = start + quarters * QUARTER
    days = list(local_days(start, end, zoneinfo.ZoneInfo(zone)))
    assert days[0][1] == start
    assert days[-1][2] == end
    for (day, begin, until), (next_day, next_begin, _) in itertools.pairwise(days):
        assert begin < until == next_begin
        assert next_day == day + timedelta(days=1)
