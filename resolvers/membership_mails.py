"""What members are told about their membership: queued with the change, written by a job from what is true then."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.queue import enqueue
from models.identity import User
from models.memberships import Membership, MembershipTerm, Plan
from models.notifications import OutboxMessage
from resolvers.context import Context
from resolvers.notifications import send


class News(StrEnum):
    """What happened to a membership, or will."""

    JOINED = "joined"
    CHANGED = "changed"
    RENEWS = "renews"
    ENDS = "ends"
    RENEWED = "renewed"
    FAILED = "failed"
    ENDED = "ended"


SUBJECTS = {
    News.JOINED: "Welcome: you are on {plan}",
    News.CHANGED: "You are on {plan} now",
    News.RENEWS: "Your membership {plan} renews on {renews_on}",
    News.ENDS: "Your membership {plan} ends on {ends_on}",
    News.RENEWED: "Your membership {plan} is renewed until {ends_on}",
    News.FAILED: "We could not renew your membership {plan}",
    News.ENDED: "Your membership {plan} has ended",
}
BODIES = {
    News.JOINED: "welcome to {plan}. Your membership lasts until {ends_on} and renews by itself; you can turn that off at any time.\n\n"
    "Each month: {credits} service credits and {guests} guest passes.",
    News.CHANGED: "from now on you are on {plan}. The days until {ends_on} stay yours.",
    News.RENEWS: "on {renews_on} we will charge your saved card {amount} {currency} for {plan} from {starts_on} to {until}.\n\n"
    "To stop this, turn renewal off before that day.",
    News.ENDS: "your membership {plan} ends on {ends_on}, since renewal is turned off. Turn it on to stay a member.",
    News.RENEWED: "thank you. Your membership {plan} is paid until {ends_on}.",
    News.FAILED: "your bank did not let us charge {amount} {currency} for your membership {plan}: {why}\n\n"
    "{next} Until then you stay a member. You can pay now, or save another card, in the app.",
    News.ENDED: "your membership {plan} ended on {ends_on}. We would be glad to have you back.",
}


async def tell_about(db: AsyncSession, news: News, membership: Membership, term: MembershipTerm | None = None, why: str = "") -> None:
    """Queue the mail about a membership in this transaction; each thing is said once."""
    about = f"term:{term.id}:{term.failures}" if term else f"{membership.id}:{membership.ends_on}"
    said = {"membership_id": membership.id, "term_id": term.id if term else None, "news": news.value, "why": why}
    await enqueue(db, "tell_about_membership", {**said, "cause": f"membership:{news}:{about}"})


async def tell_about_membership(ctx: Context, membership_id: int, term_id: int | None, news: News, why: str, cause: str) -> None:
    """Write the mail about a membership, unless it was written before; its member wants to know whatever else they want."""
    news = News(news)
    async with ctx.writing() as db:
        if await db.scalar(select(OutboxMessage.id).where(OutboxMessage.cause == cause)) is not None:
            return
        membership = await db.get_one(Membership, membership_id)
        member = await db.get_one(User, membership.user_id)
        if member.email is None:
            return
        term = await db.get_one(MembershipTerm, term_id) if term_id else None
        plan = await db.get_one(Plan, term.plan_id if term else membership.plan_id)
        facts = _facts(membership, term, plan, why)
        body = f"Dear {member.first_name or 'member'},\n\n{BODIES[news].format(**facts)}"
        await send(db, to=member.email, subject=SUBJECTS[news].format(**facts), body=body, user_id=member.id, cause=cause)


def _facts(membership: Membership, term: MembershipTerm | None, plan: Plan, why: str) -> dict[str, Any]:
    next_try = term.next_try_on if term else None
    return {
        "plan": plan.name,
        "credits": plan.monthly_service_credits,
        "guests": plan.guest_passes,
        "ends_on": _spell(membership.ends_on),
        "renews_on": _spell(membership.ends_on),
        "starts_on": _spell(term.starts_on) if term else "",
        "until": _spell(term.ends_on) if term else "",
        "amount": f"{term.amount if term else Decimal(0):.2f}",
        "currency": term.currency if term else plan.currency,
        "why": why,
        "next": f"We will try again on {_spell(next_try)}." if next_try else "",
    }


def _spell(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
