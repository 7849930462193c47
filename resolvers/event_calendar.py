"""Events in the calendar: put there, changed and called off, with everybody who has booked them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict
from models.bookings import Booking, BookingStatus, PaymentStatus
from models.events import EVENT_MOVES, Event, EventBooking, EventStatus
from models.payments import Payment
from models.scheduling import Reservation
from resolvers.bookings import OPEN
from resolvers.context import Context
from resolvers.crm_noting import note_cancellations_for_crm, note_event_for_crm
from resolvers.event_mails import EventNews, tell_attendees
from resolvers.event_times import free_time, move_attendees, seated, take_time
from resolvers.giving_back import give_back, stop
from resolvers.moves import move
from resolvers.places import FARTHEST_DAYS
from resolvers.seats import announce_released
from resolvers.settling import lock_payment
from resolvers.waitlist_offers import close_line, follow_event
from subscriptions.events import EventCancelled, EventChanged, EventCreated
from subscriptions.facts import announce

LONGEST_DAYS = 60
UNTOLD = frozenset({"max_participants", "price", "description"})
"""What may change without a mail to everybody who has booked."""


@dataclass(frozen=True)
class Times:
    """When an event takes place."""

    starts_at: datetime
    ends_at: datetime

    def check(self, ctx: Context) -> None:
        """Refuse what lies in the past, far ahead, or ends before it begins."""
        if self.starts_at <= ctx.now():
            raise BadUserInput(starts_at="This time has passed.")
        if self.starts_at > ctx.now() + timedelta(days=FARTHEST_DAYS):
            raise BadUserInput(starts_at="This day is too far away.")
        if not timedelta(0) < self.ends_at - self.starts_at <= timedelta(days=LONGEST_DAYS):
            raise BadUserInput(ends_at=f"An event ends after it begins, and lasts {LONGEST_DAYS} days at most.")


async def add_event(ctx: Context, db: AsyncSession, columns: dict[str, Any], times: Times) -> Event:
    """Put an event into the calendar, with the time of facilitator and room."""
    event = Event(**columns, starts_at=times.starts_at, ends_at=times.ends_at)
    db.add(event)
    await db.flush()
    await take_time(ctx, db, event)
    await announce(db, EventCreated(event))
    return event


async def change_event(ctx: Context, db: AsyncSession, event: Event, columns: dict[str, Any], times: Times) -> None:
    """Change a locked event, move everybody who has booked along with it, and tell them."""
    wanted = {**columns, "starts_at": times.starts_at, "ends_at": times.ends_at}
    changed = {name: value for name, value in wanted.items() if getattr(event, name) != value}
    if not changed:
        return
    if changed.get("max_participants", event.max_participants) < event.current_participants:
        raise Conflict(f"{event.current_participants} seats are taken already.")
    before = event.starts_at, event.ends_at
    for name, value in changed.items():
        setattr(event, name, value)
    event.changes, event.changed_at = event.changes + 1, ctx.now()
    bookings = await seated(db, event)
    if changed.keys() & {"starts_at", "ends_at", "room_id"}:
        await db.flush()
        await free_time(db, event)
        await take_time(ctx, db, event)
    if changed.keys() & {"starts_at", "ends_at"}:
        await move_attendees(db, event, bookings, before)
    await announce(db, EventChanged(event, tuple(sorted(changed))))
    await note_event_for_crm(db, event)
    await follow_event(ctx, db, event)
    if changed.keys() - UNTOLD:
        await tell_attendees(db, event, EventNews.CHANGED, [each.id for each in bookings])


async def call_off(ctx: Context, db: AsyncSession, event: Event, reason: str | None) -> None:
    """Cancel a locked event with all its bookings, give money back, and tell everybody."""
    bookings = await seated(db, event)
    ids = [each.id for each in bookings]
    quietly = {"synchronize_session": False}
    await move(db, event, EventStatus.CANCELLED, EVENT_MOVES)
    event.cancel_reason, event.cancelled_at, event.current_participants = reason, ctx.now(), 0
    event.changes += 1
    await free_time(db, event)
    seats = {
        each.booking_id: each.seats
        for each in await db.execute(
            update(EventBooking)
            .where(EventBooking.booking_id.in_(ids))
            .values(released_at=ctx.now())
            .returning(EventBooking.booking_id, EventBooking.seats),
            execution_options=quietly,
        )
    }
    values = {"status": BookingStatus.CANCELLED, "cancel_reason": reason, "cancelled_at": ctx.now()}
    cancelled = update(Booking).where(Booking.id.in_(ids), Booking.status.in_(OPEN)).values(**values).returning(Booking)
    bookings = (await db.scalars(cancelled, execution_options={**quietly, "populate_existing": True})).all()
    await db.execute(delete(Reservation).where(Reservation.booking_id.in_(ids)), execution_options=quietly)
    for booking_id in list(await db.scalars(select(Payment.booking_id).where(Payment.booking_id.in_(ids)).order_by(Payment.booking_id))):
        payment = await lock_payment(db, Payment.booking_id == booking_id)
        if payment is not None and payment.status is PaymentStatus.CHARGED:
            await give_back(db, payment, "The event was cancelled.")
        await stop(db, payment)
    await announce(db, EventCancelled(event))
    await close_line(db, event)
    for each in bookings:
        await announce_released(db, event, each, seats[each.id])
    await note_cancellations_for_crm(db, ids)
    await tell_attendees(db, event, EventNews.CANCELLED, ids)
