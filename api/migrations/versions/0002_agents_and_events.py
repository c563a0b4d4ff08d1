"""Agents' reports, what jobs achieved, and grid events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "agents",
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Column("seen_at", sa.Text, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("placement", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("node", name="pk_agents"),
    )
    op.create_table(
        "achieved",
        sa.Column("start", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("reports", sa.Integer, nullable=False),
        sa.Column("gpus", sa.Integer, nullable=False),
        sa.Column("limits", sa.Integer, nullable=False),
        sa.Column("requested_w", sa.Float, nullable=False),
        sa.Column("enforced_w", sa.Float, nullable=False),
        sa.Column("above", sa.Integer, nullable=False),
        sa.Column("powers", sa.Integer, nullable=False),
        sa.Column("power_w", sa.Float, nullable=False),
        sa.Column("uncontrolled", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("start", "node", "job", name="pk_achieved"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("starts_at", sa.Text, nullable=False),
        sa.Column("ends_at", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("baseline_plan_id", sa.Text),
        sa.Column("accepted_at", sa.Text, nullable=False),
        sa.Column("withdrawn_at", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_ends_at", "events", ["ends_at"])


def downgrade() -> None:
    """Drop them."""
    for name in ("events", "achieved", "agents"):
        op.drop_table(name)
