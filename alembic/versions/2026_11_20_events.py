"""Lay the tables of events."""

import sqlalchemy as sa
from alembic import op

from models.history import trigger_on

revision = "2026_11_20_events"
down_revision = "2026_11_20_dashboard"
branch_labels = None
depends_on = None

SENSITIVE = {"facilitators": ["bio"], "event_series": [], "events": [], "event_bookings": [], "calendar_feeds": ["secret_hash"]}


def upgrade() -> None:
    op.create_table(
        "facilitators",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("bio", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_facilitators_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facilitators")),
        sa.UniqueConstraint("user_id", name=op.f("uq_facilitators_user_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_facilitators_uuid")),
    )
    op.create_table(
        "calendar_feeds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Enum("attendee", "facilitator", "room", name="feedkind", native_enum=False, length=40), nullable=False),
        sa.Column("facilitator_id", sa.BigInteger(), nullable=True),
        sa.Column("room_id", sa.BigInteger(), nullable=True),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(kind = 'facilitator') = (facilitator_id IS NOT NULL) AND (kind = 'room') = (room_id IS NOT NULL)",
            name=op.f("ck_calendar_feeds_kind"),
        ),
        sa.ForeignKeyConstraint(["facilitator_id"], ["facilitators.id"], name=op.f("fk_calendar_feeds_facilitator_id")),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f("fk_calendar_feeds_room_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_calendar_feeds_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feeds")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_calendar_feeds_secret_hash")),
        sa.UniqueConstraint("uuid", name=op.f("uq_calendar_feeds_uuid")),
    )
    op.create_index(op.f("ix_calendar_feeds_user_id"), "calendar_feeds", ["user_id"], unique=False)
    op.create_table(
        "event_series",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lasts", sa.Interval(), nullable=False),
        sa.Column("made_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("facilitator_id", sa.BigInteger(), nullable=False),
        sa.Column("room_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Enum("session", "retreat", name="eventtype", native_enum=False, length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=True),
        sa.Column("virtual_link", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("max_participants", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("requirements", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("lasts > interval '0'", name=op.f("ck_event_series_lasts")),
        sa.CheckConstraint("max_participants > 0", name=op.f("ck_event_series_seats")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_event_series_price")),
        sa.ForeignKeyConstraint(["facilitator_id"], ["facilitators.id"], name=op.f("fk_event_series_facilitator_id")),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f("fk_event_series_room_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_series")),
        sa.UniqueConstraint("uuid", name=op.f("uq_event_series_uuid")),
    )
    op.create_index(op.f("ix_event_series_made_until"), "event_series", ["made_until"], unique=False)
    op.create_index(op.f("ix_event_series_room_id"), "event_series", ["room_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Enum("active", "cancelled", "completed", name="eventstatus", native_enum=False, length=40), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("current_participants", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("changes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("series_id", sa.BigInteger(), nullable=True),
        sa.Column("recurs_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_detached", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("facilitator_id", sa.BigInteger(), nullable=False),
        sa.Column("room_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Enum("session", "retreat", name="eventtype", native_enum=False, length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=True),
        sa.Column("virtual_link", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("max_participants", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("requirements", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(series_id IS NULL) = (recurs_at IS NULL)", name=op.f("ck_events_series")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_events_order")),
        sa.CheckConstraint("max_participants > 0 AND current_participants BETWEEN 0 AND max_participants", name=op.f("ck_events_seats")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_events_price")),
        sa.ForeignKeyConstraint(["facilitator_id"], ["facilitators.id"], name=op.f("fk_events_facilitator_id")),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f("fk_events_room_id")),
        sa.ForeignKeyConstraint(["series_id"], ["event_series.id"], name=op.f("fk_events_series_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("series_id", "recurs_at", name=op.f("uq_events_series_id_recurs_at")),
        sa.UniqueConstraint("uuid", name=op.f("uq_events_uuid")),
    )
    op.create_index(op.f("ix_events_facilitator_id_starts_at_id"), "events", ["facilitator_id", "starts_at", "id"], unique=False)
    op.create_index(op.f("ix_events_room_id"), "events", ["room_id"], unique=False)
    op.create_index(op.f("ix_events_status_starts_at_id"), "events", ["status", "starts_at", "id"], unique=False)
    op.create_table(
        "event_bookings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("seats", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("seats > 0", name=op.f("ck_event_bookings_seats")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_event_bookings_booking_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["customer_id"], ["users.id"], name=op.f("fk_event_bookings_customer_id")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_event_bookings_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_bookings")),
        sa.UniqueConstraint("booking_id", name=op.f("uq_event_bookings_booking_id")),
    )
    op.create_index(op.f("ix_event_bookings_customer_id"), "event_bookings", ["customer_id"], unique=False)
    op.create_index(
        "uq_event_bookings_seat",
        "event_bookings",
        ["event_id", "customer_id"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.add_column("reservations", sa.Column("event_id", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_reservations_event_id"), "reservations", ["event_id"], unique=False)
    op.create_foreign_key(op.f("fk_reservations_event_id"), "reservations", "events", ["event_id"], ["id"], ondelete="CASCADE")
    op.create_index("uq_credentials_google", "credentials", ["secret"], unique=True, postgresql_where=sa.text("kind = 'google'"))
    op.drop_constraint(op.f("ck_reservations_one_reason"), "reservations", type_="check")
    op.create_check_constraint(op.f("ck_reservations_one_reason"), "reservations", "num_nonnulls(booking_id, hold_id, event_id) = 1")
    for table, sensitive in SENSITIVE.items():
        op.execute(trigger_on(table, *sensitive))


def downgrade() -> None:
    op.drop_index("uq_credentials_google", table_name="credentials", postgresql_where=sa.text("kind = 'google'"))
    op.execute("DELETE FROM reservations WHERE event_id IS NOT NULL")
    op.drop_constraint(op.f("ck_reservations_one_reason"), "reservations", type_="check")
    op.create_check_constraint(op.f("ck_reservations_one_reason"), "reservations", "num_nonnulls(booking_id, hold_id) = 1")
    op.drop_constraint(op.f("fk_reservations_event_id"), "reservations", type_="foreignkey")
    op.drop_index(op.f("ix_reservations_event_id"), table_name="reservations")
    op.drop_column("reservations", "event_id")
    op.drop_index("uq_event_bookings_seat", table_name="event_bookings", postgresql_where=sa.text("released_at IS NULL"))
    op.drop_index(op.f("ix_event_bookings_customer_id"), table_name="event_bookings")
    op.drop_table("event_bookings")
    op.drop_index(op.f("ix_events_status_starts_at_id"), table_name="events")
    op.drop_index(op.f("ix_events_room_id"), table_name="events")
    op.drop_index(op.f("ix_events_facilitator_id_starts_at_id"), table_name="events")
    op.drop_table("events")
    op.drop_index(op.f("ix_event_series_room_id"), table_name="event_series")
    op.drop_index(op.f("ix_event_series_made_until"), table_name="event_series")
    op.drop_table("event_series")
    op.drop_index(op.f("ix_calendar_feeds_user_id"), table_name="calendar_feeds")
    op.drop_table("calendar_feeds")
    op.drop_table("facilitators")
