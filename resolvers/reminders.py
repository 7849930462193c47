"""Reminders: on the day before a visit, from an hour of the location's own time on, each said once."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from models.bookings import Appointment, Booking, BookingStatus
from models.notifications import Notification, NotificationKind
from models.scheduling import Location
from resolvers.booking_mails import say
from resolvers.context import Context

REMINDED = (BookingStatus.PENDING, BookingStatus.CONFIRMED)
PER_TRANSACTION = 50


async def remind_of_visits(ctx: Context) -> None:
    """Remind whoever is expected tomorrow; who books after the reminding hour knows without it."""
    for row in await ctx.fetch(select(Location.id, Location.time_zone).order_by(Location.id)):
        zone = ZoneInfo(row["time_zone"])
        here = ctx.now().astimezone(zone)
        if here.hour < ctx.settings.reminder_hour:
            continue
        tomorrow = here.date() + timedelta(days=1)
        cause = func.concat("booking:", Booking.id, f":reminder:{tomorrow}")
        due = (
            select(Booking.id, cause)
            .join(Appointment, Appointment.booking_id == Booking.id)
            .where(
                Booking.location_id == row["id"],
                Booking.status.in_(REMINDED),
                Booking.starts_at >= datetime.combine(tomorrow, time(), zone),
                Booking.starts_at < datetime.combine(tomorrow + timedelta(days=1), time(), zone),
                Booking.created_at < datetime.combine(here.date(), time(ctx.settings.reminder_hour), zone),
                ~select(Notification.id).where(Notification.cause == cause).exists(),
            )
            .order_by(Booking.id)
            .limit(PER_TRANSACTION)
        )
        is_full = True
        while is_full:
            async with ctx.writing() as db:
                found = (await db.execute(due.with_for_update(of=Booking))).all()
                for booking_id, said in found:
                    await say(db, booking_id, NotificationKind.BOOKING_REMINDER, said)
            is_full = len(found) == PER_TRANSACTION
