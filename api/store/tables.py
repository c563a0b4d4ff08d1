"""Tables of the state database (``state.db``); :mod:`api.migrations` brings a file to this shape.

Times are RFC 3339 texts in UTC with ``Z``, so that they sort and read the same everywhere. Documents are
compressed JSON: a plan of a day shrinks to a tenth.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    },
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

explanations = Table(
    "explanations",
    metadata,
    Column("plan_id", Text, ForeignKey("plans.plan_id", ondelete="CASCADE"), primary_key=True),
    Column("question", Text, primary_key=True, doc="canonical JSON"),
    Column("other_id", Text, ForeignKey("plans.plan_id", ondelete="CASCADE"), doc="the plan that it is compared with"),
    Column("told_at", Text, nullable=False),
    Column("release", Text, nullable=False, doc="whose sentences these facts fill"),
    Column("document", LargeBinary, nullable=False, doc="statements with the numbers behind them, no sentences"),
)

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

agents = Table(
    "agents",
    metadata,
    Column("node", Text, primary_key=True),
    Column("pool", Text, nullable=False),
    Column("seen_at", Text, nullable=False, doc="by the service's clock"),
    Column("report", Text, nullable=False, doc="the last one, JSON"),
    Column("placement", Text, nullable=False, doc="JSON: job, or null, by GPU index"),
)

placements = Table(
    "placements",
    metadata,
    Column("node", Text, primary_key=True),
    Column("seen_at", Text, nullable=False, doc="when the scheduler last said so"),
    Column("rows", Text, nullable=False, doc="JSON: job by GPU index; a GPU that is missing is free"),
)

achieved = Table(
    "achieved",
    metadata,
    Column("start", Text, primary_key=True, doc="of the slot"),
    Column("node", Text, primary_key=True),
    Column("job", Text, primary_key=True, doc="empty: GPUs without a job"),
    Column("reports", Integer, nullable=False, doc="that counted"),
    Column("gpus", Integer, nullable=False, doc="at most, in one report"),
    Column("limits", Integer, nullable=False, doc="GPU readings of a requested and an enforced limit"),
    Column("requested_w", Float, nullable=False, doc="sum over them"),
    Column("enforced_w", Float, nullable=False, doc="sum over them"),
    Column("above", Integer, nullable=False, doc="of them, enforced above requested"),
    Column("powers", Integer, nullable=False, doc="GPU readings of power"),
    Column("power_w", Float, nullable=False, doc="sum over them"),
    Column("uncontrolled", Integer, nullable=False, doc="reports in which the agent did not follow the plan"),
)

events = Table(
    "events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("document", Text, nullable=False, doc="as handed in, in canonical JSON"),
    Column("starts_at", Text, nullable=False),
    Column("ends_at", Text, nullable=False),
    Column("status", Text, nullable=False, doc="accepted or withdrawn"),
    Column("answer", Text, nullable=False, doc="JSON: what was answered before acceptance"),
    Column("baseline_plan_id", Text, doc="plan in force when it was accepted, before it knew the event"),
    Column("accepted_at", Text, nullable=False),
    Column("withdrawn_at", Text),
)
Index("ix_events_ends_at", events.c.ends_at)

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
