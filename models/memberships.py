"""Membership plans, the people on them, what they pay for it, and the allowances they have used."""

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ColumnElement, Date, DateTime, ForeignKey, Index, UniqueConstraint, and_, bindparam, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

import clock
from models.base import SENSITIVE, Model, Money, Visible
from models.scheduling import house_day

if TYPE_CHECKING:
    from models.identity import User
    from models.payments import Payment


class Plan(Visible):
    """A membership that can be bought."""

    __tablename__ = "plans"

    name: Mapped[str] = mapped_column(doc="Name shown to customers.")
    slug: Mapped[str] = mapped_column(unique=True, doc="Name in addresses.")
    description: Mapped[str] = mapped_column(default="", doc="What it offers.")
    price: Mapped[Money] = mapped_column(doc="Price for its whole duration.")
    currency: Mapped[str] = mapped_column(default="USD", doc="ISO 4217 code of its price.")
    duration_months: Mapped[int] = mapped_column(default=12, doc="How long it lasts, in months.")
    tier: Mapped[str] = mapped_column(default="standard", doc="What a member on it is called: standard or premium.")
    benefits: Mapped[list[str]] = mapped_column(default=list, doc="What it includes, in words.")
    discount_percentage: Mapped[int] = mapped_column(default=0, doc="Discount on add-ons, in percent.")
    mensuite_access: Mapped[bool] = mapped_column(default=False, doc="Member prices in Mensuite.")
    coresync_private_access: Mapped[bool] = mapped_column(default=False, doc="Member prices in Coresync Private.")
    iot_control_access: Mapped[bool] = mapped_column(default=False, doc="Whether members may set devices.")
    priority_booking: Mapped[bool] = mapped_column(default=False, doc="Whether members see priority slots.")
    monthly_service_credits: Mapped[int] = mapped_column(default=0, doc="Services a month that are already paid for.")
    guest_passes: Mapped[int] = mapped_column(default=0, doc="Guests a month that may be brought along.")
    is_featured: Mapped[bool] = mapped_column(default=False, doc="Whether it is shown first.")
    color_scheme: Mapped[str] = mapped_column(default="#1a1a1a", doc="Colour of its card.")
    icon: Mapped[str] = mapped_column(default="", doc="Name of its icon.")

    __table_args__ = (CheckConstraint("discount_percentage BETWEEN 0 AND 100", name="discount"),)


class MembershipStatus(StrEnum):
    """Whether a membership counts.

    ACTIVE: It counts.
    CANCELLED: It was ended by the member or the house.
    EXPIRED: Its time is over.
    """

    ACTIVE = "active"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


MEMBERSHIP_MOVES = {MembershipStatus.ACTIVE: {MembershipStatus.CANCELLED, MembershipStatus.EXPIRED}}


class Membership(Visible):
    """A person on a plan; renewals make it longer, so that it stays one row for as long as it lasts."""

    __tablename__ = "memberships"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    next_plan_id: Mapped[int | None] = mapped_column(ForeignKey("plans.id"))
    status: Mapped[MembershipStatus] = mapped_column(default=MembershipStatus.ACTIVE, doc="Whether it counts.")
    starts_on: Mapped[date] = mapped_column(doc="Its first day.")
    ends_on: Mapped[date] = mapped_column(doc="The last day that is paid for.")
    grace_ends_on: Mapped[date | None] = mapped_column(doc="Until when it counts although its renewal could not be charged yet.")
    auto_renew: Mapped[bool] = mapped_column(default=True, doc="Whether it is renewed by itself.")
    reminded_of: Mapped[date | None] = mapped_column(doc="The last day of which the member was reminded in time.")

    user: Mapped["User"] = relationship(lazy="raise", back_populates="memberships", doc="The member.")
    plan: Mapped[Plan] = relationship(lazy="raise", foreign_keys=[plan_id], doc="The plan.")
    next_plan: Mapped[Plan | None] = relationship(
        lazy="raise", foreign_keys=[next_plan_id], doc="The plan from the next renewal on, where it is to be another."
    )
    terms: Mapped[list["MembershipTerm"]] = relationship(
        lazy="raise", viewonly=True, order_by="MembershipTerm.id.desc()", doc="What was paid for it, or is to be, newest first."
    )

    __table_args__ = (
        Index(None, "starts_on"),
        Index("uq_memberships_active", "user_id", unique=True, postgresql_where=text("status = 'active'")),
        Index("ix_memberships_ends_on", "ends_on", postgresql_where=text("status = 'active'")),
        CheckConstraint("ends_on >= starts_on", name="order"),
        CheckConstraint("grace_ends_on > ends_on", name="grace"),
    )


BUSINESS_NOW = bindparam("business_now", type_=DateTime(timezone=True), callable_=clock.now, unique=True)
"""The business clock's moment at the time a statement is run, for conditions that are part of a relationship."""


def last_day(membership: Any) -> ColumnElement[date]:
    """The last day on which a membership counts, given the table or an alias of it."""
    return func.greatest(membership.ends_on, membership.grace_ends_on, type_=Date())


def is_current(membership: Any, moment: ColumnElement[datetime] = BUSINESS_NOW) -> ColumnElement[bool]:
    """Whether a membership counts on the house's day, given the table or an alias of it; now unless said."""
    day = house_day(moment)
    return and_(membership.status == MembershipStatus.ACTIVE, membership.starts_on <= day, last_day(membership) >= day)


class TermKind(StrEnum):
    """How a stretch of days on a plan began.

    JOINED: Somebody became a member.
    CHANGED: A member moved to another plan within a period.
    RENEWED: Another period followed.
    """

    JOINED = "joined"
    CHANGED = "changed"
    RENEWED = "renewed"


class TermStatus(StrEnum):
    """Whether a stretch of days is paid for.

    PENDING: It waits for its money.
    PAID: It is paid for.
    LAPSED: It was given up, and is not for sale any more.
    """

    PENDING = "pending"
    PAID = "paid"
    LAPSED = "lapsed"


TERM_MOVES = {
    TermStatus.PENDING: {TermStatus.PAID, TermStatus.LAPSED},
    TermStatus.LAPSED: {TermStatus.PENDING},  # a renewal that is wanted again
}


class MembershipTerm(Visible):
    """A stretch of days on a plan, and what it costs: one per period of a membership, so that none is charged twice."""

    __tablename__ = "membership_terms"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    membership_id: Mapped[int | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    former_plan_id: Mapped[int | None] = mapped_column(ForeignKey("plans.id"))
    kind: Mapped[TermKind] = mapped_column(doc="Whether it was joined, changed or renewed by it.")
    status: Mapped[TermStatus] = mapped_column(default=TermStatus.PENDING, doc="Whether it is paid for.")
    starts_on: Mapped[date] = mapped_column(doc="Its first day.")
    ends_on: Mapped[date] = mapped_column(doc="Its last day.")
    amount: Mapped[Money] = mapped_column(doc="What it costs.")
    currency: Mapped[str] = mapped_column(default="USD", doc="ISO 4217 code of the amount.")
    failures: Mapped[int] = mapped_column(default=0, server_default=text("0"), doc="How often charging for it failed.")
    next_try_on: Mapped[date | None] = mapped_column(doc="When charging for it is tried, or tried again.")
    asked_as: Mapped[str | None] = mapped_column(unique=True, doc="By whom and under which idempotency key it was asked for.")

    plan: Mapped[Plan] = relationship(lazy="raise", foreign_keys=[plan_id], doc="The plan.")
    payment: Mapped["Payment | None"] = relationship(lazy="raise", viewonly=True, doc="Its payment, once one was begun.")

    __table_args__ = (
        Index("uq_membership_terms_period", "membership_id", "starts_on", unique=True, postgresql_where=text("kind = 'renewed'")),
        Index("uq_membership_terms_open", "user_id", unique=True, postgresql_where=text("status = 'pending' AND kind <> 'renewed'")),
        Index("ix_membership_terms_next_try_on", "next_try_on", postgresql_where=text("status = 'pending'")),
        CheckConstraint("ends_on >= starts_on", name="order"),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("membership_id IS NOT NULL OR kind = 'joined'", name="membership"),
        CheckConstraint("membership_id IS NOT NULL OR status <> 'paid'", name="paid"),
    )


class MembershipCredit(Model):
    """What was used of one month's allowances; taken by conditional updates, so never more than the plan grants."""

    __tablename__ = "membership_credits"

    membership_id: Mapped[int] = mapped_column(ForeignKey("memberships.id", ondelete="CASCADE"))
    month: Mapped[date] = mapped_column(doc="First day of the month, in the location's calendar.")
    used: Mapped[int] = mapped_column(default=0, server_default=text("0"), doc="Services that were paid for by credit.")
    guests: Mapped[int] = mapped_column(default=0, server_default=text("0"), doc="Guest passes that were issued.")

    __table_args__ = (
        UniqueConstraint("membership_id", "month"),
        CheckConstraint("used >= 0", name="used"),
        CheckConstraint("guests >= 0", name="guests"),
    )


class GuestPassStatus(StrEnum):
    """What became of a guest pass; one that is too old stays as it was.

    ISSUED: Nobody has used it.
    USED: The guest has been here.
    WITHDRAWN: The member took it back.
    """

    ISSUED = "issued"
    USED = "used"
    WITHDRAWN = "withdrawn"


GUEST_PASS_MOVES = {GuestPassStatus.ISSUED: {GuestPassStatus.USED, GuestPassStatus.WITHDRAWN}}


class GuestPass(Visible):
    """A guest whom a member may bring along once."""

    __tablename__ = "guest_passes"

    membership_id: Mapped[int] = mapped_column(ForeignKey("memberships.id", ondelete="CASCADE"), index=True)
    credit_id: Mapped[int] = mapped_column(ForeignKey("membership_credits.id"))
    code: Mapped[str] = mapped_column(unique=True, info=SENSITIVE, doc="What the guest shows at the door, such as GP-7K4M-2QX9.")
    guest_name: Mapped[str] = mapped_column(info=SENSITIVE, doc="Whom it is for.")
    guest_email: Mapped[str | None] = mapped_column(info=SENSITIVE, doc="Where it was sent.")
    status: Mapped[GuestPassStatus] = mapped_column(default=GuestPassStatus.ISSUED, doc="What became of it.")
    good_until: Mapped[date] = mapped_column(doc="Its last day.")
    used_at: Mapped[datetime | None] = mapped_column(doc="When the guest came.")
    used_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"), doc="Who of the staff let the guest in.")

    membership: Mapped[Membership] = relationship(lazy="raise", doc="Whose guest it is.")
