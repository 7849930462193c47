"""What people are told about offers of a waiting list: queued with the offer, worded by a job from what is true then."""

from zoneinfo import ZoneInfo

from sqlalchemy import select

from models.catalogue import Service
from models.events import Event
from models.identity import User
from models.notifications import NotificationKind
from models.rooms import Room
from models.scheduling import Hold, Location
from models.waitlists import WaitlistEntry, WaitlistStatus
from resolvers.context import Context
from resolvers.letters import spell_day, spell_hour
from resolvers.notifications import notify


async def tell_about_offer(ctx: Context, entry_id: int) -> None:
    """Tell somebody of an offer, once, and only while it holds."""
    async with ctx.writing() as db:
        found = await db.execute(
            select(WaitlistEntry, User.first_name, Event.title, Event.time_zone, Service.name, Location.time_zone)
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
        entry, first_name, title, event_zone, service, house_zone = row
        assert entry.offer_ends_at is not None  # noqa: S101 - every offer has an end
        zone = event_zone or house_zone or "UTC"
        starts, ends = (each.astimezone(ZoneInfo(zone)) for each in (entry.starts_at, entry.offer_ends_at))
        facts = {
            "first_name": first_name,
            "what": title or service,
            "seats": entry.quantity if title else None,
            "day": spell_day(starts.date()),
            "hour": spell_hour(starts),
            "until": f"{spell_day(ends.date())}, {spell_hour(ends)}",
            "zone": zone,
        }
        where = f"/events/{entry.event_id}" if title else f"/services/{entry.service_id}"
        await notify(db, entry.user_id, NotificationKind.WAITLIST_OFFERED, facts, cause=f"waitlist:{entry.id}:offered", action_url=where)
