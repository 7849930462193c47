"""Purchases as payments see them: what one costs, when it can be paid for, and what follows from the money."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import clock
from errors import Conflict
from models.base import Model
from models.bookings import PaymentStatus
from models.notifications import NotificationKind
from models.payments import PAYMENT_MOVES, Payment
from models.shop import PURCHASE_MOVES, Purchase, PurchaseItem, PurchaseStatus
from resolvers.giving_back import give_back
from resolvers.moves import move
from resolvers.shop_mails import tell_about_purchase
from resolvers.stock import give_stock_back
from subscriptions.facts import announce
from subscriptions.shop import PurchaseCancelled, PurchasePaid, PurchaseRefunded

HOLDING = (PurchaseStatus.PENDING, PurchaseStatus.CONFIRMED, PurchaseStatus.READY)
"""Where a purchase has its products set aside, so that they can be given back."""


class PayablePurchases:
    """A purchase has one payment, of its total."""

    name = "purchase"
    table: type[Model] = Purchase
    column = "purchase_id"

    async def lock(self, db: AsyncSession, id: int) -> Purchase:
        """The purchase, locked."""
        fresh: dict[str, Any] = {"with_for_update": {"key_share": True}, "populate_existing": True}
        return await db.get_one(Purchase, id, **fresh)

    def payer(self, thing: Purchase) -> int:
        """Its customer."""
        return thing.customer_id

    def price(self, thing: Purchase) -> tuple[Decimal, str]:
        """Its total."""
        return thing.total_amount, thing.currency

    def check(self, thing: Purchase) -> None:
        """Only a purchase that holds and is not paid can be paid for."""
        if thing.status is PurchaseStatus.CANCELLED:
            raise Conflict("The purchase is cancelled.")
        if thing.payment_status in (PaymentStatus.CHARGED, PaymentStatus.REFUNDED):
            raise Conflict("The purchase is paid already.")

    async def tell(self, db: AsyncSession, thing: Purchase, payment: Payment) -> None:
        """The purchase shows its payment's status."""
        if thing.payment_status != payment.status:
            await move(db, thing, payment.status, PAYMENT_MOVES, "payment_status")

    async def paid(self, db: AsyncSession, thing: Purchase, payment: Payment) -> None:
        """What is paid is made ready; money for what was cancelled meanwhile goes back."""
        if thing.status is PurchaseStatus.CANCELLED:
            await give_back(db, payment, "The purchase was cancelled before it was paid.")
        else:
            await move(db, thing, PurchaseStatus.CONFIRMED, PURCHASE_MOVES)
            await tell_about_purchase(db, thing, NotificationKind.PURCHASE_CONFIRMED)
        await announce(db, PurchasePaid(thing))

    async def describe(self, db: AsyncSession, thing: Purchase) -> list[str]:
        """Every product with how many of it, and the order number."""
        items = await db.scalars(select(PurchaseItem).where(PurchaseItem.purchase_id == thing.id).order_by(PurchaseItem.id))
        return [*[f"{each.quantity} of {each.name}" for each in items], f"Order {thing.reference}"]

    async def refunded(self, db: AsyncSession, thing: Purchase, payment: Payment) -> None:
        """What is wholly given back and not picked up yet goes back to the shelf."""
        if payment.status is PaymentStatus.REFUNDED and thing.status in HOLDING:
            await cancel(db, thing, "The payment was given back.", clock.now(), actor_id=None)
        await announce(db, PurchaseRefunded(thing))


async def cancel(db: AsyncSession, purchase: Purchase, reason: str | None, now: datetime, *, actor_id: int | None) -> None:
    """Cancel a locked purchase that was not picked up; its products are in stock again at once."""
    await move(db, purchase, PurchaseStatus.CANCELLED, PURCHASE_MOVES)
    purchase.cancel_reason, purchase.cancelled_at = reason, now
    items = list(await db.scalars(select(PurchaseItem).where(PurchaseItem.purchase_id == purchase.id)))
    await give_stock_back(db, purchase, items, actor_id)
    await announce(db, PurchaseCancelled(purchase))
