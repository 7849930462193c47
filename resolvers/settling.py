"""What becomes of a payment once its provider has spoken: the one place where money is counted as come in, or not.

Confirming, webhooks and look-ups all end here, in any order and number; every effect happens once.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

import clock
from errors import Conflict
from gateways.stripe_objects import Card
from models.bookings import PaymentStatus
from models.payments import PAYMENT_MOVES, Payment
from resolvers.cards import keep_card
from resolvers.ledger import clearing, post, revenue
from resolvers.moves import move
from resolvers.payables import PAYABLES, tell_thing, thing_of
from resolvers.payment_news import News, tell_about

SETTLED = (PaymentStatus.CHARGED, PaymentStatus.REFUNDED)


@dataclass(frozen=True)
class Settlement:
    """Money that came in, as the provider tells of it."""

    provider_id: str
    amount: Decimal
    currency: str
    method: str | None = None
    receipt_url: str | None = None
    card: Card | None = None


async def lock_payment(db: AsyncSession, *conditions: ColumnElement[bool]) -> Payment | None:
    """The payment with what it is for, both locked, the thing first as everywhere."""
    names = [getattr(Payment, each.column) for each in PAYABLES.values()]
    found = (await db.execute(select(Payment.id, Payment.purpose, *names).where(*conditions))).one_or_none()
    if found is None:
        return None
    payable = PAYABLES[found.purpose]
    thing_id = getattr(found, payable.column)
    if thing_id is not None:
        await payable.lock(db, thing_id)
    fresh: dict[str, Any] = {"with_for_update": {"key_share": True}, "populate_existing": True}
    return await db.get(Payment, found.id, **fresh)


async def settle(db: AsyncSession, payment: Payment, settlement: Settlement) -> bool:
    """Count a locked payment as come in, with all that follows; false when it was counted before."""
    if payment.status in SETTLED and payment.provider_id != settlement.provider_id:
        raise Conflict(f"{settlement.provider_id} pays for what {payment.provider_id} has paid for.")
    if (settlement.amount, settlement.currency) != (payment.amount, payment.currency):
        raise Conflict(f"{settlement.provider_id} is over {settlement.amount} {settlement.currency}, which is not the price.")
    is_new = payment.status not in SETTLED
    if is_new:
        await move(db, payment, PaymentStatus.CHARGED, PAYMENT_MOVES)
        payment.charged_at = clock.now()
        payment.failure_message = None
        payment.provider_id = settlement.provider_id
    payment.method = payment.method or settlement.method
    payment.receipt_url = payment.receipt_url or settlement.receipt_url
    if payment.save_card and settlement.card:
        await keep_card(db, payment.user_id, payment.provider, settlement.card)
    if is_new:
        await post(
            db,
            f"payment:{payment.id}:charged",
            f"Payment for a {payment.purpose} by {payment.provider}",
            {clearing(payment.provider): payment.amount, revenue(payment.purpose): -payment.amount},
            payment.currency,
            payment_id=payment.id,
            booking_id=payment.booking_id,
        )
        await tell_about(db, payment, News.PAID, f"payment:{payment.id}:paid")
        payable, thing = await thing_of(db, payment)
        if thing is not None:
            await payable.tell(db, thing, payment)
            await payable.paid(db, thing, payment)
    return is_new


async def fail(db: AsyncSession, payment: Payment, message: str) -> None:
    """Note that a locked payment did not come in; what came in meanwhile stays."""
    if payment.status in SETTLED:
        return
    if payment.status is PaymentStatus.PENDING:
        await move(db, payment, PaymentStatus.FAILED, PAYMENT_MOVES)
    payment.failure_message = message
    await tell_thing(db, payment)


async def reopen(db: AsyncSession, payment: Payment) -> None:
    """Let a locked payment that failed be tried again."""
    if payment.status is PaymentStatus.FAILED:
        await move(db, payment, PaymentStatus.PENDING, PAYMENT_MOVES)
        payment.failure_message = None
        await tell_thing(db, payment)
