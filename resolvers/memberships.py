"""Membership plans, and what the viewer's own membership still grants."""

from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, func, literal, or_, select

from models.identity import User
from models.memberships import Membership, MembershipCredit, MembershipStatus, Plan, is_current
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


def status_of(user: type[User], ctx: Context) -> ColumnElement[str]:
    """What a person is called: the tier of the plan they are on, expired once they were on one, or none."""
    now = ctx.moment()
    tier = (
        select(Plan.tier).join(Membership, Membership.plan_id == Plan.id).where(Membership.user_id == user.id, is_current(Membership, now))
    )
    is_over = or_(
        Membership.status == MembershipStatus.EXPIRED,
        and_(Membership.status == MembershipStatus.ACTIVE, Membership.ends_on < house_day(now)),
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
    month = cast(func.date_trunc("month", house_day(ctx.moment())), MembershipCredit.month.type)
    used = select(MembershipCredit.used).where(MembershipCredit.membership_id == membership.id, MembershipCredit.month == month)
    return func.coalesce(used.correlate(membership).scalar_subquery(), 0)


def has_credit(membership: Any, ctx: Context) -> ColumnElement[bool]:
    """Whether another service of this month is paid for already."""
    granted = select(Plan.monthly_service_credits).where(Plan.id == membership.plan_id).correlate(membership).scalar_subquery()
    return and_(is_current(membership, ctx.moment()), credits_used(membership, ctx) < granted)
