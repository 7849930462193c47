"""What clients see of events: sessions and retreats, who holds them, and the bookings of their seats."""

from datetime import datetime
from decimal import Decimal

import strawberry
from sqlalchemy import func

from models import bookings, identity
from models import events as tables
from models.bookings import BookingKind, BookingStatus, PaymentStatus
from models.events import Event as Held
from models.events import EventStatus, EventType
from resolvers import event_changes, google, seats
from resolvers import events as reading
from resolvers import facilitators as holding
from resolvers.facilitators import DeskEventKind
from resolvers.inputs.values import EmailAddress, PhoneNumber
from schema.bookings import Booking
from schema.fields import Connection, Record, column, computed, expression, operation, related, shows
from schema.identity import SignedIn, User
from schema.rooms import Room


def _name(row: dict[str, str]) -> str:
    return f"{row['user.first_name']} {row['user.last_name']}".strip()


@shows(tables.Facilitator)
class Facilitator(Record):
    """A person who holds events."""

    name: str = computed(["user.first_name", "user.last_name"], _name, "Their whole name.")
    bio: str
    is_active: bool


@shows(tables.EventSeries)
class EventSeries(Record):
    """A session that recurs."""

    title: str
    rule: str
    time_zone: str
    starts_at: datetime
    made_until: datetime
    ended_at: datetime | None
    facilitator: Facilitator = related("facilitator")


@shows(tables.Event)
class Event(Record):
    """A session or a retreat, with seats that people book."""

    kind: EventType
    title: str
    description: str
    status: EventStatus
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    venue: str | None
    virtual_link: str | None
    max_participants: int
    current_participants: int
    available_spots: int = computed(
        ["max_participants", "current_participants"],
        lambda row: row["max_participants"] - row["current_participants"],
        "How many seats are free.",
    )
    is_full: bool = computed(
        ["max_participants", "current_participants"],
        lambda row: row["max_participants"] == row["current_participants"],
        "Whether no seat is free.",
    )
    price: Decimal
    currency: str
    requirements: str | None
    changed_at: datetime | None
    cancel_reason: str | None
    cancelled_at: datetime | None
    recurs_at: datetime | None
    is_detached: bool
    facilitator: Facilitator = related("facilitator")
    room: Room | None = related("room")
    series: EventSeries | None = related("series")


@shows(identity.User, with_keys=False)
class Attendee(Record):
    """Somebody who has booked an event, as they and its facilitator see them."""

    number: int = column("id")
    email: EmailAddress | None
    phone: PhoneNumber | None
    first_name: str
    last_name: str


@shows(bookings.Booking, kind=BookingKind.EVENT)
class EventBooking(Booking):
    """Seats at an event."""

    event: Event = related("event_booking.event")
    seats: int = column("event_booking.seats")
    customer: Attendee = related("customer")


@shows(tables.EventBooking)
class Attendance(Record):
    """Who comes to an event, as its facilitator sees it."""

    seats: int
    released_at: datetime | None
    booking_number: int = column("booking_id", "The booking's number.")
    reference: str = column("booking.reference")
    status: BookingStatus = column("booking.status")
    payment_status: PaymentStatus = column("booking.payment_status")
    notes: str | None = column("booking.special_requests")
    booked_at: datetime = column("booking.created_at")
    customer: Attendee = related("booking.customer")


@shows(tables.Facilitator)
class FacilitatorDesk(Record):
    """How a facilitator's events are doing."""

    facilitator_name: str = computed(["user.first_name", "user.last_name"], _name, "Whose they are.")
    total_bookings: int = expression(lambda each: holding.bookings_of(each), "How many bookings hold.")
    session_bookings: int = expression(lambda each: holding.bookings_of(each, holding.SESSIONS), "Those of sessions.")
    retreat_bookings: int = expression(lambda each: holding.bookings_of(each, holding.RETREATS), "Those of retreats.")
    recent_bookings: int = expression(holding.recent_bookings_of, "Those of the last seven days.")
    unique_users: int = expression(holding.people_of, "How many people have booked.")
    unique_events: int = expression(holding.booked_events_of, "How many events were booked.")
    events_ahead: int = expression(lambda each, ctx: holding.ahead_of(each, func.count(Held.id), ctx), "How many events are to come.")
    seats_taken: int = expression(
        lambda each, ctx: holding.ahead_of(each, func.coalesce(func.sum(Held.current_participants), 0), ctx),
        "How many seats at these are taken.",
    )
    seats_free: int = expression(
        lambda each, ctx: holding.ahead_of(each, func.coalesce(func.sum(Held.max_participants - Held.current_participants), 0), ctx),
        "How many seats at these are free.",
    )


@strawberry.type(name="EventTypeNumber", description="A type of events with the number by which older clients know it.")
class EventTypeNumber:
    """A type and its number."""

    key: EventType = strawberry.field(description="The type.")
    value: int = strawberry.field(description="Its number.")


@strawberry.type(description="A booking that was just made.")
class BookedEvent:
    """What booking an event answers."""

    booking: EventBooking = strawberry.field(description="The booking.")
    crm_notified: bool = strawberry.field(description="Whether the CRM has its notice; it is written with the booking.")


@strawberry.type(description="Tokens of a session, whose it is, and as which facilitator.")
class FacilitatorSignedIn:
    """What signing in as a facilitator answers."""

    access_token: str = strawberry.field(description="Good for 15 minutes; sent as Authorization: Bearer.")
    refresh_token: str = strawberry.field(description="Good once, for 7 days, to get new tokens.")
    expires_at: datetime = strawberry.field(description="When the access token ends.")
    user: User = strawberry.field(description="Who is signed in.")
    facilitator: Facilitator = strawberry.field(description="The same person as a facilitator.")


strawberry.enum(DeskEventKind, description=DeskEventKind.__doc__)


@strawberry.type(description="Something that happened to a facilitator's events.")
class DeskEvent:
    """An event of the log, with the figures as they are since."""

    cursor: str = strawberry.field(description="Where to go on after this event: give it as `after`.")
    kind: DeskEventKind = strawberry.field(description="What happened.")
    at: datetime = strawberry.field(description="When it happened.")
    event: Event | None = strawberry.field(description="The event as it is now.")
    desk: FacilitatorDesk | None = strawberry.field(description="The figures as they are now; none once the reader may not see them.")


@strawberry.type
class EventQueries:
    """Reading events."""

    events: Connection[Event] = operation(reading.list_events)
    event: Event = operation(reading.get_event)
    event_types: list[EventTypeNumber] = operation(reading.list_event_types)
    event_series: Connection[EventSeries] = operation(reading.list_event_series)
    event_attendances: Connection[Attendance] = operation(seats.list_event_attendances)
    my_event_bookings: Connection[EventBooking] = operation(seats.list_my_event_bookings)
    event_booking: EventBooking = operation(seats.get_event_booking)
    facilitators: Connection[Facilitator] = operation(holding.list_facilitators)
    facilitator: Facilitator = operation(holding.get_facilitator)
    facilitator_desk: FacilitatorDesk = operation(holding.get_facilitator_desk)


@strawberry.type
class EventMutations:
    """Booking, making and changing events."""

    book_event: BookedEvent = operation(seats.book_event)
    cancel_event_booking: EventBooking = operation(seats.cancel_event_booking)
    create_event: Event = operation(event_changes.create_event)
    update_event: Event = operation(event_changes.update_event)
    cancel_event: Event = operation(event_changes.cancel_event)
    create_facilitator: Facilitator = operation(holding.create_facilitator)
    update_facilitator: Facilitator = operation(holding.update_facilitator)
    sign_in_as_facilitator: FacilitatorSignedIn = operation(holding.sign_in_as_facilitator)
    sign_in_with_google: SignedIn = operation(google.sign_in_with_google)


@strawberry.type
class EventSubscriptions:
    """Following events."""

    facilitator_desk: DeskEvent = operation(holding.follow_facilitator_desk)
