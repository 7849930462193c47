"""What the guests of the demo think of its services, summed up."""

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from demo.world import World
from models.analytics import ServiceRating
from models.bookings import Booking


async def fill(db: AsyncSession, world: World) -> None:
    """The ratings that the year's bookings brought with them."""
    rated = select(Booking.service_id, func.count(), func.sum(Booking.rating)).where(
        Booking.rating.is_not(None), Booking.service_id.is_not(None)
    )
    await db.execute(insert(ServiceRating).from_select(["service_id", "ratings", "stars"], rated.group_by(Booking.service_id)))
