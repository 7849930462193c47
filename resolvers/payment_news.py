"""What happened to a payment that its payer must hear of; payment_mails.py writes it."""

from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from jobs.queue import enqueue
from models.payments import Payment


class News(StrEnum):
    """What happened to a payment."""

    PAID = "paid"
    REFUNDED = "refunded"


async def tell_about(db: AsyncSession, payment: Payment, news: News, cause: str) -> None:
    """Queue the mail about a payment in this transaction; whoever wants no news still gets this, for it is about their money."""
    await enqueue(db, "tell_about_payment", {"payment_id": payment.id, "news": news.value, "cause": cause})
