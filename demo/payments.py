"""The card that John has saved."""

from sqlalchemy.ext.asyncio import AsyncSession

from demo.people import JOHN
from demo.world import World, put
from models.payments import SavedCard


async def fill(db: AsyncSession, world: World) -> None:
    """John's default card, under the name by which Stripe's test mode knows it."""
    card = {"user_id": JOHN, "provider_id": "pm_card_visa", "brand": "visa", "last4": "4242", "exp_month": 12, "is_default": True}
    await put(db, SavedCard, [{**card, "exp_year": world.today.year + 3}])
