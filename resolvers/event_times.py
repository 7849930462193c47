"""The time of events: reserved for facilitator and room, and moved with everybody who has booked."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, exists, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, SlotTaken
from models.bookings import Booking
from models.events import Event, EventBooking, Facilitator
from models.identity import User
from models.rooms import Room
from models.scheduling import Reservation, Resource
from resolvers.context import Context
from resolvers.reserving import lock, reserve
from subscriptions.bookings import BookingRescheduled
from subscriptions.facts import announce


async def take_time(ctx: Context, db: AsyncSession, event: Event) -> None:
    """Reserve facilitator and room while the event lasts; SlotTaken when one of them is busy then."""
    held = select(User.resource_id).join(Facilitator, Facilitator.user_id == User.id).where(Facilitator.id == event.facilitator_id)
    resources = list(await db.scalars(held))
    if event.room_id is not None:
        room = await db.scalar(select(Room.resource_id).where(Room.id == event.room_id, Room.is_active))
        if room is None:
            raise BadUserInput(room_id="There is no such room.")
        resources.append(room)
    try:
        await lock(db, resources, event.starts_at, event.ends_at, ctx.now())
    except SlotTaken:
        raise SlotTaken(f"The facilitator or the room is busy on {event.starts_at:%Y-%m-%d at %H:%M} UTC.") from None
    await reserve(db, resources, event.starts_at, event.ends_at, event_id=event.id)


async def free_time(db: AsyncSession, event: Event) -> None:
    """Give back what an event has reserved."""
    await db.execute(delete(Reservation).where(Reservation.event_id == event.id), execution_options={"synchronize_session": False})


async def seated(db: AsyncSession, event: Event) -> Sequence[Booking]:
    """The bookings that have seats at a locked event, locked too."""
    held = select(Booking).join(EventBooking, EventBooking.booking_id == Booking.id).where(EventBooking.event_id == event.id)
    locked = held.where(EventBooking.released_at.is_(None)).order_by(Booking.id).with_for_update(of=Booking, key_share=True)
    return (await db.scalars(locked, execution_options={"populate_existing": True})).all()


async def move_attendees(db: AsyncSession, event: Event, bookings: Sequence[Booking], before: tuple[datetime, datetime]) -> None:
    """Give everybody who has booked the event's new time; whoever is busy then keeps the seat, but has that time reserved only once."""
    ids = [each.id for each in bookings]
    if not ids:
        return
    quietly = {"synchronize_session": False}
    await db.execute(
        update(Booking).where(Booking.id.in_(ids)).values(starts_at=event.starts_at, ends_at=event.ends_at), execution_options=quietly
    )
    await db.execute(delete(Reservation).where(Reservation.booking_id.in_(ids)), execution_options=quietly)
    people = select(User.resource_id).join(Booking, Booking.customer_id == User.id).where(Booking.id.in_(ids))
    await db.execute(select(Resource.id).where(Resource.id.in_(people)).order_by(Resource.id).with_for_update(key_share=True))
    during = func.tstzrange(event.starts_at, event.ends_at, type_=TSTZRANGE)
    same = text(
        "int8range(reservations.resource_id, reservations.resource_id, '[]') && int8range(users.resource_id, users.resource_id, '[]')"
    )
    is_busy = exists(select(Reservation.id).where(same, Reservation.during.overlaps(Range(event.starts_at, event.ends_at))).correlate(User))
    free = select(User.resource_id, during, Booking.id).join(Booking, Booking.customer_id == User.id).where(Booking.id.in_(ids), ~is_busy)
    await db.execute(insert(Reservation).from_select(["resource_id", "during", "booking_id"], free))
    for each in bookings:
        await announce(db, BookingRescheduled(each, *before))
