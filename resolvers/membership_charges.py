"""Charging for a term of a membership while its member is there to answer their bank."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict
from models.memberships import Membership, MembershipTerm, TermStatus
from models.payments import Payment, PaymentPurpose
from resolvers.charging import PaymentBegun, begin, charge
from resolvers.context import Context
from resolvers.idempotency import answers
from resolvers.limits import limit
from resolvers.membership_payments import PayableTerms
from resolvers.payments import CONFIRMATIONS, card_for, default_card, is_saved

SAVED = "stripe_card"
"""How CoreSync's clients name the card that is saved."""


@dataclass(frozen=True)
class MembershipPaid:
    """What became of paying for a membership; status is Stripe's word, and the secret is there while the client has to act."""

    is_complete: bool
    status: str
    membership: Membership | None
    payment: Payment | None
    client_secret: str | None


async def card_or_none(ctx: Context, named: str | None) -> str | None:
    """The card that is charged: the one that was named, or the default; none when nothing was named and nothing is saved."""
    await limit(ctx, "confirm_payment", CONFIRMATIONS)
    if named is None:
        return await default_card(ctx, ctx.viewer.id)
    try:
        return await card_for(ctx, None if named == SAVED else named)
    except BadUserInput as wrong:
        raise BadUserInput(payment_method=next(iter(wrong.fields.values()))) from None


def asked_as(ctx: Context) -> str | None:
    """By whom and under which key this call was made; a term keeps it, so that a repeat finds what the first try has paid for."""
    return f"{ctx.call.scope} {ctx.call.key} {ctx.call.body_hash}" if ctx.call and ctx.call.key else None


async def done_before(ctx: Context) -> MembershipPaid | None:
    """What the same call has paid for already, though its answer got lost."""
    key = asked_as(ctx)
    is_paid = MembershipTerm.asked_as == key, MembershipTerm.status == TermStatus.PAID
    if key is None or not await ctx.fetch(select(MembershipTerm.id).where(*is_paid)):
        return None
    async with ctx.writing() as db:
        term = (await db.scalars(select(MembershipTerm).where(MembershipTerm.asked_as == key))).one()
        payment = await db.scalar(select(Payment).where(Payment.term_id == term.id))
        return await _answer(db, term, payment, "succeeded")


async def pay_term(ctx: Context, term_id: int, card: str | None) -> MembershipPaid:
    """Charge a card for a term; without one, only begin, so that the client can take a card and complete it."""

    async def find(db: AsyncSession) -> MembershipTerm:
        return await PayableTerms().lock(db, term_id)

    async def conclude(db: AsyncSession, payment: Payment, status: str) -> MembershipPaid:
        return await _answer(db, await db.get_one(MembershipTerm, term_id), payment, status)

    def begun_only(db: AsyncSession, begun: PaymentBegun) -> None:
        answers(db, _waiting(begun))

    try:
        save_card = card is None or not await is_saved(ctx, card)
        begun = await begin(ctx, PaymentPurpose.MEMBERSHIP, find, save_card=save_card, answer=None if card else begun_only)
    except Conflict:
        # The money came in before its webhook did: then this is no conflict, but done.
        async with ctx.writing() as db:
            payment = await db.scalar(select(Payment).where(Payment.term_id == term_id))
            term = await db.get(MembershipTerm, term_id)
            if term is not None and term.status is TermStatus.PAID:
                return await _answer(db, term, payment, "succeeded")
        raise
    if card is None:
        return _waiting(begun)
    return await charge(ctx, Payment.term_id == term_id, card, conclude, key=ctx.call.key if ctx.call else None)


async def _answer(db: AsyncSession, term: MembershipTerm, payment: Payment | None, status: str) -> MembershipPaid:
    membership = await db.get(Membership, term.membership_id) if term.membership_id else None
    is_complete = term.status is TermStatus.PAID
    secret = payment.client_secret if payment and not is_complete and status != "succeeded" else None
    paid = MembershipPaid(is_complete, status, membership, payment, secret)
    answers(db, paid)
    return paid


def _waiting(begun: PaymentBegun) -> MembershipPaid:
    return MembershipPaid(False, "requires_payment_method", None, begun.payment, begun.client_secret)
