"""Events that have taken place, and with them the bookings of their seats."""

from datetime import timedelta

from sqlalchemy import select, update

from models.bookings import Booking, BookingStatus
from models.events import EVENT_MOVES, Event, EventBooking, EventStatus
from resolvers.context import Context
from resolvers.moves import move
from subscriptions.bookings import BookingCompleted
from subscriptions.events import EventCompleted
from subscriptions.facts import announce

BATCH = 20
LOOKED_BACK = timedelta(days=90)


async def complete_events(ctx: Context) -> None:
    """Complete the events that are over, and the bookings that held."""
    over = Event.ends_at <= ctx.now(), Event.starts_at > ctx.now() - LOOKED_BACK
    due = select(Event).where(Event.status == EventStatus.ACTIVE, *over).order_by(Event.id).limit(BATCH)
    is_full = True
    while is_full:
        async with ctx.writing() as db:
            found = (await db.scalars(due.with_for_update(skip_locked=True))).all()
            for event in found:
                await move(db, event, EventStatus.COMPLETED, EVENT_MOVES)
                await announce(db, EventCompleted(event))
            held = select(EventBooking.booking_id).where(EventBooking.event_id.in_([each.id for each in found]))
            completed = update(Booking).where(Booking.id.in_(held), Booking.status == BookingStatus.CONFIRMED)
            completed = completed.values(status=BookingStatus.COMPLETED)
            for booking in await db.scalars(completed.returning(Booking), execution_options={"synchronize_session": False}):
                await announce(db, BookingCompleted(booking))
        is_full = len(found) == BATCH
