"""What customers are told about their appointments: queued with the change, written by a job from what is true then."""

from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.queue import enqueue
from models.bookings import Appointment, Booking
from models.catalogue import Service
from models.identity import User
from models.notifications import OutboxMessage
from models.rooms import Room
from models.scheduling import Location
from resolvers.context import Context
from resolvers.notifications import send


class News(StrEnum):
    """What happened to an appointment."""

    RECEIVED = "received"
    MOVED = "moved"
    CANCELLED = "cancelled"


CLOSING = {
    News.RECEIVED: ["Should your plans change, you can move or cancel it in the app.", "", "See you soon"],
    News.MOVED: ["Should your plans change again, you can move or cancel it in the app.", "", "See you soon"],
    News.CANCELLED: ["We would be glad to see you another time."],
}


async def tell_about(db: AsyncSession, booking: Booking, news: News) -> None:
    """Queue the mail about an appointment in this transaction."""
    said = {"booking_id": booking.id, "news": news.value, "cause": f"booking:{booking.id}:{news}:{booking.starts_at.isoformat()}"}
    await enqueue(db, "tell_about_booking", said)


async def tell_about_booking(ctx: Context, booking_id: int, news: News, cause: str) -> None:
    """Write the mail about an appointment, unless its customer wants none or it was written before."""
    async with ctx.writing() as db:
        if await db.scalar(select(OutboxMessage.id).where(OutboxMessage.cause == cause)) is not None:
            return
        found = await db.execute(
            select(Booking, User, Service.name, Location.name, Location.address, Location.time_zone, Room.name)
            .join(User, User.id == Booking.customer_id)
            .join(Service, Service.id == Booking.service_id)
            .join(Location, Location.id == Booking.location_id)
            .join(Appointment, Appointment.booking_id == Booking.id)
            .join(Room, Room.id == Appointment.room_id)
            .where(Booking.id == booking_id)
        )
        booking, customer, service, location, address, zone, room = found.one()
        if customer.email is None or not customer.email_notifications:
            return
        starts = booking.starts_at.astimezone(ZoneInfo(zone))
        lines = [
            f"Dear {customer.first_name or 'guest'},",
            "",
            f"your booking {booking.reference} is {news}.",
            "",
            f"  {service}",
            f"  {starts:%A}, {starts.day} {starts:%B %Y}, {starts:%H:%M} ({zone})",
            f"  {', '.join(each for each in (room, location, address) if each)}",
            f"  Total: {booking.total_amount:.2f} {booking.currency}",
            "",
            *CLOSING[news],
        ]
        subject = f"Your booking {booking.reference} is {news}: {service}"
        await send(db, to=customer.email, subject=subject, body="\n".join(lines), user_id=customer.id, cause=cause)
