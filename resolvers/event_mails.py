"""What people are told about the events that they have booked: queued with the change, written by a job from what is true then."""

from collections.abc import Sequence
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.queue import enqueue
from models.bookings import Booking, BookingStatus
from models.events import Event, EventBooking
from models.identity import User
from models.notifications import OutboxMessage
from models.rooms import Room
from models.scheduling import Reservation
from resolvers.context import Context
from resolvers.notifications import send

BATCH = 100


class EventNews(StrEnum):
    """What happened, as the subject of a mail says it."""

    BOOKED = "You are booked"
    LEFT = "Your booking is cancelled"
    CHANGED = "Changed"
    CANCELLED = "Cancelled"


SAID = {
    EventNews.BOOKED: "your booking {reference} is confirmed.",
    EventNews.LEFT: "your booking {reference} is cancelled, and your place is free for somebody else.",
    EventNews.CHANGED: "something has changed about an event that you have booked ({reference}). This is how it is now:",
    EventNews.CANCELLED: "we are sorry: this event does not take place. Your booking {reference} is cancelled; what you paid comes back.",
}
OVERLAPS = "Please note: this is at the same time as something else that you have booked."


async def tell_attendees(db: AsyncSession, event: Event, news: EventNews, booking_ids: Sequence[int]) -> None:
    """Queue mails about an event to the customers of these bookings, in this transaction."""
    if booking_ids:
        said = {"booking_ids": list(booking_ids), "news": news.value, "cause": f"event:{event.id}:{news.name.lower()}:{event.changes}"}
        await enqueue(db, "tell_about_event", said)


async def tell_about_event(ctx: Context, booking_ids: list[int], news: EventNews, cause: str) -> None:
    """Write the mails about an event, but to nobody who wants none or had this one before."""
    news = EventNews(news)
    for start in range(0, len(booking_ids), BATCH):
        part = booking_ids[start : start + BATCH]
        async with ctx.writing() as db:
            said = set(await db.scalars(select(OutboxMessage.cause).where(OutboxMessage.cause.in_([f"{cause}:{each}" for each in part]))))
            reserved = exists().where(Reservation.booking_id == Booking.id)
            found = await db.execute(
                select(Booking, User, Event, Room.name, reserved)
                .join(User, User.id == Booking.customer_id)
                .join(EventBooking, EventBooking.booking_id == Booking.id)
                .join(Event, Event.id == EventBooking.event_id)
                .outerjoin(Room, Room.id == Event.room_id)
                .where(Booking.id.in_(part), User.email.is_not(None), User.email_notifications)
                .order_by(Booking.id)
            )
            for booking, customer, event, room, is_reserved in found.all():
                if customer.email is not None and f"{cause}:{booking.id}" not in said:
                    overlaps = booking.status is BookingStatus.CONFIRMED and booking.starts_at > ctx.now() and not is_reserved
                    body = "\n".join([*_lines(booking, customer, event, room, news), *(["", OVERLAPS] if overlaps else [])])
                    subject = f"{news}: {event.title}"
                    await send(db, to=customer.email, subject=subject, body=body, user_id=customer.id, cause=f"{cause}:{booking.id}")


def _lines(booking: Booking, customer: User, event: Event, room: str | None, news: EventNews) -> list[str]:
    zone = ZoneInfo(event.time_zone)
    starts, ends = event.starts_at.astimezone(zone), event.ends_at.astimezone(zone)
    until = f"{ends:%H:%M}" if starts.date() == ends.date() else f"{ends:%A}, {ends.day} {ends:%B}, {ends:%H:%M}"
    reason = [f"  {event.cancel_reason}"] if news is EventNews.CANCELLED and event.cancel_reason else []
    lines = [
        f"Dear {customer.first_name or 'guest'},",
        "",
        SAID[news].format(reference=booking.reference),
        "",
        f"  {event.title}",
        f"  {starts:%A}, {starts.day} {starts:%B %Y}, {starts:%H:%M} to {until} ({event.time_zone})",
        *[f"  {each}" for each in (event.venue, room, event.virtual_link) if each],
        *reason,
    ]
    if news in (EventNews.BOOKED, EventNews.CHANGED):
        lines += [f"  Total: {booking.total_amount:.2f} {booking.currency}"]
        lines += [f"  Please note: {event.requirements}"] if event.requirements else []
        lines += ["", "Should your plans change, you can cancel your booking in the app."]
    return lines
