"""Receipts: whoever has paid is told so, whatever they would rather not be told."""

from sqlalchemy import func, select

from models.bookings import Booking
from models.catalogue import Service
from models.identity import User
from models.notifications import NotificationKind
from models.payments import Payment, PaymentPurpose
from models.scheduling import house_day
from resolvers.context import Context
from resolvers.letters import spell_day, spell_money
from resolvers.notifications import notify


async def send_receipt(ctx: Context, payment_id: int) -> None:
    """Tell whoever paid that the money has come in; once for each payment."""
    async with ctx.writing() as db:
        found = await db.execute(
            select(
                Payment, User.first_name, Booking.reference, Service.name, house_day(func.coalesce(Payment.charged_at, Payment.created_at))
            )
            .join(User, User.id == Payment.user_id)
            .join(Booking, Booking.id == Payment.booking_id, isouter=True)
            .join(Service, Service.id == Booking.service_id, isouter=True)
            .where(Payment.id == payment_id)
        )
        payment, first_name, reference, service, day = found.one()
        is_visit = payment.purpose is PaymentPurpose.SERVICE and service
        facts = {
            "first_name": first_name,
            "what": f"{service}, {reference}" if is_visit else f"your {payment.purpose}",
            "amount": spell_money(payment.amount, payment.currency),
            "method": payment.method or "",
            "day": spell_day(day),
            "receipt_url": payment.receipt_url,
        }
        action = f"/bookings/{payment.booking_id}" if payment.booking_id else None
        await notify(db, payment.user_id, NotificationKind.PAYMENT_RECEIPT, facts, cause=f"payment:{payment.id}:receipt", action_url=action)
