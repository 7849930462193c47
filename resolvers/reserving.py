"""Taking time of rooms and people: the resources are locked in the order of their numbers, then the database decides."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import BigInteger, any_, bindparam, delete, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY, TSTZRANGE, Range
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import UpdateBase

from errors import SlotTaken
from models.scheduling import Reservation, Resource
from models.together import Form, Parameter, Part, write_at_end
from resolvers.context import Context
from resolvers.places import Place

T = TypeVar("T")

# Holds that expired make room; what still stands in the way is told at once, before anything is written. OFFSET 0, or PostgreSQL
# may take whatever is reserved at that time, in any room, for so little that it reads all of it.
IN_THE_WAY = """
    SELECT v.id, v.booking_id, v.hold_id, h.expires_at <= {now} AS is_over
    FROM unnest(CAST({resources} AS bigint[])) AS wanted(resource_id) CROSS JOIN LATERAL (
      SELECT * FROM reservations v
      WHERE int8range(v.resource_id, v.resource_id, '[]') && int8range(wanted.resource_id, wanted.resource_id, '[]')
        AND v.during && {during} OFFSET 0
    ) v LEFT JOIN holds h ON h.id = v.hold_id
"""
MAKE_ROOM = text(
    f"""
    WITH found AS ({IN_THE_WAY.format(now=":now", resources=":resources", during=":during")}),
    cleared AS (DELETE FROM reservations WHERE id IN (SELECT id FROM found WHERE is_over))
    SELECT EXISTS (
      SELECT FROM found WHERE is_over IS NOT TRUE
        AND (booking_id = CAST(:own_booking AS bigint)) IS NOT TRUE AND (hold_id = CAST(:own_hold AS bigint)) IS NOT TRUE
    )
    """  # noqa: S608 - constants
).bindparams(bindparam("during", type_=TSTZRANGE))
CLEAR = f"""
WITH found AS ({IN_THE_WAY.format(now="$1", resources="$2", during="tstzrange($3, $4)")})
DELETE FROM reservations WHERE id IN (SELECT id FROM found WHERE is_over) RETURNING id
"""  # noqa: S608 - constants


def _take(rows: Sequence[Parameter]) -> UpdateBase:
    """Reservations of resources, each locked first, in the order of their numbers."""
    [parameter] = rows
    wanted = Resource.id == any_(parameter("resources", ARRAY(BigInteger)))
    locked = select(Resource.id).where(wanted).order_by(Resource.id).with_for_update(key_share=True).subquery("locked")
    reasons = ("booking_id", "hold_id", "event_id")
    values = parameter("during", TSTZRANGE()), *(parameter(each, BigInteger()) for each in reasons)
    return insert(Reservation).from_select(["resource_id", "during", *reasons], select(locked.c.id, *values))


TAKE = Form(_take, has_rows=False)


async def lock(
    db: AsyncSession,
    resource_ids: Sequence[int],
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    *,
    own_booking: int | None = None,
    own_hold: int | None = None,
) -> None:
    """Wait for everyone else who takes these resources, always in one order; SlotTaken when the time is gone by then.

    For writes that take something else besides, which nobody should wait for in vain.
    """
    ids = sorted(set(resource_ids))
    await db.execute(select(Resource.id).where(Resource.id.in_(ids)).order_by(Resource.id).with_for_update(key_share=True))
    during = Range(starts_at, ends_at)
    values = {"resources": ids, "now": now, "during": during, "own_booking": own_booking, "own_hold": own_hold}
    if await db.scalar(MAKE_ROOM, values):
        raise SlotTaken


async def reserve(
    db: AsyncSession,
    resource_ids: Sequence[int],
    starts_at: datetime,
    ends_at: datetime,
    *,
    booking_id: int | None = None,
    hold_id: int | None = None,
    event_id: int | None = None,
) -> None:
    """Take resources when the transaction ends, for one reason; the exclusion constraint decides, which makes it SlotTaken."""
    reasons = {"booking_id": booking_id, "hold_id": hold_id, "event_id": event_id}
    await write_at_end(db, Part(TAKE, {"resources": list(set(resource_ids)), "during": Range(starts_at, ends_at), **reasons}))


async def past_expired_holds(ctx: Context, place: Place, take: Callable[[], Awaitable[T]]) -> T:
    """Take a place; once more when it was refused for the sake of holds that have expired."""
    try:
        return await take()
    except SlotTaken:
        if not await clear_expired_holds(ctx, place.resources, place.starts_at, place.ends_at):
            raise
        return await take()


async def clear_expired_holds(ctx: Context, resources: Sequence[int], starts_at: datetime, ends_at: datetime) -> bool:
    """Make room where holds that have expired stand in the way; whether there were any."""
    return bool(await ctx.database.run(CLEAR, [ctx.now(), list(resources), starts_at, ends_at]))


async def release(db: AsyncSession, *, booking_id: int) -> None:
    """Give back what a booking has taken."""
    await db.execute(delete(Reservation).where(Reservation.booking_id == booking_id), execution_options={"synchronize_session": False})
