"""Payments: beginning, confirming and reading them.

How money is taken for anything, and how a new kind of thing joins, is told in charging.py and payables.py; what it means once it is in, in
settling.py.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Select, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, NotFound
from models.bookings import Booking
from models.keys import Key
from models.payments import Payment, PaymentPurpose, Provider, SavedCard
from resolvers.cards import METHOD
from resolvers.charging import Offered, PaymentBegun, begin, charge
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.limits import limit
from resolvers.operations import SIGNED_IN, allow

CONFIRMATIONS = "60/hour"
"""Enough for anybody who pays, too few for trying stolen cards."""
INTENT = re.compile(r"pi_[A-Za-z0-9_]{1,200}")


@dataclass(frozen=True)
class PaymentConfirmed:
    """How a payment stands, in Stripe's word."""

    status: str
    payment: Payment
    receipt_url: str | None
    client_secret: str | None


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

    async def find(db: AsyncSession) -> Booking:
        mine = select(Booking).where(booking_id.names(Booking), Booking.customer_id == ctx.viewer.id)
        booking = await db.scalar(mine.with_for_update(key_share=True))
        if booking is None:
            raise NotFound
        return booking

    return await begin(ctx, PaymentPurpose.SERVICE, find, offered=Offered(amount, currency), save_card=save_card, answer=answers)


@allow(SIGNED_IN)
async def confirm_payment(ctx: Context, *, payment_intent_id: str, payment_method_id: str | None = None) -> PaymentConfirmed:
    """Charge a card for a payment that was begun; the default card unless one is named. Repeats charge nothing twice."""
    mine = and_(Payment.provider_id == payment_intent_id, Payment.provider == Provider.STRIPE, Payment.user_id == ctx.viewer.id)
    if not INTENT.fullmatch(payment_intent_id):
        raise NotFound
    await limit(ctx, "confirm_payment", CONFIRMATIONS)
    method = await card_for(ctx, payment_method_id)

    async def conclude(db: AsyncSession, payment: Payment, status: str) -> PaymentConfirmed:
        secret = payment.client_secret if status == "requires_action" else None
        confirmed = PaymentConfirmed(status, payment, payment.receipt_url, secret)
        answers(db, confirmed)
        return confirmed

    return await charge(ctx, mine, method, conclude, key=ctx.call.key if ctx.call else None)


async def card_for(ctx: Context, named: str | None) -> str:
    """The payment method that is charged: the one that was named, or the viewer's default card."""
    if named is not None:
        if not METHOD.fullmatch(named):
            raise BadUserInput(payment_method_id="This is not a payment method's id.")
        return named
    default = await default_card(ctx, ctx.viewer.id)
    if default is None:
        raise BadUserInput(payment_method_id="Name a payment method; no card is saved.")
    return default


async def default_card(ctx: Context, user_id: int) -> str | None:
    """The payment method that a person chose, if a card of theirs is saved."""
    found = await ctx.fetch(select(SavedCard.provider_id).where(SavedCard.user_id == user_id, SavedCard.is_default))
    return str(found[0]["provider_id"]) if found else None


async def is_saved(ctx: Context, method: str) -> bool:
    """Whether a payment method is a saved card of the viewer's."""
    return bool(await ctx.fetch(select(SavedCard.id).where(SavedCard.user_id == ctx.viewer.id, SavedCard.provider_id == method)))
