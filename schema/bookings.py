"""What clients see of bookings."""

from collections.abc import Mapping
from datetime import date as Day
from datetime import datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import strawberry

from models import bookings as tables
from models.bookings import BookingKind, BookingStatus, PaymentStatus
from resolvers import appointments, bookings, visits
from resolvers.bookings import BookingEventKind, is_changeable
from schema.catalogue import Programme, Service
from schema.fields import Connection, Record, column, computed, expression, operation, related, shows
from schema.payments import Payment
from schema.rooms import Room, Scene
from schema.scheduling import Location


@shows(tables.BookingAddon)
class BookedAddon:
    """An extra as it was booked."""

    name: str
    price: Decimal


@shows(tables.Booking, interface=True)
class Booking(Record):
    """A customer has taken a service or a seat at a time."""

    kind: BookingKind
    reference: str
    status: BookingStatus
    payment_status: PaymentStatus
    payment: Payment | None = related("payment")
    starts_at: datetime
    ends_at: datetime
    total_amount: Decimal
    amount_paid: Decimal = expression(bookings.amount_paid, "What was paid for it and not given back.")
    currency: str
    special_requests: str | None
    cancel_reason: str | None
    cancelled_at: datetime | None
    confirmation_sent: bool
    rating: int | None
    feedback: str | None
    service: Service | None = related("service")
    location: Location | None = related("location")
    addons: list[BookedAddon] = related("addons")
    can_cancel: bool = computed(
        ["status", "starts_at"],
        lambda row, ctx: is_changeable(row["status"], row["starts_at"], ctx.now()),
        "Whether it may still be cancelled.",
    )
    can_reschedule: bool = computed(
        ["status", "starts_at"],
        lambda row, ctx: is_changeable(row["status"], row["starts_at"], ctx.now()),
        "Whether it may still be moved.",
    )
    date: Day = computed(
        ["starts_at", "location.time_zone"], lambda row: local(row, "starts_at").date(), "The day, in the location's calendar."
    )
    start_time: time = computed(
        ["starts_at", "location.time_zone"], lambda row: local(row, "starts_at").time(), "When it begins, in the location's own time."
    )
    end_time: time = computed(
        ["ends_at", "location.time_zone"], lambda row: local(row, "ends_at").time(), "When it ends, in the location's own time."
    )


def local(row: Mapping[str, Any], name: str) -> datetime:
    moment: datetime = row[name]
    return moment.astimezone(ZoneInfo(row["location.time_zone"] or "UTC"))


@shows(tables.Booking, kind=BookingKind.APPOINTMENT)
class Appointment(Booking):
    """An appointment at the spa: a service in a room."""

    room: Room = related("appointment.room")
    programme: Programme | None = related("appointment.programme")
    scene: Scene | None = related("appointment.scene")
    staff_notes: str | None = column("appointment.staff_notes")


strawberry.enum(BookingEventKind, description=BookingEventKind.__doc__)


@strawberry.type(description="Something that happened to a booking.")
class BookingEvent:
    """An event of the log, with the booking as the reader may see it now."""

    cursor: str = strawberry.field(description="Where to go on after this event: give it as `after`.")
    kind: BookingEventKind = strawberry.field(description="What happened.")
    at: datetime = strawberry.field(description="When it happened.")
    booking: Booking | None = strawberry.field(description="The booking as it is now; none once the reader may not see it.")


@strawberry.type
class BookingQueries:
    """Reading bookings."""

    booking: Booking = operation(bookings.get_booking)
    my_bookings: Connection[Booking] = operation(bookings.list_my_bookings)
    bookings: Connection[Booking] = operation(bookings.list_bookings)


@strawberry.type
class BookingMutations:
    """Making and changing bookings."""

    book_appointment: Booking = operation(appointments.book_appointment)
    reschedule_booking: Booking = operation(bookings.reschedule_booking)
    cancel_booking: Booking = operation(bookings.cancel_booking)
    start_visit: Booking = operation(visits.start_visit)
    complete_visit: Booking = operation(visits.complete_visit)


@strawberry.type
class BookingSubscriptions:
    """Following bookings."""

    booking_events: BookingEvent = operation(bookings.follow_bookings)
