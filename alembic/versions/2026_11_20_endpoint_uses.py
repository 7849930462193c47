"""Count who still calls which old endpoint."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_20_endpoint_uses"
down_revision = "2026_11_20_opening_hours"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "endpoint_uses",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint_uses")),
        sa.UniqueConstraint("day", "system", "route", "client", name=op.f("uq_endpoint_uses_day_system_route_client")),
    )


def downgrade() -> None:
    op.drop_table("endpoint_uses")
