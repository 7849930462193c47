"""Let memberships be bought, changed and renewed term by term, bring guests, and let disputes and receipts be kept."""

import sqlalchemy as sa
from alembic import op

from models.history import trigger_on

revision = "2026_11_20_members"
down_revision = "2026_11_20_bell"
branch_labels = None
depends_on = None

TERM_KINDS = sa.Enum("joined", "changed", "renewed", name="termkind", native_enum=False, length=40)
TERM_STATUSES = sa.Enum("pending", "paid", "lapsed", name="termstatus", native_enum=False, length=40)
PASS_STATUSES = sa.Enum("issued", "used", "withdrawn", name="guestpassstatus", native_enum=False, length=40)


def upgrade() -> None:
    op.drop_column("memberships", "guest_passes_used")
    op.add_column("memberships", sa.Column("next_plan_id", sa.BigInteger(), nullable=True))
    op.add_column("memberships", sa.Column("grace_ends_on", sa.Date(), nullable=True))
    op.add_column("memberships", sa.Column("reminded_of", sa.Date(), nullable=True))
    op.create_foreign_key(op.f("fk_memberships_next_plan_id"), "memberships", "plans", ["next_plan_id"], ["id"])
    op.create_check_constraint(op.f("ck_memberships_grace"), "memberships", "grace_ends_on > ends_on")
    op.create_index("ix_memberships_ends_on", "memberships", ["ends_on"], postgresql_where=sa.text("status = 'active'"))
    op.alter_column("membership_credits", "used", server_default=sa.text("0"))
    op.add_column("membership_credits", sa.Column("guests", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(op.f("ck_membership_credits_guests"), "membership_credits", "guests >= 0")
    _make_terms()
    _make_guest_passes()
    _make_disputes()
    op.add_column("payments", sa.Column("term_id", sa.BigInteger(), nullable=True))
    op.add_column("payments", sa.Column("looked_up_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(op.f("fk_payments_term_id"), "payments", "membership_terms", ["term_id"], ["id"])
    op.create_unique_constraint(op.f("uq_payments_term_id"), "payments", ["term_id"])
    op.create_check_constraint(op.f("ck_payments_term"), "payments", "term_id IS NULL OR purpose = 'membership'")
    is_open = sa.text("status IN ('pending', 'failed') AND provider_id IS NOT NULL")
    op.create_index("ix_payments_open", "payments", ["created_at"], postgresql_where=is_open)
    op.add_column("outbox_messages", sa.Column("pdf", sa.LargeBinary(), nullable=True))
    op.add_column("outbox_messages", sa.Column("pdf_name", sa.Text(), nullable=True))


def _make_terms() -> None:
    op.create_table(
        "membership_terms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("membership_id", sa.BigInteger(), nullable=True),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("former_plan_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", TERM_KINDS, nullable=False),
        sa.Column("status", TERM_STATUSES, nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_on", sa.Date(), nullable=True),
        sa.Column("asked_as", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_membership_terms_order")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_membership_terms_amount")),
        sa.CheckConstraint("membership_id IS NOT NULL OR kind = 'joined'", name=op.f("ck_membership_terms_membership")),
        sa.CheckConstraint("membership_id IS NOT NULL OR status <> 'paid'", name=op.f("ck_membership_terms_paid")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_membership_terms_user_id")),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"], name=op.f("fk_membership_terms_membership_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_membership_terms_plan_id")),
        sa.ForeignKeyConstraint(["former_plan_id"], ["plans.id"], name=op.f("fk_membership_terms_former_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership_terms")),
        sa.UniqueConstraint("asked_as", name=op.f("uq_membership_terms_asked_as")),
        sa.UniqueConstraint("uuid", name=op.f("uq_membership_terms_uuid")),
    )
    op.create_index(op.f("ix_membership_terms_user_id"), "membership_terms", ["user_id"])
    op.create_index(op.f("ix_membership_terms_membership_id"), "membership_terms", ["membership_id"])
    renewed, is_open = sa.text("kind = 'renewed'"), sa.text("status = 'pending' AND kind <> 'renewed'")
    columns = ["membership_id", "starts_on"]
    op.create_index("uq_membership_terms_period", "membership_terms", columns, unique=True, postgresql_where=renewed)
    op.create_index("uq_membership_terms_open", "membership_terms", ["user_id"], unique=True, postgresql_where=is_open)
    is_pending = sa.text("status = 'pending'")
    op.create_index("ix_membership_terms_next_try_on", "membership_terms", ["next_try_on"], postgresql_where=is_pending)
    op.execute(trigger_on("membership_terms"))


def _make_guest_passes() -> None:
    op.create_table(
        "guest_passes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("membership_id", sa.BigInteger(), nullable=False),
        sa.Column("credit_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("guest_name", sa.Text(), nullable=False),
        sa.Column("guest_email", sa.Text(), nullable=True),
        sa.Column("status", PASS_STATUSES, nullable=False),
        sa.Column("good_until", sa.Date(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"], name=op.f("fk_guest_passes_membership_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["credit_id"], ["membership_credits.id"], name=op.f("fk_guest_passes_credit_id")),
        sa.ForeignKeyConstraint(["used_by"], ["users.id"], name=op.f("fk_guest_passes_used_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guest_passes")),
        sa.UniqueConstraint("code", name=op.f("uq_guest_passes_code")),
        sa.UniqueConstraint("uuid", name=op.f("uq_guest_passes_uuid")),
    )
    op.create_index(op.f("ix_guest_passes_membership_id"), "guest_passes", ["membership_id"])
    op.execute(trigger_on("guest_passes", "code", "guest_email", "guest_name"))


def _make_disputes() -> None:
    op.create_table(
        "disputes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_disputes_amount")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_disputes_provider_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_disputes_uuid")),
    )
    op.create_index(op.f("ix_disputes_payment_id"), "disputes", ["payment_id"])
    op.execute(trigger_on("disputes"))


def downgrade() -> None:
    op.drop_column("outbox_messages", "pdf_name")
    op.drop_column("outbox_messages", "pdf")
    op.drop_index("ix_payments_open", table_name="payments")
    op.drop_constraint(op.f("ck_payments_term"), "payments", type_="check")
    op.drop_column("payments", "looked_up_at")
    op.drop_column("payments", "term_id")
    op.drop_table("disputes")
    op.drop_table("guest_passes")
    op.drop_table("membership_terms")
    op.drop_column("membership_credits", "guests")
    op.alter_column("membership_credits", "used", server_default=None)
    op.drop_index("ix_memberships_ends_on", table_name="memberships")
    op.drop_column("memberships", "reminded_of")
    op.drop_column("memberships", "grace_ends_on")
    op.drop_column("memberships", "next_plan_id")
    op.add_column("memberships", sa.Column("guest_passes_used", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.alter_column("memberships", "guest_passes_used", server_default=None)
