"""Counters of rate limits."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_20_limit_counters"
down_revision = "2026_11_20_rooms_and_demo"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "limit_counters",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_counters")),
        sa.UniqueConstraint("key", name=op.f("uq_limit_counters_key")),
    )
    op.create_index(op.f("ix_limit_counters_expires_at"), "limit_counters", ["expires_at"])


def downgrade() -> None:
    op.drop_table("limit_counters")
