"""Asking Stripe how payments stand that nobody tells us of: webhooks get lost, and what was cancelled here must end there."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from errors import BadUserInput, Conflict
from gateways.stripe_objects import Intent
from jobs.queue import enqueue
from models.bookings import PaymentStatus
from models.payments import Payment, Provider
from resolvers.charging import settlement_of
from resolvers.context import Context
from resolvers.settling import SETTLED, fail, lock_payment, settle

BATCH = 200
LONGEST = timedelta(days=8)
"""After this time an intent that nobody completed is left alone; Stripe tells of what is still to come of it."""
OPEN = (PaymentStatus.PENDING, PaymentStatus.FAILED)


async def look_up_payments(ctx: Context) -> None:
    """Have every payment looked up that has been under way for longer than its webhook should take."""
    now = datetime.now(UTC)  # by the real clock, as Stripe's
    patience = timedelta(minutes=ctx.settings.payment_lookup_minutes)
    waits = (
        Payment.status.in_(OPEN),
        Payment.provider == Provider.STRIPE,
        Payment.provider_id.is_not(None),
        Payment.created_at.between(now - LONGEST, now - patience),
        func.coalesce(Payment.looked_up_at, Payment.created_at) < now - patience,
    )
    for row in await ctx.fetch(select(Payment.id).where(*waits).order_by(Payment.looked_up_at.nulls_first(), Payment.id).limit(BATCH)):
        async with ctx.writing() as db:
            await enqueue(db, "look_up_payment", {"payment_id": row["id"]}, key=f"look up {row['id']}")


async def look_up_payment(ctx: Context, payment_id: int) -> None:
    """Ask Stripe how a payment stands, and take its word."""
    if intent_id := await _open_intent(ctx, payment_id):
        await _take_word(ctx, payment_id, await ctx.gateways.stripe.get_intent(intent_id))


async def stop_payment(ctx: Context, payment_id: int) -> None:
    """End a payment at Stripe that must not come in any more; one that came in meanwhile is counted, and goes back from there."""
    intent_id = await _open_intent(ctx, payment_id)
    if intent_id is None:
        return
    try:
        intent = await ctx.gateways.stripe.cancel_intent(intent_id)
    except (Conflict, BadUserInput):
        intent = await ctx.gateways.stripe.get_intent(intent_id)
    await _take_word(ctx, payment_id, intent)


async def _open_intent(ctx: Context, payment_id: int) -> str | None:
    found = await ctx.fetch(select(Payment.provider_id).where(Payment.id == payment_id, Payment.status.in_(OPEN)))
    return found[0]["provider_id"] if found else None


async def _take_word(ctx: Context, payment_id: int, intent: Intent) -> None:
    async with ctx.writing() as db:
        payment = await lock_payment(db, Payment.id == payment_id)
        if payment is None or payment.status in SETTLED or payment.provider_id != intent.id:
            return
        payment.looked_up_at = datetime.now(UTC)
        if intent.status == "succeeded":
            await settle(db, payment, settlement_of(intent))
        elif intent.status == "canceled":
            await fail(db, payment, "The payment was cancelled.")
