"""What members are told about their membership: queued with the change, worded by a job from what is true then."""

from sqlalchemy.ext.asyncio import AsyncSession

from jobs.queue import enqueue
from models.identity import User
from models.memberships import Membership, MembershipTerm, Plan
from models.notifications import NotificationKind
from resolvers.context import Context
from resolvers.letters import spell_date, spell_money
from resolvers.notifications import Facts, notify


async def tell_about(
    db: AsyncSession, kind: NotificationKind, membership: Membership, term: MembershipTerm | None = None, why: str = ""
) -> None:
    """Have the member told about a membership, in this transaction; each thing is said once."""
    about = f"term:{term.id}:{term.failures}" if term else f"{membership.id}:{membership.ends_on}"
    said = {"membership_id": membership.id, "term_id": term.id if term else None, "kind": kind.value, "why": why}
    await enqueue(db, "tell_about_membership", {**said, "cause": f"{kind}:{about}"})


async def tell_about_membership(ctx: Context, membership_id: int, term_id: int | None, kind: str, why: str, cause: str) -> None:
    """Tell a member what happens to their membership, as it is now."""
    async with ctx.writing() as db:
        membership = await db.get_one(Membership, membership_id)
        member = await db.get_one(User, membership.user_id)
        term = await db.get_one(MembershipTerm, term_id) if term_id else None
        plan = await db.get_one(Plan, term.plan_id if term else membership.plan_id)
        facts = {"first_name": member.first_name, **_facts(NotificationKind(kind), membership, term, plan, why)}
        await notify(db, member.id, NotificationKind(kind), facts, cause=cause, action_url="/membership")


def _facts(kind: NotificationKind, membership: Membership, term: MembershipTerm | None, plan: Plan, why: str) -> Facts:
    """What every letter about memberships says, and what only letters of this kind do."""
    is_ending = kind is NotificationKind.MEMBERSHIP_ENDING
    days = membership if term is None or is_ending else term
    facts: dict[str, str | int | bool | list[str] | None] = {
        "plan": plan.name,
        "starts_on": spell_date(days.starts_on),
        "ends_on": spell_date(days.ends_on),
        "amount": spell_money(term.amount, term.currency) if term else "",
    }
    if is_ending:
        # Who renews is told of the term that was prepared for it.
        following = {"next_starts_on": spell_date(term.starts_on), "next_ends_on": spell_date(term.ends_on)} if term else {}
        return {**facts, "auto_renew": term is not None, "next_starts_on": "", "next_ends_on": "", **following}
    if kind is NotificationKind.MEMBERSHIP_STARTED:
        return {**facts, "credits": plan.monthly_service_credits, "guests": plan.guest_passes}
    if kind is NotificationKind.MEMBERSHIP_PAYMENT_FAILED:
        return {**facts, "reason": why, "next_try_on": spell_date(term.next_try_on) if term and term.next_try_on else ""}
    return facts
