"""What clients see of memberships: plans, and one's own membership."""

from datetime import date
from decimal import Decimal

import strawberry

from models import memberships as tables
from models.memberships import MembershipStatus
from resolvers import memberships
from schema.fields import Record, expression, operation, related, shows


@shows(tables.Plan)
class Plan(Record):
    """A membership that can be bought."""

    name: str
    slug: str
    description: str
    price: Decimal
    currency: str
    duration_months: int
    tier: str
    benefits: list[str]
    discount_percentage: int
    mensuite_access: bool
    coresync_private_access: bool
    iot_control_access: bool
    priority_booking: bool
    monthly_service_credits: int
    guest_passes: int
    is_featured: bool
    color_scheme: str
    icon: str


@shows(tables.Membership)
class Membership(Record):
    """A person on a plan."""

    plan: Plan = related("plan")
    status: MembershipStatus
    starts_on: date
    ends_on: date
    auto_renew: bool
    guest_passes_used: int
    days_remaining: int = expression(memberships.days_remaining, "Days until it ends.")
    services_used_this_month: int = expression(memberships.credits_used, "Service credits used in this calendar month.")
    can_use_service_credit: bool = expression(memberships.has_credit, "Whether another service of this month is paid for already.")


@strawberry.type
class MembershipQueries:
    """Reading plans, which everybody may, and one's own membership."""

    plans: list[Plan] = operation(memberships.list_plans)
    my_membership: Membership | None = operation(memberships.get_my_membership)
