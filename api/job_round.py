"""One look at a site's queues, and what follows: jobs for the planner, placement for the caps, orders for Slurm."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api import logs
from api.job_reading import judged_jobs, keep
from api.slurm.decide import decide
from api.slurm.view import plan_view
from ingest.errors import SourceUnavailable
from ingest.policy_file import PolicyFile
from models.horizon import rfc3339
from models.job_policy import Judged
from models.job_sources import Slurm
from models.placement import Placement
from models.site import Site

if TYPE_CHECKING:
    from api.expectations import Expectations
    from api.plan_store import Edition
    from api.slurm.hand import Hand
    from api.store.jobs import JobStore
    from api.store.placements import PlacementStore
    from ingest.ports import Clock, JobSource
    from ingest.sources.slurm.source import Seen, SlurmSource
    from models.queued_job import QueuedJob

QUEUES = "queues.json"
_LONGEST_PAUSE_S = 300.0
_STALE = timedelta(minutes=5)
_log = logs.get("jobs")


@dataclass(slots=True)
class Turn:
    """A source's turn: what is done, how often, and how it went."""

    name: str
    period_s: float
    work: Callable[[datetime], dict[str, Any]]
    clock: Clock
    due_s: float = 0.0
    failing: int = 0
    told: dict[str, Any] = field(default_factory=dict)

    def take(self) -> bool:
        """Do it if it is due; a fault of the source is told once, waited out with a growing pause, and harms no other.

        Returns whether it was due.
        """
        now_s = self.clock.monotonic()
        if now_s < self.due_s:
            return False
        now = self.clock.now()
        try:
            self.told = {"at": rfc3339(now), "ok": True, **self.work(now)}
            self.failing = 0
        except Exception as error:
            reason = error.reason if isinstance(error, SourceUnavailable) else f"{type(error).__name__}: {error}"
            self.failing += 1
            if self.failing == 1 or self.told.get("reason") != reason:
                _log.exception("queue_not_read", source=self.name, reason=reason)
            self.told = {**self.told, "ok": False, "failing": self.failing, "reason": reason}
        pause_s = min(_LONGEST_PAUSE_S, self.period_s * 2.0 ** min(self.failing, 10)) if self.failing else self.period_s
        self.due_s = now_s + pause_s
        return True


def list_turn(
    period_s: float,
    source: JobSource,
    policy: PolicyFile,
    site: Site,
    store: JobStore,
    clock: Clock,
    run_times: Expectations | None = None,
) -> Turn:
    """Reads a list; its jobs are planned with the run times that are expected, where those are learned."""

    def work(now: datetime) -> dict[str, Any]:
        judged = judged_jobs(expected(source.jobs(now), run_times, now), policy.now(), site, now)
        keep(store, source.name, judged, site, now)
        return counts(judged) | run_times_told(run_times)

    return Turn(source.name, period_s, work, clock)


@dataclass(slots=True)
class SlurmRound:
    """Reads Slurm and, where the site says so, acts on it.

    ``plan`` gives the edition in force, ``following`` the pools whose mode and lease let the plan hold now,
    ``holding`` whether an operator has ordered that nothing starts.
    """

    spec: Slurm
    source: SlurmSource
    hand: Hand
    policy: PolicyFile
    site: Site
    store: JobStore
    plan: Callable[[], Edition | None]
    following: Callable[[], Collection[str]]
    placements: PlacementStore
    holding: Callable[[], bool] = bool
    run_times: Expectations | None = None
    _read_at: datetime | None = None

    def turn(self, clock: Clock) -> Turn:
        """As one source among others."""
        return Turn(self.source.name, self.spec.period_s, self.work, clock)

    def work(self, now: datetime) -> dict[str, Any]:
        """One round.

        Raises:
            SourceUnavailable: Slurm does not answer.
        """
        seen = self._seen(now)
        judged = judged_jobs(expected(seen.facts, self.run_times, now), self.policy.now(), self.site, now)
        keep(self.store, self.source.name, judged, self.site, now)
        self.placements.tell(seen.placement, self.source.name)
        told = {**counts(judged), **run_times_told(self.run_times), "odd": len(seen.odd)}
        if not self.spec.act:
            return told
        edition = self.plan()
        budget = self.spec.budget
        licences = None if budget is None else self.hand.licences(budget.licence)
        if budget is not None and licences is None:
            told["budget"] = f"the cluster has no licence {budget.licence!r}"
        orders = decide(
            seen,
            judged,
            None if edition is None else plan_view(edition),
            self.following(),
            self.spec,
            licences,
            now,
            holding=self.holding(),
        )
        done = self.hand.carry_out(orders, now)
        return {**told, "told": len(done), "not_told": sum(one.fault is not None for one in done)}

    def _seen(self, now: datetime) -> Seen:
        """The queue. What is long silent no longer says which job has which GPU: the pools' default holds then."""
        try:
            seen = self.source.read(now)
        except SourceUnavailable:
            if self._read_at is None or now - self._read_at > _STALE:
                self.placements.tell(Placement(now), self.source.name)
            raise
        self._read_at = now
        return seen


def expected(facts: Iterable[QueuedJob], run_times: Expectations | None, now: datetime) -> Iterable[QueuedJob]:
    """The jobs with their expected run times, where any are learned."""
    return facts if run_times is None else run_times.of(facts, now)


def run_times_told(run_times: Expectations | None) -> dict[str, str]:
    """Which run times and which power are planned with, where the site names its accounting."""
    if run_times is None:
        return {}
    power = {} if run_times.power_told is None else {"drawn_power": run_times.power_told}
    return {"run_times": run_times.told, **power}


def counts(judged: list[Judged]) -> dict[str, Any]:
    """How many jobs there are, how many a row names, how many are left alone."""
    named = sum(one.row is not None for one in judged)
    return {"jobs": len(judged), "named": named, "left_alone": len(judged) - named}


def write_status(run_dir: Path, turns: list[Turn]) -> None:
    """How the sources stand, for whoever asks on this machine."""
    _replace(run_dir / QUEUES, json.dumps({turn.name: turn.told for turn in turns}))


def _replace(path: Path, text: str) -> None:
    """The whole file or none of it; what is in it is read anew after a crash, so nothing is flushed."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
