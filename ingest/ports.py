"""The seams of ingest: what a source, a store and a clock must be able to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from ingest.points import Point, Tags, Value

if TYPE_CHECKING:
    from models.queued_job import QueuedJob
    from models.series import Series

Across = Literal["one", "sum", "mean", "max", "min"]


class Clock(Protocol):
    """Time as an input, so that tests own it."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean something."""
        ...


class Source(Protocol):
    """Something that measures. ``name`` is unique in a collector; ``period_s`` is how often to ask."""

    name: str
    period_s: float

    def poll(self, now: datetime) -> Sequence[Point]:
        """One batch of points; may block, and may raise whatever it likes: the collector isolates it."""
        ...


@runtime_checkable
class Settling(Protocol):
    """A source that wants to know what became of its batches, because someone waits for its word: a broker that
    forgets a message once it is acknowledged, a server that can be asked again."""

    def settle(self, batch: Sequence[Point], kept: bool) -> None:
        """Told once for each batch that was not empty, from another thread than polls perhaps.

        ``kept``: the store has it on the disk (or will never take it, so that a repeat is useless); else it was
        dropped and may be read again.
        """
        ...


class JobSource(Protocol):
    """Something that knows jobs (a scheduler, a queue file)."""

    name: str

    def jobs(self, now: datetime) -> Sequence[QueuedJob]:
        """Every job that is waiting or running at ``now``, as facts; the policy says what they mean.

        Raises:
            SourceUnavailable: nothing can be told now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Conflict:
    """The same series and instant came with another value; both are kept where the store can."""

    metric: str
    tags: Tags
    time_ns: int
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Refusal:
    """A field that a store will never take, as ``batch[index]``; retrying is useless."""

    index: int
    field: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch: counts of field values; ``stored`` includes conflicting ones."""

    stored: int = 0
    duplicates: int = 0
    conflicts: tuple[Conflict, ...] = ()
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series."""

    tags: Tags
    time_ns: int
    value: Value


class TelemetryStore(Protocol):
    """Keeps points; :meth:`write` returns only when they are safe.

    ``metric`` is ``measurement.field``; ``tags`` select the series that carry at least these.
    Times are aware; ranges are half-open ``[start, end)``. ``as_of`` asks for what was believed at
    that instant: of each sample the value learned last until then, none where none was. One contract
    suite holds every store to this (tests/ingest/stores/test_contract.py).
    """

    def write(self, batch: Sequence[Point], believed_at: datetime | None = None) -> Written:
        """Keep a batch, all or nothing but for the fields listed in ``refused``.

        A value that is there already is counted and changes nothing; a different one for the same
        series and instant becomes the current value. ``believed_at`` says since when a forecast or a
        plan was known (None: a measurement, learned now): then the value believed last is the
        current one, in whatever order they come, and to believe anew what was believed before is no
        conflict.

        Raises:
            StoreUnavailable: nothing was kept (StoreBusy, StoreFull: why).
            ValueError: a value is not finite or a name cannot be said in line protocol.
        """
        ...

    def query(
        self,
        metric: str,
        tags: Mapping[str, str],
        start: datetime,
        end: datetime,
        step: timedelta,
        across: Across = "one",
        as_of: datetime | None = None,
    ) -> Series:
        """Means of the samples in each slot of ``step`` from ``start``, NaN where there are none.

        Several matching series are joined slot by slot as ``across`` says. A slot in which any
        series with samples in the range has none is missing: a sum over what happened to arrive
        looks like a drop of power.

        Raises:
            InvalidInput: ``across="one"`` and more than one series matches; or a range that is
                empty or no multiple of ``step``, or of which only coarser means are kept.
            NotFound: no numeric series of that name and those tags has a sample in the range.
            StoreUnavailable: the store does not answer.
        """
        ...

    def latest(self, metric: str, tags: Mapping[str, str]) -> list[Sample]:
        """Newest sample of every matching series, in the order of their tags; empty where none."""
        ...

    def raw(
        self, metric: str, tags: Mapping[str, str], start: datetime, end: datetime, as_of: datetime | None = None
    ) -> list[Sample]:
        """Every sample of every matching series that is kept as it came, ordered by tags, then time."""
        ...

    def metrics(self) -> list[str]:
        """Every metric that has values, sorted."""
        ...

    def close(self) -> None:
        """Give up files and connections."""
        ...
