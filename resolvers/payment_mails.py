"""What payers are told by mail: that their money is in, with the receipt, and that it went back."""

from sqlalchemy import select

from models.identity import User
from models.notifications import OutboxMessage
from models.payments import Payment
from resolvers.context import Context
from resolvers.notifications import send
from resolvers.payment_news import News
from resolvers.receipts import make_receipt


async def tell_about_payment(ctx: Context, payment_id: int, news: News, cause: str) -> None:
    """Write the mail about a payment, unless it was written before."""
    receipt = await make_receipt(ctx, payment_id)
    async with ctx.writing() as db:
        if await db.scalar(select(OutboxMessage.id).where(OutboxMessage.cause == cause)) is not None:
            return
        payment = await db.get_one(Payment, payment_id)
        payer = await db.get_one(User, payment.user_id)
        if payer.email is None:
            return
        amount = f"{payment.amount:.2f} {payment.currency}"
        if news == News.PAID:
            subject, said = f"Your receipt over {amount}", f"thank you. We have received {amount}; the receipt is attached."
        else:
            back = f"{payment.refunded_amount:.2f} {payment.currency}"
            subject, said = "Your money is on its way back", f"of your payment of {amount}, {back} have been given back in all."
        body = f"Dear {payer.first_name or 'guest'},\n\n{said}"
        await send(db, to=payer.email, subject=subject, body=body, user_id=payer.id, cause=cause, pdf=receipt)
