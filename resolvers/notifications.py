"""What people are told: messages are queued in the transaction that gives reason for them, and sent after it."""

from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Unavailable
from jobs.queue import enqueue
from models.bookings import Appointment, Booking
from models.catalogue import Service
from models.identity import User
from models.notifications import Channel, OutboxMessage
from models.rooms import Room
from models.scheduling import Location
from resolvers.context import Context


async def send(
    db: AsyncSession,
    *,
    to: str,
    body: str,
    subject: str = "",
    channel: Channel = Channel.EMAIL,
    user_id: int | None = None,
    code: str | None = None,
    link: str | None = None,
) -> OutboxMessage:
    """Queue a message in this transaction; `code` and `link` repeat what the body carries."""
    message = OutboxMessage(channel=channel, to=to, user_id=user_id, subject=subject, body=body, code=code, link=link)
    db.add(message)
    await db.flush()
    await enqueue(db, "send_message", {"message_id": message.id})
    return message


async def send_message(ctx: Context, message_id: int) -> None:
    """Send a queued message, unless it was sent already; raises Unavailable when its gateway does not take it."""
    async with ctx.database.sessions() as db:
        message = await db.get(OutboxMessage, message_id)
    if message is None or message.sent_at is not None:
        return
    mail = ctx.gateways.mail
    if message.channel is Channel.EMAIL and mail is not None:
        await mail.send(message.to, message.subject, message.body)
    elif not ctx.settings.is_demo:
        raise Unavailable(f"There is no gateway for {message.channel}.")
    async with ctx.writing() as db:
        message = await db.get_one(OutboxMessage, message_id)
        message.sent_at = ctx.now()
        if not ctx.settings.is_demo:
            message.body, message.code, message.link = "", None, None


async def confirm_booking(db: AsyncSession, booking: Booking) -> bool:
    """Queue the mail that confirms an appointment; false when the customer wants no mails or has no address."""
    found = await db.execute(
        select(User, Service.name, Location.name, Location.address, Location.time_zone, Room.name)
        .select_from(Booking)
        .join(User, User.id == Booking.customer_id)
        .join(Service, Service.id == Booking.service_id)
        .join(Location, Location.id == Booking.location_id)
        .outerjoin(Appointment, Appointment.booking_id == Booking.id)
        .outerjoin(Room, Room.id == Appointment.room_id)
        .where(Booking.id == booking.id)
    )
    row = found.one_or_none()
    if row is None:
        return False
    customer, service, location, address, zone, room = row
    if customer.email is None or not customer.email_notifications:
        return False
    starts = booking.starts_at.astimezone(ZoneInfo(zone))
    lines = [
        f"Dear {customer.first_name or 'guest'},",
        "",
        f"your booking {booking.reference} is received.",
        "",
        f"  {service}",
        f"  {starts:%A}, {starts.day} {starts:%B %Y}, {starts:%H:%M} ({zone})",
        f"  {', '.join(each for each in (room, location, address) if each)}",
        f"  Total: {booking.total_amount:.2f} {booking.currency}",
        "",
        "Should your plans change, you can move or cancel it in the app.",
        "",
        "See you soon",
    ]
    subject = f"Your booking {booking.reference}: {service}"
    await send(db, to=customer.email, subject=subject, body="\n".join(lines), user_id=customer.id)
    return True
