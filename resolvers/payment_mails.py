"""What payers are told, whatever they would rather not be told: that their money is in, and that it went back, each with the receipt."""

from sqlalchemy import func, select

from models.identity import User
from models.notifications import NotificationKind
from models.payments import Payment
from models.scheduling import house_day
from resolvers.context import Context
from resolvers.letters import spell_day, spell_money
from resolvers.notifications import Facts, notify
from resolvers.payables import thing_of
from resolvers.payment_news import News

KINDS = {News.PAID: NotificationKind.PAYMENT_RECEIPT, News.REFUNDED: NotificationKind.PAYMENT_REFUNDED}


async def tell_about_payment(ctx: Context, payment_id: int, news: str, cause: str) -> None:
    """Tell a payer what happened to a payment; the receipt goes along with the mail."""
    kind = KINDS[News(news)]
    async with ctx.writing() as db:
        found = await db.execute(
            select(Payment, User.first_name, house_day(func.coalesce(Payment.charged_at, Payment.created_at)))
            .join(User, User.id == Payment.user_id)
            .where(Payment.id == payment_id)
        )
        payment, first_name, day = found.one()
        payable, thing = await thing_of(db, payment)
        lines = await payable.describe(db, thing) if thing is not None else [f"your {payment.purpose}"]
        facts = {"first_name": first_name, "what": ", ".join(lines), "amount": spell_money(payment.amount, payment.currency)}
        more: Facts = {"method": payment.method or "", "day": spell_day(day)}
        if kind is NotificationKind.PAYMENT_REFUNDED:
            more = {"refunded": spell_money(payment.refunded_amount, payment.currency)}
        await notify(db, payment.user_id, kind, {**facts, **more}, cause=cause, action_url=f"/payments/{payment.id}", receipt_of=payment.id)
