"""Jobs as they were handed in, and how far each has come.

A job is known by its id: handing in the same document again changes nothing, another one replaces it and starts
its progress anew, because ``work_h`` means what is still to do when it is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Engine, RowMapping, select, update

from api.store.audit import record
from api.store.engine import reading, writing
from api.store.tables import jobs, requests
from ingest.ports import Clock
from models.errors import NotFound
from models.horizon import parse_rfc3339, rfc3339
from models.jobs import SINCE_WAYS, TrainingJob

Status = Literal["open", "done", "set_aside"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come at ``as_of``; ``work_left_h`` per copy, in hours at full speed.

    ``way``: pool and gang that it runs in; None where it does not run, or nobody has said.
    """

    work_left_h: float
    state: Literal["queued", "running", "paused"]
    ran_slots: int
    as_of: datetime | None = None
    way: tuple[str, int] | None = None

    def to_json(self) -> str:
        """As it is kept."""
        told: dict[str, Any] = {"work_left_h": self.work_left_h, "state": self.state, "ran_slots": self.ran_slots}
        told["as_of"] = None if self.as_of is None else rfc3339(self.as_of)
        return json.dumps(told if self.way is None else {**told, "way": self.way})

    @classmethod
    def from_json(cls, text: str) -> Progress:
        """As it was kept."""
        raw = json.loads(text)
        as_of = None if raw["as_of"] is None else parse_rfc3339(raw["as_of"])
        way = None if raw.get("way") is None else (raw["way"][0], raw["way"][1])
        return cls(raw["work_left_h"], raw["state"], raw["ran_slots"], as_of, way)


@dataclass(frozen=True, slots=True)
class KnownJob:
    """A job with its standing."""

    job: TrainingJob
    progress: Progress
    status: Status
    reason: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a source's word changed: ids of new or changed jobs, of those that are over, of those not its own."""

    changed: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


_DRIFT = timedelta(minutes=15)
_AT_ONCE = 5000
"""Ids in one question: the database takes so many."""


def _matters(before: TrainingJob, job: TrainingJob) -> bool:
    """Whether a plan may answer to the difference: work that shrinks while a job runs is no news, nor is a deadline
    that drifts with it."""
    drifts = {"ran_slots"}
    if before.state == job.state == "running":
        drifts |= {"work_h", "deadline"}
    elif before.deadline is not None and job.deadline is not None and abs(job.deadline - before.deadline) <= _DRIFT:
        drifts.add("deadline")
    return before.model_copy(update={name: getattr(job, name) for name in drifts}) != job


def _canonical(job: TrainingJob) -> str:
    silent = {name for name in SINCE_WAYS | {"drawn_w"} if getattr(job, name) == TrainingJob.model_fields[name].default}
    return json.dumps(job.model_dump(mode="json", exclude=silent), sort_keys=True, separators=(",", ":"))


def _fresh(job: TrainingJob) -> Progress:
    return Progress(job.work_h, job.state, job.ran_slots, way=told_way(job))


def _where_it_ran(told: Progress, before: Progress) -> Progress:
    """A source that does not say where a job runs is taken to mean that it runs where it did."""
    return replace(told, way=before.way) if told.state == before.state == "running" else told


def told_way(job: TrainingJob) -> tuple[str, int] | None:
    """Where a job says that it runs; None where it says nothing of that."""
    return job.where if job.running_pool is not None or job.running_gpus is not None else None


def _known(row: RowMapping) -> KnownJob:
    job = TrainingJob.model_validate(json.loads(row["document"]))
    progress = Progress.from_json(row["progress"])
    return KnownJob(job, progress, row["status"], row["reason"], row["created_at"], row["updated_at"])


class JobStore:
    """Keeps jobs; every change by :meth:`put` and :meth:`withdraw` asks the planner for a new plan."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def put(self, job: TrainingJob, actor: str) -> Literal["created", "replaced", "unchanged"]:
        """Insert or replace by id, in one transaction with the request for a plan and the audit row."""
        now = self._clock.now()
        stamp = rfc3339(now)
        document = _canonical(job)
        with writing(self._engine) as connection:
            before = connection.execute(select(jobs.c.document, jobs.c.status).where(jobs.c.id == job.id)).first()
            if before is not None and before.document == document and before.status != "set_aside":
                return "unchanged"
            values = {
                "document": document,
                "source": job.source,
                "status": "open",
                "reason": None,
                "progress": _fresh(job).to_json(),
                "updated_at": stamp,
            }
            if before is None:
                connection.execute(jobs.insert().values(id=job.id, created_at=stamp, **values))
            else:
                connection.execute(jobs.update().where(jobs.c.id == job.id).values(**values))
            detail = {"before": None if before is None else json.loads(before.document), "after": json.loads(document)}
            record(connection, now, actor, "job.put", job.id, detail)
            _ask(connection)
        return "created" if before is None else "replaced"

    def withdraw(self, job_id: str, actor: str) -> None:
        """Forget a job.

        Raises:
            NotFound: there is no such job.
        """
        now = self._clock.now()
        with writing(self._engine) as connection:
            before = connection.execute(select(jobs.c.document).where(jobs.c.id == job_id)).scalar()
            if before is None:
                raise NotFound("job", job_id)
            connection.execute(jobs.delete().where(jobs.c.id == job_id))
            record(connection, now, actor, "job.withdraw", job_id, {"before": json.loads(before)})
            _ask(connection)

    def add_new(self, found: Iterable[tuple[TrainingJob, Progress]]) -> int:
        """Take jobs of a source that are not known yet; the count of new ones. No plan is asked for."""
        stamp = rfc3339(self._clock.now())
        with writing(self._engine) as connection:
            known = set(connection.execute(select(jobs.c.id)).scalars())
            rows = [
                {
                    "id": job.id,
                    "document": _canonical(job),
                    "source": job.source,
                    "status": "open",
                    "progress": progress.to_json(),
                    "created_at": stamp,
                    "updated_at": stamp,
                }
                for job, progress in found
                if job.id not in known
            ]
            if rows:
                connection.execute(jobs.insert(), rows)
        return len(rows)

    def tell(self, source: str, found: Mapping[str, tuple[TrainingJob, Progress]]) -> Told:
        """Take what a source says of *all* its jobs: those that it names no more are over.

        A plan is asked for where something changed that a plan can answer to (:func:`_matters`); progress as
        expected is only written down. A job of the same id that another source handed in is left as it is.
        """
        now = self._clock.now()
        stamp = rfc3339(now)
        told = Told()
        with writing(self._engine) as connection:
            known = _rows(connection, source, list(found))
            for job, progress in found.values():
                row = known.get(job.id)
                if row is not None and row["source"] != source:
                    told.strangers.append(job.id)
                    continue
                before = None if row is None else TrainingJob.model_validate(json.loads(row["document"]))
                if progress.way is None and row is not None:
                    progress = _where_it_ran(progress, Progress.from_json(row["progress"]))
                news = before is None or row is None or row["status"] == "done" or _matters(before, job)
                values = {
                    "document": _canonical(job),
                    "source": source,
                    "status": "open" if news or row is None else row["status"],
                    "reason": None if news or row is None else row["reason"],
                    "progress": progress.to_json(),
                    "updated_at": stamp,
                }
                if row is None:
                    connection.execute(jobs.insert().values(id=job.id, created_at=stamp, **values))
                else:
                    connection.execute(jobs.update().where(jobs.c.id == job.id).values(**values))
                if news:
                    told.changed.append(job.id)
                    detail = {"before": None if row is None else json.loads(row["document"]), "state": job.state}
                    record(connection, now, source, "job.tell", job.id, detail)
            gone = [name for name, row in known.items() if row["source"] == source and row["status"] != "done"]
            for name in sorted(set(gone) - set(found)):
                told.ended.append(name)
                over = {"status": "done", "reason": f"{source} names it no more", "updated_at": stamp}
                connection.execute(jobs.update().where(jobs.c.id == name).values(**over))
                record(connection, now, source, "job.end", name, {})
            if told.changed or told.ended:
                _ask(connection)
        return told

    def open(self) -> list[KnownJob]:
        """Jobs that still want something, by id."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(jobs).where(jobs.c.status == "open").order_by(jobs.c.id)).mappings()
            return [_known(row) for row in rows]

    def get(self, job_id: str) -> KnownJob:
        """One job.

        Raises:
            NotFound: there is no such job.
        """
        with reading(self._engine) as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().first()
        if row is None:
            raise NotFound("job", job_id)
        return _known(row)

    def page(self, after: str, limit: int, status: Status | None = None) -> list[KnownJob]:
        """Up to ``limit`` jobs with an id above ``after``, by id."""
        wanted = select(jobs).where(jobs.c.id > after).order_by(jobs.c.id).limit(limit)
        if status is not None:
            wanted = wanted.where(jobs.c.status == status)
        with reading(self._engine) as connection:
            return [_known(row) for row in connection.execute(wanted).mappings()]

    def follow(self, standings: Mapping[str, tuple[KnownJob, Progress, Status, str | None]]) -> None:
        """Write how far jobs have come; a job that was replaced or withdrawn meanwhile is left alone."""
        with writing(self._engine) as connection:
            for job_id, (before, progress, status, reason) in standings.items():
                connection.execute(
                    update(jobs)
                    .where(jobs.c.id == job_id, jobs.c.updated_at == before.updated_at)
                    .where(jobs.c.document == _canonical(before.job))
                    .values(progress=progress.to_json(), status=status, reason=reason)
                )


def _rows(connection: Connection, source: str, ids: list[str]) -> dict[str, RowMapping]:
    """Jobs of a source that are not over, and those of the given ids, whoever's they are."""
    wanted = [jobs.c.status != "done", jobs.c.source == source]
    found = list(connection.execute(select(jobs).where(*wanted)).mappings())
    for k in range(0, len(ids), _AT_ONCE):
        found += connection.execute(select(jobs).where(jobs.c.id.in_(ids[k : k + _AT_ONCE]))).mappings()
    return {row["id"]: row for row in found}


def _ask(connection: Connection) -> None:
    connection.execute(requests.update().values(wanted=requests.c.wanted + 1))
