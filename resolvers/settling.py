"""What becomes of a payment once its provider has spoken: the one place where money is counted as come in, or not.

Confirming, webhooks and look-ups all end here, in any order and number; every effect happens once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

import clock
from errors import Conflict
from gateways.stripe import Card
from jobs.queue import enqueue
from models.bookings import BOOKING_MOVES, Booking, BookingStatus, PaymentStatus
from models.payments import PAYMENT_MOVES, Payment, PaymentPurpose, Refund
from resolvers.booking_mails import News, tell_about
from resolvers.cards import keep_card
from resolvers.ledger import clearing, post, revenue
from resolvers.moves import move
from subscriptions.bookings import BookingConfirmed, BookingPaid
from subscriptions.facts import announce

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
    """The payment with its booking, both locked, the booking first as everywhere."""
    found = (await db.execute(select(Payment.id, Payment.booking_id).where(*conditions))).one_or_none()
    if found is None:
        return None
    fresh: dict[str, Any] = {"with_for_update": {"key_share": True}, "populate_existing": True}
    if found.booking_id is not None:
        await db.get(Booking, found.booking_id, **fresh)
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
        await enqueue(db, "send_receipt", {"payment_id": payment.id})
        if payment.purpose in WHEN_PAID:
            await WHEN_PAID[payment.purpose](db, payment)
    return is_new


async def fail(db: AsyncSession, payment: Payment, message: str) -> None:
    """Note that a locked payment did not come in; what came in meanwhile stays."""
    if payment.status in SETTLED:
        return
    if payment.status is PaymentStatus.PENDING:
        await move(db, payment, PaymentStatus.FAILED, PAYMENT_MOVES)
    payment.failure_message = message
    await tell_booking(db, payment)


async def reopen(db: AsyncSession, payment: Payment) -> None:
    """Let a locked payment that failed be tried again."""
    if payment.status is PaymentStatus.FAILED:
        await move(db, payment, PaymentStatus.PENDING, PAYMENT_MOVES)
        payment.failure_message = None
        await tell_booking(db, payment)


async def _confirm_booking(db: AsyncSession, payment: Payment) -> None:
    booking = await tell_booking(db, payment)
    if booking is None:
        return
    was_pending = booking.status is BookingStatus.PENDING
    if was_pending:
        await move(db, booking, BookingStatus.CONFIRMED, BOOKING_MOVES)
    elif booking.status is BookingStatus.CANCELLED:
        await give_back(db, payment, "The booking was cancelled before it was paid.")
    await announce(db, BookingPaid(booking))
    if was_pending:
        await announce(db, BookingConfirmed(booking))
        await tell_about(db, booking, News.CONFIRMED)


async def give_back(db: AsyncSession, payment: Payment, reason: str) -> None:
    """Have a job refund what is left of a payment."""
    refund = Refund(payment_id=payment.id, amount=payment.amount - payment.refunded_amount, reason=reason)
    db.add(refund)
    await db.flush()
    await enqueue(db, "finish_refund", {"refund_id": refund.id})


async def tell_booking(db: AsyncSession, payment: Payment) -> Booking | None:
    """Write on the booking how its payment stands."""
    if payment.booking_id is None:
        return None
    booking = await db.get_one(Booking, payment.booking_id)
    if booking.payment_status != payment.status:
        await move(db, booking, payment.status, PAYMENT_MOVES, "payment_status")
    return booking


WHEN_PAID: dict[PaymentPurpose, Callable[[AsyncSession, Payment], Awaitable[None]]] = {PaymentPurpose.SERVICE: _confirm_booking}
"""What follows from money for each purpose, in the same transaction; other domains add theirs."""
