"""Slots that are kept for a person for a while, so that they can be booked in peace."""

from datetime import datetime, timedelta

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, NotFound, SlotTaken
from models.catalogue import Service
from models.keys import Key
from models.rooms import Room
from models.scheduling import Hold, Reservation
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.operations import SIGNED_IN, allow
from resolvers.places import Place, When, find_place
from resolvers.reserving import lock, reserve
from resolvers.scheduling import bookable, next_slots
from resolvers.waitlist_offers import decline_slot, note_slot_taken, offer_slot
from subscriptions.bookings import HoldPlaced, HoldReleased
from subscriptions.facts import announce

HOLD_MINUTES = 10


@allow(SIGNED_IN)
def list_my_holds(ctx: Context) -> Select[Hold]:
    """Slots that are kept for the viewer now."""
    return select(Hold).where(Hold.user_id == ctx.viewer.id, Hold.expires_at > ctx.now()).order_by(Hold.expires_at, Hold.id)


@allow(SIGNED_IN)
async def hold_slot(ctx: Context, *, service_id: Key[Service], room_id: Key[Room], starts_at: datetime) -> Hold:
    """Keep a free slot for ten minutes, so that it can be booked in peace."""
    service = await bookable(ctx, service_id)
    length = timedelta(minutes=service["duration_minutes"])
    place = await find_place(ctx, room_id, service["category_id"], When(starts_at), length, ctx.viewer.id)
    try:
        async with ctx.writing() as db:
            await lock(db, place.resources, place.starts_at, place.ends_at, ctx.now())
            hold = Hold(
                user_id=ctx.viewer.id,
                service_id=service["id"],
                room_id=place.room_id,
                starts_at=place.starts_at,
                ends_at=place.ends_at,
                expires_at=ctx.now() + timedelta(minutes=HOLD_MINUTES),
            )
            db.add(hold)
            await db.flush()
            await reserve(db, place.resources, hold.starts_at, hold.ends_at, hold_id=hold.id)
            await announce(db, HoldPlaced(hold))
            answers(db, hold)
    except SlotTaken as taken:
        raise SlotTaken(details={"next_slots": await next_slots(ctx, service["category_id"], starts_at, length)}) from taken
    return hold


@allow(SIGNED_IN)
async def release_hold(ctx: Context, *, id: Key[Hold]) -> Hold:
    """Give a held slot back before it expires."""
    async with ctx.writing() as db:
        hold = await _access_hold(db, ctx, id)
        if hold is None:
            raise NotFound
        await _end(db, ctx, hold)
        await decline_slot(db, hold)
        await offer_slot(ctx, db, hold.room_id, hold.starts_at, hold.ends_at)
        await announce(db, HoldReleased(hold))
        answers(db, hold)
    return hold


async def use_hold(db: AsyncSession, ctx: Context, id: Key[Hold], place: Place) -> None:
    """Give the held time to the booking that follows in the same transaction."""
    hold = await _access_hold(db, ctx, id)
    if hold is None or (hold.room_id, hold.starts_at) != (place.room_id, place.starts_at):
        raise BadUserInput(hold_id="This hold has expired or is for another slot.")
    await note_slot_taken(db, hold)
    await _end(db, ctx, hold)


async def _access_hold(db: AsyncSession, ctx: Context, id: Key[Hold]) -> Hold | None:
    mine = select(Hold).where(id.names(Hold), Hold.user_id == ctx.viewer.id, Hold.expires_at > ctx.now())
    return (await db.scalars(mine.with_for_update())).one_or_none()


async def _end(db: AsyncSession, ctx: Context, hold: Hold) -> None:
    await db.execute(delete(Reservation).where(Reservation.hold_id == hold.id), execution_options={"synchronize_session": False})
    hold.expires_at = ctx.now()
