"""What the server says to people: notifications, preferences, devices for pushes, forms, newsletter and campaigns."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.history import trigger_on

revision = "2026_11_20_messages"
down_revision = "2026_11_20_devices"
branch_labels = None
depends_on = None

FORM_REFERENCE = """
CASE kind WHEN 'contact' THEN 'CONT-' ELSE 'MEM-' END
  || extract(year FROM timezone('UTC', created_at))::text || '-' || lpad(id::text, greatest(3, length(id::text)), '0')
""".strip()
FOLLOWED: dict[str, tuple[str, ...]] = {
    "marketing_consents": ("email",),
    "newsletter_subscriptions": ("code_hash", "email", "first_name"),
    "segments": (),
    "campaigns": (),
    "form_submissions": ("email", "heard_about_us", "message", "name", "note", "phone"),
    "notification_preferences": (),
    "push_devices": ("token",),
}


def upgrade() -> None:
    op.create_table(
        "marketing_consents",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True)),
        sa.Column("withdrawn_by", sa.String(40)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_marketing_consents")),
        sa.UniqueConstraint("uuid", name=op.f("uq_marketing_consents_uuid")),
    )
    op.create_index(
        "ix_marketing_consents_purpose", "marketing_consents", ["purpose", "id"], postgresql_where=sa.text("withdrawn_at IS NULL")
    )
    op.create_index(
        "uq_marketing_consents_current",
        "marketing_consents",
        ["email", "purpose"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "newsletter_subscriptions",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(40), nullable=False),
        sa.Column("wanted", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("code_hash", sa.Text()),
        sa.Column("code_ends_at", sa.DateTime(timezone=True)),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.Column("unsubscribed_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_newsletter_subscriptions")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_newsletter_subscriptions_code_hash")),
        sa.UniqueConstraint("email", name=op.f("uq_newsletter_subscriptions_email")),
        sa.UniqueConstraint("uuid", name=op.f("uq_newsletter_subscriptions_uuid")),
    )
    op.create_table(
        "segments",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("conditions", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint("name", name=op.f("uq_segments_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_segments_uuid")),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("segment_id", sa.BigInteger()),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("button_label", sa.Text(), nullable=False),
        sa.Column("button_url", sa.Text()),
        sa.Column("status", sa.String(40), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True)),
        sa.Column("begun_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("listed_through", sa.BigInteger(), nullable=False),
        sa.Column("listed_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["segment_id"], ["segments.id"], name=op.f("fk_campaigns_segment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("uuid", name=op.f("uq_campaigns_uuid")),
    )
    op.create_index(op.f("ix_campaigns_segment_id"), "campaigns", ["segment_id"])
    op.create_table(
        "form_submissions",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("reference", sa.Text(), sa.Computed(FORM_REFERENCE, persisted=True), nullable=False),
        sa.Column("status", sa.String(40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("interested_plan", sa.Text()),
        sa.Column("interest_level", sa.Text()),
        sa.Column("preferred_services", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("heard_about_us", sa.Text()),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("handled_by_id", sa.BigInteger()),
        sa.Column("handled_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["handled_by_id"], ["users.id"], name=op.f("fk_form_submissions_handled_by_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_form_submissions_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_submissions")),
        sa.UniqueConstraint("reference", name=op.f("uq_form_submissions_reference")),
        sa.UniqueConstraint("uuid", name=op.f("uq_form_submissions_uuid")),
    )
    op.create_index(op.f("ix_form_submissions_fingerprint_created_at"), "form_submissions", ["fingerprint", "created_at"])
    op.create_index(op.f("ix_form_submissions_status_id"), "form_submissions", ["status", "id"])
    op.create_index(op.f("ix_form_submissions_user_id"), "form_submissions", ["user_id"])
    op.create_table(
        "notification_preferences",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("is_wanted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notification_preferences_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_preferences")),
        sa.UniqueConstraint("user_id", "kind", "channel", name=op.f("uq_notification_preferences_user_id_kind_channel")),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("action_url", sa.Text()),
        sa.Column("cause", sa.Text()),
        sa.Column("read_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notifications_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("cause", name=op.f("uq_notifications_cause")),
        sa.UniqueConstraint("uuid", name=op.f("uq_notifications_uuid")),
    )
    op.create_index("ix_notifications_unread", "notifications", ["user_id"], postgresql_where=sa.text("read_at IS NULL"))
    op.create_index(op.f("ix_notifications_user_id_id"), "notifications", ["user_id", "id"])
    op.create_table(
        "push_devices",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("platform", sa.String(40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("session", sa.Uuid()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_push_devices_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_devices")),
        sa.UniqueConstraint("token", name=op.f("uq_push_devices_token")),
        sa.UniqueConstraint("uuid", name=op.f("uq_push_devices_uuid")),
    )
    op.create_index(op.f("ix_push_devices_session"), "push_devices", ["session"])
    op.create_index(op.f("ix_push_devices_user_id"), "push_devices", ["user_id"])
    op.create_table(
        "campaign_recipients",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("status", sa.String(40), nullable=False),
        sa.Column("message_id", sa.BigInteger()),
        sa.Column("queued_at", sa.DateTime(timezone=True)),
        sa.Column("failure", sa.Text()),
        sa.Column("unsubscribed_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_recipients_campaign_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["outbox_messages.id"], name=op.f("fk_campaign_recipients_message_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_campaign_recipients_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_recipients")),
        sa.UniqueConstraint("campaign_id", "email", name=op.f("uq_campaign_recipients_campaign_id_email")),
    )
    op.create_index(op.f("ix_campaign_recipients_message_id"), "campaign_recipients", ["message_id"])
    op.create_index(
        "ix_campaign_recipients_pending", "campaign_recipients", ["campaign_id", "id"], postgresql_where=sa.text("status = 'pending'")
    )
    op.create_index(op.f("ix_campaign_recipients_queued_at"), "campaign_recipients", ["queued_at"])
    op.create_index("ix_campaign_recipients_user_id", "campaign_recipients", ["user_id"])
    op.add_column("locations", sa.Column("city", sa.Text(), server_default="", nullable=False))
    op.add_column("outbox_messages", sa.Column("kind", sa.String(40)))
    op.add_column("outbox_messages", sa.Column("html", sa.Text()))
    op.add_column("outbox_messages", sa.Column("unsubscribe_url", sa.Text()))
    op.add_column("outbox_messages", sa.Column("is_at_most_once", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("outbox_messages", sa.Column("begun_at", sa.DateTime(timezone=True)))
    op.add_column("outbox_messages", sa.Column("failed_at", sa.DateTime(timezone=True)))
    op.add_column("outbox_messages", sa.Column("failure", sa.Text()))
    op.add_column("users", sa.Column("push_notifications", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.create_check_constraint("one_end", "outbox_messages", "sent_at IS NULL OR failed_at IS NULL")
    for table, sensitive in FOLLOWED.items():
        op.execute(trigger_on(table, *sensitive))


def downgrade() -> None:
    op.drop_constraint("ck_outbox_messages_one_end", "outbox_messages")
    op.drop_column("users", "push_notifications")
    op.drop_column("outbox_messages", "failure")
    op.drop_column("outbox_messages", "failed_at")
    op.drop_column("outbox_messages", "begun_at")
    op.drop_column("outbox_messages", "is_at_most_once")
    op.drop_column("outbox_messages", "unsubscribe_url")
    op.drop_column("outbox_messages", "html")
    op.drop_column("outbox_messages", "kind")
    op.drop_column("locations", "city")
    op.drop_table("campaign_recipients")
    op.drop_table("push_devices")
    op.drop_table("notifications")
    op.drop_table("notification_preferences")
    op.drop_table("form_submissions")
    op.drop_table("campaigns")
    op.drop_table("segments")
    op.drop_table("newsletter_subscriptions")
    op.drop_table("marketing_consents")
