"""Waiting lists for seats at events and for times at the spa."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import AlreadyExists, BadUserInput, Conflict, NotFound
from models.catalogue import Service
from models.events import Event, EventBooking, EventStatus, Facilitator
from models.identity import STAFF, Role
from models.keys import Key
from models.rooms import Room
from models.waitlists import WAITLIST_MOVES, WaitlistEntry, WaitlistKind, WaitlistStatus
from resolvers.context import Context, Viewer
from resolvers.following import Following
from resolvers.idempotency import answers
from resolvers.moves import move
from resolvers.operations import SIGNED_IN, allow
from resolvers.places import When, find_place
from resolvers.scheduling import bookable, free_slots
from resolvers.seats import MOST_SEATS, lock_event
from resolvers.waitlist_offers import OPEN, let_go, lock_rooms
from subscriptions.facts import announce
from subscriptions.waitlists import WaitlistClosed, WaitlistExpired, WaitlistJoined, WaitlistLeft

if TYPE_CHECKING:
    from subscriptions.log import Record

MOST_ENTRIES = 20


class WaitlistEventKind(StrEnum):
    """What happened to a place in a waiting list.

    JOINED: Somebody waits.
    OFFERED: Something is kept for them.
    TAKEN: They have booked it.
    EXPIRED: They did not take it in time.
    LEFT: They do not wait any more.
    CLOSED: Nothing will become free any more.
    """

    JOINED = "waitlist.joined"
    OFFERED = "waitlist.offered"
    TAKEN = "waitlist.taken"
    EXPIRED = "waitlist.expired"
    LEFT = "waitlist.left"
    CLOSED = "waitlist.closed"


@dataclass
class WaitlistEvent:
    """Something that happened to a place in a waiting list."""

    cursor: str
    kind: WaitlistEventKind
    at: datetime
    entry: Select[WaitlistEntry]


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """The places that a viewer may see: their own, those of events that they hold, or all for the staff."""
    if viewer.is_staff:
        return WaitlistEntry.id.is_not(None)
    held = select(Event.id).join(Facilitator, Facilitator.id == Event.facilitator_id).where(Facilitator.user_id == viewer.id)
    return or_(WaitlistEntry.user_id == viewer.id, WaitlistEntry.event_id.in_(held))


@allow(SIGNED_IN)
def list_my_waitlist(ctx: Context) -> Select[WaitlistEntry]:
    """Where the viewer waits or has waited, newest first."""
    return select(WaitlistEntry).where(WaitlistEntry.user_id == ctx.viewer.id).order_by(WaitlistEntry.id.desc())


@allow(*STAFF, Role.FACILITATOR)
def list_waitlist(ctx: Context, *, event_id: Key[Event] | None = None, is_open: bool = True) -> Select[WaitlistEntry]:
    """Who waits, in the order in which they are served; facilitators see the lines for their own events."""
    found = select(WaitlistEntry).where(visible(ctx.viewer)).order_by(WaitlistEntry.id)
    if event_id is not None:
        found = found.where(WaitlistEntry.event_id == event_id.of(Event))
    return found.where(WaitlistEntry.status.in_(OPEN)) if is_open else found


@allow(SIGNED_IN)
async def join_event_waitlist(ctx: Context, *, event_id: Key[Event], seats: int = 1) -> WaitlistEntry:
    """Wait for seats at an event that has not so many left."""
    if not 1 <= seats <= MOST_SEATS:
        raise BadUserInput(seats=f"1 to {MOST_SEATS} seats can be waited for.")
    found = await ctx.fetch(select(Event.id).where(event_id.names(Event)))
    if not found:
        raise NotFound("There is no such event.")
    async with ctx.writing() as db:
        event = await lock_event(db, found[0]["id"])
        if event.status is not EventStatus.ACTIVE or event.starts_at <= ctx.now():
            raise Conflict("This event cannot be booked any more.")
        if seats > event.max_participants:
            raise BadUserInput(seats=f"This event has {event.max_participants} seats.")
        if seats <= event.max_participants - event.current_participants:
            raise Conflict("There are seats left: book them.")
        mine = EventBooking.event_id == event.id, EventBooking.customer_id == ctx.viewer.id, EventBooking.released_at.is_(None)
        if await db.scalar(select(EventBooking.id).where(*mine)):
            raise AlreadyExists("You have booked this event already.")
        about = {"kind": WaitlistKind.EVENT, "event_id": event.id, "quantity": seats}
        entry = await _join(db, ctx, WaitlistEntry.event_id == event.id, starts_at=event.starts_at, ends_at=event.ends_at, **about)
        answers(db, entry)
    return entry


@allow(SIGNED_IN)
async def join_slot_waitlist(
    ctx: Context, *, service_id: Key[Service], starts_at: datetime, room_id: Key[Room] | None = None
) -> WaitlistEntry:
    """Wait for a service at a moment for which no room that suits is free, or one room is not."""
    service = await bookable(ctx, service_id)
    length = timedelta(minutes=service["duration_minutes"])
    suits = Room.is_active, or_(Room.category_id.is_(None), Room.category_id == service["category_id"])
    rooms = await ctx.fetch(
        select(Room.id, Room.resource_id).where(*suits, room_id.names(Room) if room_id else Room.id.is_not(None)).order_by(Room.id)
    )
    if not rooms:
        raise BadUserInput(room_id="This room does not suit the service.")
    place = await find_place(ctx, room_id or Key(number=rooms[0]["id"]), service["category_id"], When(starts_at), length, ctx.viewer.id)
    number = rooms[0]["id"] if room_id else None
    async with ctx.writing() as db:
        await lock_rooms(db, [each["resource_id"] for each in rooms])
        for day in {place.day + timedelta(days=offset) for offset in (-1, 0, 1)}:
            free = await free_slots(ctx, day, service["category_id"], length, room_id=number, not_before=place.starts_at)
            if any(each.starts_at == place.starts_at for each in free):
                raise Conflict("This time is free: book it.")
        about = {"kind": WaitlistKind.SLOT, "service_id": service["id"], "room_id": number}
        same = (WaitlistEntry.service_id == service["id"]) & (WaitlistEntry.starts_at == place.starts_at)
        entry = await _join(db, ctx, same, starts_at=place.starts_at, ends_at=place.ends_at, **about)
        answers(db, entry)
    return entry


@allow(SIGNED_IN)
async def leave_waitlist(ctx: Context, *, id: Key[WaitlistEntry]) -> WaitlistEntry:
    """Wait no more; what was kept for the viewer is offered to the next at once."""
    async with ctx.writing() as db:
        entry, event = await _access(db, WaitlistEntry.user_id == ctx.viewer.id, id.names(WaitlistEntry))
        was_offered = entry.status is WaitlistStatus.OFFERED
        await move(db, entry, WaitlistStatus.LEFT, WAITLIST_MOVES)
        await announce(db, WaitlistLeft(entry))
        if was_offered:
            await let_go(ctx, db, entry, event)
        answers(db, entry)
    return entry


@allow(SIGNED_IN)
async def follow_waitlist(ctx: Context) -> Following[WaitlistEvent]:
    """What happens to the viewer's places in waiting lists, or for the staff to everybody's."""
    return Following(frozenset({"waitlists" if ctx.viewer.is_staff else f"user:{ctx.viewer.id}"}), _shown)


def _shown(ctx: Context, record: "Record") -> WaitlistEvent | None:
    if record.kind not in list(WaitlistEventKind):
        return None
    entry = select(WaitlistEntry).where(visible(ctx.viewer), WaitlistEntry.id == record.subject_id)
    return WaitlistEvent(str(record.cursor), WaitlistEventKind(record.kind), record.at, entry)


async def expire_waitlist_offers(ctx: Context) -> None:
    """Pass on what nobody took in time, and close lines for what has begun or does not take place."""
    over = (WaitlistEntry.status == WaitlistStatus.OFFERED) & (WaitlistEntry.offer_ends_at <= ctx.now())
    cancelled = select(Event.id).where(Event.status != EventStatus.ACTIVE)
    late = WaitlistEntry.status.in_(OPEN) & or_(WaitlistEntry.starts_at <= ctx.now(), WaitlistEntry.event_id.in_(cancelled))
    for row in await ctx.fetch(
        select(WaitlistEntry.id).where(or_(over, late)).order_by(WaitlistEntry.offer_ends_at, WaitlistEntry.id).limit(1000)
    ):
        await _end(ctx, row["id"])


async def _end(ctx: Context, entry_id: int) -> None:
    """End one offer, unless it was taken meanwhile."""
    async with ctx.writing() as db:
        entry, event = await _access(db, WaitlistEntry.id == entry_id)
        now = ctx.now()
        is_late = entry.starts_at <= now or (event is not None and event.status is not EventStatus.ACTIVE)
        was_offered = entry.status is WaitlistStatus.OFFERED
        if is_late and entry.status in OPEN:
            await move(db, entry, WaitlistStatus.CLOSED, WAITLIST_MOVES)
            await announce(db, WaitlistClosed(entry))
        elif was_offered and entry.offer_ends_at is not None and entry.offer_ends_at <= now:
            await move(db, entry, WaitlistStatus.EXPIRED, WAITLIST_MOVES)
            await announce(db, WaitlistExpired(entry))
        else:
            return
        if was_offered:
            await let_go(ctx, db, entry, event)


async def _access(db: AsyncSession, *which: ColumnElement[bool]) -> tuple[WaitlistEntry, Event | None]:
    """An entry with its event, both locked, the event first as everybody does it; NotFound without one."""
    event_id = await db.scalar(select(WaitlistEntry.event_id).where(*which))
    event = await lock_event(db, event_id) if event_id is not None else None
    entry = await db.scalar(select(WaitlistEntry).where(*which).with_for_update())
    if entry is None:
        raise NotFound
    return entry, event


async def _join(db: AsyncSession, ctx: Context, same: ColumnElement[bool], **about: object) -> WaitlistEntry:
    open_ones = WaitlistEntry.user_id == ctx.viewer.id, WaitlistEntry.status.in_(OPEN)
    if await db.scalar(select(WaitlistEntry.id).where(*open_ones, same)):
        raise AlreadyExists("You are waiting for this already.")
    if (await db.scalar(select(func.count(WaitlistEntry.id)).where(*open_ones)) or 0) >= MOST_ENTRIES:
        raise Conflict(f"One can wait for {MOST_ENTRIES} things at once.")
    entry = WaitlistEntry(user_id=ctx.viewer.id, **about)
    db.add(entry)
    await db.flush()
    await announce(db, WaitlistJoined(entry))
    return entry
