"""People at events for tests: a facilitator, an event, and who has booked it, straight into the database."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from models.bookings import Booking, BookingKind, BookingStatus
from models.database import Database
from models.events import Event, EventBooking, EventType, Facilitator
from models.identity import Role, User
from resolvers.crm_noting import note_for_crm
from tests.worlds import make_person, soon


async def make_facilitator(database: Database, name: str = "jane") -> Facilitator:
    person = await make_person(database, name, Role.CUSTOMER, Role.FACILITATOR)
    async with database.sessions.begin() as db:
        facilitator = Facilitator(user_id=person.id, bio="Certified meditation instructor")
        db.add(facilitator)
    return facilitator


async def make_event(
    database: Database, facilitator: Facilitator, *, seats: int = 20, starts_at: datetime | None = None, **more: Any
) -> Event:
    """A session of an hour in a week."""
    begins = starts_at or soon()
    about = {"title": "Morning Meditation Session", "kind": EventType.SESSION, "venue": "Wellness Center", "price": Decimal(0), **more}
    async with database.sessions.begin() as db:
        event = Event(
            facilitator_id=facilitator.id, time_zone="UTC", max_participants=seats, starts_at=begins, ends_at=begins + timedelta(hours=1),
            **about,
        )  # fmt: skip
        db.add(event)
    return event


async def attend(database: Database, event: Event, person: User, *, is_noted: bool = True, **more: Any) -> Booking:
    """A booking of one seat, with its notice for the CRM."""
    async with database.sessions.begin() as db:
        booking = Booking(
            kind=BookingKind.EVENT, customer_id=person.id, status=BookingStatus.CONFIRMED, starts_at=event.starts_at, ends_at=event.ends_at,
            total_amount=event.price, **more,
        )  # fmt: skip
        db.add(booking)
        await db.flush()
        db.add(EventBooking(booking_id=booking.id, event_id=event.id, customer_id=person.id))
        if is_noted:
            await note_for_crm(db, booking, event_id=event.id)
    return booking
