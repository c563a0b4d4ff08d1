from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from api.pages.clock import borders, labels, ticks
from models.horizon import Horizon

QUARTER = timedelta(minutes=15)


def day(zone: str, year: int, month: int, number: int) -> tuple[Horizon, ZoneInfo]:
    place = ZoneInfo(zone)
    start = datetime(year, month, number, tzinfo=place).astimezone(UTC)
    end = datetime(year, month, number + 1, tzinfo=place).astimezone(UTC)
    return Horizon(start, QUARTER, (end - start) // QUARTER), place


@pytest.mark.parametrize(
    ("zone", "date", "slots"),
    [
        ("Europe/Paris", (2026, 3, 29), 92),
        ("Europe/Paris", (2026, 10, 25), 100),
        ("Africa/El_Aaiun", (2026, 2, 15), 100),
        ("Africa/El_Aaiun", (2026, 3, 22), 92),
        ("Africa/El_Aaiun", (2026, 11, 25), 96),
    ],
)
def test_a_local_day_begins_and_ends_at_midnight_whatever_its_length(zone, date, slots):
    horizon, place = day(zone, *date)
    marks = borders(horizon, place)
    assert horizon.slots == slots
    assert len(marks) == slots + 1
    assert marks[0].time == marks[-1].time == "00:00"
    assert marks[0].new_day
    assert marks[-1].new_day


def test_the_hour_that_comes_twice_is_told_apart_by_its_offset():
    horizon, place = day("Europe/Paris", 2026, 10, 25)
    twice = [mark for mark in borders(horizon, place) if mark.time == "02:30"]
    assert [mark.offset for mark in twice] == ["+02:00", "+01:00"]
    assert sum(mark.changed_offset for mark in borders(horizon, place)) == 1


def test_the_first_label_after_a_change_names_the_new_offset():
    horizon, place = day("Europe/Paris", 2026, 3, 29)
    marks = borders(horizon, place)
    texts = labels(marks, lambda iso: iso)
    assert texts[0] == ["00:00", "2026-03-29"]
    shown = [texts[k] if isinstance(texts[k], str) else texts[k][0] for k in ticks(marks)]
    assert shown[:3] == ["00:00", "03:00 (+02:00)", "06:00"]


def test_morocco_stays_on_utc_after_september_2026():
    horizon, place = day("Africa/El_Aaiun", 2026, 11, 25)
    assert {mark.offset for mark in borders(horizon, place)} == {"+00:00"}


@pytest.mark.parametrize(("step_minutes", "slots"), [(15, 144), (60, 24), (60, 168), (15, 2016), (7, 11), (15, 1)])
def test_ticks_stay_few_and_inside_whatever_the_horizon(step_minutes, slots):
    horizon = Horizon(datetime(2026, 6, 1, 0, 30, tzinfo=UTC), timedelta(minutes=step_minutes), slots)
    marks = borders(horizon, ZoneInfo("Asia/Kolkata"))
    chosen = ticks(marks)
    assert 1 <= len(chosen) <= 19
    assert all(0 <= index < len(marks) for index in chosen)
