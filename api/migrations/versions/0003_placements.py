"""Which job has which GPU, as a scheduler says."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it."""
    op.create_table(
        "placements",
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("seen_at", sa.Text, nullable=False),
        sa.Column("rows", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("node", name="pk_placements"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("placements")
