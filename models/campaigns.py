"""Mails to many: segments of those who agreed, campaigns, and what became of each recipient."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import SENSITIVE, Model, Visible
from models.newsletter import ConsentPurpose


class Segment(Visible):
    """A stored filter over the people who agreed to mails."""

    __tablename__ = "segments"

    name: Mapped[str] = mapped_column(unique=True, doc="What the staff call it.")
    conditions: Mapped[dict[str, Any]] = mapped_column(doc="What must hold; all of it.")


class CampaignStatus(StrEnum):
    """Where a campaign stands.

    DRAFT: It is being written.
    SCHEDULED: It waits for its moment.
    SENDING: Its mails are being sent.
    PAUSED: It waits to be scheduled again.
    SENT: Every mail was sent or given up.
    CANCELLED: It was stopped for good.
    """

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"


CAMPAIGN_MOVES = {
    CampaignStatus.DRAFT: {CampaignStatus.SCHEDULED, CampaignStatus.CANCELLED},
    CampaignStatus.SCHEDULED: {CampaignStatus.DRAFT, CampaignStatus.SENDING, CampaignStatus.PAUSED, CampaignStatus.CANCELLED},
    CampaignStatus.SENDING: {CampaignStatus.PAUSED, CampaignStatus.SENT, CampaignStatus.CANCELLED},
    CampaignStatus.PAUSED: {CampaignStatus.SCHEDULED, CampaignStatus.CANCELLED},
}


class Campaign(Visible):
    """One mail to everybody of a segment who agreed to mails of its sort."""

    __tablename__ = "campaigns"

    name: Mapped[str] = mapped_column(doc="What the staff call it.")
    purpose: Mapped[ConsentPurpose] = mapped_column(doc="What its readers must have agreed to.")
    segment_id: Mapped[int | None] = mapped_column(ForeignKey("segments.id"), index=True)
    subject: Mapped[str] = mapped_column(doc="Subject of the mail; may name {first_name}.")
    heading: Mapped[str] = mapped_column(default="", doc="Heading of the mail; may name {first_name}.")
    body: Mapped[str] = mapped_column(doc="Its paragraphs, with empty lines between them; may name {first_name}.")
    button_label: Mapped[str] = mapped_column(default="", doc="What stands on its button.")
    button_url: Mapped[str | None] = mapped_column(doc="Where its button leads.")
    status: Mapped[CampaignStatus] = mapped_column(default=CampaignStatus.DRAFT, doc="Where it stands.")
    starts_at: Mapped[datetime | None] = mapped_column(doc="When it begins to be sent.")
    begun_at: Mapped[datetime | None] = mapped_column(doc="When it began to be sent.")
    finished_at: Mapped[datetime | None] = mapped_column(doc="When the last mail of it was sent or given up.")
    listed_through: Mapped[int] = mapped_column(default=0, doc="The consent up to which its recipients are written down.")
    listed_at: Mapped[datetime | None] = mapped_column(doc="When all its recipients were written down.")

    segment: Mapped[Segment | None] = relationship(lazy="raise", doc="Who gets it; everybody who agreed when there is none.")


class RecipientStatus(StrEnum):
    """What became of one recipient of a campaign.

    PENDING: It is not their turn yet.
    QUEUED: Their mail waits to be sent.
    SENT: Their mail was sent.
    FAILED: Their mail could not be sent.
    SKIPPED: They took their consent back before it was their turn.
    """

    PENDING = "pending"
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


class CampaignRecipient(Model):
    """One address of one campaign: the row that lets nobody get it twice."""

    __tablename__ = "campaign_recipients"
    __history__ = False

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(info=SENSITIVE, doc="The address.")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    status: Mapped[RecipientStatus] = mapped_column(default=RecipientStatus.PENDING, doc="What became of the mail.")
    message_id: Mapped[int | None] = mapped_column(ForeignKey("outbox_messages.id", ondelete="SET NULL"), index=True)
    queued_at: Mapped[datetime | None] = mapped_column(index=True, doc="When its mail was queued.")
    failure: Mapped[str | None] = mapped_column(doc="Why it could not be sent.")
    unsubscribed_at: Mapped[datetime | None] = mapped_column(doc="When its reader took the consent back by it.")

    __table_args__ = (
        UniqueConstraint("campaign_id", "email"),
        Index("ix_campaign_recipients_pending", "campaign_id", "id", postgresql_where=text("status = 'pending'")),
        Index("ix_campaign_recipients_user_id", "user_id"),
    )
