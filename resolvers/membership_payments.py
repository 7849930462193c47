"""Terms of memberships as payments see them, and what becomes of a membership once one is paid for."""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Conflict
from models.base import Model
from models.bookings import PaymentStatus
from models.memberships import MEMBERSHIP_MOVES, TERM_MOVES, Membership, MembershipStatus, MembershipTerm, Plan, TermKind, TermStatus
from models.notifications import NotificationKind
from models.payments import Payment
from resolvers.giving_back import give_back
from resolvers.letters import spell_date
from resolvers.membership_mails import tell_about
from resolvers.memberships import counts_on, house_today, lock_member
from resolvers.moves import move
from resolvers.proration import DAY, period_from
from subscriptions.facts import announce
from subscriptions.memberships import MembershipChanged, MembershipEnded, MembershipJoined, MembershipRenewed


class PayableTerms:
    """A term has one payment at most; the days on the plan begin when it comes in."""

    name = "membership"
    table: type[Model] = MembershipTerm
    column = "term_id"

    async def lock(self, db: AsyncSession, id: int) -> MembershipTerm:
        """The term, locked, and before it the person whose memberships it may change."""
        await lock_member(db, (await db.scalars(select(MembershipTerm.user_id).where(MembershipTerm.id == id))).one())
        fresh: dict[str, Any] = {"with_for_update": {"key_share": True}, "populate_existing": True}
        return await db.get_one(MembershipTerm, id, **fresh)

    def payer(self, thing: MembershipTerm) -> int:
        """The member."""
        return thing.user_id

    def price(self, thing: MembershipTerm) -> tuple[Decimal, str]:
        """What was quoted."""
        return thing.amount, thing.currency

    def check(self, thing: MembershipTerm) -> None:
        """Only what waits for its money can be paid for."""
        if thing.status is TermStatus.PAID:
            raise Conflict("The membership is paid already.")
        if thing.status is TermStatus.LAPSED:
            raise Conflict("This offer does not hold any more. Begin again.")

    async def tell(self, db: AsyncSession, thing: MembershipTerm, payment: Payment) -> None:
        """A term waits until it is paid for or given up; single failures do not change it."""

    async def paid(self, db: AsyncSession, thing: MembershipTerm, payment: Payment) -> None:
        """The days begin; money that came too late goes back."""
        if thing.status is not TermStatus.PENDING or not await enter(db, thing):
            await give_back(db, payment, "The membership could not begin or change any more.")

    async def describe(self, db: AsyncSession, thing: MembershipTerm) -> list[str]:
        """The plan and the days."""
        plan = await db.get_one(Plan, thing.plan_id)
        days = f"{spell_date(thing.starts_on)} to {spell_date(thing.ends_on)}"
        return [f"Membership {plan.name} ({thing.kind})", days]

    async def refunded(self, db: AsyncSession, thing: MembershipTerm, payment: Payment) -> None:
        """Money that went back as a whole takes the days with it; a part of it is a favour."""
        if payment.status is PaymentStatus.REFUNDED and thing.status is TermStatus.PAID:
            await _undo(db, thing)


async def enter(db: AsyncSession, term: MembershipTerm) -> bool:
    """Let the days of a locked term begin; false when something else has happened to the membership meanwhile."""
    today = await house_today(db)
    membership = await lock_member(db, term.user_id)
    if term.kind is TermKind.JOINED:
        if membership is not None and counts_on(membership, today):
            return False
        if membership is not None:
            await end(db, membership)
        membership = await _join(db, term, today)
    elif membership is None or membership.id != term.membership_id:
        return False
    elif term.kind is TermKind.CHANGED:
        if membership.plan_id != term.former_plan_id or not counts_on(membership, today):
            return False
        membership.plan_id, membership.next_plan_id = term.plan_id, None
    else:
        if term.starts_on != membership.ends_on + DAY:
            return False
        membership.ends_on, membership.grace_ends_on = term.ends_on, None
        membership.plan_id, membership.next_plan_id = term.plan_id, None
    await move(db, term, TermStatus.PAID, TERM_MOVES)
    term.next_try_on = None
    fact, kind = ENTERED[term.kind]
    await announce(db, fact(membership))
    await tell_about(db, kind, membership, term)
    return True


async def end(db: AsyncSession, membership: Membership) -> None:
    """Let a locked membership whose days are over count no more."""
    await move(db, membership, MembershipStatus.EXPIRED, MEMBERSHIP_MOVES)
    membership.auto_renew, membership.grace_ends_on = False, None
    await announce(db, MembershipEnded(membership))
    await tell_about(db, NotificationKind.MEMBERSHIP_ENDED, membership)


async def _join(db: AsyncSession, term: MembershipTerm, today: date) -> Membership:
    plan = await db.get_one(Plan, term.plan_id)
    period = period_from(today, plan.duration_months)
    membership = Membership(user_id=term.user_id, plan_id=plan.id, starts_on=period.first, ends_on=period.last)
    db.add(membership)
    await db.flush()
    term.membership_id, term.starts_on, term.ends_on = membership.id, period.first, period.last
    return membership


async def _undo(db: AsyncSession, term: MembershipTerm) -> None:
    """Take a term's days away again, as far as they are still to come."""
    membership = await lock_member(db, term.user_id)
    if membership is None or membership.id != term.membership_id or membership.plan_id != term.plan_id:
        return
    today = await house_today(db)
    if term.kind is TermKind.CHANGED and term.former_plan_id is not None:
        membership.plan_id = term.former_plan_id
        await announce(db, MembershipChanged(membership))
    elif term.kind is TermKind.RENEWED and membership.ends_on == term.ends_on:
        membership.ends_on, membership.auto_renew = max(term.starts_on - DAY, min(today, term.ends_on)), False
        await announce(db, MembershipChanged(membership))
    elif term.kind is TermKind.JOINED and membership.ends_on == term.ends_on:
        await move(db, membership, MembershipStatus.CANCELLED, MEMBERSHIP_MOVES)
        membership.auto_renew = False
        await announce(db, MembershipEnded(membership))


ENTERED = {
    TermKind.JOINED: (MembershipJoined, NotificationKind.MEMBERSHIP_STARTED),
    TermKind.CHANGED: (MembershipChanged, NotificationKind.MEMBERSHIP_UPGRADED),
    TermKind.RENEWED: (MembershipRenewed, NotificationKind.MEMBERSHIP_RENEWED),
}
