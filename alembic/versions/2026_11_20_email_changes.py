"""Bring the addresses in that wait to be confirmed."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_20_email_changes"
down_revision = "2026_11_20_free_text"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "email_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_email_changes_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_changes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_email_changes_code_hash")),
        sa.UniqueConstraint("user_id", name=op.f("uq_email_changes_user_id")),
    )


def downgrade() -> None:
    op.drop_table("email_changes")
