"""Find the day's payments, cancellations and new members without reading all of them."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_20_dashboard"
down_revision = "2026_11_20_messages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_bookings_cancelled_at", "bookings", ["cancelled_at"], postgresql_where=sa.text("cancelled_at IS NOT NULL"))
    op.create_index("ix_payments_charged_at", "payments", ["charged_at"], postgresql_where=sa.text("charged_at IS NOT NULL"))
    op.create_index("ix_memberships_starts_on", "memberships", ["starts_on"])


def downgrade() -> None:
    op.drop_index("ix_memberships_starts_on", "memberships")
    op.drop_index("ix_payments_charged_at", "payments")
    op.drop_index("ix_bookings_cancelled_at", "bookings")
