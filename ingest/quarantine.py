"""What the quality gate has flagged, read back with the values it spoke of: raw values stay where they are. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingest.points import Tags, Value, from_ns
from ingest.ports import Sample, TelemetryStore
from ingest.quality import MEASUREMENT
from ingest.quality_words import WORDS, State, state_of

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A flagged value as it came; ``raw`` is its text where it was no number, ``before`` what it replaced."""

    metric: str
    tags: Tags
    time_ns: int
    state: State
    flags: tuple[str, ...]
    value: Value | None
    raw: str | None
    before: str | None

    @property
    def reasons(self) -> tuple[str, ...]:
        """What each flag means."""
        return tuple(WORDS[flag].about if flag in WORDS else "an unknown flag" for flag in self.flags)


def quarantined(
    store: TelemetryStore,
    start: datetime,
    end: datetime,
    *,
    metric: str | None = None,
    flag: str | None = None,
    bad_only: bool = False,
    limit: int = 100,
) -> tuple[list[Quarantined], int]:
    """The newest ``limit`` flagged values with stamps in ``[start, end)``, newest first, and how many there are.

    ``bad_only`` leaves out flags that only tell something about a good value (see quality_words).

    Raises:
        StoreUnavailable: the store does not answer.
    """
    wanted = {"metric": metric} if metric else {}
    found = [
        (sample, flags)
        for sample in store.raw(f"{MEASUREMENT}.flags", wanted, start, end)
        if (flags := tuple(str(sample.value).split(",")))
        and (flag is None or flag in flags)
        and not (bad_only and state_of(flags) == "OK")
    ]
    found.sort(key=lambda pair: (-pair[0].time_ns, pair[0].tags))
    return [_whole(store, sample, flags) for sample, flags in found[:limit]], len(found)


def _whole(store: TelemetryStore, sample: Sample, flags: Sequence[str]) -> Quarantined:
    tags = dict(sample.tags)
    metric = tags.pop("metric", "")
    at = from_ns(sample.time_ns)

    def told(name: str, where: dict[str, str]) -> Value | None:
        rows = store.raw(name, where, at, at + _INSTANT)
        return next((row.value for row in rows if row.tags == tuple(sorted(where.items()))), None)

    whole = dict(sample.tags)
    raw, before = told(f"{MEASUREMENT}.raw", whole), told(f"{MEASUREMENT}.before", whole)
    return Quarantined(
        metric,
        tuple(sorted(tags.items())),
        sample.time_ns,
        state_of(flags),
        tuple(flags),
        told(metric, tags) if metric else None,
        None if raw is None else str(raw),
        None if before is None else str(before),
    )
