"""Published plans and what is in force: one number, one pointer, flipped in one transaction.

``(epoch, seq)`` counts everything that changes what a puller gets: a new plan, another mode, a lease that
lapses or comes back. It is the version in every answer and, as ``W/"epoch.seq"``, its ETag, so that a 304 always
means "the same as what you hold". The history of plans is never changed; only their drawings are dropped.
"""

from __future__ import annotations

import json
import secrets
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, func, null, select
from sqlalchemy.dialects.sqlite import insert

from api.store.audit import record
from api.store.engine import reading, writing
from api.store.tables import cycles, in_force, plans, requests, targets
from ingest.ports import Clock
from models.errors import NotFound
from models.horizon import parse_rfc3339, rfc3339
from models.lease import Mode, Version

Edition = dict[str, Any]
_KEPT_PARSED = 4
_KEPT_CHARTS = 96


@dataclass(frozen=True, slots=True)
class Target:
    """A pool or asset: what it lets the planner do. ``lease_s`` None: the site file's."""

    name: str
    mode: Mode = Mode.SHADOW
    lease_s: float | None = None
    lapsed: bool = False


@dataclass(frozen=True, slots=True)
class InForce:
    """One consistent view of what holds now; ``plan_id`` None before the first plan."""

    version: Version
    plan_id: str | None
    valid_until: datetime | None
    targets: Mapping[str, Target] = field(default_factory=dict)

    def target(self, name: str) -> Target:
        """Standing of a pool or asset; in shadow until somebody says otherwise."""
        return self.targets.get(name) or Target(name)


@dataclass(frozen=True, slots=True)
class Cycle:
    """What became of one round of the planner."""

    started_at: datetime
    seconds: float
    outcome: str
    rung: str | None = None
    gap: float | None = None
    reason: str | None = None


class PlanStore:
    """Plans of one site."""

    def __init__(self, engine: Engine, site: str, clock: Clock) -> None:
        self._engine = engine
        self._site = site
        self._clock = clock
        self._parsed: OrderedDict[tuple[str, bool], Edition] = OrderedDict()
        self._mutex = Lock()

    # ---- what holds

    def now(self) -> InForce:
        """What is in force."""
        with reading(self._engine) as connection:
            row = connection.execute(
                select(in_force.c.epoch, in_force.c.seq, in_force.c.plan_id, plans.c.valid_until)
                .select_from(in_force.outerjoin(plans, plans.c.plan_id == in_force.c.plan_id))
                .where(in_force.c.site == self._site)
            ).first()
            found = {r.name: _target(r) for r in connection.execute(select(targets))}
        if row is None:
            return InForce(Version(1, 0), None, None, found)
        until = None if row.valid_until is None else parse_rfc3339(row.valid_until)
        return InForce(Version(row.epoch, row.seq), row.plan_id, until, found)

    def version(self) -> Version:
        """Version in force; one row, for those that only look whether something has changed."""
        with reading(self._engine) as connection:
            row = connection.execute(
                select(in_force.c.epoch, in_force.c.seq).where(in_force.c.site == self._site)
            ).first()
        return Version(1, 0) if row is None else Version(row.epoch, row.seq)

    def made_between(self, start: datetime, end: datetime) -> list[tuple[datetime, str]]:
        """Instant and id of each plan published in [start, end), and of the last one before, oldest first."""
        wanted = select(plans.c.created_at, plans.c.plan_id).where(plans.c.site == self._site)
        order = (plans.c.epoch, plans.c.seq)
        with reading(self._engine) as connection:
            before = connection.execute(
                wanted.where(plans.c.created_at < rfc3339(start)).order_by(*(c.desc() for c in order)).limit(1)
            ).all()
            inside = connection.execute(
                wanted.where(plans.c.created_at >= rfc3339(start), plans.c.created_at < rfc3339(end)).order_by(*order)
            ).all()
        return [(parse_rfc3339(row.created_at), row.plan_id) for row in [*before, *inside]]

    def edition(self, plan_id: str, *, charts: bool = False) -> Edition:
        """A published plan with everything that was known when it was made. Callers do not change it.

        Raises:
            NotFound: there is no such plan.
        """
        wanted = (plan_id, charts)
        with self._mutex:
            if wanted in self._parsed:
                self._parsed.move_to_end(wanted)
                return self._parsed[wanted]
        column = plans.c.charts if charts else null()
        with reading(self._engine) as connection:
            row = connection.execute(
                select(plans.c.document, column.label("drawn")).where(
                    plans.c.plan_id == plan_id, plans.c.site == self._site
                )
            ).first()
        if row is None:
            raise NotFound("plan", plan_id)
        edition: Edition = unpacked(row.document)
        edition["charts"] = unpacked(row.drawn) if row.drawn is not None else {}
        with self._mutex:
            self._parsed[wanted] = edition
            while len(self._parsed) > _KEPT_PARSED:
                self._parsed.popitem(last=False)
        return edition

    def current(self, *, charts: bool = False) -> Edition | None:
        """The plan in force under the version in force; None before the first."""
        held = self.now()
        if held.plan_id is None:
            return None
        version = {"epoch": held.version.epoch, "seq": held.version.seq}
        return {**self.edition(held.plan_id, charts=charts), "plan_version": version}

    def named(self, plan_id: str) -> Edition:
        """The plan of an id, or for ``current`` the one in force.

        Raises:
            NotFound: there is no such plan.
        """
        edition = self.current() if plan_id == "current" else self.edition(plan_id)
        if edition is None:
            raise NotFound("plan", plan_id)
        return edition

    def memory(self) -> dict[str, Any] | None:
        """What the cycle that made the plan in force left for the next one."""
        with reading(self._engine) as connection:
            blob = connection.execute(
                select(plans.c.memory)
                .join(in_force, in_force.c.plan_id == plans.c.plan_id)
                .where(in_force.c.site == self._site)
            ).scalar()
        return None if blob is None else unpacked(blob)

    # ---- changes

    def publish(self, edition: Edition, memory: dict[str, Any], answers: int = 0) -> Edition:
        """Put a checked plan in force for all pools at once.

        ``edition`` comes without ``plan_id`` and ``plan_version``; both are given here. ``answers`` is the
        highest request that the plan has seen. Returns the edition as it is served.
        """
        now = self._clock.now()
        plan_id = f"pln_{now:%Y%m%dT%H%M%S}_{secrets.token_hex(4)}"
        charts = edition.get("charts") or {}
        with writing(self._engine) as connection:
            version = self._raise_version(connection, now, plan_id)
            given = {"plan_id": plan_id, "plan_version": {"epoch": version.epoch, "seq": version.seq}}
            full = {**given, **edition, **given, "created_at": rfc3339(now)}
            connection.execute(
                plans.insert().values(
                    plan_id=plan_id,
                    epoch=version.epoch,
                    seq=version.seq,
                    site=self._site,
                    created_at=full["created_at"],
                    valid_from=full["valid_from"],
                    valid_until=full["valid_until"],
                    document=packed({key: value for key, value in full.items() if key != "charts"}),
                    charts=packed(charts) if charts else None,
                    memory=packed(memory),
                )
            )
            connection.execute(requests.update().values(answered=func.max(requests.c.answered, answers)))
            old = select(plans.c.plan_id).order_by(plans.c.epoch.desc(), plans.c.seq.desc()).limit(_KEPT_CHARTS)
            connection.execute(plans.update().where(plans.c.plan_id.not_in(old)).values(charts=None))
            record(connection, now, "planner", "plan.publish", plan_id, {"version": str(version)})
        return full

    def set_mode(self, name: str, mode: Mode, lease_s: float | None, actor: str) -> Version:
        """Set what a pool or asset lets the planner do, under a new version."""
        now = self._clock.now()
        with writing(self._engine) as connection:
            row = connection.execute(select(targets).where(targets.c.name == name)).first()
            before = _target(row) if row else Target(name)
            values = {"mode": mode.value, "lease_s": lease_s, "lapsed": 0, "changed_at": rfc3339(now)}
            connection.execute(
                insert(targets).values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values)
            )
            detail = {
                "before": {"mode": before.mode.value, "lease_s": before.lease_s},
                "after": {"mode": mode.value, "lease_s": lease_s},
            }
            record(connection, now, actor, "mode.set", name, detail)
            return self._raise_version(connection, now)

    def set_lapsed(self, name: str, lapsed: bool) -> None:
        """Note that a lease lapsed or came back, under a new version; a note that stands already changes nothing."""
        now = self._clock.now()
        with writing(self._engine) as connection:
            changed = connection.execute(
                targets.update()
                .where(targets.c.name == name, targets.c.lapsed == int(not lapsed))
                .values(lapsed=int(lapsed), changed_at=rfc3339(now))
            )
            if changed.rowcount:
                record(connection, now, "service", "lease.lapse" if lapsed else "lease.return", name, {})
                self._raise_version(connection, now)

    def raise_epoch(self, actor: str) -> Version:
        """Begin a new epoch, after a restore from backup: agents then take lower ``seq`` again."""
        now = self._clock.now()
        with writing(self._engine) as connection:
            self._raise_version(connection, now)
            connection.execute(
                in_force.update().where(in_force.c.site == self._site).values(epoch=in_force.c.epoch + 1)
            )
            record(connection, now, actor, "epoch.raise", self._site, {})
        return self.now().version

    def _raise_version(self, connection: Connection, now: datetime, plan_id: str | None = None) -> Version:
        return raise_version(connection, self._site, now, plan_id)

    # ---- the planner's rounds

    def wanted(self) -> tuple[int, int]:
        """Highest request for a plan, and the highest that has been answered."""
        with reading(self._engine) as connection:
            row = connection.execute(select(requests.c.wanted, requests.c.answered)).one()
        return row.wanted, row.answered

    def ask(self) -> int:
        """Ask for a new plan; the number of the request."""
        with writing(self._engine) as connection:
            return int(
                connection.execute(
                    requests.update().values(wanted=requests.c.wanted + 1).returning(requests.c.wanted)
                ).scalar_one()
            )

    def note_cycle(self, cycle: Cycle) -> None:
        """Keep what became of a round."""
        with writing(self._engine) as connection:
            connection.execute(
                cycles.insert().values(
                    started_at=rfc3339(cycle.started_at),
                    seconds=cycle.seconds,
                    outcome=cycle.outcome,
                    rung=cycle.rung,
                    gap=cycle.gap,
                    reason=cycle.reason,
                )
            )

    def last_cycle(self) -> Cycle | None:
        """The latest round; None before the first."""
        with reading(self._engine) as connection:
            row = connection.execute(select(cycles).order_by(cycles.c.id.desc()).limit(1)).first()
        if row is None:
            return None
        return Cycle(parse_rfc3339(row.started_at), row.seconds, row.outcome, row.rung, row.gap, row.reason)

    def cycle_counts(self) -> dict[str, int]:
        """Rounds by outcome."""
        with reading(self._engine) as connection:
            found = connection.execute(select(cycles.c.outcome, func.count()).group_by(cycles.c.outcome))
            return {row[0]: int(row[1]) for row in found}


def raise_version(connection: Connection, site: str, now: datetime, plan_id: str | None = None) -> Version:
    """The next version, inside the transaction of what changes: a puller must never be told 304 about it."""
    values: dict[str, Any] = {"changed_at": rfc3339(now)}
    if plan_id is not None:
        values["plan_id"] = plan_id
    row = connection.execute(
        insert(in_force)
        .values(site=site, epoch=1, seq=1, **values)
        .on_conflict_do_update(index_elements=["site"], set_={"seq": in_force.c.seq + 1, **values})
        .returning(in_force.c.epoch, in_force.c.seq)
    ).one()
    return Version(row.epoch, row.seq)


def _target(row: Any) -> Target:
    return Target(row.name, Mode(row.mode), row.lease_s, bool(row.lapsed))


def packed(value: Any) -> bytes:
    """A document as it is kept."""
    return zlib.compress(json.dumps(value, separators=(",", ":"), allow_nan=False).encode(), 6)


def unpacked(blob: bytes) -> Any:
    """A document that was kept."""
    return json.loads(zlib.decompress(blob))
