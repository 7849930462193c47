"""Keep refunds as rows of their own, and what the simulated providers of demo mode remember."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.history import trigger_on

revision = "2026_11_20_refunds"
down_revision = "2026_11_20_ledger_rules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("status", sa.Enum("pending", "succeeded", "failed", name="refundstatus", native_enum=False, length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("asked_as", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("asked_as", name=op.f("uq_refunds_asked_as")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_refunds_provider_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_refunds_uuid")),
    )
    op.create_index(op.f("ix_refunds_payment_id"), "refunds", ["payment_id"])
    op.execute(trigger_on("refunds"))
    op.create_table(
        "simulated_objects",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simulated_objects")),
        sa.UniqueConstraint("provider", "key", name=op.f("uq_simulated_objects_provider_key")),
    )
    op.create_index(op.f("ix_simulated_objects_provider_kind"), "simulated_objects", ["provider", "kind"])


def downgrade() -> None:
    op.drop_table("simulated_objects")
    op.drop_table("refunds")
