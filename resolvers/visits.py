"""Appointments that take place: begun and completed by the staff, or completed by themselves once their time is over."""

from datetime import timedelta

from sqlalchemy import select

from errors import Conflict
from models.bookings import BOOKING_MOVES, Booking, BookingKind, BookingStatus
from models.identity import STAFF
from models.keys import Key
from resolvers.bookings import access_appointment
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.moves import move
from resolvers.operations import allow
from resolvers.rooms import EARLY
from subscriptions.bookings import BookingCompleted, BookingStarted
from subscriptions.facts import announce

AFTERWARDS = timedelta(minutes=15)
"""Until then the staff may still say that nobody came."""
LOOKED_BACK = timedelta(days=90)
BATCH = 200


@allow(*STAFF)
async def start_visit(ctx: Context, *, id: Key[Booking]) -> Booking:
    """Note that the guest of a confirmed appointment is there."""
    async with ctx.writing() as db:
        booking, _ = await access_appointment(db, ctx.viewer, id)
        if booking.starts_at > ctx.now() + EARLY:
            raise Conflict("This appointment is still to come.")
        await move(db, booking, BookingStatus.IN_PROGRESS, BOOKING_MOVES)
        await announce(db, BookingStarted(booking))
        answers(db, booking)
    return booking


@allow(*STAFF)
async def complete_visit(ctx: Context, *, id: Key[Booking]) -> Booking:
    """Note that an appointment took place; from now on its guest may rate it."""
    async with ctx.writing() as db:
        booking, _ = await access_appointment(db, ctx.viewer, id)
        if booking.starts_at > ctx.now():
            raise Conflict("This appointment has not begun.")
        await move(db, booking, BookingStatus.COMPLETED, BOOKING_MOVES)
        await announce(db, BookingCompleted(booking))
        answers(db, booking)
    return booking


async def complete_visits(ctx: Context) -> None:
    """Complete the appointments that were held and are over for a while."""
    held = (BookingStatus.CONFIRMED, BookingStatus.IN_PROGRESS)
    over = select(Booking).where(
        Booking.kind == BookingKind.APPOINTMENT,
        Booking.status.in_(held),
        Booking.ends_at <= ctx.now() - AFTERWARDS,
        Booking.starts_at > ctx.now() - LOOKED_BACK,  # which an index finds
    )
    is_full = True
    while is_full:
        async with ctx.writing() as db:
            found = list(await db.scalars(over.order_by(Booking.id).limit(BATCH).with_for_update(skip_locked=True)))
            for booking in found:
                await move(db, booking, BookingStatus.COMPLETED, BOOKING_MOVES)
                await announce(db, BookingCompleted(booking))
        is_full = len(found) == BATCH
