"""Taking time of rooms and people: the resources are locked in the order of their numbers, then the database decides."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, select, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.ext.asyncio import AsyncSession

from errors import SlotTaken
from models.scheduling import Reservation, Resource

# Holds that expired make room; what still stands in the way is told at once, before anything is written.
MAKE_ROOM = text(
    """
    WITH wanted AS (SELECT unnest(CAST(:resources AS bigint[])) AS resource_id),
    found AS (
      SELECT v.id, h.expires_at <= :now AS is_over, v.booking_id, v.hold_id
      FROM wanted JOIN reservations v
        ON int8range(v.resource_id, v.resource_id, '[]') && int8range(wanted.resource_id, wanted.resource_id, '[]') AND v.during && :during
      LEFT JOIN holds h ON h.id = v.hold_id
    ),
    cleared AS (DELETE FROM reservations WHERE id IN (SELECT id FROM found WHERE is_over))
    SELECT EXISTS (
      SELECT FROM found WHERE is_over IS NOT TRUE
        AND booking_id IS DISTINCT FROM CAST(:own_booking AS bigint) AND hold_id IS DISTINCT FROM CAST(:own_hold AS bigint)
    )
    """
).bindparams(bindparam("during", type_=TSTZRANGE))


TAKE = text(
    """
    INSERT INTO reservations (resource_id, during, booking_id, hold_id)
    SELECT unnest(CAST(:resources AS bigint[])), :during, CAST(:booking AS bigint), CAST(:hold AS bigint)
    """
).bindparams(bindparam("during", type_=TSTZRANGE))


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
    """Wait for everyone else who takes these resources, always in one order; SlotTaken when the time is gone by then."""
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
) -> None:
    """Take locked resources for a booking or a hold; the exclusion constraint has the last word."""
    values = {"resources": sorted(set(resource_ids)), "during": Range(starts_at, ends_at), "booking": booking_id, "hold": hold_id}
    await db.execute(TAKE, values)


async def release(db: AsyncSession, *, booking_id: int) -> None:
    """Give back what a booking has taken."""
    await db.execute(delete(Reservation).where(Reservation.booking_id == booking_id), execution_options={"synchronize_session": False})
