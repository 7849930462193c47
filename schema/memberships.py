"""What clients see of memberships: plans, one's own membership, what it costs and what it grants."""

from datetime import date, datetime
from decimal import Decimal

import strawberry

from models import memberships as tables
from models.memberships import GuestPassStatus, MembershipStatus, TermKind, TermStatus
from resolvers import guest_passes, memberships, plan_changes, renewals
from resolvers.plan_changes import ChangeKind
from schema.fields import Connection, Record, expression, operation, related, shows
from schema.payments import Payment


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


@shows(tables.MembershipTerm)
class MembershipTerm(Record):
    """A stretch of days on a plan, and what it costs."""

    plan: Plan = related("plan")
    kind: TermKind
    status: TermStatus
    starts_on: date
    ends_on: date
    amount: Decimal
    currency: str
    failures: int
    next_try_on: date | None
    payment: Payment | None = related("payment")


@shows(tables.Membership)
class Membership(Record):
    """A person on a plan."""

    plan: Plan = related("plan")
    next_plan: Plan | None = related("next_plan")
    status: MembershipStatus
    starts_on: date
    ends_on: date
    grace_ends_on: date | None
    auto_renew: bool
    days_remaining: int = expression(memberships.days_remaining, "Days until it ends.")
    services_used_this_month: int = expression(memberships.credits_used, "Service credits used in this calendar month.")
    service_credits_left: int = expression(memberships.credits_left, "Service credits that are left in this calendar month.")
    can_use_service_credit: bool = expression(memberships.has_credit, "Whether another service of this month is paid for already.")
    guest_passes_used: int = expression(memberships.guests_used, "Guest passes issued in this calendar month.")
    guest_passes_left: int = expression(memberships.guests_left, "Guest passes that are left in this calendar month.")
    terms: list[MembershipTerm] = related("terms")


strawberry.enum(ChangeKind, description=ChangeKind.__doc__)


@shows(tables.GuestPass)
class GuestPass(Record):
    """A guest whom a member may bring along once."""

    code: str
    guest_name: str
    guest_email: str | None
    status: GuestPassStatus
    good_until: date
    used_at: datetime | None
    is_good: bool = expression(guest_passes.is_good, "Whether it still lets the guest in.")


@strawberry.type(description="What joining a plan, or moving to it, means; nothing is done yet.")
class PlanChange:
    """The answer of previewUpgrade."""

    kind: ChangeKind = strawberry.field(description="Whether it is joining, moving up now, moving down with the next renewal, or staying.")
    plan: Plan = strawberry.field(description="The plan that is asked about.")
    takes_effect_on: date = strawberry.field(description="From which day on it would hold.")
    ends_on: date = strawberry.field(description="The last day that is, or would be, paid for.")
    amount: Decimal = strawberry.field(description="What is charged now.")
    currency: str = strawberry.field(description="ISO 4217 code of all amounts here.")
    days: int = strawberry.field(description="For how many days it is paid now, today included.")
    unused: Decimal = strawberry.field(description="What these days have cost on the present plan, which is taken off.")
    price: Decimal = strawberry.field(description="What these days cost on the plan asked about, before that.")
    renewal_amount: Decimal = strawberry.field(description="What its renewal will cost at today's price.")


@strawberry.type(description="What became of paying for a membership.")
class MembershipPaid:
    """The payload of upgradeMembership and renewMembership."""

    is_complete: bool = strawberry.field(description="Whether it is done; otherwise the client has to complete the payment.")
    status: str = strawberry.field(
        description="Stripe's word: succeeded, requires_action (the bank asks the card's owner), requires_payment_method or processing."
    )
    membership: Membership | None = strawberry.field(description="The membership, once there is one.")
    payment: Payment | None = strawberry.field(description="The payment, if anything was to be paid.")
    client_secret: str | None = strawberry.field(description="With what Stripe's client library completes the payment, while it has to.")


@strawberry.type
class MembershipQueries:
    """Reading plans, which everybody may, and one's own membership."""

    plans: list[Plan] = operation(memberships.list_plans)
    my_membership: Membership | None = operation(memberships.get_my_membership)
    memberships: Connection[Membership] = operation(memberships.list_memberships)
    my_guest_passes: Connection[GuestPass] = operation(guest_passes.list_my_guest_passes)
    preview_upgrade: PlanChange = operation(plan_changes.preview_upgrade)


@strawberry.type
class MembershipMutations:
    """Joining, changing, renewing."""

    upgrade_membership: MembershipPaid = operation(plan_changes.upgrade_membership)
    renew_membership: MembershipPaid = operation(renewals.renew_membership)
    set_auto_renewal: Membership = operation(renewals.set_auto_renewal)
    issue_guest_pass: GuestPass = operation(guest_passes.issue_guest_pass)
    withdraw_guest_pass: GuestPass = operation(guest_passes.withdraw_guest_pass)
    use_guest_pass: GuestPass = operation(guest_passes.use_guest_pass)
