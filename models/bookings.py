"""Bookings of every kind: what all share, and what only an appointment at the spa has."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import SENSITIVE, Model, Money, Visible

if TYPE_CHECKING:
    from models.catalogue import Programme, Service
    from models.events import EventBooking
    from models.identity import User
    from models.payments import Payment
    from models.rooms import Room, Scene
    from models.scheduling import Location


class BookingKind(StrEnum):
    """Which line of business a booking belongs to.

    APPOINTMENT: A spa service in a room.
    PROVIDER: A service of a provider of the marketplace.
    EVENT: A place at an event.
    HOME_VISIT: A service at the customer's home.
    """

    APPOINTMENT = "appointment"
    PROVIDER = "provider"
    EVENT = "event"
    HOME_VISIT = "home_visit"


class BookingStatus(StrEnum):
    """Where a booking stands.

    PENDING: Made, and not confirmed yet.
    CONFIRMED: It holds.
    IN_PROGRESS: The service has begun.
    COMPLETED: The service was given.
    CANCELLED: It does not hold any more.
    """

    PENDING = "pending"
    CONFIRMED = "confirmed"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


BOOKING_MOVES = {
    BookingStatus.PENDING: {BookingStatus.CONFIRMED, BookingStatus.CANCELLED},
    BookingStatus.CONFIRMED: {BookingStatus.IN_PROGRESS, BookingStatus.COMPLETED, BookingStatus.CANCELLED},
    BookingStatus.IN_PROGRESS: {BookingStatus.COMPLETED, BookingStatus.CANCELLED},
}


class PaymentStatus(StrEnum):
    """Whether money has come in.

    PENDING: Not paid yet.
    CHARGED: Paid.
    REFUNDED: Paid, and given back.
    FAILED: The payment did not succeed.
    """

    PENDING = "pending"
    CHARGED = "charged"
    REFUNDED = "refunded"
    FAILED = "failed"


# CS-2026-123 for appointments, BK-20260120-000123 for home visits; the other two systems show only the number.
REFERENCE = """
CASE kind
  WHEN 'home_visit' THEN 'BK-' || lpad(extract(year FROM timezone('UTC', created_at))::text, 4, '0')
    || lpad(extract(month FROM timezone('UTC', created_at))::text, 2, '0')
    || lpad(extract(day FROM timezone('UTC', created_at))::text, 2, '0') || '-' || lpad(id::text, greatest(6, length(id::text)), '0')
  ELSE (CASE kind WHEN 'appointment' THEN 'CS-' WHEN 'provider' THEN 'BN-' ELSE 'EV-' END)
    || extract(year FROM timezone('UTC', created_at))::text || '-' || id::text
END
""".strip()


class Booking(Visible):
    """A customer has taken a service or a seat at a time."""

    __tablename__ = "bookings"

    kind: Mapped[BookingKind] = mapped_column(doc="Which line of business it belongs to.")
    reference: Mapped[str] = mapped_column(
        Computed(REFERENCE, persisted=True), unique=True, doc="What customers quote, such as CS-2026-123."
    )
    customer_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    service_id: Mapped[int | None] = mapped_column(ForeignKey("services.id"), index=True)
    location_id: Mapped[int | None] = mapped_column(ForeignKey("locations.id"))
    status: Mapped[BookingStatus] = mapped_column(default=BookingStatus.PENDING, doc="Where it stands.")
    payment_status: Mapped[PaymentStatus] = mapped_column(default=PaymentStatus.PENDING, doc="Whether it is paid.")
    starts_at: Mapped[datetime] = mapped_column(doc="When it begins.")
    ends_at: Mapped[datetime] = mapped_column(doc="When it ends.")
    total_amount: Mapped[Money] = mapped_column(doc="What the customer pays, add-ons included.")
    currency: Mapped[str] = mapped_column(default="USD", doc="ISO 4217 code of its amounts.")
    special_requests: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="What the customer asked for.")
    cancel_reason: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="Why it was cancelled.")
    cancelled_at: Mapped[datetime | None] = mapped_column(doc="When it was cancelled.")
    confirmation_sent: Mapped[bool] = mapped_column(
        default=False, server_default=text("false"), doc="Whether its confirmation is on the way; false for who wants no mails."
    )
    rating: Mapped[int | None] = mapped_column(doc="Stars the customer gave, 1 to 5.")
    feedback: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="What the customer said about it.")

    customer: Mapped["User"] = relationship(lazy="raise", doc="Who booked.")
    service: Mapped["Service | None"] = relationship(lazy="raise", doc="What was booked.")
    location: Mapped["Location | None"] = relationship(lazy="raise", doc="Where it takes place.")
    payment: Mapped["Payment | None"] = relationship(lazy="raise", back_populates="booking", doc="Its payment, once one was begun.")
    appointment: Mapped["Appointment | None"] = relationship(lazy="raise", viewonly=True, doc="What only an appointment has.")
    event_booking: Mapped["EventBooking | None"] = relationship(lazy="raise", viewonly=True, doc="What only the booking of an event has.")
    addons: Mapped[list["BookingAddon"]] = relationship(
        lazy="raise", viewonly=True, order_by="BookingAddon.id", doc="Extras that were booked with it."
    )

    __table_args__ = (
        Index(None, "customer_id", "starts_at", "id"),
        Index(None, "starts_at"),
        Index(None, "cancelled_at", postgresql_where=text("cancelled_at IS NOT NULL")),
        CheckConstraint("ends_at > starts_at", name="order"),
        CheckConstraint("total_amount >= 0", name="amount"),
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
    )


class Appointment(Model):
    """What only an appointment at the spa has."""

    __tablename__ = "appointments"

    booking_id: Mapped[int] = mapped_column(ForeignKey("bookings.id", ondelete="CASCADE"), unique=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), index=True)
    programme_id: Mapped[int | None] = mapped_column(ForeignKey("programmes.id"))
    scene_id: Mapped[int | None] = mapped_column(ForeignKey("scenes.id", ondelete="SET NULL"))
    credit_id: Mapped[int | None] = mapped_column(ForeignKey("membership_credits.id"), doc="The month's credit that paid for the service.")
    staff_notes: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="What the staff noted.")
    arrived_at: Mapped[datetime | None] = mapped_column(doc="When the guest checked in at the entrance.")

    room: Mapped["Room"] = relationship(lazy="raise", doc="The room it takes place in.")
    programme: Mapped["Programme | None"] = relationship(lazy="raise", doc="The programme that was chosen.")
    scene: Mapped["Scene | None"] = relationship(lazy="raise", doc="The scene that the room will be set to.")


class BookingAddon(Model):
    """An extra as it was booked; name and price stay as they were then."""

    __tablename__ = "booking_addons"

    booking_id: Mapped[int] = mapped_column(ForeignKey("bookings.id", ondelete="CASCADE"))
    addon_id: Mapped[int] = mapped_column(ForeignKey("addons.id"))
    name: Mapped[str] = mapped_column(doc="Its name when it was booked.")
    price: Mapped[Money] = mapped_column(doc="Its price when it was booked, before discount.")

    __table_args__ = (UniqueConstraint("booking_id", "addon_id"),)
