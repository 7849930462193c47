"""What people are told about offers of a waiting list: queued with the offer, written by a job from what is true then."""

from zoneinfo import ZoneInfo

from sqlalchemy import select

from models.catalogue import Service
from models.events import Event
from models.identity import User
from models.notifications import OutboxMessage
from models.rooms import Room
from models.scheduling import Hold, Location
from models.waitlists import WaitlistEntry, WaitlistStatus
from resolvers.context import Context
from resolvers.notifications import send


async def tell_about_offer(ctx: Context, entry_id: int) -> None:
    """Write the mail about an offer, unless it is over, its person wants none, or it was written before."""
    async with ctx.writing() as db:
        found = await db.execute(
            select(WaitlistEntry, User, Event.title, Event.time_zone, Service.name, Location.time_zone)
            .join(User, User.id == WaitlistEntry.user_id)
            .outerjoin(Event, Event.id == WaitlistEntry.event_id)
            .outerjoin(Service, Service.id == WaitlistEntry.service_id)
            .outerjoin(Hold, Hold.id == WaitlistEntry.hold_id)
            .outerjoin(Room, Room.id == Hold.room_id)
            .outerjoin(Location, Location.id == Room.location_id)
            .where(WaitlistEntry.id == entry_id, WaitlistEntry.status == WaitlistStatus.OFFERED)
        )
        row = found.first()
        if row is None:
            return
        entry, person, title, event_zone, service, house_zone = row
        cause = f"waitlist:{entry.id}:offered"
        if person.email is None or not person.email_notifications or entry.offer_ends_at is None:
            return
        if await db.scalar(select(OutboxMessage.id).where(OutboxMessage.cause == cause)) is not None:
            return
        zone = event_zone or house_zone or "UTC"
        starts, ends = (each.astimezone(ZoneInfo(zone)) for each in (entry.starts_at, entry.offer_ends_at))
        what = title or service
        kept = "Your time is" if title is None else "A seat is" if entry.quantity == 1 else f"{entry.quantity} seats are"
        lines = [
            f"Dear {person.first_name or 'guest'},",
            "",
            "something became free that you have been waiting for:",
            "",
            f"  {what}",
            f"  {starts:%A}, {starts.day} {starts:%B %Y}, {starts:%H:%M} ({zone})",
            "",
            f"{kept} kept for you until {ends:%H:%M} on {ends.day} {ends:%B}. Book in the app before then;",
            "afterwards it is offered to the next in line.",
        ]
        await send(db, to=person.email, subject=f"Free for you: {what}", body="\n".join(lines), user_id=person.id, cause=cause)
