"""Bookings know whether their confirmation is on the way, and a message is said once."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_20_confirmations"
down_revision = "2026_11_20_endpoint_uses"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bookings", sa.Column("confirmation_sent", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("outbox_messages", sa.Column("cause", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_outbox_messages_cause"), "outbox_messages", ["cause"])


def downgrade() -> None:
    op.drop_constraint(op.f("uq_outbox_messages_cause"), "outbox_messages", type_="unique")
    op.drop_column("outbox_messages", "cause")
    op.drop_column("bookings", "confirmation_sent")
