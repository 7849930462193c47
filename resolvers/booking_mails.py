"""What customers are told about their appointments: queued with the change, worded by a job from what is true then."""

from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import clock
from jobs.queue import enqueue
from models.bookings import Appointment, Booking, BookingKind, BookingStatus
from models.catalogue import Service
from models.identity import User
from models.notifications import Notification, NotificationKind
from models.rooms import Room
from models.scheduling import Location
from resolvers.context import Context
from resolvers.letters import spell_day, spell_hour, spell_money
from resolvers.notifications import notify


class News(StrEnum):
    """What happened to an appointment."""

    RECEIVED = "received"
    CONFIRMED = "confirmed"
    MOVED = "moved"
    CANCELLED = "cancelled"


async def tell_about(db: AsyncSession, booking: Booking, news: News) -> None:
    """Have its customer told about an appointment, in this transaction; other lines of business have letters of their own."""
    if booking.kind is not BookingKind.APPOINTMENT:
        return
    said = {"booking_id": booking.id, "news": news.value, "cause": f"booking:{booking.id}:{news}:{clock.now().isoformat()}"}
    await enqueue(db, "tell_about_booking", said)


async def tell_about_booking(ctx: Context, booking_id: int, news: News, cause: str) -> None:
    """Tell a customer what happened to their appointment; what was overtaken meanwhile is not told any more."""
    async with ctx.writing() as db:
        status = await db.scalar(select(Booking.status).where(Booking.id == booking_id))
        is_overtaken = status is not BookingStatus.PENDING if news == News.RECEIVED else status is BookingStatus.CANCELLED
        if not is_overtaken or news == News.CANCELLED:
            await say(db, booking_id, NotificationKind(f"booking_{news}"), cause)


async def say(db: AsyncSession, booking_id: int, kind: NotificationKind, cause: str) -> Notification | None:
    """Tell the customer of an appointment about it, as it is now."""
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
    starts = booking.starts_at.astimezone(ZoneInfo(zone))
    facts = {
        "first_name": customer.first_name,
        "reference": booking.reference,
        "service": service,
        "day": spell_day(starts.date()),
        "hour": spell_hour(starts),
        "zone": zone,
        "place": ", ".join(each for each in (room, location, address) if each),
        "total": spell_money(booking.total_amount, booking.currency),
    }
    return await notify(db, customer.id, kind, facts, cause=cause, action_url=f"/bookings/{booking.id}")
