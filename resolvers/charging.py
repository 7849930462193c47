"""Taking money for anything payable: a payment is begun at Stripe, and a card is charged for it.

Nothing here knows what is paid for; payables.py does, and says how a new kind of thing joins.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, NotFound, PaymentFailed
from gateways.minor_units import from_minor, to_minor
from gateways.stripe_objects import Intent
from models.identity import User
from models.payments import Payment, PaymentPurpose, Provider, ProviderCustomer
from resolvers.context import Context
from resolvers.payables import PAYABLES, Payable, thing_of
from resolvers.settling import SETTLED, Settlement, fail, lock_payment, reopen, settle

T = TypeVar("T")
Find = Callable[[AsyncSession], Awaitable[Any]]
"""Finds or makes what is to be paid for, locked, within a transaction."""
Conclude = Callable[[AsyncSession, Payment, str], Awaitable[T]]
"""Makes the operation's answer of the payment and Stripe's word, and calls `answers`, within the transaction that counts the money."""


@dataclass(frozen=True)
class PaymentBegun:
    """What the payer's client needs to complete a payment; amount and currency as Stripe spells them."""

    client_secret: str
    payment_intent_id: str
    amount: int
    currency: str
    payment: Payment


@dataclass(frozen=True)
class Offered:
    """What the client believes it pays; refused when it is wrong, never taken for the price."""

    amount: Decimal | None = None
    currency: str | None = None

    def check(self, payable: Payable, thing: Any) -> None:
        """Raise BadUserInput when it is not the price."""
        price, currency = payable.price(thing)
        wrong: dict[str, Any] = {}
        if self.amount not in (None, price):
            wrong["amount"] = f"This {payable.name} costs {price} {currency}."
        if self.currency is not None and self.currency.upper() != currency:
            wrong["currency"] = f"This {payable.name} is paid in {currency}."
        if wrong:
            raise BadUserInput(**wrong)


@dataclass(frozen=True)
class Due:
    """What is to be paid, as it was when the thing was locked."""

    payment_id: int
    payment: UUID
    payer_id: int
    payer: UUID
    provider_id: str | None
    customer: str | None
    price: Decimal
    currency: str


async def begin(
    ctx: Context,
    purpose: PaymentPurpose,
    find: Find,
    *,
    offered: Offered | None = None,
    save_card: bool = False,
    answer: Callable[[AsyncSession, PaymentBegun], None] | None = None,
) -> PaymentBegun:
    """Begin to pay, or go on; `answer` is `answers` where this is all that the operation does."""
    payable = PAYABLES[purpose]
    async with ctx.writing() as db:
        due = await _due(db, purpose, await find(db), offered or Offered())
    customer = due.customer or await ctx.gateways.stripe.create_customer(str(due.payer))
    intent = await _intent(ctx, payable, due, customer, keep_card=save_card)
    async with ctx.writing() as db:
        payment = await _locked(db, Payment.id == due.payment_id)
        _, thing = await thing_of(db, payment)
        _check(payable, thing, payment)
        is_late = payment.provider_id not in (due.provider_id, intent.id)
        if not is_late:
            known = insert(ProviderCustomer).values(user_id=due.payer_id, provider=Provider.STRIPE, provider_id=customer)
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
        if answer:
            answer(db, begun)
    if is_late:  # the same person began twice at once, with other wishes; one intent is enough
        await ctx.gateways.stripe.cancel_intent(intent.id)
    return begun


async def charge(
    ctx: Context, mine: ColumnElement[bool], method: str, conclude: Conclude[T], *, key: str | None = None, off_session: bool = False
) -> T:
    """Charge a card for a payment that was begun; a repeat charges nothing twice. Nobody is asked anything when off-session."""
    async with ctx.writing() as db:
        payment = await _locked(db, mine)
        intent_id = None if payment.status in SETTLED else payment.provider_id
        if intent_id is not None:
            payable, thing = await thing_of(db, payment)
            if thing is not None:
                payable.check(thing)
                if payable.price(thing) != (payment.amount, payment.currency):
                    raise Conflict("The price has changed. Begin the payment again.")
    intent = await _charge(ctx, mine, intent_id, method, key, off_session=off_session) if intent_id else None
    async with ctx.writing() as db:
        payment = await _locked(db, mine)
        if intent and intent.status == "succeeded":
            await settle(db, payment, settlement_of(intent))
        elif intent:
            await reopen(db, payment)
        return await conclude(db, payment, "succeeded" if payment.status in SETTLED or intent is None else intent.status)


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


async def _due(db: AsyncSession, purpose: PaymentPurpose, thing: Any, offered: Offered) -> Due:
    payable = PAYABLES[purpose]
    payer_id, (price, currency) = payable.payer(thing), payable.price(thing)
    payment = await lock_payment(db, getattr(Payment, payable.column) == thing.id)
    _check(payable, thing, payment)
    offered.check(payable, thing)
    if payment is None:
        payment = Payment(user_id=payer_id, purpose=purpose, provider=Provider.STRIPE, amount=price, currency=currency)
        setattr(payment, payable.column, thing.id)
        db.add(payment)
        await db.flush()
    customer = select(ProviderCustomer.provider_id).where(
        ProviderCustomer.user_id == payer_id, ProviderCustomer.provider == Provider.STRIPE
    )
    return Due(
        payment_id=payment.id,
        payment=payment.uuid,
        payer_id=payer_id,
        payer=(await db.scalars(select(User.uuid).where(User.id == payer_id))).one(),
        provider_id=payment.provider_id,
        customer=await db.scalar(customer),
        price=price,
        currency=currency,
    )


def _check(payable: Payable, thing: Any, payment: Payment | None) -> None:
    payable.check(thing)
    if payment and payment.status in SETTLED:
        raise Conflict(f"The {payable.name} is paid already.")
    if payable.price(thing)[0] == 0:
        raise Conflict(f"There is nothing to pay for this {payable.name}.")
    if payment and payment.provider is not Provider.STRIPE:
        raise Conflict(f"The {payable.name} is being paid by {payment.provider}.")


async def _intent(ctx: Context, payable: Payable, due: Due, customer: str, *, keep_card: bool) -> Intent:
    """The intent at Stripe: the present one, changed where needed, or a new one."""
    stripe = ctx.gateways.stripe
    amount = to_minor(due.price, due.currency)
    if due.provider_id is not None:
        present = await stripe.get_intent(due.provider_id)
        if present.status == "succeeded":  # its webhook is still on the way
            async with ctx.writing() as db:
                await settle(db, await _locked(db, Payment.id == due.payment_id), settlement_of(present))
            raise Conflict(f"The {payable.name} is paid already.")
        if present.status == "processing":
            raise Conflict("The payment is under way.")
        if present.status != "canceled":
            if (present.amount, present.currency, present.keeps_card) == (amount, due.currency, keep_card):
                return present
            return await stripe.change_intent(present.id, amount, due.currency, keep_card=keep_card)
    return await stripe.create_intent(str(due.payment), amount, due.currency, customer, keep_card=keep_card, replaces=due.provider_id)


async def _charge(ctx: Context, mine: ColumnElement[bool], intent_id: str, method: str, key: str | None, *, off_session: bool) -> Intent:
    try:
        return await ctx.gateways.stripe.confirm_intent(intent_id, method, key, off_session=off_session)
    except PaymentFailed as declined:
        async with ctx.writing() as db:
            await fail(db, await _locked(db, mine), declined.message)
        raise
    except Conflict:
        present = await ctx.gateways.stripe.get_intent(intent_id)
        if present.status in ("succeeded", "processing"):
            return present
        raise


async def _locked(db: AsyncSession, *conditions: ColumnElement[bool]) -> Payment:
    payment = await lock_payment(db, *conditions)
    if payment is None:
        raise NotFound
    return payment
