"""What the quality gate has flagged, read back with the values it spoke of, and released where an operator says so.

Raw values stay where they are, and so do their flags: a release is one more point of the measurement ``quality``
(``released_by``, ``released_at``, ``released_why``) with the same tags and instant, so that every store keeps it. From
then on the value counts as good. Light.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingest.points import Point, Tags, Value, from_ns
from ingest.ports import Sample, TelemetryStore
from ingest.quality import MEASUREMENT
from ingest.quality_words import WORDS, State, fits_curves, state_of
from models.errors import Fault, InvalidInput, NotFound
from models.horizon import rfc3339

MOST_AT_ONCE = 10_000
"""Values that one release may speak of: whoever frees more than that has not looked at them."""
_INSTANT = timedelta(microseconds=1)
_Flagged = tuple[Sample, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Released:
    """Who said that a flagged value is good, when (RFC 3339) and why."""

    by: str
    at: str
    why: str


@dataclass(frozen=True, slots=True)
class Which:
    """Flagged values with stamps in ``[start, end)``, of a metric, of series that carry ``tags``, with a flag.

    ``bad_only`` leaves out flags that only tell something about a good value, and what was released.
    """

    start: datetime
    end: datetime
    metric: str | None = None
    tags: Mapping[str, str] | None = None
    flag: str | None = None
    bad_only: bool = False


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
    released: Released | None

    @property
    def reasons(self) -> tuple[str, ...]:
        """What each flag means."""
        return tuple(WORDS[flag].about if flag in WORDS else "an unknown flag" for flag in self.flags)


@dataclass(frozen=True, slots=True)
class Held:
    """Flagged values of one series that nobody has released: ``held`` may not be believed, ``noted`` are good.

    ``words``: how often each flag was given; instants are those of the first and the last of them.
    """

    metric: str
    tags: Tags
    held: int
    noted: int
    words: Mapping[str, int]
    first_ns: int
    last_ns: int


def by_series(store: TelemetryStore, start: datetime, end: datetime) -> list[Held]:
    """Every series with such a value in ``[start, end)``, those with most that may not be believed first.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    which = Which(start, end)
    flagged = _found(store, which)
    done = _released_at(store, which) if flagged else set()
    series: dict[Tags, list[_Flagged]] = {}
    for sample, flags in flagged:
        if (sample.tags, sample.time_ns) not in done:
            series.setdefault(sample.tags, []).append((sample, flags))
    return sorted(
        (_held(tags, rows) for tags, rows in series.items()),
        key=lambda one: (-one.held, -one.noted, one.metric, one.tags),
    )


def _held(tags: Tags, rows: Sequence[_Flagged]) -> Held:
    named = dict(tags)
    times = [sample.time_ns for sample, _ in rows]
    held = sum(state_of(flags) != "OK" for _, flags in rows)
    words = Counter(word for _, flags in rows for word in flags)
    metric = named.pop("metric", "")
    return Held(metric, tuple(named.items()), held, len(rows) - held, words, min(times), max(times))


def quarantined(store: TelemetryStore, which: Which, *, limit: int = 100) -> tuple[list[Quarantined], int]:
    """The newest ``limit`` flagged values, newest first, and how many there are.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    found = _found(store, which)
    found.sort(key=lambda pair: (-pair[0].time_ns, pair[0].tags))
    return [_whole(store, sample, flags) for sample, flags in found[:limit]], len(found)


def release(store: TelemetryStore, which: Which, by: str, now: datetime, why: str) -> int:
    """Say that flagged values are good, in ``by``'s name; how many were not released before.

    Raises:
        InvalidInput: no metric, or more values than anybody can have looked at.
        NotFound: nothing is flagged there.
        StoreUnavailable: the store does not answer; nothing is released.
    """
    if which.metric is None:
        raise InvalidInput("the release", [Fault("metric", "missing", "name the metric, such as gpu.power_w")])
    held = _found(store, which)
    if not held:
        raise NotFound("flagged value in that time of a metric", which.metric)
    if len(held) > MOST_AT_ONCE:
        message = f"{len(held):,} values are flagged there; narrow it to {MOST_AT_ONCE:,} by time, tags or flag"
        raise InvalidInput("the release", [Fault("metric", "too_many", message)])
    done = _released_at(store, which)
    fields = (("released_at", rfc3339(now)), ("released_by", by), ("released_why", why))
    news = [Point(MEASUREMENT, one.tags, fields, one.time_ns) for one, _ in held if (one.tags, one.time_ns) not in done]
    if news:
        store.write(news)
    return len(news)


def bad_at(
    store: TelemetryStore, metric: str, tags: Mapping[str, str], start: datetime, end: datetime
) -> dict[int, str]:
    """Instants in ``[start, end)`` at which a value of such a series may not be believed, and its flags.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    found = _found(store, Which(start, end, metric, tags, bad_only=True))
    return {sample.time_ns: ",".join(flags) for sample, flags in found}


def unfit_at(
    store: TelemetryStore, metric: str, tags: Mapping[str, str], start: datetime, end: datetime
) -> dict[int, tuple[str, ...]]:
    """Instants in ``[start, end)`` at which a value of such a series is no evidence for a curve, and the flags for it.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    which = Which(start, end, metric, tags)
    flagged = [pair for pair in _found(store, which) if not fits_curves(pair[1])]
    done = _released_at(store, which) if flagged else set()
    return {sample.time_ns: flags for sample, flags in flagged if (sample.tags, sample.time_ns) not in done}


def _found(store: TelemetryStore, which: Which) -> list[_Flagged]:
    flagged = [
        (sample, flags)
        for sample in store.raw(f"{MEASUREMENT}.flags", _asked(which), which.start, which.end)
        if (flags := tuple(str(sample.value).split(",")))
        and (which.flag is None or which.flag in flags)
        and not (which.bad_only and state_of(flags) == "OK")
    ]
    if not (flagged and which.bad_only):
        return flagged
    done = _released_at(store, which)
    return [pair for pair in flagged if (pair[0].tags, pair[0].time_ns) not in done]


def _released_at(store: TelemetryStore, which: Which) -> set[tuple[Tags, int]]:
    told = store.raw(f"{MEASUREMENT}.released_by", _asked(which), which.start, which.end)
    return {(one.tags, one.time_ns) for one in told}


def _asked(which: Which) -> dict[str, str]:
    return {**(which.tags or {}), **({"metric": which.metric} if which.metric else {})}


def _whole(store: TelemetryStore, sample: Sample, flags: Sequence[str]) -> Quarantined:
    tags = dict(sample.tags)
    metric = tags.pop("metric", "")
    at = from_ns(sample.time_ns)

    def told(name: str, where: dict[str, str]) -> Value | None:
        rows = store.raw(name, where, at, at + _INSTANT)
        return next((row.value for row in rows if row.tags == tuple(sorted(where.items()))), None)

    def beside(field: str) -> str | None:
        found = told(f"{MEASUREMENT}.{field}", dict(sample.tags))
        return None if found is None else str(found)

    by = beside("released_by")
    return Quarantined(
        metric,
        tuple(sorted(tags.items())),
        sample.time_ns,
        state_of(flags),
        tuple(flags),
        told(metric, tags) if metric else None,
        beside("raw"),
        beside("before"),
        None if by is None else Released(by, beside("released_at") or "", beside("released_why") or ""),
    )
