"""Membership plans, and what the viewer's own membership still grants."""

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Select, String, and_, cast, exists, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

import clock
from models.identity import STAFF, User
from models.memberships import Membership, MembershipCredit, MembershipStatus, Plan, is_current, last_day
from models.scheduling import house_day
from resolvers.context import Context
from resolvers.operations import ANYONE, SIGNED_IN, allow


@allow(ANYONE)
def list_plans(ctx: Context) -> Select[Plan]:
    """Membership plans that can be bought."""
    return select(Plan).order_by(Plan.id)


@allow(SIGNED_IN)
def get_my_membership(ctx: Context) -> Select[Membership]:
    """The viewer's membership that counts now."""
    return select(Membership).where(Membership.user_id == ctx.viewer.id, is_current(Membership, ctx.moment()))


@allow(*STAFF)
def list_memberships(ctx: Context, *, status: MembershipStatus | None = None, ends_before: date | None = None) -> Select[Membership]:
    """Everybody's memberships, those that end first at the top; for the staff."""
    found = select(Membership).order_by(Membership.ends_on, Membership.id)
    if status is not None:
        found = found.where(Membership.status == status)
    return found if ends_before is None else found.where(Membership.ends_on < ends_before)


async def lock_member(db: AsyncSession, user_id: int) -> Membership | None:
    """The membership that is active, whether or not its days are over; one transaction at a time deals with a person's."""
    await db.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    mine = select(Membership).where(Membership.user_id == user_id, Membership.status == MembershipStatus.ACTIVE)
    return await db.scalar(mine.execution_options(populate_existing=True))


async def house_today(db: AsyncSession) -> date:
    """The day in the house's calendar, by the business clock."""
    return (await db.scalars(select(house_day(literal(clock.now(), DateTime(timezone=True)))))).one()


def last_counted(membership: Membership) -> date:
    """The last day on which a membership counts, as `last_day` says it in SQL."""
    return max(membership.ends_on, membership.grace_ends_on or membership.ends_on)


def counts_on(membership: Membership, day: date) -> bool:
    """Whether a membership counts on a day, as `is_current` says it in SQL."""
    return membership.status is MembershipStatus.ACTIVE and membership.starts_on <= day <= last_counted(membership)


def status_of(user: type[User], ctx: Context) -> ColumnElement[str]:
    """What a person is called: the tier of the plan they are on, expired once they were on one, or none."""
    now = ctx.moment()
    tier = (
        select(Plan.tier).join(Membership, Membership.plan_id == Plan.id).where(Membership.user_id == user.id, is_current(Membership, now))
    )
    is_over = or_(
        Membership.status == MembershipStatus.EXPIRED,
        and_(Membership.status == MembershipStatus.ACTIVE, last_day(Membership) < house_day(now)),
    )
    was = select(literal("expired", String)).where(exists().where(Membership.user_id == user.id, is_over).correlate(user))
    return func.coalesce(tier.correlate(user).scalar_subquery(), was.correlate(user).scalar_subquery(), literal("none", String))


def is_member(user: type[User], ctx: Context) -> ColumnElement[bool]:
    """Whether a person has a membership that counts now."""
    return exists().where(Membership.user_id == user.id, is_current(Membership, ctx.moment())).correlate(user)


def days_remaining(membership: type[Membership], ctx: Context) -> ColumnElement[int]:
    """Days until a membership ends, in the house's calendar."""
    return func.greatest(membership.ends_on - house_day(ctx.moment()), 0)


def credits_used(membership: type[Membership], ctx: Context) -> ColumnElement[int]:
    """Service credits used in the house's present month."""
    return _used(membership, ctx, MembershipCredit.used)


def guests_used(membership: type[Membership], ctx: Context) -> ColumnElement[int]:
    """Guest passes issued in the house's present month."""
    return _used(membership, ctx, MembershipCredit.guests)


def credits_left(membership: type[Membership], ctx: Context) -> ColumnElement[int]:
    """Service credits that are left this month; all of them are back on the first of the next."""
    return _left(membership, ctx, Plan.monthly_service_credits, credits_used(membership, ctx))


def guests_left(membership: type[Membership], ctx: Context) -> ColumnElement[int]:
    """Guest passes that are left this month."""
    return _left(membership, ctx, Plan.guest_passes, guests_used(membership, ctx))


def has_credit(membership: Any, ctx: Context) -> ColumnElement[bool]:
    """Whether another service of this month is paid for already."""
    return credits_left(membership, ctx) > 0


def _used(membership: Any, ctx: Context, allowance: InstrumentedAttribute[int]) -> ColumnElement[int]:
    month = cast(func.date_trunc("month", house_day(ctx.moment())), MembershipCredit.month.type)
    used = select(allowance).where(MembershipCredit.membership_id == membership.id, MembershipCredit.month == month)
    return func.coalesce(used.correlate(membership).scalar_subquery(), 0)


def _left(membership: Any, ctx: Context, granted: InstrumentedAttribute[int], used: ColumnElement[int]) -> ColumnElement[int]:
    grant = select(granted).where(Plan.id == membership.plan_id, is_current(membership, ctx.moment())).correlate(membership)
    # A plan with fewer of them may have followed within the month.
    return func.greatest(func.coalesce(grant.scalar_subquery(), 0) - used, 0)
