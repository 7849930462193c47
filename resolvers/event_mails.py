"""What people are told about the events that they have booked: queued with the change, worded by a job from what is true then."""

from collections.abc import Sequence
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.queue import enqueue
from models.bookings import Booking, BookingStatus
from models.events import Event, EventBooking
from models.identity import User
from models.notifications import NotificationKind
from models.rooms import Room
from models.scheduling import Reservation
from resolvers.context import Context
from resolvers.letters import spell_day, spell_hour, spell_money
from resolvers.notifications import Facts, notify

BATCH = 20


class EventNews(StrEnum):
    """What happened to an event, or to a booking of it."""

    BOOKED = "booked"
    LEFT = "left"
    CHANGED = "changed"
    CANCELLED = "cancelled"


async def tell_attendees(db: AsyncSession, event: Event, news: EventNews, booking_ids: Sequence[int]) -> None:
    """Have the customers of these bookings told about an event, in this transaction."""
    if booking_ids:
        said = {"booking_ids": list(booking_ids), "news": news.value, "cause": f"event:{event.id}:{news}:{event.changes}"}
        await enqueue(db, "tell_about_event", said)


async def tell_about_event(ctx: Context, booking_ids: list[int], news: EventNews, cause: str) -> None:
    """Tell people what happened to an event that they have booked, each once."""
    for start in range(0, len(booking_ids), BATCH):
        async with ctx.writing() as db:
            reserved = exists().where(Reservation.booking_id == Booking.id)
            found = await db.execute(
                select(Booking, User, Event, Room.name, reserved)
                .join(User, User.id == Booking.customer_id)
                .join(EventBooking, EventBooking.booking_id == Booking.id)
                .join(Event, Event.id == EventBooking.event_id)
                .outerjoin(Room, Room.id == Event.room_id)
                .where(Booking.id.in_(booking_ids[start : start + BATCH]))
                .order_by(Booking.id)
            )
            for booking, customer, event, room, is_reserved in found.all():
                holds = booking.status is BookingStatus.CONFIRMED
                facts = _facts(booking, customer, event, room, overlaps=holds and booking.starts_at > ctx.now() and not is_reserved)
                kind = NotificationKind(f"event_{news}")
                await notify(db, customer.id, kind, facts, cause=f"{cause}:{booking.id}", action_url=f"/bookings/{booking.id}")


def _facts(booking: Booking, customer: User, event: Event, room: str | None, *, overlaps: bool) -> Facts:
    zone = ZoneInfo(event.time_zone)
    starts, ends = event.starts_at.astimezone(zone), event.ends_at.astimezone(zone)
    return {
        "first_name": customer.first_name,
        "reference": booking.reference,
        "event": event.title,
        "day": spell_day(starts.date()),
        "hour": spell_hour(starts),
        "until": spell_hour(ends) if starts.date() == ends.date() else f"{spell_day(ends.date())}, {spell_hour(ends)}",
        "zone": event.time_zone,
        "place": ", ".join(each for each in (event.venue, room, event.virtual_link) if each),
        "requirements": event.requirements,
        "total": spell_money(booking.total_amount, booking.currency),
        "reason": event.cancel_reason,
        "overlaps": overlaps,
    }
