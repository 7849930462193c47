"""Giving money back: never more than came in, counted once, and looked up when an answer got lost."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import ApiError, BadUserInput, Conflict, IdempotencyKeyReused, NotFound, Unavailable
from gateways.minor_units import from_minor, to_minor
from gateways.stripe_objects import Refunded
from jobs.queue import enqueue
from models.bookings import PaymentStatus
from models.keys import Key
from models.payments import PAYMENT_MOVES, REFUND_MOVES, Payment, Provider, Refund, RefundStatus
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.inputs.values import parse_text
from resolvers.ledger import BOOKKEEPERS, clearing, post, refunds
from resolvers.moves import move
from resolvers.operations import allow, persistently
from resolvers.payables import thing_of
from resolvers.payment_news import News, tell_about
from resolvers.settling import lock_payment

LONGEST_REASON = 500
LOOK_AGAIN = timedelta(minutes=1)
"""After this time a job sees to it that the refund came to its end, whatever became of the request that asked for it."""
STATUSES = {"succeeded": RefundStatus.SUCCEEDED, "failed": RefundStatus.FAILED, "canceled": RefundStatus.FAILED}
"""Stripe's words; everything else is still on its way."""


@dataclass(frozen=True)
class Asked:
    """A refund that is written down, and what the provider must be told of it."""

    id: int
    name: str
    payment_id: int
    intent: str
    amount: int
    is_new: bool = False


@allow(*BOOKKEEPERS)
async def refund_payment(ctx: Context, *, id: Key[Payment], amount: Decimal | None = None, reason: str | None = None) -> Payment:
    """Give a payment back, or a part of it; without an amount all that is left."""
    if reason is not None:
        reason = parse_text(reason, "reason", longest=LONGEST_REASON)
    async with ctx.writing() as db:
        payment = await lock_payment(db, id.names(Payment))
        if payment is None:
            raise NotFound
        asked = await _ask(db, ctx, payment, amount, reason)
    told = await _tell(ctx, asked)
    # Only this part is run again after a deadlock: the whole would give the money back twice
    refunded: Payment = await persistently(lambda: _finish(ctx, asked, told))
    return refunded


async def finish_refund(ctx: Context, refund_id: int) -> None:
    """Bring a refund whose answer got lost to its end: look it up at the provider, and only ask anew if it is not there."""
    found = await ctx.fetch(
        select(Refund.uuid, Refund.amount, Payment.id, Payment.provider_id, Payment.currency)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Refund.id == refund_id, Refund.status == RefundStatus.PENDING)
    )
    if not found:
        return
    [row] = found
    asked = Asked(refund_id, str(row["uuid"]), row["id"], row["provider_id"], to_minor(row["amount"], row["currency"]))
    told = await _tell(ctx, asked)
    await persistently(lambda: _finish(ctx, asked, told))


async def _ask(db: AsyncSession, ctx: Context, payment: Payment, amount: Decimal | None, reason: str | None) -> Asked:
    """Write the refund down; a repeat under the same key finds the one that was written."""
    asked_as = f"{ctx.call.scope} {ctx.call.key} {payment.id}" if ctx.call and ctx.call.key else None
    known = await db.scalar(select(Refund).where(Refund.asked_as == asked_as)) if asked_as else None
    if known and amount not in (None, known.amount):
        raise IdempotencyKeyReused
    if known and known.status is RefundStatus.FAILED:
        raise Conflict(known.failure_message)
    refund = known or Refund(payment_id=payment.id, amount=await _refundable(db, payment, amount), reason=reason, asked_as=asked_as)
    if known is None:
        db.add(refund)
        await db.flush()
        await enqueue(db, "finish_refund", {"refund_id": refund.id}, after=LOOK_AGAIN)
    minor = to_minor(refund.amount, payment.currency)
    return Asked(refund.id, str(refund.uuid), payment.id, payment.provider_id or "", minor, is_new=known is None)


async def _tell(ctx: Context, asked: Asked) -> Refunded:
    """Have the provider give the money back, unless it did already; a refusal is written down."""
    stripe = ctx.gateways.stripe
    if not asked.is_new:
        for each in await stripe.list_refunds(asked.intent):
            if each.metadata.get("refund") == asked.name:
                return each
    try:
        return await stripe.refund(asked.intent, asked.amount, asked.name)
    except Unavailable:
        raise  # it may have gone back; the job looks
    except ApiError as error:
        refused = error.message
        await persistently(lambda: _refuse(ctx, asked, refused))
        raise


async def _finish(ctx: Context, asked: Asked, told: Refunded) -> Payment:
    async with ctx.writing() as db:
        payment = await lock_payment(db, Payment.id == asked.payment_id)
        if payment is None:
            raise NotFound
        await note_refund(db, payment, told)
        answers(db, payment)
    return payment


async def _refuse(ctx: Context, asked: Asked, message: str) -> None:
    async with ctx.writing() as db:
        await lock_payment(db, Payment.id == asked.payment_id)
        refund = await db.get_one(Refund, asked.id)
        await move(db, refund, RefundStatus.FAILED, REFUND_MOVES)
        refund.failure_message = message


async def note_refund(db: AsyncSession, payment: Payment, told: Refunded) -> None:
    """Write down what the provider says of a refund of a locked payment; what is known already changes nothing."""
    refund = await _own(db, payment, told)
    status = STATUSES.get(told.status, RefundStatus.PENDING)
    if status is refund.status or status not in REFUND_MOVES.get(refund.status, ()):
        return
    was = refund.status
    await move(db, refund, status, REFUND_MOVES)
    refund.failure_message = told.failure_reason
    if status is RefundStatus.SUCCEEDED:
        await _count(db, payment, refund, refund.amount, "succeeded")
    elif was is RefundStatus.SUCCEEDED:  # the customer's bank sent it back
        await _count(db, payment, refund, -refund.amount, "failed")


async def _own(db: AsyncSession, payment: Payment, told: Refunded) -> Refund:
    """Our row of the refund; a new one for a refund that was begun at the provider."""
    of_payment = select(Refund).where(Refund.payment_id == payment.id).execution_options(populate_existing=True)
    for each in await db.scalars(of_payment):
        if each.provider_id == told.id or (each.provider_id is None and str(each.uuid) == told.metadata.get("refund")):
            each.provider_id = told.id
            return each
    made = Refund(payment_id=payment.id, provider_id=told.id, amount=from_minor(told.amount, told.currency), reason=None)
    db.add(made)
    await db.flush()
    return made


async def _count(db: AsyncSession, payment: Payment, refund: Refund, amount: Decimal, what: str) -> None:
    payment.refunded_amount += amount
    await db.flush()
    to = PaymentStatus.REFUNDED if payment.refunded_amount == payment.amount else PaymentStatus.CHARGED
    if payment.status is not to:
        await move(db, payment, to, PAYMENT_MOVES)
    payable, thing = await thing_of(db, payment)
    if thing is not None:
        await payable.tell(db, thing, payment)
    await post(
        db,
        f"refund:{refund.id}:{what}",
        f"Refund of a {payment.purpose}" if amount > 0 else f"Refund of a {payment.purpose} came back",
        {refunds(payment.purpose): amount, clearing(payment.provider): -amount},
        payment.currency,
        payment_id=payment.id,
        booking_id=payment.booking_id,
    )
    if amount > 0:
        await tell_about(db, payment, News.REFUNDED, f"refund:{refund.id}:succeeded")
    if thing is not None and amount > 0:
        await payable.refunded(db, thing, payment)


async def _refundable(db: AsyncSession, payment: Payment, amount: Decimal | None) -> Decimal:
    """How much goes back; what is on its way already counts as gone."""
    if payment.status not in (PaymentStatus.CHARGED, PaymentStatus.REFUNDED):
        raise Conflict("This payment has not come in.")
    if payment.provider is not Provider.STRIPE:
        raise Conflict(f"Payments by {payment.provider} are not given back here.")
    on_its_way = select(func.coalesce(func.sum(Refund.amount), 0)).where(
        Refund.payment_id == payment.id, Refund.status == RefundStatus.PENDING
    )
    left = payment.amount - payment.refunded_amount - Decimal(await db.scalar(on_its_way) or 0)
    if left <= 0:
        raise Conflict("Nothing is left to give back.")
    wanted = left if amount is None else amount
    if wanted <= 0:
        raise BadUserInput(amount="Give back more than nothing.")
    if wanted > left:
        raise BadUserInput(amount=f"Only {left} {payment.currency} can be given back.")
    try:
        to_minor(wanted, payment.currency)
    except ValueError:
        raise BadUserInput(amount=f"{payment.currency} has no such amount.") from None
    return wanted
