"""Note what of ours QuickBooks has."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_20_quickbooks"
down_revision = "2026_11_20_shop"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "books_tokens",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_books_tokens")),
        sa.UniqueConstraint("company", name=op.f("uq_books_tokens_company")),
    )
    op.create_table(
        "books_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Enum("customer", "item", "payment", "refund", name="bookskind", native_enum=False, length=40), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("status", sa.Enum("waiting", "done", "refused", name="booksstatus", native_enum=False, length=40), nullable=False),
        sa.Column("quickbooks_id", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("refund_id", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("refusals", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("synchronised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_books_entries_payment_id")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_books_entries_refund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_books_entries")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_books_entries_kind_subject")),
        sa.UniqueConstraint("uuid", name=op.f("uq_books_entries_uuid")),
    )
    op.create_index("ix_books_entries_open", "books_entries", ["id"], unique=False, postgresql_where=sa.text("status <> 'done'"))
    op.create_index(op.f("ix_books_entries_payment_id"), "books_entries", ["payment_id"], unique=False)
    op.create_index(op.f("ix_books_entries_refund_id"), "books_entries", ["refund_id"], unique=False)


def downgrade() -> None:
    op.drop_table("books_tokens")
    op.drop_table("books_entries")
