"""Agents as they report: the last word of each, which GPU works for which job, and what jobs achieved per slot.

A report is kept, placement changed, and the slot's account moved on in one transaction. A placement that changes raises
the version in force, because it changes what the node gets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, RowMapping, func, select
from sqlalchemy.dialects.sqlite import insert

from api.agent_report import AgentReport, GpuReport
from api.plan_store import raise_version
from api.store.audit import record
from api.store.engine import reading, writing
from api.store.tables import achieved, agents
from ingest.ports import Clock
from models.errors import NotFound
from models.horizon import parse_rfc3339, rfc3339

Rows = dict[int, str | None]
"""Job by GPU index; None: the GPU is free."""
_KEPT = timedelta(days=35)
SHARED = "+"
"""Joins the names of jobs that share a GPU; no job is called so, so that its GPU gets the default."""


@dataclass(frozen=True, slots=True)
class SeenAgent:
    """An agent's last word; ``rows`` None: it does not know which job has which GPU."""

    node: str
    pool: str
    seen_at: datetime
    report: AgentReport
    rows: Rows | None


@dataclass(frozen=True, slots=True)
class Achieved:
    """What a job's GPUs on a node did in a slot; sums over readings, W. ``job`` empty: GPUs without one."""

    start: datetime
    node: str
    job: str
    reports: int
    gpus: int
    limits: int
    requested_w: float
    enforced_w: float
    above: int
    powers: int
    power_w: float
    uncontrolled: int


class AgentStore:
    """Keeps reports of one site; slots of ``step``."""

    def __init__(self, engine: Engine, site: str, clock: Clock, step: timedelta) -> None:
        self._engine = engine
        self._site = site
        self._clock = clock
        self._step = step
        self._slot: datetime | None = None

    def take(self, node: str, pool: str, report: AgentReport, actor: str) -> bool:
        """Keep a report; True where it changed the placement."""
        now = self._clock.now()
        rows = _rows(report)
        placement = json.dumps(rows)
        values = {"pool": pool, "seen_at": rfc3339(now), "report": report.model_dump_json(), "placement": placement}
        with writing(self._engine) as connection:
            before = connection.execute(select(agents.c.placement).where(agents.c.node == node)).scalar()
            connection.execute(
                insert(agents).values(node=node, **values).on_conflict_do_update(index_elements=["node"], set_=values)
            )
            changed = (before or "null") != placement
            if changed:
                detail = {"before": json.loads(before or "null"), "after": rows}
                record(connection, now, actor, "placement.set", node, detail)
                raise_version(connection, self._site, now)
            self._account(connection, node, report, now)
        return changed

    def _account(self, connection: Connection, node: str, report: AgentReport, now: datetime) -> None:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        slot = midnight + (now - midnight) // self._step * self._step
        if slot != self._slot:
            connection.execute(achieved.delete().where(achieved.c.start < rfc3339(now - _KEPT)))
            self._slot = slot
        by_job: dict[str, list[GpuReport]] = {}
        for gpu in report.gpus:
            by_job.setdefault(SHARED.join(sorted(gpu.jobs)), []).append(gpu)
        for job, gpus in by_job.items():
            told = _sums(gpus, report.state != "CONTROLLED" or report.default_set)
            added = {name: achieved.c[name] + value for name, value in told.items()}
            added["gpus"] = func.max(achieved.c.gpus, len(gpus))
            connection.execute(
                insert(achieved)
                .values(start=rfc3339(slot), node=node, job=job, gpus=len(gpus), **told)
                .on_conflict_do_update(index_elements=["start", "node", "job"], set_=added)
            )

    def get(self, node: str) -> SeenAgent:
        """One agent.

        Raises:
            NotFound: none has reported from there.
        """
        with reading(self._engine) as connection:
            row = connection.execute(select(agents).where(agents.c.node == node)).mappings().first()
        if row is None:
            raise NotFound("agent", node)
        return _seen(row)

    def rows(self, node: str) -> tuple[datetime, Rows] | None:
        """When an agent last said which job has which GPU, and what; None where it never did."""
        with reading(self._engine) as connection:
            row = connection.execute(select(agents.c.seen_at, agents.c.placement).where(agents.c.node == node)).first()
        rows = None if row is None else _rows_of(row.placement)
        return None if row is None or rows is None else (parse_rfc3339(row.seen_at), rows)

    def page(self, after: str = "", limit: int = 500) -> list[SeenAgent]:
        """Up to ``limit`` agents of nodes above ``after``, by name."""
        wanted = select(agents).where(agents.c.node > after).order_by(agents.c.node).limit(limit)
        with reading(self._engine) as connection:
            return [_seen(row) for row in connection.execute(wanted).mappings()]

    def achieved(self, start: datetime, end: datetime) -> list[Achieved]:
        """Accounts of the slots that begin in [start, end), by slot, job and node."""
        wanted = (
            select(achieved)
            .where(achieved.c.start >= rfc3339(start), achieved.c.start < rfc3339(end))
            .order_by(achieved.c.start, achieved.c.job, achieved.c.node)
        )
        with reading(self._engine) as connection:
            found = connection.execute(wanted).mappings().all()
        return [Achieved(**{**row, "start": parse_rfc3339(row["start"])}) for row in found]


def _rows(report: AgentReport) -> Rows | None:
    if not report.placement:
        return None
    return {gpu.index: SHARED.join(sorted(gpu.jobs)) or None for gpu in report.gpus}


def _rows_of(text: str) -> Rows | None:
    raw = json.loads(text)
    return None if raw is None else {int(index): job for index, job in raw.items()}


def _seen(row: RowMapping) -> SeenAgent:
    report = AgentReport.model_validate_json(row["report"])
    return SeenAgent(row["node"], row["pool"], parse_rfc3339(row["seen_at"]), report, _rows_of(row["placement"]))


def _sums(gpus: Iterable[GpuReport], uncontrolled: bool) -> dict[str, float]:
    limits = [(g.requested_w, g.enforced_w) for g in gpus if g.requested_w is not None and g.enforced_w is not None]
    powers = [g.power_w for g in gpus if g.power_w is not None]
    return {
        "reports": 1,
        "limits": len(limits),
        "requested_w": sum(pair[0] for pair in limits),
        "enforced_w": sum(pair[1] for pair in limits),
        "above": sum(g.exceeds for g in gpus),
        "powers": len(powers),
        "power_w": sum(powers),
        "uncontrolled": int(uncontrolled),
    }
