"""What an appointment costs: rules without a database."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from models.memberships import Plan

CENT = Decimal("0.01")
MENSUITE, PRIVATE = "mensuite", "coresync-private"


@dataclass(frozen=True)
class Price:
    """What is to be paid, and whether a credit of the membership covers the service."""

    service: Decimal
    addons: Decimal
    takes_credit: bool

    @property
    def total(self) -> Decimal:
        """Service and add-ons together."""
        return self.service + self.addons


def opens(plan: Plan | None, category: str) -> bool:
    """Whether a plan gives member prices in a category."""
    if plan is None:
        return False
    return {MENSUITE: plan.mensuite_access, PRIVATE: plan.coresync_private_access}.get(category, False)


def price_of(
    plan: Plan | None, category: str, *, price: Decimal, member_price: Decimal, addons: Sequence[Decimal], credits_left: int
) -> Price:
    """Members with access pay the member price, or a credit covers the service; all members pay less for add-ons."""
    is_open = opens(plan, category)
    takes_credit = is_open and credits_left > 0
    service = Decimal(0) if takes_credit else member_price if is_open else price
    discount = Decimal(100 - (plan.discount_percentage if plan else 0)) / 100
    extras = (sum(addons, Decimal(0)) * discount).quantize(CENT, ROUND_HALF_EVEN)
    return Price(service, extras, takes_credit)
