"""The way in for every point, wherever it comes from: judge, keep, and only then say so."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.points import Point, to_ns
from ingest.ports import Clock, Refusal, TelemetryStore
from ingest.quality import Finding, Gate, Silence, as_points, conflict_findings


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a batch.

    ``stored`` counts field values, those of the flags included; ``refused[i].index`` counts in the
    batch as it was handed in.
    """

    stored: int
    duplicates: int
    refused: tuple[Refusal, ...]
    findings: tuple[Finding, ...]


class Intake:
    """Judges batches and writes them with their flags; safe to call from several threads.

    A point that is not finite is *not* stored as a number, but its finding is (see quality).
    """

    def __init__(self, store: TelemetryStore, clock: Clock, gate: Gate | None = None) -> None:
        self._store = store
        self._clock = clock
        self._gate = gate or Gate()
        self._mutex = threading.Lock()

    def silent(self) -> list[Silence]:
        """Series that used to come and have stopped (see the gate)."""
        with self._mutex:
            return self._gate.silent(to_ns(self._clock.now()))

    @property
    def store(self) -> TelemetryStore:
        """What it keeps the points in, to read."""
        return self._store

    def accept(self, batch: Sequence[Point]) -> Accepted:
        """Keep a batch; when this returns, what was not refused is safe.

        Flags are written with the points in one go; conflicts that the store finds follow in a
        second, so that a crash between the two loses at most a flag and never a value.

        Raises:
            StoreUnavailable: nothing was kept; hand the same batch in again.
            ValueError: a name in the batch cannot be said in line protocol.
        """
        with self._mutex:
            judged = self._gate.judge(batch, to_ns(self._clock.now()))
        written = self._store.write([*judged.points, *as_points(judged.findings)])
        findings = tuple(judged.findings)
        conflicts = conflict_findings(written.conflicts)
        if conflicts:
            # The flags of a conflicting value are written again with the rest, or they would be replaced.
            places = {(found.metric, found.tags, found.time_ns) for found in conflicts}
            again = [found for found in findings if (found.metric, found.tags, found.time_ns) in places]
            self._store.write(as_points([*again, *conflicts]))
            findings += tuple(conflicts)
        refused = tuple(
            Refusal(judged.places[told.index], told.field, told.code, told.message)
            for told in written.refused
            if told.index < len(judged.places)  # beyond are our own flags, whose types never change
        )
        return Accepted(written.stored, written.duplicates, refused, findings)
