"""What Stripe tells us: verified, kept, and acted on in one transaction; in any order and any number of times."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import and_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, MalformedRequest, NotFound
from gateways.minor_units import from_minor
from gateways.stripe_objects import Card, Disputed, Event, Intent, Refunded
from models.payments import Payment, Provider, ProviderCustomer, ProviderEvent
from resolvers.cards import keep_card
from resolvers.charging import settlement_of
from resolvers.context import Context
from resolvers.disputes import note_dispute
from resolvers.idempotency import answers
from resolvers.operations import ANYONE, allow
from resolvers.refunds import note_refund
from resolvers.settling import SETTLED, Settlement, fail, lock_payment, settle

ID = re.compile(r"[a-z]{2,4}_[A-Za-z0-9_]{1,200}")
CURRENCY = re.compile(r"[A-Za-z]{3}")
LARGEST = 10**10
LONGEST_MESSAGE = 500


@dataclass(frozen=True)
class Told:
    """An event, with what Stripe answered when it was asked for the rest."""

    subject: dict[str, Any]
    intent_id: str
    intent: Intent | None
    refunds: list[Refunded]
    dispute: Disputed | None = None


@allow(ANYONE)
async def handle_stripe_webhook(ctx: Context, *, body: bytes, signature: str) -> None:
    """Take a webhook of Stripe's, whose signature is the permission; anything but success makes Stripe send it again."""
    event = ctx.gateways.stripe.verify(body, signature)
    payment_id, told, saved = None, None, None
    if event.kind == "setup_intent.succeeded":
        saved = await _saved_card(ctx, _id(event.subject, "id"))
    if event.kind in HANDLERS:
        intent_id = _id(event.subject, "id" if event.subject.get("object") == "payment_intent" else "payment_intent")
        found = await _find(ctx, event.subject, intent_id)
        if found is None:
            return  # another system's payment through the same account
        payment_id, told = found["id"], await _ask(ctx, event, found, intent_id)
    async with ctx.writing() as db:
        answers(db, None)
        if not await _note(db, event):
            return
        if saved is not None:
            await keep_card(db, saved[0], Provider.STRIPE, saved[1])
        if told is None:
            return
        payment = await lock_payment(db, Payment.id == payment_id)
        if payment is None:
            raise NotFound
        if told.intent and told.intent.status == "succeeded":
            await settle(db, payment, settlement_of(told.intent))
        await HANDLERS[event.kind](db, payment, told)


async def _succeeded(db: AsyncSession, payment: Payment, told: Told) -> None:
    currency = _currency(told.subject)
    amount = from_minor(_amount(told.subject, "amount_received"), currency)
    await settle(db, payment, Settlement(told.intent_id, amount, currency))


async def _failed(db: AsyncSession, payment: Payment, told: Told) -> None:
    if payment.provider_id == told.intent_id:
        error = told.subject.get("last_payment_error")
        message = error.get("message") if isinstance(error, dict) else None
        await fail(db, payment, message[:LONGEST_MESSAGE] if isinstance(message, str) else "The payment failed.")


async def _canceled(db: AsyncSession, payment: Payment, told: Told) -> None:
    if payment.provider_id == told.intent_id:
        await fail(db, payment, "The payment was cancelled.")


async def _refunded(db: AsyncSession, payment: Payment, told: Told) -> None:
    if payment.status not in SETTLED:
        raise Conflict("The payment has not come in yet.")
    for each in told.refunds or [_refund(told.subject)]:
        await note_refund(db, payment, each)


async def _charge_refunded(db: AsyncSession, payment: Payment, told: Told) -> None:
    if told.refunds:
        await _refunded(db, payment, told)


async def _disputed(db: AsyncSession, payment: Payment, told: Told) -> None:
    if payment.status not in SETTLED:
        raise Conflict("The payment has not come in yet.")
    if told.dispute:
        await note_dispute(db, payment, told.dispute)


Handler = Callable[[AsyncSession, Payment, Told], Awaitable[None]]
HANDLERS: dict[str, Handler] = {
    "payment_intent.succeeded": _succeeded,
    "payment_intent.payment_failed": _failed,
    "payment_intent.canceled": _canceled,
    "charge.refunded": _charge_refunded,
    "refund.created": _refunded,
    "refund.updated": _refunded,
    "refund.failed": _refunded,
    "charge.dispute.created": _disputed,
    "charge.dispute.updated": _disputed,
    "charge.dispute.funds_withdrawn": _disputed,
    "charge.dispute.funds_reinstated": _disputed,
    "charge.dispute.closed": _disputed,
}
"""Everything else is kept and needs nothing to be done."""


async def _note(db: AsyncSession, event: Event) -> bool:
    """Keep the event; false when it came before. A twin that is being handled is waited for."""
    row = insert(ProviderEvent).values(provider=Provider.STRIPE, event_id=event.id, kind=event.kind, payload=event.payload)
    new = row.on_conflict_do_nothing(index_elements=["provider", "event_id"]).returning(ProviderEvent.id)
    return await db.scalar(new) is not None


async def _find(ctx: Context, subject: dict[str, Any], intent_id: str) -> asyncpg.Record | None:
    """Our payment: by Stripe's id, or by ours that went along when Stripe's is not stored yet."""
    ours = _our_uuid(subject)
    by_intent = Payment.provider_id == intent_id
    found = await ctx.fetch(
        select(Payment.id, Payment.status, Payment.receipt_url)
        .where(Payment.provider == Provider.STRIPE, or_(by_intent, Payment.uuid == ours) if ours else by_intent)
        .order_by(and_(by_intent, Payment.provider_id.is_not(None)).desc())
        .limit(1)
    )
    if not found and ours:
        raise NotFound("This payment is not known yet.")
    return found[0] if found else None


async def _ask(ctx: Context, event: Event, payment: asyncpg.Record, intent_id: str) -> Told:
    """Ask Stripe for what the event leaves out: card, receipt, the single refunds."""
    stripe = ctx.gateways.stripe
    intent, refunds, dispute = None, [], None
    try:
        if payment["status"] not in SETTLED or not payment["receipt_url"]:
            intent = await stripe.get_intent(intent_id)
        if event.kind == "charge.refunded":
            refunds = await stripe.list_refunds(intent_id)
        if event.kind.startswith("charge.dispute."):
            dispute = await stripe.get_dispute(_id(event.subject, "id"))
    except BadUserInput:
        pass  # Stripe does not know it any more; the event's own words must do
    return Told(event.subject, intent_id, intent, refunds, dispute)


async def _saved_card(ctx: Context, setup_id: str) -> tuple[int, Card] | None:
    """Whose card was saved without a payment; none for a customer of another system on the same account."""
    try:
        setup = await ctx.gateways.stripe.get_setup(setup_id)
    except BadUserInput:
        return None
    theirs = ProviderCustomer.provider == Provider.STRIPE, ProviderCustomer.provider_id == setup.customer
    found = await ctx.fetch(select(ProviderCustomer.user_id).where(*theirs))
    return (found[0]["user_id"], setup.card) if found and setup.card and setup.status == "succeeded" else None


def _refund(subject: dict[str, Any]) -> Refunded:
    metadata, reason, currency = subject.get("metadata"), subject.get("failure_reason"), _currency(subject)
    return Refunded(
        id=_id(subject, "id"),
        status=str(subject.get("status")),
        amount=_amount(subject, "amount"),
        currency=currency,
        metadata=metadata if isinstance(metadata, dict) else {},
        failure_reason=reason if isinstance(reason, str) else None,
    )


def _our_uuid(subject: dict[str, Any]) -> UUID | None:
    metadata = subject.get("metadata")
    try:
        return UUID(metadata["payment"]) if isinstance(metadata, dict) else None
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _id(subject: dict[str, Any], name: str) -> str:
    value = subject.get(name)
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise MalformedRequest(f"{name} is not an id of Stripe's.")
    return value


def _amount(subject: dict[str, Any], name: str) -> int:
    value = subject.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < LARGEST:
        raise MalformedRequest(f"{name} is not an amount.")
    return value


def _currency(subject: dict[str, Any]) -> str:
    value = subject.get("currency")
    if not isinstance(value, str) or not CURRENCY.fullmatch(value):
        raise MalformedRequest("currency is not a currency.")
    return value.upper()
