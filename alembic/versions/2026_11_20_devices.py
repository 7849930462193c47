"""Let devices report every second: claims, indexes for commands, and a history that leaves out what devices report."""

import sqlalchemy as sa
from alembic import op

from models.history import trigger_on

revision = "2026_11_20_devices"
down_revision = "2026_11_20_quickbooks"
branch_labels = None
depends_on = None

# Every column but state, which devices report themselves, as often as they like.
SET_BY_PEOPLE = "uuid, room_id, name, device_type, zone, min_value, max_value, default_value, in_maintenance, created_at"


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=False),
        sa.Column("good_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claims")),
        sa.UniqueConstraint("name", name=op.f("uq_claims_name")),
    )
    op.drop_index(op.f("ix_device_heartbeats_good_until"), table_name="device_heartbeats")
    op.drop_index(op.f("ix_device_commands_device_id"), table_name="device_commands")
    op.create_index(op.f("ix_device_commands_device_id_created_at_id"), "device_commands", ["device_id", "created_at", "id"])
    op.create_index("ix_device_commands_sent", "device_commands", ["id"], postgresql_where=sa.text("status = 'sent'"))
    op.execute("DROP TRIGGER record_history ON devices")
    op.execute(trigger_on("devices").replace("INSERT OR UPDATE OR DELETE", f"INSERT OR DELETE OR UPDATE OF {SET_BY_PEOPLE}"))


def downgrade() -> None:
    op.execute("DROP TRIGGER record_history ON devices")
    op.execute(trigger_on("devices"))
    op.drop_index("ix_device_commands_sent", table_name="device_commands")
    op.drop_index(op.f("ix_device_commands_device_id_created_at_id"), table_name="device_commands")
    op.create_index(op.f("ix_device_commands_device_id"), "device_commands", ["device_id"])
    op.create_index(op.f("ix_device_heartbeats_good_until"), "device_heartbeats", ["good_until"])
    op.drop_table("claims")
