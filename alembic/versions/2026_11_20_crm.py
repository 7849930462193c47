"""Let the CRM keep its notices, and people wait in line for events and for times at the spa."""

import sqlalchemy as sa
from alembic import op

from models.history import trigger_on

revision = "2026_11_20_crm"
down_revision = "2026_11_20_events"
branch_labels = None
depends_on = None

SENSITIVE = {"crm_notices": ["person_email", "person_name", "person_phone", "notes"], "crm_moves": ["note"], "waitlist_entries": []}


def upgrade() -> None:
    op.create_table(
        "crm_notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Enum("own", "outside", name="crmsource", native_enum=False, length=40), nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=True),
        sa.Column("booking_number", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Enum("received", "cancelled", name="crmnoticestatus", native_enum=False, length=40), nullable=False),
        sa.Column(
            "crm_status",
            sa.Enum("new", "reviewed", "contacted", "confirmed", "completed", name="crmstatus", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column("person_number", sa.BigInteger(), nullable=False),
        sa.Column("person_email", sa.Text(), nullable=True),
        sa.Column("person_name", sa.Text(), nullable=False),
        sa.Column("person_phone", sa.Text(), nullable=True),
        sa.Column("event_number", sa.BigInteger(), nullable=False),
        sa.Column("event_title", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Enum("session", "retreat", name="eventtype", native_enum=False, length=40), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("facilitator_number", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(source = 'own') = (booking_id IS NOT NULL)", name=op.f("ck_crm_notices_own")),
        sa.CheckConstraint("booking_id = booking_number", name=op.f("ck_crm_notices_number")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_crm_notices_booking_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_notices")),
        sa.UniqueConstraint("booking_id", name=op.f("uq_crm_notices_booking_id")),
        sa.UniqueConstraint("source", "booking_number", name=op.f("uq_crm_notices_source_booking_number")),
        sa.UniqueConstraint("uuid", name=op.f("uq_crm_notices_uuid")),
    )
    op.create_index(op.f("ix_crm_notices_booking_number"), "crm_notices", ["booking_number"], unique=False)
    op.create_index(op.f("ix_crm_notices_event_number"), "crm_notices", ["event_number"], unique=False)
    op.create_index(
        op.f("ix_crm_notices_facilitator_number_received_at_id"), "crm_notices", ["facilitator_number", "received_at", "id"], unique=False
    )
    op.create_index(op.f("ix_crm_notices_person_number"), "crm_notices", ["person_number"], unique=False)
    op.create_index(op.f("ix_crm_notices_received_at_id"), "crm_notices", ["received_at", "id"], unique=False)
    op.create_table(
        "crm_dispatches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["notice_id"], ["crm_notices.id"], name=op.f("fk_crm_dispatches_notice_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_dispatches")),
        sa.UniqueConstraint("notice_id", name=op.f("uq_crm_dispatches_notice_id")),
    )
    op.create_index(
        "ix_crm_dispatches_waiting",
        "crm_dispatches",
        ["next_try_at", "id"],
        unique=False,
        postgresql_where=sa.text("waiting_since IS NOT NULL"),
    )
    op.create_table(
        "crm_moves",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "old_status",
            sa.Enum("new", "reviewed", "contacted", "confirmed", "completed", name="crmstatus", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column(
            "new_status",
            sa.Enum("new", "reviewed", "contacted", "confirmed", "completed", name="crmstatus", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("moved_by_id", sa.BigInteger(), nullable=True),
        sa.Column("moved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["moved_by_id"], ["users.id"], name=op.f("fk_crm_moves_moved_by_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["notice_id"], ["crm_notices.id"], name=op.f("fk_crm_moves_notice_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_moves")),
    )
    op.create_index(op.f("ix_crm_moves_moved_by_id"), "crm_moves", ["moved_by_id"], unique=False)
    op.create_index(op.f("ix_crm_moves_notice_id"), "crm_moves", ["notice_id"], unique=False)
    op.create_table(
        "waitlist_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Enum("event", "slot", name="waitlistkind", native_enum=False, length=40), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("waiting", "offered", "taken", "expired", "left", "closed", name="waitliststatus", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("service_id", sa.BigInteger(), nullable=True),
        sa.Column("room_id", sa.BigInteger(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("offer_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hold_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(kind = 'event') = (event_id IS NOT NULL) AND (kind = 'slot') = (service_id IS NOT NULL)",
            name=op.f("ck_waitlist_entries_kind"),
        ),
        sa.CheckConstraint(
            "(status = 'waiting') = (offered_at IS NULL) OR status IN ('taken', 'left', 'closed')", name=op.f("ck_waitlist_entries_offered")
        ),
        sa.CheckConstraint("quantity BETWEEN 1 AND 10 AND (kind = 'event' OR quantity = 1)", name=op.f("ck_waitlist_entries_quantity")),
        sa.CheckConstraint("(offered_at IS NULL) = (offer_ends_at IS NULL)", name=op.f("ck_waitlist_entries_offer_ends")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_waitlist_entries_order")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_waitlist_entries_event_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["hold_id"], ["holds.id"], name=op.f("fk_waitlist_entries_hold_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f("fk_waitlist_entries_room_id")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_waitlist_entries_service_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_waitlist_entries_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_entries")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_waitlist_entries_hold_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_waitlist_entries_uuid")),
    )
    op.create_index(
        "ix_waitlist_entries_line", "waitlist_entries", ["event_id", "id"], unique=False, postgresql_where=sa.text("status = 'waiting'")
    )
    op.create_index(
        "ix_waitlist_entries_offers",
        "waitlist_entries",
        ["offer_ends_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'offered'"),
    )
    op.create_index(op.f("ix_waitlist_entries_service_id"), "waitlist_entries", ["service_id"], unique=False)
    op.create_index(
        "ix_waitlist_entries_slots",
        "waitlist_entries",
        ["starts_at", "id"],
        unique=False,
        postgresql_where=sa.text("kind = 'slot' AND status IN ('waiting', 'offered')"),
    )
    op.create_index(op.f("ix_waitlist_entries_user_id_id"), "waitlist_entries", ["user_id", "id"], unique=False)
    op.create_index(
        "uq_waitlist_entries_event",
        "waitlist_entries",
        ["event_id", "user_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('waiting', 'offered')"),
    )
    op.create_index(
        "uq_waitlist_entries_slot",
        "waitlist_entries",
        ["user_id", "service_id", "starts_at"],
        unique=True,
        postgresql_where=sa.text("kind = 'slot' AND status IN ('waiting', 'offered')"),
    )
    for table, sensitive in SENSITIVE.items():
        op.execute(trigger_on(table, *sensitive))


def downgrade() -> None:
    op.drop_index(
        "uq_waitlist_entries_slot",
        table_name="waitlist_entries",
        postgresql_where=sa.text("kind = 'slot' AND status IN ('waiting', 'offered')"),
    )
    op.drop_index("uq_waitlist_entries_event", table_name="waitlist_entries", postgresql_where=sa.text("status IN ('waiting', 'offered')"))
    op.drop_index(op.f("ix_waitlist_entries_user_id_id"), table_name="waitlist_entries")
    op.drop_index(
        "ix_waitlist_entries_slots",
        table_name="waitlist_entries",
        postgresql_where=sa.text("kind = 'slot' AND status IN ('waiting', 'offered')"),
    )
    op.drop_index(op.f("ix_waitlist_entries_service_id"), table_name="waitlist_entries")
    op.drop_index("ix_waitlist_entries_offers", table_name="waitlist_entries", postgresql_where=sa.text("status = 'offered'"))
    op.drop_index("ix_waitlist_entries_line", table_name="waitlist_entries", postgresql_where=sa.text("status = 'waiting'"))
    op.drop_table("waitlist_entries")
    op.drop_index(op.f("ix_crm_moves_notice_id"), table_name="crm_moves")
    op.drop_index(op.f("ix_crm_moves_moved_by_id"), table_name="crm_moves")
    op.drop_table("crm_moves")
    op.drop_index("ix_crm_dispatches_waiting", table_name="crm_dispatches", postgresql_where=sa.text("waiting_since IS NOT NULL"))
    op.drop_table("crm_dispatches")
    op.drop_index(op.f("ix_crm_notices_received_at_id"), table_name="crm_notices")
    op.drop_index(op.f("ix_crm_notices_person_number"), table_name="crm_notices")
    op.drop_index(op.f("ix_crm_notices_facilitator_number_received_at_id"), table_name="crm_notices")
    op.drop_index(op.f("ix_crm_notices_event_number"), table_name="crm_notices")
    op.drop_index(op.f("ix_crm_notices_booking_number"), table_name="crm_notices")
    op.drop_table("crm_notices")
