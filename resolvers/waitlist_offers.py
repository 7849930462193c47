"""Offers of what became free: kept for the next in line in the very transaction that frees it, so that nobody else can take it.

Seats stay counted as taken while they are offered; a time at the spa is kept by a hold. Whoever frees something calls `offer_seats`
or `offer_slot`; whoever books calls `use_place` or `note_slot_taken`.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import SlotTaken
from jobs.queue import enqueue
from models.events import Event, EventStatus
from models.rooms import Room
from models.scheduling import Hold, Reservation, Resource
from models.waitlists import WAITLIST_MOVES, WaitlistEntry, WaitlistStatus
from resolvers.context import Context
from resolvers.moves import move
from resolvers.reserving import lock, reserve
from subscriptions.bookings import HoldPlaced
from subscriptions.facts import announce
from subscriptions.waitlists import WaitlistClosed, WaitlistLeft, WaitlistOffered, WaitlistTaken

GRACE = timedelta(minutes=3)
"""So much longer than its offer a hold lasts, so that the job can pass it on before somebody passing by takes the time."""
MOST_TRIED = 50
OPEN = (WaitlistStatus.WAITING, WaitlistStatus.OFFERED)

# Who waits for a time that overlaps what became free in a room that suits and is open then; those first who came first.
WAITING = text(
    """
    SELECT e.id, u.resource_id AS person FROM waitlist_entries e
    JOIN users u ON u.id = e.user_id JOIN services s ON s.id = e.service_id
    JOIN rooms r ON r.id = :room_id JOIN locations l ON l.id = r.location_id
    WHERE e.kind = 'slot' AND e.status = 'waiting' AND e.starts_at > :now AND e.starts_at < :ends_at AND e.ends_at > :starts_at
      AND (e.room_id IS NULL OR e.room_id = r.id) AND r.is_active AND (r.category_id IS NULL OR r.category_id = s.category_id)
      AND opening_hours(l.schedule_id, (e.starts_at AT TIME ZONE l.time_zone)::date, l.time_zone) @> tstzrange(e.starts_at, e.ends_at)
    ORDER BY e.id LIMIT :most
    """
)


async def offer_seats(ctx: Context, db: AsyncSession, event: Event) -> None:
    """Keep the free seats of a locked event for the next in line who fit; whoever waits for more seats than are free is passed over."""
    free = event.max_participants - event.current_participants
    if free < 1 or event.status is not EventStatus.ACTIVE or event.starts_at <= ctx.now():
        return
    fits = WaitlistEntry.event_id == event.id, WaitlistEntry.status == WaitlistStatus.WAITING, WaitlistEntry.quantity <= free
    for entry in await db.scalars(select(WaitlistEntry).where(*fits).order_by(WaitlistEntry.id).limit(free).with_for_update()):
        if entry.quantity <= free:
            free -= entry.quantity
            event.current_participants += entry.quantity
            await _offer(ctx, db, entry)


async def use_place(ctx: Context, db: AsyncSession, event: Event) -> None:
    """Whoever books a locked event waits no more for it; seats that were kept for them are free for the booking that follows."""
    open_one = WaitlistEntry.event_id == event.id, WaitlistEntry.user_id == ctx.viewer.id, WaitlistEntry.status.in_(OPEN)
    entry = await db.scalar(select(WaitlistEntry).where(*open_one).with_for_update())
    if entry is None:
        return
    if entry.status is WaitlistStatus.OFFERED:
        event.current_participants -= entry.quantity
    await move(db, entry, WaitlistStatus.TAKEN, WAITLIST_MOVES)
    await db.flush()
    await announce(db, WaitlistTaken(entry))


async def follow_event(ctx: Context, db: AsyncSession, event: Event) -> None:
    """Let the line of a locked event know that it was changed: when it is, and whether there are more seats."""
    moved = update(WaitlistEntry).where(WaitlistEntry.event_id == event.id, WaitlistEntry.status.in_(OPEN))
    times = {"starts_at": event.starts_at, "ends_at": event.ends_at}
    await db.execute(moved.values(**times), execution_options={"synchronize_session": False})
    await offer_seats(ctx, db, event)


async def close_line(db: AsyncSession, event: Event) -> None:
    """Nobody waits any more for a locked event that does not take place."""
    closed = update(WaitlistEntry).where(WaitlistEntry.event_id == event.id, WaitlistEntry.status.in_(OPEN))
    gone = closed.values(status=WaitlistStatus.CLOSED).returning(WaitlistEntry)
    for entry in await db.scalars(gone, execution_options={"synchronize_session": False, "populate_existing": True}):
        await announce(db, WaitlistClosed(entry))


async def offer_slot(
    ctx: Context,
    db: AsyncSession,
    room_id: int,
    starts_at: datetime,
    ends_at: datetime,
    *,
    besides: tuple[datetime, datetime] | None = None,
) -> None:
    """Keep a room's time that became free in this transaction for the next in line whom it suits and who is free then.

    `besides` is a time that this transaction takes when it ends.
    """
    if ends_at <= ctx.now():
        return
    resource = await db.scalar(select(Room.resource_id).where(Room.id == room_id))
    if resource is None:
        return
    # Whoever joins the line locks the room too, so either they are seen here, or they see that the time is free.
    await lock_rooms(db, [resource])
    about = {"room_id": room_id, "now": ctx.now(), "starts_at": starts_at, "ends_at": ends_at, "most": MOST_TRIED}
    given = [] if besides is None else [besides]
    for row in (await db.execute(WAITING, about)).all():
        entry = await db.scalar(select(WaitlistEntry).where(WaitlistEntry.id == row.id).with_for_update(skip_locked=True))
        if (
            entry is None
            or entry.status is not WaitlistStatus.WAITING
            or any(entry.starts_at < end and begin < entry.ends_at for begin, end in given)
        ):
            continue
        try:
            await lock(db, [resource, row.person], entry.starts_at, entry.ends_at, ctx.now())
        except SlotTaken:
            continue
        await _offer(ctx, db, entry)
        await _hold(db, entry, room_id, [resource, row.person])
        given.append((entry.starts_at, entry.ends_at))


async def lock_rooms(db: AsyncSession, resources: list[int]) -> None:
    """Wait for everyone else who frees these rooms, or joins the line for them."""
    await db.execute(select(Resource.id).where(Resource.id.in_(resources)).order_by(Resource.id).with_for_update(key_share=True))


async def note_slot_taken(db: AsyncSession, hold: Hold) -> None:
    """Whoever books on a hold that was offered to them waits no more."""
    entry = await db.scalar(select(WaitlistEntry).where(WaitlistEntry.hold_id == hold.id).with_for_update())
    if entry is not None and entry.status is WaitlistStatus.OFFERED:
        await move(db, entry, WaitlistStatus.TAKEN, WAITLIST_MOVES)
        await announce(db, WaitlistTaken(entry))


async def decline_slot(db: AsyncSession, hold: Hold) -> None:
    """Whoever gives an offered hold back waits no more."""
    entry = await db.scalar(select(WaitlistEntry).where(WaitlistEntry.hold_id == hold.id).with_for_update())
    if entry is not None and entry.status is WaitlistStatus.OFFERED:
        await move(db, entry, WaitlistStatus.LEFT, WAITLIST_MOVES)
        await announce(db, WaitlistLeft(entry))


async def let_go(ctx: Context, db: AsyncSession, entry: WaitlistEntry, event: Event | None) -> None:
    """Give back what was kept for somebody, and offer it to the next; an event comes locked."""
    if event is not None:
        if event.status is EventStatus.ACTIVE:  # or else nothing is counted any more
            event.current_participants -= entry.quantity
            await offer_seats(ctx, db, event)
        return
    hold = await db.scalar(select(Hold).where(Hold.id == entry.hold_id).with_for_update())
    if hold is None:
        return
    room_id, starts_at, ends_at = hold.room_id, hold.starts_at, hold.ends_at
    quiet = {"synchronize_session": False}
    await db.execute(delete(Reservation).where(Reservation.hold_id == hold.id), execution_options=quiet)
    await db.execute(update(Hold).where(Hold.id == hold.id).values(expires_at=ctx.now()), execution_options=quiet)
    await offer_slot(ctx, db, room_id, starts_at, ends_at)


async def _offer(ctx: Context, db: AsyncSession, entry: WaitlistEntry) -> None:
    entry.offered_at = ctx.now()
    entry.offer_ends_at = min(ctx.now() + timedelta(minutes=ctx.settings.waitlist_offer_minutes), entry.starts_at)
    entry.status = WaitlistStatus.OFFERED  # together with its moments, as a constraint asks
    await db.flush()
    await announce(db, WaitlistOffered(entry))
    await enqueue(db, "tell_about_offer", {"entry_id": entry.id})


async def _hold(db: AsyncSession, entry: WaitlistEntry, room_id: int, resources: list[int]) -> None:
    assert entry.service_id is not None  # noqa: S101 - who waits for a time waits for a service
    assert entry.offer_ends_at is not None  # noqa: S101 - it was just offered
    hold = Hold(user_id=entry.user_id, service_id=entry.service_id, room_id=room_id, starts_at=entry.starts_at, ends_at=entry.ends_at)
    hold.expires_at = entry.offer_ends_at + GRACE
    db.add(hold)
    await db.flush()
    entry.hold_id = hold.id
    await reserve(db, resources, hold.starts_at, hold.ends_at, hold_id=hold.id)
    await announce(db, HoldPlaced(hold))
