"""What the server says to people: every mail, text message and push, queued in the transaction that gives reason for it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model


class Channel(StrEnum):
    """The way a message takes."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class OutboxMessage(Model):
    """One message to one person. Outside demo mode its text is emptied once it is sent, for it may hold a code."""

    __tablename__ = "outbox_messages"
    __history__ = False

    channel: Mapped[Channel]
    to: Mapped[str] = mapped_column(doc="E-mail address, phone number or device token.")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    subject: Mapped[str] = mapped_column(default="")
    body: Mapped[str]
    cause: Mapped[str | None] = mapped_column(unique=True, doc="What it stands for, such as booking:5:received; said once.")
    code: Mapped[str | None] = mapped_column(doc="The one-time code it carries, so that the demo can show it.")
    link: Mapped[str | None] = mapped_column(doc="The link it carries, so that the demo can show it.")
    pdf: Mapped[bytes | None] = mapped_column(deferred=True, doc="A PDF that goes along with it.")
    pdf_name: Mapped[str | None] = mapped_column(doc="The name under which the PDF goes along.")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None] = mapped_column(doc="When the gateway took it.")

    __table_args__ = (Index("ix_outbox_messages_to_id", func.lower(to), "id"),)
