"""Having a job give money back, or end a payment before it comes in, from within whatever transaction finds that it must."""

from sqlalchemy.ext.asyncio import AsyncSession

from jobs.queue import enqueue
from models.bookings import PaymentStatus
from models.payments import Payment, Provider, Refund


async def give_back(db: AsyncSession, payment: Payment, reason: str) -> None:
    """Have a job refund what is left of a locked payment."""
    refund = Refund(payment_id=payment.id, amount=payment.amount - payment.refunded_amount, reason=reason)
    db.add(refund)
    await db.flush()
    await enqueue(db, "finish_refund", {"refund_id": refund.id})


async def stop(db: AsyncSession, payment: Payment | None) -> None:
    """Have a job end a locked payment that was begun and has not come in, so that nobody can complete it any more."""
    is_open = payment is not None and payment.status in (PaymentStatus.PENDING, PaymentStatus.FAILED)
    if payment is not None and is_open and payment.provider is Provider.STRIPE and payment.provider_id is not None:
        await enqueue(db, "stop_payment", {"payment_id": payment.id})
