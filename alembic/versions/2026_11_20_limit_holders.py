"""How many processes count under a limit."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_20_limit_holders"
down_revision = "2026_11_20_insights"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("limit_counters", sa.Column("holders", sa.BigInteger(), server_default="1", nullable=False))


def downgrade() -> None:
    op.drop_column("limit_counters", "holders")
