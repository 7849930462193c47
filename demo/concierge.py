"""What guests, and John, have asked the concierge for."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from demo.people import ADMIN, FIRST_GUEST, JOHN
from demo.world import World, put
from models.concierge import ConciergeNote, ConciergeRequest, ConciergeStatus

# Who, what, budget, price, how many days ago, in how many days it is needed, where it stands, what staff told.
REQUESTS: list[tuple[int, str, int | None, int | None, int, int, ConciergeStatus, str | None]] = [
    (JOHN, "Japanese whisky - Hibiki 21", 400, 385, 40, -30, ConciergeStatus.FULFILLED, "Found in Osaka; it is on its way."),
    (JOHN, "Two tickets for the Philharmonic, Friday", 300, None, 2, 12, ConciergeStatus.SOURCING, "We are on the waiting list, row 8."),
    (FIRST_GUEST, "The robe of the Anniversary Suite, monogrammed", 200, 180, 6, 9, ConciergeStatus.ORDERED, None),
    (FIRST_GUEST + 3, "First edition of The Old Man and the Sea", 2500, None, 9, 45, ConciergeStatus.SOURCING, None),
    (FIRST_GUEST + 7, "A florist who has blue poppies", 150, None, 1, 4, ConciergeStatus.RECEIVED, None),
    (FIRST_GUEST + 11, "Cufflinks like those on the photograph", 600, 540, 14, -1, ConciergeStatus.READY, "They wait at the reception."),
    (FIRST_GUEST + 18, "Matsutake mushrooms, fresh", 220, None, 30, -22, ConciergeStatus.DECLINED, "The season is over until autumn."),
    (FIRST_GUEST + 25, "A violin for a beginner of seven years", 400, 350, 50, -41, ConciergeStatus.FULFILLED, None),
    (FIRST_GUEST + 33, "Dinner for twelve at home, Georgian kitchen", None, None, 1, 20, ConciergeStatus.RECEIVED, None),
    (FIRST_GUEST + 41, "Vintage ski poster, Zermatt", 900, None, 5, 30, ConciergeStatus.CANCELLED, None),
]  # fmt: skip
CLOSED = (ConciergeStatus.FULFILLED, ConciergeStatus.DECLINED, ConciergeStatus.CANCELLED)


async def fill(db: AsyncSession, world: World) -> None:
    """Requests in every state."""
    numbers = await put(db, ConciergeRequest, [_request(world, *each[:7]) for each in REQUESTS])
    said = [(number, each[7]) for number, each in zip(numbers, REQUESTS, strict=True) if each[7]]
    await put(db, ConciergeNote, [{"request_id": number, "author_id": ADMIN, "text": text, "is_shown": True} for number, text in said])


def _request(
    world: World, who: int, what: str, budget: int | None, price: int | None, days_ago: int, needed_in: int, status: ConciergeStatus
) -> dict[str, Any]:
    return {
        "customer_id": who, "item_description": what, "budget": budget and Decimal(budget), "price": price and Decimal(price),
        "needed_by": world.day(needed_in), "estimated_on": world.day(max(needed_in - 2, 1 - days_ago)), "status": status,
        "created_at": world.now - timedelta(days=days_ago), "assigned_to_id": None if status is ConciergeStatus.RECEIVED else ADMIN,
        "closed_at": world.now - timedelta(days=max(0, -needed_in)) if status in CLOSED else None,
    }  # fmt: skip
