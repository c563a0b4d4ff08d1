"""Polls every source in its own time and keeps what they say; one that fails or hangs harms no other.

Each source has a thread of its own, so that a device that hangs costs that source only. One that fails is
asked more and more rarely, up to every five minutes, and in its own time again once it is back. Batches go
through the intake at once; while the store cannot take them they wait in bounded memory, the oldest
are dropped first, and how many is counted. A source that settles (see ports) hears of either. This
is one of the two places where every exception is caught: logged once per kind of trouble, counted
always, told by :meth:`Collector.status`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from ingest.errors import SourceUnavailable, StoreUnavailable
from ingest.intake import Intake
from ingest.points import Point
from ingest.ports import Clock, Settling, Source, TelemetryStore
from ingest.quality import Gate, Silence

_log = logging.getLogger("chergui.ingest.collector")
_TICK_S = 0.2
_JOIN_S = 5.0
_LEAST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
_IN_TIME = 2
"""Failures in a row after which a source is still asked in its own time; then each doubles the pause."""
_MOST_GOOD = 10_000


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How a source is doing. Ages in seconds, None where there was nothing yet.

    ``pause_s`` is how long it is left alone after its last failure; 0 while it answers.
    """

    name: str
    polls: int
    failures: int
    failing: int
    last_error: str
    age_s: float | None
    hanging_s: float | None
    points: int
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LastGood:
    """The newest batch of a source that was not empty (its last 10,000 points), and how old it is."""

    batch: Sequence[Point]
    at: datetime
    age_s: float


@dataclass(slots=True)
class _Seat:
    """What the collector knows of one source; guarded by the collector's lock."""

    source: Source
    due: float
    polls: int = 0
    failures: int = 0
    failing: int = 0
    points: int = 0
    last_error: str = ""
    pause_s: float = 0.0
    begun: float | None = None
    good_at: float | None = None
    good: tuple[Sequence[Point], datetime] | None = field(default=None)


class Collector:
    """See the module. ``max_waiting`` bounds the points that wait for the store.

    Raises:
        ValueError: two sources of the same name, or a period that is not positive.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        store: TelemetryStore,
        clock: Clock,
        *,
        max_waiting: int = 200_000,
        gate: Gate | None = None,
    ) -> None:
        names = [source.name for source in sources]
        if len(set(names)) < len(names) or any(source.period_s <= 0 for source in sources):
            raise ValueError(f"sources need names of their own and positive periods: {names}")
        now = clock.monotonic()
        self._clock = clock
        self.gate = gate or Gate()
        self._intake = Intake(store, clock, self.gate)
        self._seats = [_Seat(source, now) for source in sources]
        self._waiting: deque[tuple[_Seat, Sequence[Point]]] = deque()
        self._waiting_points = 0
        self._max_waiting = max_waiting
        self._mutex = threading.Lock()
        self._handing_over = threading.Lock()
        self._store_error = ""
        self.dropped = 0
        self.refused = 0

    @property
    def store(self) -> TelemetryStore:
        """Where the points go."""
        return self._intake.store

    def run(self, stop: threading.Event) -> None:
        """Poll until ``stop`` is set; returns within seconds of it, hanging sources left behind."""
        threads = [
            threading.Thread(target=self._serve, args=(seat, stop), name=f"source {seat.source.name}", daemon=True)
            for seat in self._seats
        ]
        for thread in threads:
            thread.start()
        while not stop.wait(_TICK_S):
            self.hand_over()
        for thread in threads:
            thread.join(_JOIN_S / max(1, len(threads)))
        self.hand_over()

    def close(self) -> None:
        """Let every source give back what it holds: connections, sessions, libraries."""
        for seat in self._seats:
            close = getattr(seat.source, "close", None)
            if close is None or seat.begun is not None:  # one that hangs cannot be closed from here
                continue
            try:
                close()
            except Exception as error:  # see the module
                _log.warning("source %s could not be closed: %s", seat.source.name, error)

    def _serve(self, seat: _Seat, stop: threading.Event) -> None:
        while not stop.wait(max(0.0, min(_TICK_S, seat.due - self._clock.monotonic()))):
            if seat.due <= self._clock.monotonic():
                self._poll(seat)

    def poll_due(self) -> int:
        """Poll every source that is due, one after the other, in this thread; returns how many were."""
        due = [seat for seat in self._seats if seat.due <= self._clock.monotonic()]
        for seat in due:
            self._poll(seat)
        return len(due)

    def _poll(self, seat: _Seat) -> None:
        begun = self._clock.monotonic()
        now = self._clock.now()
        with self._mutex:
            seat.begun = begun
            seat.polls += 1
            # Missed turns are left out: a source that was away is not asked ten times on its return.
            missed = (begun - seat.due) // seat.source.period_s
            seat.due += (missed + 1) * seat.source.period_s
        try:
            batch = seat.source.poll(now)
        except Exception as error:  # see the module
            self._failed(seat, error)
            self._leave_alone(seat)
            if isinstance(error, SourceUnavailable):
                self._queue(seat, error.points)
                self.hand_over()
            return
        with self._mutex:
            if seat.failing:
                _log.info("source %s is back after %d failures", seat.source.name, seat.failing)
            seat.failing, seat.pause_s, seat.begun = 0, 0.0, None
            seat.points += len(batch)
            if batch:
                seat.good, seat.good_at = (tuple(batch[-_MOST_GOOD:]), now), begun
        self._queue(seat, batch)
        self.hand_over()

    def _queue(self, seat: _Seat, batch: Sequence[Point], *, again: bool = False) -> None:
        """Let a batch wait for the store, ``again`` at the head; the oldest give way where memory is used up."""
        if not batch:
            return
        with self._mutex:
            (self._waiting.appendleft if again else self._waiting.append)((seat, batch))
            self._waiting_points += len(batch)
            gone = []
            while self._waiting_points > self._max_waiting and self._waiting:
                gone.append(self._waiting.popleft())
                self._waiting_points -= len(gone[-1][1])
                self.dropped += len(gone[-1][1])
        for lost, points in gone:
            _log.warning("dropped %d points that the store did not take in time", len(points))
            self._settle(lost, points, kept=False)

    def _settle(self, seat: _Seat, batch: Sequence[Point], *, kept: bool) -> None:
        if not isinstance(seat.source, Settling):
            return
        try:
            seat.source.settle(batch, kept)
        except Exception as error:  # see the module: a source's trouble stays its own
            self._failed(seat, error)

    def _failed(self, seat: _Seat, error: Exception) -> None:
        told = f"{type(error).__name__}: {error}"
        with self._mutex:
            news = not seat.failing or told != seat.last_error
            seat.failures += 1
            seat.failing += 1
            seat.last_error, seat.begun = told, None
        if news:
            _log.warning("source %s failed: %s", seat.source.name, told)

    def _leave_alone(self, seat: _Seat) -> None:
        """Put off the next poll of a source that fails; a device in trouble is not helped by many questions."""
        with self._mutex:
            pause = max(seat.source.period_s, _LEAST_PAUSE_S) * 2.0 ** min(max(0, seat.failing - _IN_TIME), 20)
            seat.pause_s = min(pause, max(LONGEST_PAUSE_S, seat.source.period_s))
            # The beat is kept: the next turn is the first one after the pause.
            now, period = self._clock.monotonic(), seat.source.period_s
            seat.due += max(0.0, -((seat.due - now - seat.pause_s) // period)) * period

    def hand_over(self) -> None:
        """Give the store what waits for it, oldest first; what it cannot take now waits on."""
        with self._handing_over:
            while True:
                with self._mutex:
                    if not self._waiting:
                        return
                    seat, batch = self._waiting.popleft()
                    self._waiting_points -= len(batch)
                if not self._accept(batch):
                    self._queue(seat, batch, again=True)
                    return
                self._settle(seat, batch, kept=True)

    def _accept(self, batch: Sequence[Point]) -> bool:
        try:
            refused = self._intake.accept(batch).refused
        except StoreUnavailable as error:
            self._note_store(str(error))
            return False
        except Exception as error:  # a batch that no store will ever take
            self.refused += len(batch)
            _log.exception("a batch of %d points was refused: %s", len(batch), error)
            return True
        self._note_store("")
        for refusal in refused:
            self.refused += 1
            _log.warning("%s of %s was refused: %s", refusal.field, batch[refusal.index].measurement, refusal.message)
        return True

    def _note_store(self, error: str) -> None:
        if error and error != self._store_error:
            _log.warning("%s; points wait in memory", error)
        elif self._store_error and not error:
            _log.info("the store takes points again")
        self._store_error = error

    @property
    def waiting(self) -> int:
        """Points in memory that the store has not taken yet."""
        return self._waiting_points

    def status(self) -> list[SourceStatus]:
        """How every source is doing, in the order they were given."""
        now = self._clock.monotonic()

        def since(moment: float | None) -> float | None:
            return None if moment is None else now - moment

        with self._mutex:
            return [
                SourceStatus(
                    seat.source.name,
                    seat.polls,
                    seat.failures,
                    seat.failing,
                    seat.last_error,
                    since(seat.good_at),
                    since(seat.begun),
                    seat.points,
                    seat.pause_s,
                )
                for seat in self._seats
            ]

    def report(self) -> dict[str, object]:
        """The whole state as plain data, for other processes: sources, what waits, what was lost, flags by word."""
        return {
            "sources": [asdict(one) for one in self.status()],
            "waiting": self.waiting,
            "dropped": self.dropped,
            "refused": self.refused,
            "store_error": self._store_error,
            "judged": self.gate.judged,
            "flagged": dict(self.gate.flagged),
        }

    def silent(self) -> list[Silence]:
        """Series that used to come and have stopped."""
        return self._intake.silent()

    def last_good(self, name: str) -> LastGood | None:
        """The newest batch that source ``name`` gave; None where it never gave any."""
        with self._mutex:
            for seat in self._seats:
                if seat.source.name == name and seat.good is not None and seat.good_at is not None:
                    return LastGood(*seat.good, self._clock.monotonic() - seat.good_at)
        return None
