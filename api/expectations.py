"""How long the jobs of a queue are expected to run, from the accounting of those that ended: a stated quantile.

The file is what ``sacct`` printed (:mod:`ingest.accounting`), renewed by a timer. It is learned from anew whenever it
has changed; while it is refused or too short, the time limits count, and the reason is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from api import logs
from models.errors import Fault, InvalidInput
from models.queued_job import QueuedJob

if TYPE_CHECKING:
    from models.learn.run_times import JobQuantiles

_log = logs.get("jobs")


class Expectations:
    """Expected run times at ``level``; ``told`` says from how many jobs, or why the limits count."""

    def __init__(self, path: Path, level: float) -> None:
        self._path = path
        self._level = level
        self._read: tuple[int, int] | None = None
        self._model: JobQuantiles | None = None
        self.told = "the time limits count: nothing is learned yet"

    def of(self, facts: Iterable[QueuedJob], now: datetime) -> list[QueuedJob]:
        """The jobs with the hours that each is not expected to exceed with probability ``level``."""
        self._renewed(now)
        if self._model is None:
            return list(facts)
        from models.learn.run_times import with_expectations

        return with_expectations(facts, self._model, self._level)

    def _renewed(self, now: datetime) -> None:
        try:
            found = self._path.stat()
            state = (found.st_mtime_ns, found.st_size)
            if state == self._read:
                return
            self._read = state
            self._model = self._learned(now)
            self.told = f"P{self._level * 100:.0f} of run times as {self._model.jobs} ended jobs had them"
            _log.info("run_times_learned", jobs=self._model.jobs, level=self._level)
        except (OSError, UnicodeDecodeError, InvalidInput) as error:
            self._model = None
            if isinstance(error, OSError):
                self._read = None  # what could not be read is looked at again, also where it has not changed
            fault = error.faults[0].message if isinstance(error, InvalidInput) else f"{self._path.name}: {error}"
            told = f"the time limits count: {fault}"
            if told != self.told:
                _log.warning("run_times_not_learned", reason=fault)
            self.told = told

    def _learned(self, now: datetime) -> JobQuantiles:
        from ingest.accounting import read_accounting
        from models.learn.run_times import fit_run_times

        with self._path.open(encoding="utf-8") as file:
            found = read_accounting(file, str(self._path))
        if not found.ended:
            raise InvalidInput(str(self._path), [Fault("", "empty", "no job in it has ended; print a longer past")])
        return fit_run_times(found.ended, now)
