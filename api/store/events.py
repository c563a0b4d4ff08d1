"""Events that were accepted, with what was answered before; an event never changes, it can only be withdrawn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Engine, RowMapping, select

from api.events import GridEvent
from api.store.audit import record
from api.store.engine import reading, writing
from api.store.tables import events, requests
from ingest.ports import Clock
from models.errors import NotFound
from models.horizon import parse_rfc3339, rfc3339


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event with its standing; ``baseline_plan_id`` is the plan that did not know it yet."""

    event: GridEvent
    status: Literal["accepted", "withdrawn"]
    answer: dict[str, Any]
    baseline_plan_id: str | None
    accepted_at: datetime
    withdrawn_at: datetime | None


class EventStore:
    """Keeps events; every change asks the planner for a new plan."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def accept(self, event: GridEvent, answer: dict[str, Any], plan_id: str | None, actor: str) -> None:
        """Keep an event that is not known yet, in one transaction with the request for a plan and the audit row."""
        now = self._clock.now()
        document = json.dumps(event.model_dump(mode="json"), sort_keys=True)
        with writing(self._engine) as connection:
            connection.execute(
                events.insert().values(
                    id=event.id,
                    document=document,
                    starts_at=rfc3339(event.start),
                    ends_at=rfc3339(event.end),
                    status="accepted",
                    answer=json.dumps(answer),
                    baseline_plan_id=plan_id,
                    accepted_at=rfc3339(now),
                )
            )
            record(connection, now, actor, "event.accept", event.id, {"event": json.loads(document), "answer": answer})
            connection.execute(requests.update().values(wanted=requests.c.wanted + 1))

    def withdraw(self, event_id: str, actor: str) -> None:
        """Take an event back; what it asked for in the past stays on record.

        Raises:
            NotFound: there is no such event, or it is withdrawn already.
        """
        now = self._clock.now()
        with writing(self._engine) as connection:
            done = connection.execute(
                events.update()
                .where(events.c.id == event_id, events.c.status == "accepted")
                .values(status="withdrawn", withdrawn_at=rfc3339(now))
            )
            if not done.rowcount:
                raise NotFound("event in force", event_id)
            record(connection, now, actor, "event.withdraw", event_id, {})
            connection.execute(requests.update().values(wanted=requests.c.wanted + 1))

    def get(self, event_id: str) -> KnownEvent:
        """One event.

        Raises:
            NotFound: there is none.
        """
        with reading(self._engine) as connection:
            row = connection.execute(select(events).where(events.c.id == event_id)).mappings().first()
        if row is None:
            raise NotFound("event", event_id)
        return _known(row)

    def page(self, after: str, limit: int) -> list[KnownEvent]:
        """Up to ``limit`` events with an id above ``after``, by id."""
        wanted = select(events).where(events.c.id > after).order_by(events.c.id).limit(limit)
        with reading(self._engine) as connection:
            return [_known(row) for row in connection.execute(wanted).mappings()]

    def latest(self, limit: int) -> list[KnownEvent]:
        """Up to ``limit`` events, the latest start first, those taken back among them."""
        wanted = select(events).order_by(events.c.starts_at.desc(), events.c.id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_known(row) for row in connection.execute(wanted).mappings()]

    def in_force(self, now: datetime) -> list[GridEvent]:
        """Accepted events that are not over."""
        return [known.event for known in self.between(now, datetime.max.replace(tzinfo=now.tzinfo))]

    def between(self, start: datetime, end: datetime) -> list[KnownEvent]:
        """Accepted events that touch [start, end), by their start."""
        wanted = (
            select(events)
            .where(events.c.status == "accepted", events.c.ends_at > rfc3339(start), events.c.starts_at < rfc3339(end))
            .order_by(events.c.starts_at, events.c.id)
        )
        with reading(self._engine) as connection:
            return [_known(row) for row in connection.execute(wanted).mappings()]


def _known(row: RowMapping) -> KnownEvent:
    event = GridEvent.model_validate(json.loads(row["document"]))
    withdrawn = None if row["withdrawn_at"] is None else parse_rfc3339(row["withdrawn_at"])
    accepted = parse_rfc3339(row["accepted_at"])
    answer: dict[str, Any] = json.loads(row["answer"])
    return KnownEvent(event, row["status"], answer, row["baseline_plan_id"], accepted, withdrawn)
