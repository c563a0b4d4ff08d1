"""Tables of the state database (``state.db``); :mod:`api.migrations` brings a file to this shape.

Times are RFC 3339 texts in UTC with ``Z``, so that they sort and read the same everywhere. Documents are
compressed JSON: a plan of a day shrinks to a tenth.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"},
)

plans = Table(
    "plans",
    metadata,
    Column("plan_id", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("site", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("valid_from", Text, nullable=False),
    Column("valid_until", Text, nullable=False),
    Column("document", LargeBinary, nullable=False, doc="edition without charts, never changed"),
    Column("charts", LargeBinary, doc="can be drawn again, so that old ones are dropped"),
    Column("memory", LargeBinary, nullable=False, doc="what the next cycle continues from"),
)
Index("ix_plans_seq", plans.c.epoch, plans.c.seq, unique=True)

in_force = Table(
    "in_force",
    metadata,
    Column("site", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("plan_id", Text),
    Column("changed_at", Text, nullable=False),
)

targets = Table(
    "targets",
    metadata,
    Column("name", Text, primary_key=True, doc="pool or asset"),
    Column("mode", Text, nullable=False),
    Column("lease_s", Float, doc="null: the site file's"),
    Column("lapsed", Integer, nullable=False, doc="1 while the default is served because the lease is over"),
    Column("changed_at", Text, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("document", Text, nullable=False, doc="as handed in, in canonical JSON"),
    Column("source", Text, nullable=False),
    Column("status", Text, nullable=False, doc="open, done or set_aside"),
    Column("reason", Text, doc="why it was set aside"),
    Column("progress", Text, nullable=False, doc="JSON: work left, state, slots run, as followed since"),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
)
Index("ix_jobs_status", jobs.c.status)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", Text, nullable=False, doc="SHA-256 of the whole key; the key itself is kept nowhere"),
    Column("scope", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("revoked_at", Text),
)

requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("wanted", Integer, nullable=False, doc="raised by every write that asks for a new plan"),
    Column("answered", Integer, nullable=False, doc="the highest that a finished cycle has seen"),
)

cycles = Table(
    "cycles",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("started_at", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", Text, nullable=False, doc="published or failed"),
    Column("rung", Text),
    Column("gap", Float),
    Column("reason", Text, doc="of a failure; for operators"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False, doc="key id, or who ran the command"),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("detail", Text, nullable=False, doc="JSON: before, after"),
    Column("chain", Text, nullable=False, doc="SHA-256 over the row before and this row"),
)
