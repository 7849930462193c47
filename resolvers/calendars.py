"""Calendars that other programs fetch: secret addresses for what a person attends, holds, or what takes place in a room (RFC 5545)."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from icalendar import Calendar
from icalendar import Event as CalendarEntry
from sqlalchemy import ColumnElement, Select, and_, func, select

from errors import BadUserInput, Conflict, Forbidden, NotFound
from models.bookings import Appointment, Booking, BookingStatus
from models.catalogue import Service
from models.events import CalendarFeed, Event, EventBooking, EventStatus, Facilitator, FeedKind
from models.identity import STAFF, User
from models.keys import Key
from models.rooms import Room
from models.scheduling import Location
from resolvers.authentication import hash_token
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.limits import limit
from resolvers.operations import ANYONE, SIGNED_IN, allow

FEED_PATH = "/calendars/feed.ics"
MOST_FEEDS, MOST_ENTRIES = 20, 2000
SHOWN_BACK = timedelta(days=60)
READS = "60/hour"
TITLES = {FeedKind.ATTENDEE: "My bookings", FeedKind.FACILITATOR: "My events", FeedKind.ROOM: "Room"}
CONFIRMED, CANCELLED, TENTATIVE = "CONFIRMED", "CANCELLED", "TENTATIVE"


@dataclass
class FeedMade:
    """A feed with its address, which is shown only now."""

    path: str
    feed: CalendarFeed


@dataclass(frozen=True)
class Entry:
    """One line of a calendar."""

    uid: str
    starts_at: datetime
    ends_at: datetime
    title: str
    text: str
    place: str
    status: str
    sequence: int
    stamp: datetime


@allow(SIGNED_IN)
def list_my_calendar_feeds(ctx: Context) -> Select[CalendarFeed]:
    """The viewer's feeds, newest first; those that were revoked stay in the list."""
    return select(CalendarFeed).where(CalendarFeed.user_id == ctx.viewer.id).order_by(CalendarFeed.id.desc())


@allow(SIGNED_IN)
async def create_calendar_feed(ctx: Context, *, kind: FeedKind = FeedKind.ATTENDEE, room_id: Key[Room] | None = None) -> FeedMade:
    """Make a secret address for a calendar: of one's own bookings, of the events one holds, or, for the staff, of a room."""
    facilitator = await _facilitator(ctx) if kind is FeedKind.FACILITATOR else None
    room = await _room(ctx, room_id) if kind is FeedKind.ROOM else None
    secret = secrets.token_urlsafe(32)
    async with ctx.writing() as db:
        await db.get_one(User, ctx.viewer.id, with_for_update={"key_share": True})
        held = select(func.count(CalendarFeed.id)).where(CalendarFeed.user_id == ctx.viewer.id, CalendarFeed.revoked_at.is_(None))
        if (await db.scalar(held) or 0) >= MOST_FEEDS:
            raise Conflict(f"{MOST_FEEDS} feeds are enough; revoke one that is not used any more.")
        feed = CalendarFeed(user_id=ctx.viewer.id, kind=kind, facilitator_id=facilitator, room_id=room, secret_hash=hash_token(secret))
        db.add(feed)
        await db.flush()
        made = FeedMade(f"{FEED_PATH}?secret={secret}", feed)
        answers(db, made)
    return made


@allow(SIGNED_IN)
async def revoke_calendar_feed(ctx: Context, *, id: Key[CalendarFeed]) -> CalendarFeed:
    """Have the address of a feed work no more."""
    async with ctx.writing() as db:
        mine = select(CalendarFeed).where(id.names(CalendarFeed), CalendarFeed.user_id == ctx.viewer.id)
        feed = await db.scalar(mine.with_for_update())
        if feed is None:
            raise NotFound
        feed.revoked_at = feed.revoked_at or ctx.now()
        answers(db, feed)
    return feed


@allow(ANYONE)
async def get_calendar(ctx: Context, *, secret: str) -> str:
    """The calendar behind a secret address, as calendar programs read it."""
    feed = await ctx.fetch(
        select(CalendarFeed.id, CalendarFeed.kind, CalendarFeed.user_id, CalendarFeed.facilitator_id, CalendarFeed.room_id, Room.name)
        .join(User, User.id == CalendarFeed.user_id)
        .outerjoin(Room, Room.id == CalendarFeed.room_id)
        .where(CalendarFeed.secret_hash == hash_token(secret), CalendarFeed.revoked_at.is_(None), User.is_active)
    )
    if not feed:
        raise NotFound
    row = feed[0]
    await limit(ctx, "calendar", READS, by=f"feed:{row['id']}")
    kind = FeedKind(row["kind"])
    if kind is FeedKind.ATTENDEE:
        entries = await _attended(ctx, row["user_id"])
    elif kind is FeedKind.FACILITATOR:
        entries = await _held(ctx, Event.facilitator_id == row["facilitator_id"])
    else:
        entries = [*await _held(ctx, Event.room_id == row["room_id"]), *await _appointments(ctx, row["room_id"])]
    return _written(row["name"] or TITLES[kind], entries)


async def _facilitator(ctx: Context) -> int:
    rows = await ctx.fetch(select(Facilitator.id).where(Facilitator.user_id == ctx.viewer.id, Facilitator.is_active))
    if not rows:
        raise Forbidden("Only facilitators hold events.")
    return int(rows[0]["id"])


async def _room(ctx: Context, id: Key[Room] | None) -> int:
    if not ctx.viewer.roles & STAFF:
        raise Forbidden("Only the staff follows rooms.")
    if id is None:
        raise BadUserInput(room_id="Say which room.")
    rows = await ctx.fetch(select(Room.id).where(id.names(Room)))
    if not rows:
        raise BadUserInput(room_id="There is no such room.")
    return int(rows[0]["id"])


async def _attended(ctx: Context, user_id: int) -> list[Entry]:
    """Whatever a person has booked, of every kind."""
    rows = await ctx.fetch(
        select(
            Booking.uuid, Booking.starts_at, Booking.ends_at, Booking.status, Booking.reference, Booking.created_at, Booking.cancelled_at,
            Event.changes, Event.changed_at, func.coalesce(Event.title, Service.name, Booking.reference).label("title"),
            func.coalesce(Event.venue, Location.name, "").label("place"), Event.virtual_link,
        )
        .outerjoin(EventBooking, EventBooking.booking_id == Booking.id)
        .outerjoin(Event, Event.id == EventBooking.event_id)
        .outerjoin(Service, Service.id == Booking.service_id)
        .outerjoin(Location, Location.id == Booking.location_id)
        .where(Booking.customer_id == user_id, Booking.ends_at > ctx.moment() - SHOWN_BACK)
        .order_by(Booking.starts_at, Booking.id)
        .limit(MOST_ENTRIES)
    )  # fmt: skip
    standing = {BookingStatus.CANCELLED: CANCELLED, BookingStatus.PENDING: TENTATIVE}
    return [
        Entry(
            uid=f"booking-{row['uuid']}@atrium", starts_at=row["starts_at"], ends_at=row["ends_at"], title=row["title"], place=row["place"],
            text="\n".join(filter(None, [f"Booking {row['reference']}", row["virtual_link"]])),
            status=standing.get(BookingStatus(row["status"]), CONFIRMED),
            sequence=(row["changes"] or 0) + (row["cancelled_at"] is not None),
            stamp=row["cancelled_at"] or row["changed_at"] or row["created_at"],
        )
        for row in rows
    ]  # fmt: skip


async def _held(ctx: Context, which: ColumnElement[bool]) -> list[Entry]:
    rows = await ctx.fetch(
        select(
            Event.uuid, Event.starts_at, Event.ends_at, Event.status, Event.title, Event.description, Event.created_at, Event.changed_at,
            Event.cancelled_at, Event.changes, Event.current_participants, Event.max_participants, Event.virtual_link,
            func.coalesce(Event.venue, Room.name, "").label("place"),
        )
        .outerjoin(Room, Room.id == Event.room_id)
        .where(which, Event.ends_at > ctx.moment() - SHOWN_BACK)
        .order_by(Event.starts_at, Event.id)
        .limit(MOST_ENTRIES)
    )  # fmt: skip
    return [
        Entry(
            uid=f"event-{row['uuid']}@atrium", starts_at=row["starts_at"], ends_at=row["ends_at"], title=row["title"], place=row["place"],
            text=f"{row['current_participants']} of {row['max_participants']} seats are taken.\n{row['description']}".strip(),
            status=CANCELLED if row["status"] == EventStatus.CANCELLED else CONFIRMED, sequence=row["changes"],
            stamp=row["cancelled_at"] or row["changed_at"] or row["created_at"],
        )
        for row in rows
    ]  # fmt: skip


async def _appointments(ctx: Context, room_id: int) -> list[Entry]:
    """What else takes place in a room; whose it is is not said."""
    rows = await ctx.fetch(
        select(
            Booking.uuid, Booking.starts_at, Booking.ends_at, Booking.created_at, func.coalesce(Service.name, "Reserved").label("title")
        )
        .join(Appointment, Appointment.booking_id == Booking.id)
        .outerjoin(Service, Service.id == Booking.service_id)
        .where(
            and_(Appointment.room_id == room_id, Booking.ends_at > ctx.moment() - SHOWN_BACK, Booking.status != BookingStatus.CANCELLED)
        )
        .order_by(Booking.starts_at, Booking.id)
        .limit(MOST_ENTRIES)
    )  # fmt: skip
    return [
        Entry(
            uid=f"booking-{row['uuid']}@atrium", starts_at=row["starts_at"], ends_at=row["ends_at"], title=row["title"], place="", text="",
            status=CONFIRMED, sequence=0, stamp=row["created_at"],
        )
        for row in rows
    ]  # fmt: skip


def _written(title: str, entries: list[Entry]) -> str:
    """The calendar as text; moments are in UTC, which every program shows in its own time."""
    calendar = Calendar()
    for name, value in (("prodid", "-//Atrium//Calendar feeds//EN"), ("version", "2.0"), ("method", "PUBLISH"), ("x-wr-calname", title)):
        calendar.add(name, value)
    for each in entries:
        entry = CalendarEntry()
        entry.add("uid", each.uid)
        entry.add("dtstamp", each.stamp.astimezone(UTC))
        entry.add("last-modified", each.stamp.astimezone(UTC))
        entry.add("dtstart", each.starts_at.astimezone(UTC))
        entry.add("dtend", each.ends_at.astimezone(UTC))
        entry.add("summary", each.title)
        entry.add("status", each.status)
        entry.add("sequence", each.sequence)
        for name, value in (("description", each.text), ("location", each.place)):
            if value:
                entry.add(name, value)
        calendar.add_component(entry)
    text: str = calendar.to_ical().decode()
    return text
