"""Where the house holds personal data, in one place: what is exported of it, and what becomes of it when a person is erased.

A new domain adds its tables to HOLDINGS. A test finds every table that names a person, and fails while one of them is not here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import InstrumentedAttribute

from models.accounts import AccountBlock, DataRequest
from models.base import Model
from models.bookings import Appointment, Booking, BookingAddon, BookingStatus
from models.campaigns import CampaignRecipient
from models.concierge import ConciergeNote, ConciergeRequest
from models.crm import CrmMove, CrmNotice
from models.events import CalendarFeed, Event, EventBooking, EventSeries, EventStatus, Facilitator
from models.faces import Face, FaceCheck, FaceConsent
from models.files import StoredFile
from models.forms import FormSubmission
from models.identity import Credential, EmailChange, Session, User, UserRole
from models.investments import InvestmentInterest
from models.ledger import Account, Entry
from models.memberships import GuestPass, Membership, MembershipCredit, MembershipTerm
from models.newsletter import MarketingConsent, NewsletterSubscription
from models.notifications import Notification, NotificationPreference, OutboxMessage, PushDevice
from models.passkeys import Passkey, PasskeyChallenge
from models.payments import Dispute, Payment, ProviderCustomer, Refund, SavedCard
from models.preferences import EquipmentSync, Preferences
from models.recommendations import Recommendation
from models.rooms import DeviceCommand, Scene
from models.scheduling import Hold
from models.shop import Purchase, PurchaseItem, PurchaseStatus, StockChange
from models.waitlists import WaitlistEntry


class WhenErased(Enum):
    """What becomes of rows when their person is erased."""

    DELETED = "deleted"
    KEPT = "kept"


DELETED, KEPT = WhenErased.DELETED, WhenErased.KEPT
RUNNING = (BookingStatus.PENDING, BookingStatus.CONFIRMED, BookingStatus.IN_PROGRESS)


@dataclass(frozen=True)
class Holding:
    """The rows of one table that are about a person."""

    owner: InstrumentedAttribute[Any]
    """The column that names the person, or the row of `of` that they belong to."""
    when_erased: WhenErased
    emptied: Mapping[str, Any] = field(default_factory=dict)
    """What kept rows hold afterwards in these columns."""
    secret: frozenset[str] = frozenset()
    """Columns that are not exported, since they open something."""
    of: type[Model] | None = None
    by_address: bool = False
    """Whether the column holds an e-mail address; such rows stand before the account itself, which forgets its own."""
    unfinished: Callable[[datetime], ColumnElement[bool]] | None = field(default=None, compare=False)
    """Rows that must be brought to an end before their person can be erased."""

    @property
    def table(self) -> type[Model]:
        """The table."""
        return cast(type[Model], self.owner.class_)

    @property
    def name(self) -> str:
        """Under what it stands in an export."""
        return str(self.table.__tablename__)

    def of_person(self, user_id: int) -> ColumnElement[bool]:
        """The condition that picks a person's rows."""
        if self.by_address:
            return self.owner.in_(select(User.email).where(User.id == user_id))
        if self.of is None:
            return self.owner == user_id
        parent = next(each for each in HOLDINGS if each.table is self.of)
        return self.owner.in_(select(self.of.id).where(parent.of_person(user_id)))


HOLDINGS = (
    Holding(MarketingConsent.email, DELETED, by_address=True),
    Holding(NewsletterSubscription.email, DELETED, secret=frozenset({"code_hash"}), by_address=True),
    Holding(
        User.id,
        KEPT,
        emptied={
            **{"email": None, "phone": None, "first_name": "", "last_name": ""},
            **{
                "email_notifications": False,
                "sms_notifications": False,
                "push_notifications": False,
                "biometric_enabled": False,
                "is_active": False,
            },
        },
    ),
    Holding(UserRole.user_id, DELETED),
    Holding(Credential.user_id, DELETED, secret=frozenset({"secret", "data"})),
    Holding(Session.user_id, DELETED, secret=frozenset({"family", "refresh_jti"})),
    Holding(EmailChange.user_id, DELETED, secret=frozenset({"code_hash"})),
    Holding(Passkey.user_id, DELETED),
    Holding(PasskeyChallenge.user_id, DELETED, secret=frozenset({"challenge"})),
    Holding(Face.user_id, DELETED, secret=frozenset({"template", "key_id", "device_hash"})),
    Holding(FaceConsent.user_id, KEPT),
    Holding(FaceCheck.user_id, DELETED),
    Holding(AccountBlock.user_id, KEPT, emptied={"reason": "", "lift_reason": None}),
    Holding(DataRequest.user_id, KEPT, emptied={"reason": None}),
    Holding(Membership.user_id, KEPT, emptied={"auto_renew": False}),
    Holding(MembershipTerm.user_id, KEPT, emptied={"asked_as": None}, secret=frozenset({"asked_as"})),
    Holding(MembershipCredit.membership_id, KEPT, of=Membership),
    Holding(GuestPass.membership_id, DELETED, secret=frozenset({"code"}), of=Membership),
    Holding(
        Booking.customer_id,
        KEPT,
        emptied={"special_requests": None, "cancel_reason": None, "feedback": None},
        unfinished=lambda now: and_(Booking.status.in_(RUNNING), Booking.ends_at > now),
    ),
    Holding(Appointment.booking_id, KEPT, emptied={"staff_notes": None}, of=Booking),
    Holding(BookingAddon.booking_id, KEPT, of=Booking),
    Holding(CrmNotice.booking_id, KEPT, emptied={"person_email": None, "person_name": "", "person_phone": None, "notes": None}, of=Booking),
    Holding(WaitlistEntry.user_id, DELETED),
    Holding(CrmMove.notice_id, KEPT, emptied={"note": None}, of=CrmNotice),
    Holding(EventBooking.customer_id, KEPT),
    Holding(Facilitator.user_id, KEPT, emptied={"bio": "", "is_active": False}),
    Holding(
        Event.facilitator_id,
        KEPT,
        of=Facilitator,
        unfinished=lambda now: and_(Event.status == EventStatus.ACTIVE, Event.ends_at > now),
    ),
    Holding(EventSeries.facilitator_id, KEPT, of=Facilitator),
    Holding(CalendarFeed.user_id, DELETED, secret=frozenset({"secret_hash"})),
    Holding(Hold.user_id, DELETED),
    Holding(Payment.user_id, KEPT, emptied={"client_secret": None}, secret=frozenset({"client_secret"})),
    Holding(Refund.payment_id, KEPT, of=Payment),
    Holding(Dispute.payment_id, KEPT, of=Payment),
    Holding(ProviderCustomer.user_id, DELETED),
    Holding(SavedCard.user_id, DELETED),
    Holding(Account.owner_id, KEPT),
    Holding(Entry.account_id, KEPT, of=Account),
    Holding(
        Purchase.customer_id,
        KEPT,
        emptied={"cancel_reason": None, "asked_as": None},
        unfinished=lambda _: Purchase.status.in_((PurchaseStatus.PENDING, PurchaseStatus.CONFIRMED, PurchaseStatus.READY)),
    ),
    Holding(PurchaseItem.purchase_id, KEPT, of=Purchase),
    Holding(ConciergeRequest.customer_id, KEPT, emptied={"item_description": "", "item_url": None, "special_instructions": None}),
    Holding(ConciergeNote.request_id, DELETED, of=ConciergeRequest),
    Holding(StoredFile.owner_id, KEPT, emptied={"name": "file"}, secret=frozenset({"key"})),
    Holding(InvestmentInterest.user_id, KEPT, emptied={"message": None, "staff_note": None}),
    Holding(Scene.owner_id, DELETED),
    Holding(Preferences.user_id, DELETED),
    Holding(EquipmentSync.booking_id, DELETED, of=Booking),
    Holding(Recommendation.user_id, DELETED),
    Holding(DeviceCommand.user_id, KEPT, emptied={"user_id": None}),
    Holding(Notification.user_id, DELETED),
    Holding(NotificationPreference.user_id, DELETED),
    Holding(PushDevice.user_id, DELETED, secret=frozenset({"token", "session"})),
    Holding(FormSubmission.user_id, DELETED, secret=frozenset({"fingerprint"})),
    Holding(CampaignRecipient.user_id, DELETED),
    Holding(OutboxMessage.user_id, DELETED, secret=frozenset({"code", "link", "body", "html", "unsubscribe_url", "pdf"})),
)

ACTED = (
    *(AccountBlock.blocked_by_id, AccountBlock.lifted_by_id, DataRequest.asked_by_id, GuestPass.used_by),
    *(ConciergeRequest.assigned_to_id, ConciergeNote.author_id, StockChange.actor_id, FormSubmission.handled_by_id),
    CrmMove.moved_by_id,
)
"""Columns that name who acted for the house: they are part of another person's records, and stay."""
