"""Joining a plan and moving to another: what it costs is shown before, and charged once.

A plan that costs more begins at once, for the difference of the days that are left. One that costs less, or the same, follows with the next
renewal, since the days until then are paid for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, Integer, Select, and_, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from errors import Conflict, NotFound
from models.keys import Key
from models.memberships import TERM_MOVES, Membership, MembershipStatus, MembershipTerm, Plan, TermKind, TermStatus, last_day
from models.payments import Payment
from models.scheduling import house_day
from resolvers.context import Context
from resolvers.giving_back import stop
from resolvers.idempotency import answers
from resolvers.membership_charges import MembershipPaid, asked_as, card_or_none, done_before, pay_term
from resolvers.membership_payments import enter
from resolvers.memberships import lock_member
from resolvers.moves import move
from resolvers.operations import SIGNED_IN, allow
from resolvers.proration import DAY, Period, Tariff, difference, period_from
from resolvers.renewals import prepare_renewal
from resolvers.settling import lock_payment
from subscriptions.facts import announce
from subscriptions.memberships import MembershipChanged


class ChangeKind(StrEnum):
    """What moving to a plan means for the viewer.

    JOIN: Becoming a member.
    UPGRADE: Moving up at once, for the difference of the days that are left.
    DOWNGRADE: Moving down with the next renewal.
    STAY: It is the present plan.
    """

    JOIN = "join"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    STAY = "stay"


@dataclass(frozen=True)
class PlanChange:
    """What moving to a plan means, before it is done."""

    kind: ChangeKind
    plan: Plan
    takes_effect_on: date
    ends_on: date
    amount: Decimal
    currency: str
    days: int
    unused: Decimal
    price: Decimal
    renewal_amount: Decimal


@allow(SIGNED_IN)
async def preview_upgrade(ctx: Context, *, plan_id: Key[Plan]) -> PlanChange:
    """What joining a plan, or moving to it, would cost the viewer now, and from when on it would hold."""
    found = await ctx.fetch(_standing(ctx, plan_id))
    if not found:
        raise NotFound("There is no such plan.")
    return quote(found[0])


@allow(SIGNED_IN)
async def upgrade_membership(
    ctx: Context, *, plan_id: Key[Plan], payment_method: str | None = None, expected_amount: Decimal | None = None
) -> MembershipPaid:
    """Join a plan or move to another; what it costs now is charged, and without any card the client is told how to pay."""
    if done := await done_before(ctx):
        return done
    card = await card_or_none(ctx, payment_method)
    async with ctx.writing() as db:
        await lock_member(db, ctx.viewer.id)
        rows: list[Any] = list((await db.execute(_standing(ctx, plan_id))).mappings())
        if not rows:
            raise NotFound("There is no such plan.")
        [row] = rows
        change = quote(row)
        if expected_amount not in (None, change.amount):
            raise Conflict("The price has changed. Look at it again.", details={"amount": change.amount})
        term = await _open(db, ctx, row, change)
        if term is None or term.status is TermStatus.PAID:  # there is nothing to pay now
            membership = await lock_member(db, ctx.viewer.id)
            done = MembershipPaid(is_complete=True, status="succeeded", membership=membership, payment=None, client_secret=None)
            answers(db, done)
            return done
    return await pay_term(ctx, term.id, card)


def quote(row: Mapping[str, Any]) -> PlanChange:
    """What moving to a plan means, given where the viewer stands; Conflict where it cannot be done."""
    plan = Plan(id=row["id"], price=row["price"], currency=row["currency"], duration_months=row["duration_months"])
    today: date = row["today"]
    if row["membership_id"] is None or row["last_day"] < today:
        period = period_from(today, plan.duration_months)
        return PlanChange(
            ChangeKind.JOIN, plan, today, period.last, plan.price, plan.currency, period.days, Decimal(0), plan.price, plan.price
        )
    if row["ends_on"] < today:
        raise Conflict("The renewal of the membership is due. Pay it first.")
    if row["present_currency"] != plan.currency:
        raise Conflict(f"This plan is paid in {plan.currency}, the present one in {row['present_currency']}.")
    period = Period(min(row["period_starts_on"], today), row["ends_on"])
    present = Tariff(row["present_price"], row["present_months"])
    found = difference(present, Tariff(plan.price, plan.duration_months), period, today, plan.currency)
    if found.amount > 0 and row["present_plan_id"] != plan.id:
        return PlanChange(
            ChangeKind.UPGRADE, plan, today, period.last, found.amount, plan.currency, found.days, found.unused, found.price, plan.price
        )
    kind = ChangeKind.STAY if row["present_plan_id"] == plan.id else ChangeKind.DOWNGRADE
    return PlanChange(
        kind, plan, period.last + DAY, period.last, Decimal(0), plan.currency, found.days, found.unused, found.unused, plan.price
    )


def _standing(ctx: Context, plan_id: Key[Plan]) -> Select[*tuple[Any, ...]]:
    """A plan, and where the viewer stands on the house's day."""
    present = aliased(Plan)
    whole_periods = (TermKind.JOINED, TermKind.RENEWED)
    begun = (
        select(func.max(MembershipTerm.starts_on))
        .where(
            MembershipTerm.membership_id == Membership.id,
            MembershipTerm.status == TermStatus.PAID,
            MembershipTerm.kind.in_(whole_periods),
        )
        .correlate(Membership)
        .scalar_subquery()
    )
    counted_back = cast(Membership.ends_on + 1 - func.make_interval(0, cast(present.duration_months, Integer)), Date)
    return (
        select(
            Plan.id,
            Plan.price,
            Plan.currency,
            Plan.duration_months,
            Membership.id.label("membership_id"),
            Membership.ends_on,
            Membership.auto_renew,
            Membership.next_plan_id,
            last_day(Membership).label("last_day"),
            present.id.label("present_plan_id"),
            present.price.label("present_price"),
            present.currency.label("present_currency"),
            present.duration_months.label("present_months"),
            func.coalesce(begun, counted_back).label("period_starts_on"),
            house_day(ctx.moment()).label("today"),
        )
        .select_from(Plan)
        .join(Membership, and_(Membership.user_id == ctx.viewer.id, Membership.status == MembershipStatus.ACTIVE), isouter=True)
        .join(present, present.id == Membership.plan_id, isouter=True)
        .where(plan_id.names(Plan))
    )


async def _open(db: AsyncSession, ctx: Context, row: Mapping[str, Any], change: PlanChange) -> MembershipTerm | None:
    """The term that waits to be paid for this change; none where the change only follows later."""
    if change.kind in (ChangeKind.DOWNGRADE, ChangeKind.STAY):
        await _follow_later(db, row, change)
        return None
    wished: dict[str, Any] = {
        "kind": TermKind.JOINED if change.kind is ChangeKind.JOIN else TermKind.CHANGED,
        "plan_id": change.plan.id,
        "membership_id": None if change.kind is ChangeKind.JOIN else row["membership_id"],
        "former_plan_id": None if change.kind is ChangeKind.JOIN else row["present_plan_id"],
        "amount": change.amount,
        "currency": change.currency,
    }
    waiting = select(MembershipTerm).where(
        MembershipTerm.user_id == ctx.viewer.id, MembershipTerm.status == TermStatus.PENDING, MembershipTerm.kind != TermKind.RENEWED
    )
    term = await db.scalar(waiting)
    if term is not None and any(getattr(term, name) != value for name, value in wished.items()):
        # Another wish: never rewritten, since money for the first may be on its way, and must not buy the second.
        await stop(db, await lock_payment(db, Payment.term_id == term.id))
        await move(db, term, TermStatus.LAPSED, TERM_MOVES)
        term.asked_as = None
        term = None
    if term is None:
        term = MembershipTerm(user_id=ctx.viewer.id, starts_on=change.takes_effect_on, ends_on=change.ends_on, **wished)
        db.add(term)
    term.asked_as = asked_as(ctx) or term.asked_as
    await db.flush()
    if term.amount == 0:
        await enter(db, term)
    return term


async def _follow_later(db: AsyncSession, row: Mapping[str, Any], change: PlanChange) -> None:
    """Let the next renewal be on another plan, or on the present one after all."""
    membership = await db.get_one(Membership, row["membership_id"])
    if change.kind is ChangeKind.STAY and membership.next_plan_id is None:
        raise Conflict("This is your plan already.")
    if not membership.auto_renew:
        raise Conflict("The membership ends with the days that are paid for. Turn its renewal on to choose the plan that follows.")
    membership.next_plan_id = None if change.kind is ChangeKind.STAY else change.plan.id
    await prepare_renewal(db, membership, change.plan.id)
    await announce(db, MembershipChanged(membership))
