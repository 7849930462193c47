"""Renewing memberships: the member is told in time, their saved card is charged by a job, and tried again by a schedule.

A renewal is one row per membership and period, with one payment, which has one intent: whatever runs twice finds it.
"""

from datetime import date, timedelta

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BadUserInput, Conflict, NotFound, PaymentFailed
from jobs.queue import enqueue
from models.memberships import TERM_MOVES, Membership, MembershipStatus, MembershipTerm, Plan, TermKind, TermStatus, last_day
from models.notifications import NotificationKind
from models.payments import Payment, PaymentPurpose
from models.scheduling import house_day
from resolvers.charging import begin, charge
from resolvers.context import Context
from resolvers.giving_back import stop
from resolvers.idempotency import answers
from resolvers.membership_charges import MembershipPaid, asked_as, card_or_none, done_before, pay_term
from resolvers.membership_mails import tell_about
from resolvers.membership_payments import PayableTerms, end, enter
from resolvers.memberships import house_today, last_counted, lock_member
from resolvers.moves import move
from resolvers.operations import SIGNED_IN, allow
from resolvers.payments import default_card
from resolvers.proration import DAY, period_from
from resolvers.settling import lock_payment
from subscriptions.facts import announce
from subscriptions.memberships import MembershipChanged, RenewalFailed

BATCH = 200


@allow(SIGNED_IN)
async def set_auto_renewal(ctx: Context, *, is_on: bool) -> Membership:
    """Say whether the viewer's membership is renewed by itself when its days are over, or ends."""
    async with ctx.writing() as db:
        membership = await _mine(db, ctx)
        membership.auto_renew = is_on
        renewal = await _next_renewal(db, membership)
        if is_on and membership.reminded_of == membership.ends_on:
            await prepare_renewal(db, membership, membership.next_plan_id or membership.plan_id)
        elif not is_on:
            membership.next_plan_id, membership.grace_ends_on = None, None
            if renewal is not None and renewal.status is TermStatus.PENDING:
                await _give_up(db, renewal)
        await announce(db, MembershipChanged(membership))
        answers(db, membership)
    return membership


@allow(SIGNED_IN)
async def renew_membership(ctx: Context, *, payment_method: str | None = None) -> MembershipPaid:
    """Pay the renewal of the viewer's membership that is due, or comes next, instead of waiting for it to be charged."""
    if done := await done_before(ctx):
        return done
    card = await card_or_none(ctx, payment_method)
    async with ctx.writing() as db:
        membership = await _mine(db, ctx)
        if not membership.auto_renew:
            raise Conflict("The renewal of this membership is turned off.")
        renewal = await prepare_renewal(db, membership, membership.next_plan_id or membership.plan_id)
        renewal.asked_as = asked_as(ctx) or renewal.asked_as
        if renewal.amount == 0:
            await enter(db, renewal)
            done = MembershipPaid(is_complete=True, status="succeeded", membership=membership, payment=None, client_secret=None)
            answers(db, done)
            return done
    return await pay_term(ctx, renewal.id, card)


async def prepare_renewal(db: AsyncSession, membership: Membership, plan_id: int) -> MembershipTerm:
    """The term that follows a locked membership's last day, on a plan; made, or changed while nothing was charged for it."""
    plan = await db.get_one(Plan, plan_id)
    period = period_from(membership.ends_on + DAY, plan.duration_months, membership.starts_on.day)
    made = {
        "user_id": membership.user_id,
        "plan_id": plan.id,
        "ends_on": period.last,
        "amount": plan.price,
        "currency": plan.currency,
    }
    renewal = await _next_renewal(db, membership)
    if renewal is None:
        renewal = MembershipTerm(
            membership_id=membership.id, kind=TermKind.RENEWED, starts_on=period.first, next_try_on=membership.ends_on, **made
        )
        db.add(renewal)
        await db.flush()
        return renewal
    if renewal.status is TermStatus.LAPSED:
        await move(db, renewal, TermStatus.PENDING, TERM_MOVES)
        renewal.failures, renewal.next_try_on = 0, max(membership.ends_on, await house_today(db))
    if renewal.plan_id != plan.id:
        payment = await lock_payment(db, Payment.term_id == renewal.id)
        if payment is not None and payment.provider_id is not None:
            raise Conflict("The renewal is being charged already.")
        for name, value in made.items():
            setattr(renewal, name, value)
    return renewal


async def tend_memberships(ctx: Context) -> None:
    """Do what the house's calendar asks for today: remind, have renewals charged, and end what is over."""
    today = house_day(ctx.moment())
    soon = today + ctx.settings.renewal_notice_days
    active = select(Membership.id, Membership.user_id).where(Membership.status == MembershipStatus.ACTIVE)
    waits = exists().where(
        MembershipTerm.membership_id == Membership.id, MembershipTerm.kind == TermKind.RENEWED, MembershipTerm.status == TermStatus.PENDING
    )
    to_remind = active.where(Membership.ends_on.between(today, soon), Membership.reminded_of.is_distinct_from(Membership.ends_on))
    for row in await ctx.fetch(to_remind.limit(BATCH)):
        await _remind(ctx, row["user_id"], row["id"])
    due = select(MembershipTerm.id, MembershipTerm.next_try_on).where(
        MembershipTerm.status == TermStatus.PENDING, MembershipTerm.kind == TermKind.RENEWED, MembershipTerm.next_try_on <= today
    )
    for row in await ctx.fetch(due.limit(BATCH)):
        async with ctx.writing() as db:
            day = row["next_try_on"].isoformat()
            await enqueue(db, "charge_renewal", {"term_id": row["id"], "day": day}, key=f"renewal {row['id']} {day}")
    for row in await ctx.fetch(active.where(last_day(Membership) < today, ~waits).limit(BATCH)):
        await _end(ctx, row["user_id"], row["id"])


async def charge_renewal(ctx: Context, term_id: int, day: str) -> None:
    """Charge the saved card for a renewal on the day it is due; nothing happens when that day's try was made already."""
    async with ctx.writing() as db:
        term = await PayableTerms().lock(db, term_id)
        if term.status is not TermStatus.PENDING or term.next_try_on != date.fromisoformat(day):
            return
        membership = await lock_member(db, term.user_id)
        if membership is None or membership.id != term.membership_id or not membership.auto_renew:
            await _give_up(db, term)
            return
        if term.amount == 0:
            await enter(db, term)
            return
    card = await default_card(ctx, term.user_id)
    if card is None:
        await _note_failure(ctx, term_id, day, "No card is saved.")
        return

    async def find(db: AsyncSession) -> MembershipTerm:
        return await PayableTerms().lock(db, term_id)

    async def conclude(db: AsyncSession, payment: Payment, status: str) -> str:
        return status

    try:
        await begin(ctx, PaymentPurpose.MEMBERSHIP, find)
        status = await charge(ctx, Payment.term_id == term_id, card, conclude, key=f"renewal {day} {card}", off_session=True)
    except (PaymentFailed, BadUserInput) as refused:
        await _note_failure(ctx, term_id, day, refused.message)
    except Conflict:
        async with ctx.database.sessions() as db:
            if (await db.get_one(MembershipTerm, term_id)).status is TermStatus.PENDING:
                raise
    else:
        if status == "requires_action":
            await _note_failure(ctx, term_id, day, "Your bank wants to ask you first.")


async def _note_failure(ctx: Context, term_id: int, day: str, why: str) -> None:
    """Count a failed try once, and plan the next one, or give the renewal up after the last."""
    waits = ctx.settings.retry_days
    async with ctx.writing() as db:
        term = await PayableTerms().lock(db, term_id)
        membership = await lock_member(db, term.user_id)
        if membership is None or term.status is not TermStatus.PENDING or term.next_try_on != date.fromisoformat(day):
            return
        term.failures += 1
        if term.failures <= len(waits):
            first = term.starts_on - DAY
            term.next_try_on = max(first + timedelta(days=waits[term.failures - 1]), await house_today(db) + DAY)
            membership.grace_ends_on = term.next_try_on
            await tell_about(db, NotificationKind.MEMBERSHIP_PAYMENT_FAILED, membership, term, why)
        else:
            membership.auto_renew, membership.grace_ends_on = False, None
            await _give_up(db, term)
            if membership.ends_on < await house_today(db):
                await end(db, membership)
        await announce(db, RenewalFailed(membership))


async def _give_up(db: AsyncSession, term: MembershipTerm) -> None:
    await stop(db, await lock_payment(db, Payment.term_id == term.id))
    await move(db, term, TermStatus.LAPSED, TERM_MOVES)
    term.next_try_on = None


async def _remind(ctx: Context, user_id: int, membership_id: int) -> None:
    async with ctx.writing() as db:
        membership = await lock_member(db, user_id)
        if membership is None or membership.id != membership_id or membership.reminded_of == membership.ends_on:
            return
        membership.reminded_of = membership.ends_on
        if membership.auto_renew:
            term = await prepare_renewal(db, membership, membership.next_plan_id or membership.plan_id)
            await tell_about(db, NotificationKind.MEMBERSHIP_ENDING, membership, term)
        else:
            await tell_about(db, NotificationKind.MEMBERSHIP_ENDING, membership)


async def _end(ctx: Context, user_id: int, membership_id: int) -> None:
    async with ctx.writing() as db:
        membership = await lock_member(db, user_id)
        today = await house_today(db)
        if membership is not None and membership.id == membership_id and last_counted(membership) < today:
            await end(db, membership)


async def _next_renewal(db: AsyncSession, membership: Membership) -> MembershipTerm | None:
    following = MembershipTerm.membership_id == membership.id, MembershipTerm.starts_on == membership.ends_on + DAY
    return await db.scalar(select(MembershipTerm).where(*following, MembershipTerm.kind == TermKind.RENEWED))


async def _mine(db: AsyncSession, ctx: Context) -> Membership:
    membership = await lock_member(db, ctx.viewer.id)
    if membership is None or last_counted(membership) < await house_today(db):
        raise NotFound("You are not a member.")
    return membership
