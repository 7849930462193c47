"""Who agreed to which mails: consents with their time and source, and subscriptions that wait to be confirmed."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import SENSITIVE, Visible


class ConsentPurpose(StrEnum):
    """What somebody agreed to get by e-mail.

    MARKETING_EMAILS: News of the house.
    SERVICE_UPDATES: New and changed services.
    SPECIAL_OFFERS: Special offers.
    """

    MARKETING_EMAILS = "marketing_emails"
    SERVICE_UPDATES = "service_updates"
    SPECIAL_OFFERS = "special_offers"


class ConsentSource(StrEnum):
    """By what a consent was given or taken back.

    NEWSLETTER: The newsletter's form, confirmed by its reader.
    PREFERENCES: The preferences of somebody's account.
    UNSUBSCRIBED: The link in a mail.
    ADDRESS_CHANGED: A change of the e-mail address, which it follows.
    """

    NEWSLETTER = "newsletter"
    PREFERENCES = "preferences"
    UNSUBSCRIBED = "unsubscribed"
    ADDRESS_CHANGED = "address_changed"


class MarketingConsent(Visible):
    """An address agreed to mails of one sort; taking it back ends the row, agreeing anew makes another."""

    __tablename__ = "marketing_consents"

    email: Mapped[str] = mapped_column(info=SENSITIVE, doc="The address, in lower case.")
    purpose: Mapped[ConsentPurpose] = mapped_column(doc="What it agreed to.")
    source: Mapped[ConsentSource] = mapped_column(doc="By what it agreed.")
    given_at: Mapped[datetime] = mapped_column(doc="When it agreed.")
    withdrawn_at: Mapped[datetime | None] = mapped_column(doc="When it took that back.")
    withdrawn_by: Mapped[ConsentSource | None] = mapped_column(doc="By what it took that back.")

    __table_args__ = (
        Index("uq_marketing_consents_current", "email", "purpose", unique=True, postgresql_where=text("withdrawn_at IS NULL")),
        Index("ix_marketing_consents_purpose", "purpose", "id", postgresql_where=text("withdrawn_at IS NULL")),
    )


class SubscriptionStatus(StrEnum):
    """Where a subscription to the newsletter stands.

    PENDING: Nobody has confirmed it.
    CONFIRMED: Its reader has confirmed it.
    UNSUBSCRIBED: Its reader has ended it.
    """

    PENDING = "pending"
    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"


class NewsletterSubscription(Visible):
    """An address that was put down for the newsletter; nothing is sent before its reader confirmed it."""

    __tablename__ = "newsletter_subscriptions"

    email: Mapped[str] = mapped_column(unique=True, info=SENSITIVE, doc="The address, in lower case.")
    first_name: Mapped[str] = mapped_column(default="", info=SENSITIVE, doc="How its reader is called.")
    status: Mapped[SubscriptionStatus] = mapped_column(default=SubscriptionStatus.PENDING, doc="Where it stands.")
    wanted: Mapped[list[str]] = mapped_column(doc="The purposes that will be agreed to once it is confirmed.")
    code_hash: Mapped[str | None] = mapped_column(unique=True, info=SENSITIVE, doc="SHA-256 of the code that was sent.")
    code_ends_at: Mapped[datetime | None] = mapped_column(doc="Until when that code is good.")
    confirmed_at: Mapped[datetime | None] = mapped_column(doc="When it was last confirmed.")
    unsubscribed_at: Mapped[datetime | None] = mapped_column(doc="When it was ended.")
