"""How long the jobs of a queue are expected to run and what to draw, from the accounting of those that ended.

Stated quantiles of both. The file is what ``sacct`` printed (:mod:`ingest.accounting`), renewed by a timer. It is
learned from anew whenever it has changed; while it is refused or too short, time limits and power curves count, and the
reason is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from api import logs
from ingest.errors import StoreUnavailable
from models.errors import Fault, InvalidInput
from models.queued_job import QueuedJob

if TYPE_CHECKING:
    from models.learn.ended_jobs import EndedJob
    from models.learn.run_times import JobQuantiles

_CURVES = "the power curves count: "
_log = logs.get("jobs")


@dataclass(frozen=True, slots=True)
class Draw:
    """Power is planned at ``level``; it comes from ``metered``, or from the accounting's energy, in which ``other_w``
    are the W per GPU of a partition that are not its GPUs'."""

    level: float
    other_w: Callable[[str], float] | None = None
    metered: Callable[[Sequence[EndedJob], datetime], list[EndedJob]] | None = None


class Expectations:
    """Expected run times at ``level``, and power where ``draw`` says how; ``told`` and ``power_told`` say from how many
    jobs, or why limits and curves count."""

    def __init__(self, path: Path, level: float, draw: Draw | None = None) -> None:
        self._path = path
        self._level = level
        self._draw = draw
        self._read: tuple[int, int] | None = None
        self._model: JobQuantiles | None = None
        self._power: JobQuantiles | None = None
        self.told = "the time limits count: nothing is learned yet"
        self.power_told = None if draw is None else _CURVES + "nothing is learned yet"

    def of(self, facts: Iterable[QueuedJob], now: datetime) -> list[QueuedJob]:
        """The jobs with the hours and W that each is not expected to exceed with the stated probabilities."""
        self._renewed(now)
        found = list(facts)
        if self._model is not None:
            from models.learn.run_times import with_expectations

            found = with_expectations(found, self._model, self._level)
        if self._power is not None and self._draw is not None:
            from models.learn.run_times import with_drawn_power

            found = with_drawn_power(found, self._power, self._draw.level)
        return found

    def _renewed(self, now: datetime) -> None:
        try:
            found = self._path.stat()
            state = (found.st_mtime_ns, found.st_size)
            if state == self._read:
                return
            self._read = state
            self._power, self.power_told = None, None if self._draw is None else ""
            ended, no_draw = self._ended()
            self._learn_power(ended, no_draw, now)
            self._model = self._learned(ended, now)
            self.told = f"P{self._level * 100:.0f} of run times as {self._model.jobs} ended jobs had them"
            _log.info("run_times_learned", jobs=self._model.jobs, level=self._level)
        except (OSError, UnicodeDecodeError, InvalidInput) as error:
            self._model = None
            if isinstance(error, OSError):
                self._read = None  # what could not be read is looked at again, also where it has not changed
            fault = error.faults[0].message if isinstance(error, InvalidInput) else f"{self._path.name}: {error}"
            told = f"the time limits count: {fault}"
            if self._draw is not None and not self.power_told:  # the file itself is at fault
                self.power_told = f"{_CURVES}{fault}"
            if told != self.told:
                _log.warning("run_times_not_learned", reason=fault)
            self.told = told

    def _ended(self) -> tuple[tuple[EndedJob, ...], int]:
        from ingest.accounting import read_accounting

        with self._path.open(encoding="utf-8-sig") as file:
            found = read_accounting(file, str(self._path), None if self._draw is None else self._draw.other_w)
        if not found.ended:
            raise InvalidInput(str(self._path), [Fault("", "empty", "no job in it has ended; print a longer past")])
        return found.ended, found.no_draw

    def _learned(self, ended: tuple[EndedJob, ...], now: datetime) -> JobQuantiles:
        from models.learn.run_times import fit_run_times

        return fit_run_times(ended, now)

    def _learn_power(self, ended: tuple[EndedJob, ...], no_draw: int, now: datetime) -> None:
        """Refused, it leaves the curves in force, and run times are learned all the same."""
        if self._draw is None:
            return
        from models.learn.run_times import fit_drawn_power

        try:
            metered = ended if self._draw.metered is None else self._draw.metered(ended, now)
            self._power = fit_drawn_power(metered, now)
        except InvalidInput as error:
            self._power = None
            without = f" ({no_draw} without a usable energy)" if self._draw.metered is None else ""
            self.power_told = f"{_CURVES}{error.faults[0].message}{without}"
        except StoreUnavailable as error:
            self._power = None
            self.power_told = f"{_CURVES}{error.reason}"
        else:
            self.power_told = f"P{self._draw.level * 100:.0f} of what {self._power.jobs} ended jobs drew per GPU"
        _log.info("drawn_power", told=self.power_told)
