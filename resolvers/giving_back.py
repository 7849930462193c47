"""Having a job give money back, from within whatever transaction finds that it must go back."""

from sqlalchemy.ext.asyncio import AsyncSession

from jobs.queue import enqueue
from models.payments import Payment, Refund


async def give_back(db: AsyncSession, payment: Payment, reason: str) -> None:
    """Have a job refund what is left of a locked payment."""
    refund = Refund(payment_id=payment.id, amount=payment.amount - payment.refunded_amount, reason=reason)
    db.add(refund)
    await db.flush()
    await enqueue(db, "finish_refund", {"refund_id": refund.id})
