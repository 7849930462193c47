"""Taking time of rooms and people: the resources are locked in the order of their numbers, then the database decides."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from models.scheduling import Hold, Reservation, Resource


async def lock(db: AsyncSession, resource_ids: Sequence[int], now: datetime) -> None:
    """Wait for everyone else who takes these resources, always in one order, and clear away holds that expired."""
    rows = select(Resource.id).where(Resource.id.in_(resource_ids)).order_by(Resource.id)
    await db.execute(rows.with_for_update(key_share=True))
    expired = select(Hold.id).where(Hold.expires_at <= now)
    await db.execute(
        delete(Reservation).where(Reservation.resource_id.in_(resource_ids), Reservation.hold_id.in_(expired)),
        execution_options={"synchronize_session": False},
    )


async def reserve(
    db: AsyncSession,
    resource_ids: Sequence[int],
    starts_at: datetime,
    ends_at: datetime,
    *,
    booking_id: int | None = None,
    hold_id: int | None = None,
) -> None:
    """Take locked resources for a booking or a hold; ends in SlotTaken when one of them is taken already."""
    during = Range(starts_at, ends_at)
    rows = [{"resource_id": each, "during": during, "booking_id": booking_id, "hold_id": hold_id} for each in sorted(set(resource_ids))]
    await db.execute(insert(Reservation), rows)


async def release(db: AsyncSession, *, booking_id: int) -> None:
    """Give back what a booking has taken."""
    await db.execute(delete(Reservation).where(Reservation.booking_id == booking_id), execution_options={"synchronize_session": False})
