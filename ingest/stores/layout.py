"""How the embedded store lays time out: a table a day while it is hot, files a day and level when it is not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ingest.points import NS

DAY_NS = 86_400 * NS
_EPOCH = date(1970, 1, 1)
_PAST_DAYS, _FUTURE_DAYS = 3_660, 62
STRAY = "stray"
"""The table of instants that no sane clock tells: one wrong year must not make a table of its own."""


@dataclass(frozen=True, slots=True)
class Level:
    """Means of slots of ``step_ns``; 0: every sample as it came."""

    name: str
    step_ns: int


RAW = Level("raw", 0)
MINUTE = Level("1min", 60 * NS)
QUARTER = Level("15min", 900 * NS)
LEVELS = (RAW, MINUTE, QUARTER)


@dataclass(frozen=True, slots=True)
class Retention:
    """Days until a level is dropped, and how long after its end a day stays hot (late points are cheap until then)."""

    raw_days: int = 90
    minute_days: int = 400
    quarter_days: int = 3_650
    hot: timedelta = timedelta(hours=24)

    def days(self, level: Level) -> int:
        """Days that a level is kept."""
        return {RAW: self.raw_days, MINUTE: self.minute_days, QUARTER: self.quarter_days}[level]


def day_of(time_ns: int) -> int:
    """UTC day of an instant, counted from 1970-01-01."""
    return time_ns // DAY_NS


def is_sane(day: int, today: int) -> bool:
    """Whether a day may get a table of its own: ten years back, two months ahead."""
    return today - _PAST_DAYS <= day <= today + _FUTURE_DAYS


def table_of(day: int) -> str:
    """Name of a hot day's table, quoted."""
    return f'"day {day}"'


def date_of(day: int) -> date:
    """Calendar day (UTC)."""
    return _EPOCH + timedelta(days=day)


def start_of(day: int) -> datetime:
    """First instant of a day."""
    return datetime.combine(date_of(day), datetime.min.time(), UTC)


def file_of(day: int, level: Level, generation: int) -> Path:
    """Path of a day's file below the history folder, in the partition style that other tools read."""
    return Path(f"level={level.name}") / f"date={date_of(day)}" / f"{generation}.parquet"
