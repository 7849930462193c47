"""Keep heartbeats apart from devices, messages until they are sent, and notes of the demo."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_20_rooms_and_demo"
down_revision = "2026_11_20_history"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device_heartbeats",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("device_id", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("good_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_missed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_device_heartbeats_device_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_heartbeats")),
        sa.UniqueConstraint("device_id", name=op.f("uq_device_heartbeats_device_id")),
    )
    op.create_index(op.f("ix_device_heartbeats_good_until"), "device_heartbeats", ["good_until"])
    op.drop_column("devices", "seen_at")
    op.alter_column("device_commands", "action", type_=sa.String(40), postgresql_using="action::varchar(40)")
    op.create_table(
        "outbox_messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_outbox_messages_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_messages")),
    )
    op.create_index(op.f("ix_outbox_messages_user_id"), "outbox_messages", ["user_id"])
    op.create_index("ix_outbox_messages_to_id", "outbox_messages", [sa.text('lower("to")'), "id"])
    op.create_table(
        "demo_notes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_demo_notes")),
        sa.UniqueConstraint("name", name=op.f("uq_demo_notes_name")),
    )


def downgrade() -> None:
    op.drop_table("demo_notes")
    op.drop_table("outbox_messages")
    op.alter_column("device_commands", "action", type_=sa.Text())
    op.add_column("devices", sa.Column("seen_at", sa.DateTime(timezone=True)))
    op.drop_table("device_heartbeats")
