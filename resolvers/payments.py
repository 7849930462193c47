"""Paying for a booking: beginning, confirming and reading payments. What money means once it is in: settling.py."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, NotFound, PaymentFailed
from gateways.minor_units import from_minor, to_minor
from gateways.stripe import Intent
from models.bookings import Booking, BookingStatus
from models.identity import User
from models.keys import Key
from models.payments import Payment, PaymentPurpose, Provider, ProviderCustomer, SavedCard
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.limits import limit
from resolvers.operations import SIGNED_IN, allow
from resolvers.settling import SETTLED, Settlement, fail, lock_payment, reopen, settle

CONFIRMATIONS = "60/hour"
"""Enough for anybody who pays, too few for trying stolen cards."""
INTENT, METHOD = re.compile(r"pi_[A-Za-z0-9_]{1,200}"), re.compile(r"pm_[A-Za-z0-9_]{1,200}")


@dataclass(frozen=True)
class PaymentBegun:
    """What the payer's client needs to complete a payment; amount and currency as Stripe spells them."""

    client_secret: str
    payment_intent_id: str
    amount: int
    currency: str
    payment: Payment


@dataclass(frozen=True)
class PaymentConfirmed:
    """How a payment stands, in Stripe's word."""

    status: str
    payment: Payment
    receipt_url: str | None


@dataclass(frozen=True)
class Due:
    """What is to be paid, as it was when the booking was locked."""

    payment_id: int
    payment: UUID
    person: UUID
    provider_id: str | None
    customer: str | None
    price: Decimal
    currency: str


@allow(SIGNED_IN)
def list_my_payments(ctx: Context) -> Select[Payment]:
    """The viewer's own payments, newest first."""
    return select(Payment).where(Payment.user_id == ctx.viewer.id).order_by(Payment.id.desc())


@allow(SIGNED_IN)
def get_payment(ctx: Context, *, id: Key[Payment]) -> Select[Payment]:
    """One payment of the viewer's; the staff may read any."""
    found = select(Payment).where(id.names(Payment))
    return found if ctx.viewer.is_staff else found.where(Payment.user_id == ctx.viewer.id)


@allow(SIGNED_IN)
async def create_payment_intent(
    ctx: Context,
    *,
    booking_id: Key[Booking],
    amount: Decimal | None = None,
    currency: str | None = None,
    payment_type: PaymentPurpose = PaymentPurpose.SERVICE,
    save_card: bool = False,
) -> PaymentBegun:
    """Begin to pay for a booking of the viewer's, or go on; the price is the booking's, whatever amount is sent along."""
    if payment_type is not PaymentPurpose.SERVICE:
        raise BadUserInput(payment_type="A booking is paid for as a service.")
    async with ctx.writing() as db:
        due = await _due(db, ctx, booking_id, amount, currency)
    customer = due.customer or await ctx.gateways.stripe.create_customer(str(due.person))
    intent = await _intent(ctx, due, customer, keep_card=save_card)
    async with ctx.writing() as db:
        payment = await lock_payment(db, Payment.id == due.payment_id)
        if payment is None:
            raise NotFound
        _check_unpaid(await db.get_one(Booking, payment.booking_id), payment)
        is_late = payment.provider_id not in (due.provider_id, intent.id)
        if not is_late:
            known = insert(ProviderCustomer).values(user_id=ctx.viewer.id, provider=Provider.STRIPE, provider_id=customer)
            await db.execute(known.on_conflict_do_nothing())
            payment.provider_id, payment.client_secret, payment.save_card = intent.id, intent.client_secret, save_card
            payment.amount, payment.currency = due.price, due.currency
            await reopen(db, payment)
        begun = PaymentBegun(
            client_secret=payment.client_secret or "",
            payment_intent_id=payment.provider_id or "",
            amount=to_minor(payment.amount, payment.currency),
            currency=payment.currency.lower(),
            payment=payment,
        )
        answers(db, begun)
    if is_late:  # the same person began twice at once, with other wishes; one intent is enough
        await ctx.gateways.stripe.cancel_intent(intent.id)
    return begun


@allow(SIGNED_IN)
async def confirm_payment(ctx: Context, *, payment_intent_id: str, payment_method_id: str | None = None) -> PaymentConfirmed:
    """Charge a card for a payment that was begun; the default card unless one is named. Repeats charge nothing twice."""
    mine = and_(Payment.provider_id == payment_intent_id, Payment.provider == Provider.STRIPE, Payment.user_id == ctx.viewer.id)
    if not INTENT.fullmatch(payment_intent_id):
        raise NotFound
    await limit(ctx, "confirm_payment", CONFIRMATIONS)
    method = await _method(ctx, payment_method_id)
    found = await ctx.fetch(
        select(Payment.status, Payment.amount, Booking.status.label("booking_status"), Booking.total_amount)
        .join(Booking, Booking.id == Payment.booking_id, isouter=True)
        .where(mine)
    )
    if not found:
        raise NotFound
    intent = None
    if found[0]["status"] not in SETTLED:
        if found[0]["booking_status"] == BookingStatus.CANCELLED:
            raise Conflict("The booking is cancelled.")
        if found[0]["total_amount"] not in (None, found[0]["amount"]):
            raise Conflict("The price has changed. Begin the payment again.")
        intent = await _charge(ctx, mine, payment_intent_id, method)
    async with ctx.writing() as db:
        payment = await lock_payment(db, mine)
        if payment is None:
            raise NotFound
        if intent and intent.status == "succeeded":
            await settle(db, payment, settlement_of(intent))
        elif intent:
            await reopen(db, payment)
        status = "succeeded" if payment.status in SETTLED or intent is None else intent.status
        confirmed = PaymentConfirmed(status, payment, payment.receipt_url)
        answers(db, confirmed)
    return confirmed


def settlement_of(intent: Intent) -> Settlement:
    """What a paid intent means to us."""
    return Settlement(
        provider_id=intent.id,
        amount=from_minor(intent.amount_received, intent.currency),
        currency=intent.currency,
        method=f"{intent.card.brand} •••• {intent.card.last4}" if intent.card else None,
        receipt_url=intent.receipt_url,
        card=intent.card if intent.keeps_card else None,
    )


async def _due(db: AsyncSession, ctx: Context, id: Key[Booking], amount: Decimal | None, currency: str | None) -> Due:
    mine = select(Booking).where(id.names(Booking), Booking.customer_id == ctx.viewer.id)
    booking = await db.scalar(mine.with_for_update(key_share=True))
    if booking is None:
        raise NotFound
    payment = await lock_payment(db, Payment.booking_id == booking.id)
    _check_unpaid(booking, payment)
    wrong: dict[str, Any] = {}
    if amount is not None and amount != booking.total_amount:
        wrong["amount"] = f"This booking costs {booking.total_amount} {booking.currency}."
    if currency is not None and currency.upper() != booking.currency:
        wrong["currency"] = f"This booking is paid in {booking.currency}."
    if wrong:
        raise BadUserInput(**wrong)
    if payment is None:
        payment = Payment(
            user_id=ctx.viewer.id,
            booking_id=booking.id,
            provider=Provider.STRIPE,
            amount=booking.total_amount,
            currency=booking.currency,
        )
        db.add(payment)
        await db.flush()
    customer = select(ProviderCustomer.provider_id).where(
        ProviderCustomer.user_id == ctx.viewer.id, ProviderCustomer.provider == Provider.STRIPE
    )
    return Due(
        payment_id=payment.id,
        payment=payment.uuid,
        person=(await db.scalars(select(User.uuid).where(User.id == ctx.viewer.id))).one(),
        provider_id=payment.provider_id,
        customer=await db.scalar(customer),
        price=booking.total_amount,
        currency=booking.currency,
    )


def _check_unpaid(booking: Booking, payment: Payment | None) -> None:
    if booking.status is BookingStatus.CANCELLED:
        raise Conflict("The booking is cancelled.")
    if booking.payment_status in SETTLED or (payment and payment.status in SETTLED):
        raise Conflict("The booking is paid already.")
    if booking.total_amount == 0:
        raise Conflict("There is nothing to pay for this booking.")
    if payment and payment.provider is not Provider.STRIPE:
        raise Conflict(f"The booking is being paid by {payment.provider}.")


async def _intent(ctx: Context, due: Due, customer: str, *, keep_card: bool) -> Intent:
    """The intent at Stripe: the present one, changed where needed, or a new one."""
    stripe = ctx.gateways.stripe
    amount = to_minor(due.price, due.currency)
    if due.provider_id is not None:
        present = await stripe.get_intent(due.provider_id)
        if present.status == "succeeded":  # its webhook is still on the way
            async with ctx.writing() as db:
                if payment := await lock_payment(db, Payment.id == due.payment_id):
                    await settle(db, payment, settlement_of(present))
            raise Conflict("The booking is paid already.")
        if present.status == "processing":
            raise Conflict("The payment is under way.")
        if present.status != "canceled":
            if (present.amount, present.currency, present.keeps_card) == (amount, due.currency, keep_card):
                return present
            return await stripe.change_intent(present.id, amount, due.currency, keep_card=keep_card)
    return await stripe.create_intent(str(due.payment), amount, due.currency, customer, keep_card=keep_card, replaces=due.provider_id)


async def _charge(ctx: Context, mine: Any, intent_id: str, method: str) -> Intent:
    key = ctx.call.key if ctx.call else None
    try:
        return await ctx.gateways.stripe.confirm_intent(intent_id, method, key)
    except PaymentFailed as declined:
        async with ctx.writing() as db:
            if payment := await lock_payment(db, mine):
                await fail(db, payment, declined.message)
        raise
    except Conflict:
        present = await ctx.gateways.stripe.get_intent(intent_id)
        if present.status in ("succeeded", "processing"):
            return present
        raise


async def _method(ctx: Context, named: str | None) -> str:
    if named is not None:
        if not METHOD.fullmatch(named):
            raise BadUserInput(payment_method_id="This is not a payment method's id.")
        return named
    default = await ctx.fetch(select(SavedCard.provider_id).where(SavedCard.user_id == ctx.viewer.id, SavedCard.is_default))
    if not default:
        raise BadUserInput(payment_method_id="Name a payment method; no card is saved.")
    return str(default[0]["provider_id"])
