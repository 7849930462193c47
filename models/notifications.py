"""What the server says to people: what they find in the app, what they want to be told how, and every message that leaves the house."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import SENSITIVE, Model, Visible


class Channel(StrEnum):
    """The way a message takes.

    EMAIL: A mail.
    SMS: A text message.
    PUSH: A push to the person's devices.
    """

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class NotificationKind(StrEnum):
    """What a message is about; each has its template.

    BOOKING_RECEIVED: A booking was made and waits for its payment.
    BOOKING_CONFIRMED: A booking holds.
    BOOKING_MOVED: A booking has another time or room.
    BOOKING_CANCELLED: A booking does not hold any more.
    BOOKING_REMINDER: A visit is tomorrow.
    EVENT_BOOKED: Seats at an event were taken.
    EVENT_LEFT: Seats at an event were given back.
    EVENT_CHANGED: An event that was booked is another one now.
    EVENT_CANCELLED: An event that was booked does not take place.
    WAITLIST_OFFERED: Something that was waited for is kept for them for a while.
    EVENT_LEFT_OUT: One of a series could not be put into the calendar, for who holds it.
    PAYMENT_RECEIPT: Money has come in.
    PAYMENT_REFUNDED: Money went back.
    PAYMENT_DISPUTED: A customer asks money back through their bank, or the bank has decided, for the staff.
    PURCHASE_CONFIRMED: A purchase is paid.
    PURCHASE_READY: A purchase can be picked up.
    PURCHASE_CANCELLED: A purchase does not hold any more.
    STOCK_LOW: A product runs low, for the staff.
    CONCIERGE_UPDATED: Something is new about a request to the concierge.
    MEMBERSHIP_STARTED: A membership has begun.
    MEMBERSHIP_UPGRADED: A membership is on another plan.
    MEMBERSHIP_RENEWED: A membership goes on.
    MEMBERSHIP_ENDING: A membership ends or is renewed soon.
    MEMBERSHIP_ENDED: A membership is over.
    MEMBERSHIP_PAYMENT_FAILED: The payment that renews a membership failed.
    GUEST_INVITED: A member brings a guest along.
    FORM_RECEIVED: Somebody has sent a form, for the staff.
    SPECIAL_OFFER: A mail of a campaign.
    SECURITY_CODE: A one-time code.
    EMAIL_CODE: The code that confirms a new e-mail address.
    EMAIL_CHANGED: An account has another e-mail address.
    EMAIL_KNOWN: Somebody wanted an address that belongs to an account.
    PHONE_CHANGED: An account has another phone number.
    ACCOUNT_WARNING: Something about signing in to an account has changed.
    ACCOUNT_ERASED: An account was erased.
    NEWSLETTER_CONFIRMATION: The newsletter waits to be confirmed.
    NEWSLETTER_WELCOME: The newsletter was confirmed.
    """

    BOOKING_RECEIVED = "booking_received"
    BOOKING_CONFIRMED = "booking_confirmed"
    BOOKING_MOVED = "booking_moved"
    BOOKING_CANCELLED = "booking_cancelled"
    BOOKING_REMINDER = "booking_reminder"
    EVENT_BOOKED = "event_booked"
    EVENT_LEFT = "event_left"
    EVENT_CHANGED = "event_changed"
    EVENT_CANCELLED = "event_cancelled"
    WAITLIST_OFFERED = "waitlist_offered"
    EVENT_LEFT_OUT = "event_left_out"
    PAYMENT_RECEIPT = "payment_receipt"
    PAYMENT_REFUNDED = "payment_refunded"
    PAYMENT_DISPUTED = "payment_disputed"
    PURCHASE_CONFIRMED = "purchase_confirmed"
    PURCHASE_READY = "purchase_ready"
    PURCHASE_CANCELLED = "purchase_cancelled"
    STOCK_LOW = "stock_low"
    CONCIERGE_UPDATED = "concierge_updated"
    MEMBERSHIP_STARTED = "membership_started"
    MEMBERSHIP_UPGRADED = "membership_upgraded"
    MEMBERSHIP_RENEWED = "membership_renewed"
    MEMBERSHIP_ENDING = "membership_ending"
    MEMBERSHIP_ENDED = "membership_ended"
    MEMBERSHIP_PAYMENT_FAILED = "membership_payment_failed"
    GUEST_INVITED = "guest_invited"
    FORM_RECEIVED = "form_received"
    SPECIAL_OFFER = "special_offer"
    SECURITY_CODE = "security_code"
    EMAIL_CODE = "email_code"
    EMAIL_CHANGED = "email_changed"
    EMAIL_KNOWN = "email_known"
    PHONE_CHANGED = "phone_changed"
    ACCOUNT_WARNING = "account_warning"
    ACCOUNT_ERASED = "account_erased"
    NEWSLETTER_CONFIRMATION = "newsletter_confirmation"
    NEWSLETTER_WELCOME = "newsletter_welcome"


@dataclass(frozen=True)
class Rule:
    """How a kind of message is sent unless its reader wants it otherwise."""

    channels: frozenset[Channel]
    is_necessary: bool = False
    """Whether it is sent whatever anybody wants, since something cannot be done without it."""
    is_optional: bool = True
    """Whether people choose their channels for it; what has a consent of its own, or is necessary, they do not."""


_BY_MAIL = frozenset({Channel.EMAIL})
_EVERYWHERE = frozenset(Channel)
_NEWS = Rule(frozenset({Channel.EMAIL, Channel.PUSH}))
_NECESSARY = Rule(_BY_MAIL, is_necessary=True, is_optional=False)
_ON_CONSENT = Rule(_BY_MAIL, is_optional=False)

RULES: Mapping[NotificationKind, Rule] = MappingProxyType(
    {
        NotificationKind.BOOKING_RECEIVED: _NEWS,
        NotificationKind.BOOKING_CONFIRMED: _NEWS,
        NotificationKind.BOOKING_MOVED: _NEWS,
        NotificationKind.BOOKING_CANCELLED: _NEWS,
        NotificationKind.BOOKING_REMINDER: Rule(_EVERYWHERE),
        NotificationKind.EVENT_BOOKED: _NEWS,
        NotificationKind.EVENT_LEFT: _NEWS,
        NotificationKind.EVENT_CHANGED: _NEWS,
        NotificationKind.EVENT_CANCELLED: _NEWS,
        NotificationKind.WAITLIST_OFFERED: Rule(_EVERYWHERE),
        NotificationKind.EVENT_LEFT_OUT: _NEWS,
        NotificationKind.PAYMENT_RECEIPT: _NECESSARY,
        NotificationKind.PAYMENT_REFUNDED: _NECESSARY,
        NotificationKind.PAYMENT_DISPUTED: _NECESSARY,
        NotificationKind.PURCHASE_CONFIRMED: _NEWS,
        NotificationKind.PURCHASE_READY: _NEWS,
        NotificationKind.PURCHASE_CANCELLED: _NEWS,
        NotificationKind.STOCK_LOW: _NEWS,
        NotificationKind.CONCIERGE_UPDATED: _NEWS,
        NotificationKind.MEMBERSHIP_STARTED: _NEWS,
        NotificationKind.MEMBERSHIP_UPGRADED: _NEWS,
        NotificationKind.MEMBERSHIP_RENEWED: _NEWS,
        NotificationKind.MEMBERSHIP_ENDING: _NECESSARY,
        NotificationKind.MEMBERSHIP_ENDED: _NECESSARY,
        NotificationKind.MEMBERSHIP_PAYMENT_FAILED: _NECESSARY,
        NotificationKind.GUEST_INVITED: _NECESSARY,
        NotificationKind.FORM_RECEIVED: _NEWS,
        NotificationKind.SPECIAL_OFFER: _ON_CONSENT,
        NotificationKind.SECURITY_CODE: _NECESSARY,
        NotificationKind.EMAIL_CODE: _NECESSARY,
        NotificationKind.EMAIL_CHANGED: _NECESSARY,
        NotificationKind.EMAIL_KNOWN: _NECESSARY,
        NotificationKind.PHONE_CHANGED: _NECESSARY,
        NotificationKind.ACCOUNT_WARNING: _NECESSARY,
        NotificationKind.ACCOUNT_ERASED: _NECESSARY,
        NotificationKind.NEWSLETTER_CONFIRMATION: _ON_CONSENT,
        NotificationKind.NEWSLETTER_WELCOME: _ON_CONSENT,
    }
)


class Notification(Visible):
    """What a person finds in the app under the bell."""

    __tablename__ = "notifications"
    __history__ = False

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[NotificationKind] = mapped_column(doc="What it is about.")
    title: Mapped[str] = mapped_column(doc="A few words.")
    message: Mapped[str] = mapped_column(doc="One sentence.")
    action_url: Mapped[str | None] = mapped_column(doc="Where the app goes from it, such as /bookings/123.")
    cause: Mapped[str | None] = mapped_column(unique=True, doc="What it stands for, such as booking:5:received:…; said once.")
    read_at: Mapped[datetime | None] = mapped_column(doc="When it was read.")

    __table_args__ = (
        Index(None, "user_id", "id"),
        Index("ix_notifications_unread", "user_id", postgresql_where=text("read_at IS NULL")),
    )


class NotificationPreference(Model):
    """How somebody wants one kind of message on one channel, where that is not as usual."""

    __tablename__ = "notification_preferences"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[NotificationKind]
    channel: Mapped[Channel]
    is_wanted: Mapped[bool]

    __table_args__ = (UniqueConstraint("user_id", "kind", "channel"),)


class PushPlatform(StrEnum):
    """What kind of device takes pushes.

    ANDROID: A phone or tablet with Android.
    IOS: An iPhone or iPad.
    WEB: A browser.
    """

    ANDROID = "android"
    IOS = "ios"
    WEB = "web"


class PushDevice(Visible):
    """A device on which somebody is signed in and takes pushes; it goes with the sign-in."""

    __tablename__ = "push_devices"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token: Mapped[str] = mapped_column(unique=True, info=SENSITIVE)
    platform: Mapped[PushPlatform] = mapped_column(doc="What kind of device it is.")
    name: Mapped[str] = mapped_column(default="", doc="What its owner calls it.")
    session: Mapped[UUID | None] = mapped_column(index=True)


class OutboxMessage(Model):
    """One message to one address. Outside demo mode its text is emptied once it is sent, for it may hold a code."""

    __tablename__ = "outbox_messages"
    __history__ = False

    channel: Mapped[Channel]
    kind: Mapped[NotificationKind | None] = mapped_column(doc="What it is about.")
    to: Mapped[str] = mapped_column(doc="E-mail address, phone number or device token.")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    subject: Mapped[str] = mapped_column(default="")
    body: Mapped[str]
    html: Mapped[str | None] = mapped_column(doc="The same as HTML, of a mail; emptied once it is sent.")
    cause: Mapped[str | None] = mapped_column(unique=True, doc="What it stands for, such as booking:5:received; said once.")
    code: Mapped[str | None] = mapped_column(doc="The one-time code it carries, so that the demo can show it.")
    link: Mapped[str | None] = mapped_column(doc="The link it carries, so that the demo can show it.")
    unsubscribe_url: Mapped[str | None] = mapped_column(doc="Where one POST ends mails of its sort.")
    is_at_most_once: Mapped[bool] = mapped_column(
        default=False,
        server_default=text("false"),
        doc="Whether it is rather lost than sent twice, when nobody knows what became of a try.",
    )
    pdf: Mapped[bytes | None] = mapped_column(deferred=True, doc="A PDF that goes along with it.")
    pdf_name: Mapped[str | None] = mapped_column(doc="The name under which the PDF goes along.")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    begun_at: Mapped[datetime | None] = mapped_column(doc="When a worker began to send it.")
    sent_at: Mapped[datetime | None] = mapped_column(doc="When the gateway took it.")
    failed_at: Mapped[datetime | None] = mapped_column(doc="When it was given up.")
    failure: Mapped[str | None] = mapped_column(doc="Why it was given up.")

    __table_args__ = (
        Index("ix_outbox_messages_to_id", func.lower(to), "id"),
        CheckConstraint("sent_at IS NULL OR failed_at IS NULL", name="one_end"),
    )
