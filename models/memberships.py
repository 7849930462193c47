"""Membership plans, the people on them, and the service credits they have used."""

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, and_, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, Money, Visible
from models.scheduling import house_day

if TYPE_CHECKING:
    from models.identity import User


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
    guest_passes: Mapped[int] = mapped_column(default=0, doc="Guests that may be brought along.")
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


class Membership(Visible):
    """A person on a plan."""

    __tablename__ = "memberships"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    status: Mapped[MembershipStatus] = mapped_column(default=MembershipStatus.ACTIVE, doc="Whether it counts.")
    starts_on: Mapped[date] = mapped_column(doc="Its first day.")
    ends_on: Mapped[date] = mapped_column(doc="Its last day.")
    auto_renew: Mapped[bool] = mapped_column(default=True, doc="Whether it is renewed by itself.")
    guest_passes_used: Mapped[int] = mapped_column(default=0, doc="Guests that were brought along.")

    user: Mapped["User"] = relationship(lazy="raise", back_populates="memberships", doc="The member.")
    plan: Mapped[Plan] = relationship(lazy="raise", doc="The plan.")

    __table_args__ = (
        Index("uq_memberships_active", "user_id", unique=True, postgresql_where=text("status = 'active'")),
        CheckConstraint("ends_on >= starts_on", name="order"),
    )


def is_current(membership: Any, moment: ColumnElement[datetime] | None = None) -> ColumnElement[bool]:
    """Whether a membership counts on the house's day, given the table or an alias of it; now unless said."""
    day = house_day(func.now() if moment is None else moment)
    return and_(membership.status == MembershipStatus.ACTIVE, membership.starts_on <= day, membership.ends_on >= day)


class MembershipCredit(Model):
    """Service credits used in one month; taken by a conditional update, so never more than the plan grants."""

    __tablename__ = "membership_credits"

    membership_id: Mapped[int] = mapped_column(ForeignKey("memberships.id", ondelete="CASCADE"))
    month: Mapped[date] = mapped_column(doc="First day of the month, in the location's calendar.")
    used: Mapped[int] = mapped_column(default=0)

    __table_args__ = (UniqueConstraint("membership_id", "month"), CheckConstraint("used >= 0", name="used"))
